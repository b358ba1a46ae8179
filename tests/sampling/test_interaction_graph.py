"""Actions of a user with pairs of any range: local updates by the interaction graph that they give."""

from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import kadanoff as kd
from kadanoff.errors import InputError
from kadanoff.random import key
from kadanoff.sampling import default_sampler


class Ring(kd.Action):
    """Spins on a ring with neighbours of two ranges."""

    near: float
    far: float

    spins: ClassVar[bool] = True

    def on(self, lattice):
        graph = kd.Graph.periodic(lattice.shape, [(1,), (2,)])
        return kd.InhomogeneousIsing(graph, jnp.repeat(jnp.array([self.near, self.far]), lattice.volume))

    def density(self, field):
        return self.on(kd.Lattice(field.shape)).density(field)


class Diagonal(kd.Phi4):
    """phi^4 with one diagonal: no longer of nearest neighbours only, though its parent is."""

    diagonal: ClassVar[float] = 0.2

    def on(self, lattice):
        graph = kd.Graph.grid(lattice.shape, "triangular")
        a, b = self.site_couplings(2)
        w = jnp.repeat(jnp.array([self.kappa, self.kappa, self.diagonal]), lattice.volume)
        return kd.InhomogeneousPhi4(graph, w, a, b)

    def density(self, field):
        return super().density(field) - self.diagonal * field * jnp.roll(field, (-1, -1), (0, 1))


class Elsewhere(Ring):
    """A graph of another shape."""

    def on(self, lattice):
        return super().on(kd.Lattice(lattice.volume + 1))


class Real(Ring):
    """Spins that are given as real fields."""

    spins: ClassVar[bool] = False


@pytest.mark.statistical
@pytest.mark.parametrize(
    "sampler", [pytest.param(None, marks=[pytest.mark.slow, pytest.mark.ci]), kd.Metropolis()]
)
def test_a_ring_of_spins_follows_the_enumerated_law(sampler):
    # The mean of S over all 2^7 fields, within 4 sigma.
    action, lattice = Ring(0.4, -0.3), kd.Lattice(7)
    drawn = kd.sample(action, lattice, chains=64, draws=64, thin=2, thermalize=20, seed=3, sampler=sampler)
    exact = kd.exact.enumerate_spins(action, lattice)
    terms = jax.vmap(lambda field: jnp.mean(action.density(field)))(jnp.asarray(exact.fields, jnp.float32))
    expected = float(np.asarray(terms, np.float64) @ exact.probability)
    assert drawn.spins
    assert abs(drawn.observe("action_density").pull(expected)) < 4


@pytest.mark.exact
@pytest.mark.parametrize("update", ["heat bath", "metropolis"])
def test_updates_are_those_of_the_graph(update):
    action, lattice = Diagonal(-0.5, 0.7), kd.Lattice((4, 6))
    fields = jax.random.normal(jax.random.key(0), (5, *lattice.shape))
    pairs = action.on(lattice)
    assert float(kd.total(action, fields[0])) == pytest.approx(float(kd.total(pairs, fields[0])), abs=1e-4)
    assert isinstance(default_sampler(action), kd.HeatBath)
    sampler = kd.HeatBath(sweeps=2) if update == "heat bath" else kd.Metropolis(sweeps=2, width=2.0)
    found, _ = sampler.step(key(1), action, sampler.init(action, fields))
    of_graph = kd.ColourBlock(update, sweeps=2, width=2.0)
    expected, _ = of_graph.step(key(1), pairs, of_graph.init(pairs, fields))
    np.testing.assert_array_equal(found.fields, expected.fields)
    assert float(jnp.mean(found.fields != fields)) > 0.3


@pytest.mark.exact
def test_graphs_that_are_not_of_the_action_are_refused():
    fields = jnp.ones((2, 6))
    for action, message in (
        (Elsewhere(0.1, 0.1), r"on \(6,\): return"),
        (Real(0.1, 0.1), "an InhomogeneousPhi4"),
    ):
        with pytest.raises(InputError, match=message):
            kd.HeatBath().init(action, fields)
    with pytest.raises(InputError, match="leads every site"):
        kd.sample(Ring(0.1, 0.1), kd.Lattice(2), draws=1)
    with pytest.raises(InputError, match="give it an interaction graph"):
        kd.Metropolis().init(kd.LongerRangePhi4(-0.9, 0.7), jnp.ones((2, 4, 4)))


class InField(Ring):
    """Another density, with the graph of its parent."""

    def density(self, field):
        return super().density(field) - 0.3 * field


class RealInField(Real):
    def density(self, field):
        return 0.5 * field**2 - 0.3 * field


@pytest.mark.exact
def test_a_density_of_its_own_is_not_updated_as_that_of_the_parent():
    for sampler in (None, kd.HeatBath(), kd.Metropolis(), kd.ColourBlock()):
        with pytest.raises(
            InputError, match=r"InField has a `density` of its own.*give it `on\(lattice\)` too"
        ):
            kd.sample(InField(0.1, 0.1), kd.Lattice(6), draws=1, sampler=sampler)
    assert type(default_sampler(RealInField(0.1, 0.1))) is kd.HybridMonteCarlo
    with pytest.raises(InputError, match="or use HybridMonteCarlo"):
        kd.HeatBath().init(RealInField(0.1, 0.1), jnp.ones((2, 6)))
