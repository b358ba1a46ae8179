"""Reweighting and response against closed forms: fields without hopping are independent Gaussians."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kadanoff.actions import Action, InhomogeneousIsing, Ising, Phi4
from kadanoff.ensemble import Ensemble
from kadanoff.errors import InputError, OverlapError, OverlapWarning, PrecisionWarning
from kadanoff.graph import Graph
from kadanoff.renormalization.blocking import MajorityMean, block
from kadanoff.reweighting.curves import reweighted_curve
from kadanoff.reweighting.response import conjugate_series, derivative, with_coupling
from kadanoff.reweighting.target import log_ratio, reweight


def gaussian(mass2=1.5, chains=32, draws=64, shape=(4, 4), seed=0):
    """Exact draws without hopping and quartic term: phi ~ N(0, 1/mass2) on every site."""
    fields = np.random.default_rng(seed).normal(size=(chains, draws, *shape)) / np.sqrt(mass2)
    return Ensemble(fields.astype(np.float32), Phi4(mass2, 0.0, 0.0))


class ComplexMass(Action):
    """S = (real + i imaginary)/2 sum phi^2."""

    real: float
    imaginary: float

    def density(self, field):
        return 0.5 * (self.real + 1j * self.imaginary) * field**2


@pytest.mark.exact
def test_weights_are_differences_of_actions_in_double_precision():
    ensemble, target = gaussian(), Phi4(1.4, 0.05, 0.02)
    phi = np.asarray(ensemble.fields, dtype=np.float64)
    links = phi * (np.roll(phi, -1, 2) + np.roll(phi, -1, 3))
    mass = (1.4 - 1.5 + 4 * 0.02) / 2
    exact = -np.sum(mass * phi**2 + 0.05 / 4 * phi**4 - 0.02 * links, axis=(2, 3))
    np.testing.assert_allclose(reweight(ensemble, target).log_weight, exact, atol=3e-6)


@pytest.mark.exact
def test_blocked_fields_get_the_weights_of_their_originals():
    ensemble = gaussian()
    blocked = reweight(block(ensemble, MajorityMean(b=2)), Phi4(1.45, 0.0, 0.0))
    np.testing.assert_array_equal(blocked.log_weight, reweight(ensemble, Phi4(1.45, 0.0, 0.0)).log_weight)
    assert blocked.lattice.shape == (2, 2) and blocked.depth == 1
    assert float(blocked.simulated.action.mass2) == pytest.approx(1.45)
    assert ensemble.log_weight is None and float(ensemble.action.mass2) == 1.5


@pytest.mark.exact
def test_two_steps_lead_where_one_leads():
    ensemble = block(gaussian(), MajorityMean(b=2))
    there = reweight(reweight(ensemble, Phi4(1.45, 0.0, 0.0)), Phi4(1.4, 0.01, 0.0))
    np.testing.assert_allclose(
        there.log_weight, reweight(ensemble, Phi4(1.4, 0.01, 0.0)).log_weight, atol=2e-5
    )
    back = reweight(there, Phi4(1.5, 0.0, 0.0))
    np.testing.assert_allclose(back.log_weight, 0, atol=2e-5)


@pytest.mark.statistical
def test_reweighted_means_are_those_of_the_target():
    reweighted = reweight(gaussian(), Phi4(1.4, 0.0, 0.0)).observables()
    assert abs(reweighted["phi2"].pull(1 / 1.4)) < 4
    assert abs(reweighted["phi4"].pull(3 / 1.4**2)) < 4
    assert abs(reweighted["schwinger_dyson"].pull(1.0)) < 4
    assert abs(reweighted["phi2"].pull(1 / 1.5)) > 4


@pytest.mark.statistical
def test_complex_targets_give_complex_means():
    reweighted = reweight(gaussian(draws=256), ComplexMass(1.45, 0.1))
    exact = 1 / (1.45 + 0.1j)
    pull = reweighted.observe("phi2").pull(exact)
    assert max(abs(pull.real), abs(pull.imag)) < 4
    assert abs(reweighted.observe("phi2").pull(exact.conjugate()).imag) > 4
    # sixteen sites: the phase of (1.45 / (1.45 + 0.1i))^8
    assert reweighted.average_phase == pytest.approx(abs(1.45 / (1.45 + 0.1j)) ** 8, abs=0.01)
    residual = reweighted.observe("schwinger_dyson").pull(1.0)
    assert max(abs(residual.real), abs(residual.imag)) < 4


@pytest.mark.exact
def test_a_bare_function_is_a_target():
    ensemble = gaussian()
    with pytest.warns(PrecisionWarning):
        loose = reweight(ensemble, lambda phi: 0.5 * 1.45 * jnp.sum(phi**2))
    np.testing.assert_allclose(
        loose.log_weight, reweight(ensemble, Phi4(1.45, 0.0, 0.0)).log_weight, atol=1e-4
    )


@pytest.mark.exact
def test_spins_and_real_fields_have_no_weights_of_each_other():
    spins = np.where(np.random.default_rng(0).random((4, 8, 4, 4)) < 0.5, 1, -1).astype(np.int8)
    with pytest.raises(InputError, match="Ising has spins, .* and Phi4 real fields"):
        reweight(Ensemble(spins, Ising(0.1)), Phi4(0.5, 0.1, 0.1))
    with pytest.raises(InputError, match="Ising has spins, .* and Phi4 real fields"):
        reweight(gaussian(), Ising(0.1))
    floats = Ensemble(spins.astype(np.float32), Ising(0.1))  # as files of spins may come
    assert reweight(floats, InhomogeneousIsing(Graph.grid((4, 4)), 0.1)).log_weight is not None
    with pytest.warns(PrecisionWarning):  # a function does not say of what
        reweight(floats, lambda field: -0.1 * jnp.sum(field * jnp.roll(field, 1, 0)))


@pytest.mark.exact
def test_real_weights_have_no_phase_to_lose():
    one = Ensemble(np.ones((1, 1, 4, 4), np.float32), Phi4(1.5, 0.0, 0.0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reweight(one, Phi4(1.45, 0.0, 0.0))


@pytest.mark.exact
def test_lost_overlap_is_told():
    ensemble = gaussian(shape=(16, 16))
    with pytest.raises(OverlapError, match="smaller steps"):
        reweight(ensemble, Phi4(3.0, 0.0, 0.0))
    with pytest.warns(OverlapWarning, match="effective"):
        reweight(ensemble, Phi4(1.86, 0.0, 0.0))
    with pytest.warns(OverlapWarning, match="phase"):
        reweight(ensemble, ComplexMass(1.5, 1.0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reweight(ensemble, Phi4(1.51, 0.0, 0.0))


@pytest.mark.exact
def test_an_ensemble_without_an_action_cannot_be_reweighted():
    with pytest.raises(InputError, match="with_action"):
        reweight(Ensemble(gaussian().fields), Phi4(1.5, 0.0))
    with pytest.raises(InputError, match="not an action"):
        reweight(gaussian(), "phi4")


@pytest.mark.exact
def test_conjugate_operators_of_the_ancestor():
    ensemble = gaussian()
    phi = np.asarray(ensemble.fields, dtype=np.float64)
    series = conjugate_series(block(ensemble, MajorityMean(b=2)))
    np.testing.assert_allclose(series["mass2"], 0.5 * np.sum(phi**2, axis=(2, 3)), rtol=1e-6)
    np.testing.assert_allclose(series["quartic"], 0.25 * np.sum(phi**4, axis=(2, 3)), rtol=1e-6)
    assert conjugate_series(ensemble, ("mass2",))["mass2"] is series["mass2"]
    moved = ensemble.with_action(ComplexMass(1.5, 0.1))
    np.testing.assert_allclose(conjugate_series(moved)["imaginary"], 1j * series["mass2"], rtol=1e-6)


@pytest.mark.exact
@pytest.mark.parametrize("name", ["abs_magnetization", "susceptibility", "binder", "xi_over_L", "phi4"])
def test_response_is_the_slope_of_the_reweighted_mean(name):
    fine = gaussian()
    for ensemble in (fine, block(fine, MajorityMean(b=2)), reweight(fine, Phi4(1.45, 0.0, 0.0))):
        mass2, step = float(ensemble.simulated.action.mass2), 2e-3
        up, down = (reweight(ensemble, Phi4(mass2 + sign * step, 0.0, 0.0)).observe(name) for sign in (1, -1))
        apart = float(Phi4(mass2 + step, 0.0).mass2) - float(Phi4(mass2 - step, 0.0).mass2)
        slope = (up.value - down.value) / apart
        # near zero xi bends: the difference quotient is worse there
        rel = 3e-3 if name == "xi_over_L" else 2e-4
        assert derivative(ensemble, name).value == pytest.approx(slope, rel=rel)


@pytest.mark.statistical
def test_response_of_a_gaussian_is_known_and_so_is_its_error():
    pulls = []
    for seed in range(40):
        estimate = derivative(gaussian(seed=seed, chains=32, draws=16), "phi2")
        pulls.append(estimate.pull(-1 / 1.5**2))
    # 40 independent pulls: the sum of squares lies in this range with probability 1 - 1e-3
    assert 16 < np.sum(np.square(pulls)) < 77
    assert abs(np.mean(pulls)) < 3.3 / np.sqrt(40)


@pytest.mark.exact
def test_unknown_couplings_and_observables_are_refused():
    ensemble = gaussian()
    with pytest.raises(InputError, match="mass2, quartic, kappa"):
        derivative(ensemble, "phi2", "beta")
    with pytest.raises(InputError, match="contains the action"):
        derivative(ensemble, "action_density")
    with pytest.raises(InputError, match="unbounded"):
        with_coupling(Phi4(1.0, 0.5), "quartic", -1.0)
    np.testing.assert_allclose(log_ratio(ensemble, ensemble.action), 0)


@pytest.mark.exact
def test_curves_of_an_action_with_couplings_of_every_site():
    class RandomField(Action):
        strength: float
        noise: jax.Array

        def density(self, field):
            return field**2 - self.strength * self.noise * field

    noise = np.random.default_rng(0).normal(size=(3, 3)).astype(np.float32)
    fields = np.random.default_rng(1).normal(size=(16, 4, 3, 3)).astype(np.float32)
    ensemble = Ensemble(fields, RandomField(0.0, jnp.asarray(noise)))
    curve = reweighted_curve(ensemble, "phi2", np.array([0.0, 0.1]), "strength", samples=20)
    weight = np.exp(0.1 * (noise * fields.astype(np.float64)).sum(axis=(2, 3)))
    expected = (weight * (fields.astype(np.float64) ** 2).mean(axis=(2, 3))).sum() / weight.sum()
    assert curve.values[1] == pytest.approx(expected, rel=1e-6)
    for wrong in (np.array([]), np.array([0.1, np.nan])):
        with pytest.raises(InputError, match="finite values of the coupling"):
            reweighted_curve(ensemble, "phi2", wrong, "strength")
