import jax.numpy as jnp
import numpy as np
import pytest

from kadanoff.errors import InputError
from kadanoff.lattice import Lattice

pytestmark = pytest.mark.exact

SHAPES = [(2,), (9,), (27,), (4, 6), (9, 4), (3, 3), (5, 7), (2, 3, 4), (3, 3, 5), (2, 2, 2, 3)]


@pytest.mark.parametrize("shape", SHAPES)
def test_no_two_neighbours_share_a_colour(shape):
    lattice = Lattice(shape)
    colour = lattice.colouring
    assert set(np.unique(colour)) <= set(range(lattice.colours))
    for axis in range(lattice.dimension):
        assert np.all(colour != np.roll(colour, -1, axis))


@pytest.mark.parametrize("shape", SHAPES)
def test_neighbour_sums_count_every_link_once_and_twice(shape):
    lattice = Lattice(shape)
    field = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    forward, full = np.zeros(shape), np.zeros(shape)
    for site in np.ndindex(*shape):
        for axis in range(len(shape)):
            for step in (1, -1):
                other = list(site)
                other[axis] = (other[axis] + step) % shape[axis]
                full[site] += field[tuple(other)]
                forward[site] += field[tuple(other)] * (step == 1)
    np.testing.assert_allclose(lattice.forward_sum(jnp.asarray(field)), forward, atol=1e-5)
    np.testing.assert_allclose(lattice.neighbour_sum(jnp.asarray(field)), full, atol=1e-5)


def test_blocking_and_refining_undo_each_other():
    lattice = Lattice((27, 54))
    assert lattice.blocked(3) == Lattice((9, 18))
    assert lattice.blocked(3).refined(3) == lattice
    assert (lattice.longest, lattice.volume, lattice.is_bipartite) == (54, 27 * 54, False)


@pytest.mark.parametrize("shape", [(), 1, (1,), (4, 1), (2, 2, 2, 2, 2), (-2, 4)])
def test_what_is_no_lattice_is_refused(shape):
    with pytest.raises(InputError):
        Lattice(shape)


@pytest.mark.parametrize(("shape", "b"), [((7, 8), 2), ((8, 8), 1), ((8, 8), 0), ((2, 8), 2), ((8, 8), 3)])
def test_impossible_blocks_are_refused(shape, b):
    with pytest.raises(InputError):
        Lattice(shape).blocked(b)


def test_a_number_is_a_ring_and_lattices_are_keys():
    assert Lattice(8) == Lattice((8,)) == Lattice([8]) == Lattice(np.int64(8))
    assert Lattice(np.array([4, 6])) == Lattice((np.int32(4), 6))
    assert all(type(side) is int for side in Lattice(np.array([4, 6])).shape)
    assert {Lattice(8): "ring"}[Lattice((8,))] == "ring"
    with pytest.raises(AttributeError):
        Lattice(8).shape = (4,)
