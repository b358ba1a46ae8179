"""Free energies against quadrature, enumeration and Kaufman; each within 4.5 standard errors of what is exact."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kadanoff import quartic
from kadanoff.actions import (
    Action,
    InhomogeneousIsing,
    InhomogeneousPhi4,
    Ising,
    LongerRangePhi4,
    MarkovRandomField,
    Phi4,
)
from kadanoff.errors import InputError, OverlapError, OverlapWarning
from kadanoff.exact import enumerate_spins, kaufman
from kadanoff.graph import Graph
from kadanoff.lattice import Lattice
from kadanoff.learning.partition import free_energy, gaussian_start, site_start
from kadanoff.sampling import ColourBlock, HybridMonteCarlo

SIGMAS = 4.5
SQUARE = Graph([(0, 1), (1, 2), (2, 3), (3, 0)])
RNG = np.random.default_rng(1)
W, R, A = (RNG.normal(size=n) for n in (4, 4, 4))
B = RNG.uniform(0.3, 1, 4)
SAMPLERS = {"annealing": ColourBlock(), "integration": ColourBlock("metropolis", sweeps=2)}


def by_quadrature(action, sites: int, nodes: int = 41, reach: float = 4.5) -> float:
    """F by the trapezoidal rule on a product grid."""
    x = np.linspace(-reach, reach, nodes)
    fields = np.stack(np.meshgrid(*[x] * sites, indexing="ij"), axis=-1).reshape(-1, sites)
    values = jax.vmap(lambda field: jnp.sum(action.density(field)))(jnp.asarray(fields, jnp.float32))
    return -float(np.log(np.exp(-np.asarray(values, np.float64)).sum()) + sites * np.log(x[1] - x[0]))


class Sextic(Action):
    """phi^4 with a phi^6 term and a link between second neighbours."""

    phi4: Phi4
    sixth: float

    def density(self, field):
        return self.phi4.density(field) + self.sixth * field**6 - 0.2 * field * jnp.roll(field, 2, 0)


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.statistical
@pytest.mark.parametrize("method", ["annealing", "integration"])
def test_four_sites_agree_with_quadrature_from_both_starts(method: str) -> None:
    action, bowls = InhomogeneousPhi4(SQUARE, W, A, B, R), InhomogeneousPhi4(SQUARE, W, abs(A) + 3, B, R)
    plan = {"method": method, "steps": 300, "draws": 100, "chains": 512, "sampler": SAMPLERS[method]}
    found = free_energy(action, **plan)
    assert abs(found.pull(by_quadrature(action, 4))) < SIGMAS
    assert found.error < 0.02
    exact = by_quadrature(bowls, 4)
    for start in ("sites", "gaussian"):
        found = free_energy(bowls, start=start, **plan)
        assert abs(found.pull(exact)) < SIGMAS
        assert found.error < 0.005


@pytest.mark.statistical
@pytest.mark.slow
@pytest.mark.ci
def test_an_action_with_more_terms_agrees_with_quadrature() -> None:
    action = Sextic(Phi4(1.0, 0.7), 0.1)
    found = free_energy(action, Lattice((4,)), steps=100, sampler=HybridMonteCarlo(0.3, steps=4))
    assert abs(found.pull(by_quadrature(action, 4))) < SIGMAS
    assert found.error < 0.03


@pytest.mark.exact
def test_sites_without_links_are_exact() -> None:
    action = InhomogeneousPhi4(SQUARE, 0.0, A, B, R)
    found = free_energy(action, steps=300, chains=512)
    assert found.error < 1e-6
    assert found.value == pytest.approx(-float(quartic.log_partition(-R, A, B).sum()), abs=1e-5)


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.exact
def test_a_lattice_and_its_grid_have_one_free_energy() -> None:
    graph, plan = Graph.grid((4,)), {"steps": 4, "chains": 8, "sampler": SAMPLERS["integration"]}
    lattice = free_energy(Phi4(0.5, 1.0), Lattice((4,)), **plan)
    assert lattice == free_energy(InhomogeneousPhi4(graph, 1.0, 1.25, 0.25), **plan)


@pytest.mark.statistical
@pytest.mark.parametrize("method", ["annealing", "integration"])
def test_spins_agree_with_kaufman_and_enumeration(method: str) -> None:
    found = free_energy(Ising(0.4), Lattice((4, 4)), method=method, steps=300, draws=100)
    assert abs(found.pull(-kaufman(0.4, (4, 4)).log_partition)) < SIGMAS
    glass = InhomogeneousIsing(SQUARE, W, R)
    found = free_energy(glass, method=method, steps=300, draws=100)
    assert abs(found.pull(-enumerate_spins(glass, SQUARE).log_partition)) < SIGMAS
    assert found.error < 0.03


@pytest.mark.exact
@pytest.mark.slow
@pytest.mark.ci
def test_starts_know_their_partition_function() -> None:
    key = jax.random.key(0)
    shifted = InhomogeneousPhi4(SQUARE, W, abs(A) + 3, 0.0, R)
    start = gaussian_start(key, shifted, SQUARE, 2)
    assert start.log_partition == pytest.approx(-by_quadrature(shifted, 4), abs=1e-4)
    # the sites of an action with more terms are those of its phi^4 part
    sextic = site_start(key, Sextic(Phi4(0.5, 0.7), 0.1), Lattice((4,)), 2)
    plain = site_start(key, Phi4(0.5, 0.7), Lattice((4,)), 2)
    assert sextic.log_partition == pytest.approx(plain.log_partition, abs=1e-5)
    spins = InhomogeneousIsing(SQUARE, 0.0, R)
    assert site_start(key, spins, SQUARE, 2).log_partition == pytest.approx(
        enumerate_spins(spins, SQUARE).log_partition, abs=1e-5
    )


@pytest.mark.statistical
def test_a_gaussian_start_draws_from_its_gaussian() -> None:
    action = InhomogeneousPhi4(SQUARE, W, abs(A) + 3, 0.0, R)
    fields = np.asarray(gaussian_start(jax.random.key(0), action, SQUARE, 20_000).fields, np.float64)
    form = np.diag(2.0 * (abs(A) + 3))
    for w, (i, j) in zip(W, SQUARE.edges, strict=True):
        form[i, j] = form[j, i] = -w
    covariance = np.linalg.inv(form)
    assert np.all(
        np.abs(fields.mean(axis=0) + covariance @ R) < SIGMAS * np.sqrt(np.diag(covariance) / 20_000)
    )
    size = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)) * 2 / 20_000)
    assert np.all(np.abs(np.cov(fields.T) - covariance) < SIGMAS * size)


@pytest.mark.exact
def test_what_is_refused() -> None:
    talk, lattice = Phi4(-0.9515, 0.7), Lattice((4,))
    unlike = InhomogeneousPhi4(Graph([(0, 1)]), 1.0, np.array([1.0, 0.1]), np.array([0.0, 1.0]))
    refusals = {
        "unknown method": lambda: free_energy(talk, lattice, method="exact"),
        "unknown start": lambda: free_energy(talk, lattice, start="spins"),
        "2 chains or more": lambda: free_energy(talk, lattice, chains=1),
        "the uniform mode has the eigenvalue -0.95": lambda: free_energy(talk, lattice, start="gaussian"),
        "peak at site 1 has the eigenvalue": lambda: free_energy(unlike, start="gaussian"),
        "no Gaussian": lambda: free_energy(Ising(0.3), lattice, start="gaussian"),
        r"site \(0, 0\) alone has no normalisable": lambda: free_energy(
            LongerRangePhi4(-9.0, 0.0, sextic=0.1), Lattice((4, 4))
        ),
        "path of your own": lambda: free_energy(
            MarkovRandomField(SQUARE, lambda x: x.prod(axis=1), log=True, spins=True)
        ),
        "say which": lambda: free_energy(talk),
    }
    for message, call in refusals.items():
        with pytest.raises(InputError, match=message) as refused:
            call()
        assert "\n" not in str(refused.value)


@pytest.mark.exact
def test_lost_weights_are_refused_or_told() -> None:
    with pytest.raises(OverlapError, match="effective chains"):
        free_energy(Ising(3.0), Lattice((4, 4)), steps=1, chains=4096)
    with pytest.warns(OverlapWarning, match="rare ones decide"):
        free_energy(Ising(0.3), Lattice((4, 4)), steps=1, chains=4096, seed=1)


@pytest.mark.exact
@pytest.mark.parametrize("option", ["chains", "nodes", "thermalize", "draws"])
@pytest.mark.usefixtures("unchecked")
def test_counts_are_whole_numbers(option):
    with pytest.raises(InputError, match=f"{option} must be a whole number"):
        free_energy(Ising(0.3), Lattice((2, 2)), method="integration", **{option: 2.5})
