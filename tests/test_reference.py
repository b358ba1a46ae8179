"""Numbers from the literature and from independent codes, and a user's own action through everything."""

import jax.numpy as jnp
import numpy as np
import pytest

import kadanoff as kd
from kadanoff.reweighting.target import reweight
from kadanoff.sampling import sample
from kadanoff.statistics import Estimate

#: Direct Monte Carlo by two independent codes, L = 8, (mass2, quartic) = (-0.9515, 0.7).
EIGHT = {
    "abs_magnetization": Estimate(0.6508, 0.0004),
    "susceptibility": Estimate(30.85, 0.03),
    "binder": Estimate(0.5499, 0.0002),
    "xi_over_L": Estimate(0.8156, 0.0006),
    "phi2": Estimate(0.7945, 0.0004),
    "phi4": Estimate(1.2648, 0.0009),
    "neighbours": Estimate(1.1537, 0.0008),
    "action_density": Estimate(0.2787, 0.0001),
    "schwinger_dyson": Estimate(1.0, 0.0),
}


@pytest.mark.reference
def test_the_small_critical_lattice():
    # Nine numbers, of which most are correlated: 4 standard errors each, significance below 6e-4.
    ensemble = sample(kd.Phi4(-0.9515, 0.7), kd.Lattice((8, 8)), chains=256, draws=64, thin=8, seed=3)
    found = ensemble.observables()
    for name, reference in EIGHT.items():
        assert abs(found[name].pull(reference)) < 4, f"{name}: {found[name]} instead of {reference}"
    assert found["abs_magnetization"].error < 0.01 * found["abs_magnetization"].value


class Phi6(kd.NearestNeighbourAction):
    """The action of the README's tour."""

    mass2: float
    quartic: float
    sextic: float
    kappa: float = 1.0

    def potential(self, phi, dimension):
        quadratic = (self.mass2 + 2 * dimension * self.kappa) / 2
        return quadratic * phi**2 + self.quartic / 4 * phi**4 + self.sextic / 6 * phi**6


def two_sites(action):
    """<phi^2> and <phi^6> of a ring of two sites, whose link is double, by quadrature."""
    x = np.linspace(-5, 5, 801)
    weight = np.exp(-np.asarray(action.potential(jnp.asarray(x), 1), dtype=np.float64))
    joint = np.outer(weight, weight) * np.exp(2 * action.kappa * np.outer(x, x))
    joint /= joint.sum()
    return [float(np.sum(joint * x[:, None] ** power)) for power in (2, 6)]


@pytest.mark.statistical
def test_a_users_action_runs_through_everything():
    # Ten pulls below 4: significance below 7e-4.
    action, target = Phi6(-2.0, -0.5, 0.4), Phi6(-1.95, -0.5, 0.42)
    sixth = kd.Observable("phi6", (lambda phi: phi**6,), lambda means, lattice: means[0], "phi6")
    ensemble = sample(action, kd.Lattice((2,)), chains=256, draws=64, seed=1)
    for result, exact in ((ensemble, two_sites(action)), (reweight(ensemble, target), two_sites(target))):
        assert abs(result.observe("phi2").pull(exact[0])) < 4
        assert abs(result.observe(sixth).pull(exact[1])) < 4
        assert abs(result.observe("schwinger_dyson").pull(1.0)) < 4
        assert result.observe("phi2").error < 0.01 * exact[0]
    # the bounds above must be able to tell the two actions apart
    assert abs(ensemble.observe(sixth).pull(two_sites(target)[1])) > 4
