"""Local and cluster updates against exact answers: quadrature on 2 x 2 sites, the free propagator, labels.

Statistical tests here compare about sixty numbers; each must lie within 4.5 standard errors (4e-4 for all).
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from kadanoff.actions import NearestNeighbourAction, Phi4
from kadanoff.errors import InputError
from kadanoff.lattice import Lattice
from kadanoff.learning import fit_variational
from kadanoff.random import key
from kadanoff.sampling import (
    ColourBlock,
    HeatBath,
    HybridMonteCarlo,
    LocalAndCluster,
    Metropolis,
    Mixture,
    SwendsenWang,
    Wolff,
    default_sampler,
    sample,
    start,
)
from kadanoff.sampling.components import components
from kadanoff.sampling.local import _checkerboard, _masked, local_sweeps, pack, unpack

SIGMAS = 4.5
SAMPLERS = {
    "metropolis": Metropolis(sweeps=2),
    "heat bath": HeatBath(),
    "swendsen-wang": Mixture((Metropolis(), SwendsenWang())),
    "wolff": Mixture((HeatBath(), Wolff())),
    "default": LocalAndCluster(),
    "hybrid": HybridMonteCarlo(),
}


def four_sites(action):
    """Means on 2 x 2 sites, a ring of four whose links are all double, from its transfer matrix."""
    x = np.linspace(-5, 5, 401)
    half = np.exp(-np.asarray(action.potential(jnp.asarray(x), 2), dtype=np.float64) / 2)
    transfer = half[:, None] * np.exp(2 * float(action.kappa) * np.outer(x, x)) * half[None, :]

    def trace(*insertions):
        product = np.eye(len(x))
        for power in insertions:
            product = product @ (x[:, None] ** power * transfer)
        return np.trace(product)

    z = trace(0, 0, 0, 0)
    second, beside, across = trace(2, 0, 0, 0) / z, trace(1, 1, 0, 0) / z, trace(1, 0, 1, 0) / z
    m2 = (4 * second + 8 * beside + 4 * across) / 16
    return {"phi2": second, "phi4": trace(4, 0, 0, 0) / z, "neighbours": 2 * beside, "m2": m2}


def check(ensemble, exact):
    from kadanoff.statistics import gamma_method

    for name, value in exact.items():
        estimate = gamma_method(ensemble.series(name))
        assert abs(estimate.pull(value)) < SIGMAS, f"{name}: {estimate} instead of {value}"
        assert estimate.error < 0.03 * abs(value), f"{name}: {estimate} is too uncertain to test anything"


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.statistical
@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_agrees_with_quadrature(name):
    action = Phi4(-2.6, 1.5, 0.4)
    ensemble = sample(action, Lattice((2, 2)), chains=1024, draws=128, sampler=SAMPLERS[name], seed=11)
    check(ensemble, four_sites(action) | {"schwinger_dyson": 1.0})


def propagator(shape, mass2):
    """Means of the free field from its propagator 1/(mass2 + sum_mu 2 - 2 cos k_mu)."""
    k = np.meshgrid(*[2 * np.pi * np.arange(side) / side for side in shape], indexing="ij")
    weight = 1 / (mass2 + sum(2 - 2 * np.cos(component) for component in k))
    beside = sum(np.mean(weight * np.cos(component)) for component in k)
    return {"phi2": weight.mean(), "neighbours": beside, "m2": weight.flat[0] / weight.size}


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("shape", "name"),
    [
        ((27,), "metropolis"),
        pytest.param((9, 9), "default", marks=pytest.mark.slow),
        pytest.param((6, 4), "hybrid", marks=[pytest.mark.slow, pytest.mark.ci]),
        pytest.param((3, 4, 5), "metropolis", marks=pytest.mark.slow),
    ],
)
def test_the_free_field_has_its_exact_propagator(shape, name):
    ensemble = sample(
        Phi4(0.8, 0.0), Lattice(shape), chains=64, draws=48, thin=4, sampler=SAMPLERS[name], seed=5
    )
    exact = propagator(shape, 0.8)
    check(ensemble, {"phi2": exact["phi2"], "neighbours": exact["neighbours"], "schwinger_dyson": 1.0})
    estimate = ensemble.observe("susceptibility")
    assert abs(estimate.pull(Lattice(shape).volume * exact["m2"])) < SIGMAS


@pytest.mark.exact
@pytest.mark.parametrize("shape", [(6,), (4, 6), (2, 4, 6), (2, 2, 4, 2)])
def test_packing_is_undone(shape):
    fields = jnp.arange(3.0 * np.prod(shape)).reshape(3, *shape)
    even, odd = pack(fields)
    np.testing.assert_array_equal(unpack(even, odd), fields)
    colour = Lattice(shape).colouring
    assert sorted(even[..., 1].ravel().tolist()) == sorted(fields[1][colour == 0].tolist())


@pytest.mark.exact
@pytest.mark.parametrize("shape", [(6,), (4, 6), (2, 4, 6), (4, 2)])
def test_the_packed_loop_equals_the_masked_one(shape):
    lattice = Lattice(shape)
    fields = jax.random.normal(jax.random.key(0), (3, *shape))
    chain = jnp.array([4, 7, 9], dtype=jnp.uint32)
    data = jax.random.key_data(jax.random.split(key(1), 3 * lattice.colours))

    def rule(words, phi, neighbours):
        return jnp.cos(phi + 0.3 * neighbours), jnp.abs(phi)

    packed, rate = _checkerboard(rule, 2, data, fields, chain)
    masked, same = _masked(rule, data.reshape(3, lattice.colours, -1), fields, chain, lattice, 2)
    np.testing.assert_allclose(packed, masked, atol=1e-5)
    assert float(rate) == pytest.approx(float(same), rel=1e-5)


@pytest.mark.exact
def test_chains_draw_the_same_numbers_wherever_they_run():
    fields = jax.random.normal(jax.random.key(0), (6, 4, 4))
    action, sampler = Phi4(-0.9515, 0.7), LocalAndCluster()
    whole, _ = sampler.step(key(2), action, sampler.init(action, fields))
    part, _ = sampler.step(key(2), action, sampler.init(action, fields[3:5], jnp.array([3, 4])))
    np.testing.assert_array_equal(whole.fields[3:5], part.fields)


@pytest.mark.exact
@pytest.mark.parametrize("shape", [(5,), (2,), (2, 2), (7, 4), (16, 16), (3, 4, 5), (2, 3, 2, 3)])
@pytest.mark.parametrize("density", [0.15, 0.5, 0.9])
def test_labels_of_components_are_those_of_scipy(shape, density):
    rng = np.random.default_rng(7)
    bonds = rng.random((4, len(shape), *shape)) < density
    found = np.asarray(components(jnp.asarray(bonds)))
    sites = np.arange(np.prod(shape)).reshape(shape)
    for chain, labels in zip(bonds, found, strict=True):
        links = [(sites[chain[mu]], np.roll(sites, -1, mu)[chain[mu]]) for mu in range(len(shape))]
        rows, columns = (np.concatenate(ends) for ends in zip(*links, strict=True))
        graph = coo_matrix((np.ones(len(rows)), (rows, columns)), shape=(sites.size, sites.size))
        _, membership = connected_components(graph, directed=False)
        smallest = np.array([np.flatnonzero(membership == member)[0] for member in membership])
        np.testing.assert_array_equal(labels.ravel(), smallest)


@pytest.mark.exact
def test_clusters_flip_whole_and_never_vanish():
    fields = jnp.ones((64, 8, 8)) * 3  # bonds are certain here, so one cluster is the whole lattice
    action = Phi4(-0.9515, 0.7)
    for sampler in (SwendsenWang(), Wolff()):
        state, _ = sampler.step(key(3), action, sampler.init(action, fields))
        signs = np.sign(np.asarray(state.fields)).reshape(64, -1)
        assert np.all(signs == signs[:, :1])
        flipped = np.mean(signs[:, 0] < 0)
        assert flipped == 1 if isinstance(sampler, Wolff) else 0.2 < flipped < 0.8


class Tilted(NearestNeighbourAction):
    """A field phi that breaks the symmetry."""

    kappa: float = 1.0
    field: float = 0.3

    def potential(self, phi, dimension):
        return phi**4 - self.field * phi


class Diagonal(NearestNeighbourAction):
    kappa: float = 1.0

    def potential(self, phi, dimension):
        return phi**2 + phi**4

    def density(self, field):
        return super().density(field) - 0.1 * field * jnp.roll(field, (1, 1), (0, 1))


class Uneven(NearestNeighbourAction):
    masses: jax.Array
    kappa: float = 1.0

    def potential(self, phi, dimension):
        return self.masses * phi**2 + phi**4


@pytest.mark.exact
def test_samplers_refuse_what_they_cannot_update():
    fields = jnp.zeros((2, 4, 4))
    for sampler in (Metropolis(), HeatBath(), Wolff(), SwendsenWang()):
        with pytest.raises(InputError, match="`density` of its own"):
            sampler.init(Diagonal(), fields)
        with pytest.raises(InputError, match="differ from site to site"):
            sampler.init(Uneven(jnp.ones(4)), fields)
    for action in (Diagonal(), Uneven(jnp.ones((4, 4)))):
        assert isinstance(default_sampler(action), HybridMonteCarlo)
    for tilted in (Tilted(), Tilted(field=1e-6)):  # 1e-6 chi is of order one on 2048 x 2048 at criticality
        with pytest.raises(InputError, match="even"):
            SwendsenWang().init(tilted, fields)
    with pytest.raises(InputError, match="site_couplings"):
        HeatBath().init(Tilted(), fields)
    for sampler in (Metropolis(), HeatBath(), Wolff()):
        with pytest.raises(InputError, match="NearestNeighbourAction"):
            sampler.init(object(), fields)
    with pytest.raises(InputError, match="hot"):
        start(key(0), Lattice((4,)), 2, "warm")


@pytest.mark.exact
@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Metropolis(sweeps=0), "sweeps must be 1 or more"),
        (lambda: HeatBath(sweeps=-1), "sweeps must be 1 or more"),
        (lambda: LocalAndCluster(1.5), "sweeps must be a whole number"),
        (lambda: ColourBlock(sweeps=0), "sweeps must be 1 or more"),
        (lambda: HybridMonteCarlo(steps=2.5), "steps must be a whole number"),
        (lambda: Metropolis(width=float("nan")), "width=nan is out of range"),
        (lambda: ColourBlock("metropolis", width=-1.0), "width=-1.0 is out of range"),
        (lambda: Metropolis(target_acceptance=1.5), "target_acceptance=1.5 is out of range"),
        (lambda: Mixture(()), "one sampler or more"),
        (lambda: Mixture((Metropolis(), SwendsenWang)), "is no sampler"),
    ],
)
def test_samplers_refuse_options_out_of_range(make, said):
    with pytest.raises(InputError, match=said):
        make()


@pytest.mark.exact
@pytest.mark.parametrize(
    "shape",
    [pytest.param((2, 3, 4), marks=[pytest.mark.slow, pytest.mark.ci]), (2, 4, 4)],
    ids=["colours by a mask", "checkerboard"],
)
def test_acceptance_is_a_mean_over_sites_and_sweeps(shape):
    def rate(rule):
        return float(local_sweeps(rule, key(0), jnp.zeros(shape), jnp.arange(2), 3, 1)[1])

    assert rate(lambda words, phi, around: (phi, jnp.full_like(phi, 0.25))) == pytest.approx(0.25)
    assert rate(lambda words, phi, around: (phi, jnp.full((), 0.25))) == pytest.approx(0.25)
    # Each site adds one after two sweeps of three: what it then has is above 1.5.
    assert rate(lambda words, phi, around: (phi + 1, 1.0 * (phi + 1 > 1.5))) == pytest.approx(2 / 3)


@pytest.mark.exact
def test_complex_actions_are_not_sampled() -> None:
    class Damped(NearestNeighbourAction):
        mass2: complex
        kappa: float = 1.0

        def potential(self, phi, dimension):
            return (self.mass2 + 4) / 2 * phi**2

    for sampler in (None, Metropolis()):
        with pytest.raises(InputError, match="Damped is complex, .* sample a real action, and reweight"):
            sample(Damped(0.5 + 0.2j), Lattice((2, 2)), chains=2, draws=2, sampler=sampler)
    with pytest.raises(InputError, match="Damped is complex"):
        fit_variational(Damped(0.5 + 0.2j), Damped(1.0), lattice=Lattice((2, 2)), chains=4, epochs=2)
