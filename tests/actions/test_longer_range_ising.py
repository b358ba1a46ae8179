"""The Ising model with diagonal couplings: pairs counted one by one, its graph, its heat bath against enumeration."""

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import kadanoff as kd
from kadanoff.actions import gradient
from kadanoff.errors import InputError
from kadanoff.lattice import shell_sum
from kadanoff.sampling.run import default_sampler

COUPLINGS = (0.3, -0.07, 0.05)


def counted(spins: np.ndarray) -> float:
    """S by a loop over all pairs of neighbours in both directions, halved."""
    total = 0.0
    for site in np.ndindex(spins.shape):
        for step in product((-1, 0, 1), repeat=spins.ndim):
            axes = np.count_nonzero(step)
            if axes:
                far = tuple((x + s) % side for x, s, side in zip(site, step, spins.shape, strict=True))
                total -= COUPLINGS[axes - 1] * spins[site] * spins[far] / 2
    return total


@pytest.mark.exact
@pytest.mark.parametrize("shape", [(5,), (4, 3), (4, 3, 2)])
def test_every_pair_counts_once_on_lattice_and_graph(shape):
    action = kd.LongerRangeIsing(*COUPLINGS)
    spins = np.where(np.random.default_rng(0).random(shape) < 0.5, 1, -1).astype(np.int8)
    field = jnp.asarray(spins)
    # What acts on a site is minus the slope of S, from one sublattice or from those of blocks.
    origin, real = (0,) * len(shape), field.astype(jnp.float32)

    @jax.jit
    def found():
        here, on_graph = kd.total(action, field), kd.total(action.on(kd.Lattice(shape)), field)
        return here, on_graph, action.field_at({origin: real}, origin, 1), gradient(action, real)

    here, on_graph, near, slope = found()
    assert float(here) == pytest.approx(counted(spins), abs=1e-5)
    assert float(on_graph) == pytest.approx(counted(spins), abs=1e-5)
    np.testing.assert_allclose(near, -slope, atol=1e-6)
    b = shape[0]
    if shape == (b,):
        rings = {(place,): real[place::b] for place in range(b)}
        assert float(shell_sum(rings, (0,), b, 1)[0]) == float(real[1] + real[-1])


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.statistical
def test_the_heat_bath_draws_the_enumerated_law():
    # Means of all 2^16 fields, within 4 sigma.
    action, lattice = kd.LongerRangeIsing(0.2, 0.05), kd.Lattice((4, 4))
    assert isinstance(default_sampler(action), kd.HeatBath)
    drawn = kd.sample(action, lattice, chains=64, draws=128, thin=2, thermalize=50, seed=3)
    assert drawn.spins
    exact = kd.exact.enumerate_spins(action, lattice)
    fields = jnp.asarray(exact.fields, jnp.float32)
    energy = jax.vmap(lambda field: jnp.mean(action.density(field)))(fields)
    size = jnp.abs(fields.mean(axis=(1, 2)))
    for name, values in (("action_density", energy), ("abs_magnetization", size)):
        assert abs(drawn.observe(name).pull(float(np.asarray(values, np.float64) @ exact.probability))) < 4, (
            name
        )


@pytest.mark.exact
def test_couplings_are_numbers_and_printed():
    with pytest.raises(InputError, match="cubic=nan"):
        kd.LongerRangeIsing(0.1, 0.2, float("nan"))
    assert repr(kd.LongerRangeIsing(0.1)) == "LongerRangeIsing(nearest=0.1, diagonal=0.0, cubic=0.0)"
    again = kd.conjugate(kd.LongerRangeIsing(0.1), jnp.ones((4, 4, 4)))
    assert [float(again.nearest), float(again.diagonal), float(again.cubic)] == [-192, -384, -256]
