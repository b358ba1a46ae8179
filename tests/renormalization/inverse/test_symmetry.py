"""Every member of the family commutes with translations of the coarse lattice and with the sign of the field."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kadanoff.errors import InputError
from kadanoff.lattice import Lattice
from kadanoff.random import key
from kadanoff.renormalization import ConsistentInverse, MajorityMean
from kadanoff.renormalization.blocking import to_blocks
from kadanoff.renormalization.inverse import base, density, stochastic, sublattice_density
from kadanoff.renormalization.inverse.linear import fit_linear

pytestmark = pytest.mark.exact

KINDS = ("linear", "deterministic", "stochastic", "density")
GEOMETRY = [
    ("linear", True, (4, 6), 2),
    ("deterministic", False, (4, 6), 2),
    ("stochastic", True, (4, 6), 2),
    ("stochastic", False, (5,), 3),
    ("stochastic", False, (4, 2, 3), 2),
    ("stochastic", False, (2, 3, 2, 2), 2),
    ("density", False, (4, 6), 2),
    pytest.param("density", True, (4,), 2, marks=[pytest.mark.slow, pytest.mark.ci]),
    pytest.param("density", True, (3, 2), 2, marks=[pytest.mark.slow, pytest.mark.ci]),
]
LARGER = [("density", True, (3, 4), 3), ("density", True, (4, 2, 4), 2), ("density", True, (2, 4, 2, 2), 2)]
CLOSE = {"rtol": 1e-5, "atol": 2e-5}


def compiled(inverse):
    """The inverse as a function of the coarse fields and of all that its noise is keyed by.

    f(coarse, site, offset, sign): noise of the given site numbers, times sign; sublattices from the given origin.
    """

    def fine(coarse, site, offset, sign):
        def numbers(shape, number):
            return tuple(jnp.broadcast_arrays(site, number.reshape(-1, *[1] * len(shape))))

        def normals(*arguments):
            return sign * base.site_normals(*arguments)

        with pytest.MonkeyPatch.context() as patch:
            for module in (stochastic, sublattice_density):
                patch.setattr(module, "site_numbers", numbers)
            for module in (stochastic, density):
                patch.setattr(module, "site_normals", normals)
            patch.setattr(sublattice_density, "_offsets", lambda lattice: offset[None])
            number = jnp.arange(len(coarse), dtype=jnp.uint32)
            return base.to_fine(inverse.blocks(key(3), coarse, number), inverse.b)

    return jax.jit(fine)


def shifted(array, shift, scale=1):
    """Moved along its last axes."""
    return jnp.roll(array, [scale * s for s in shift], range(-len(shift), 0))


def origin(shape, shift):
    """The one of the few origins of a density's sublattices that colours like the one moved from zero by `shift`."""
    if Lattice(shape).is_bipartite:
        return jnp.array([sum(shift) % 2, *[0] * (len(shape) - 1)])
    return jnp.array([s % side for s, side in zip(shift, shape, strict=True)])


def site_array(shape):
    return jnp.arange(np.prod(shape), dtype=jnp.uint32).reshape(shape)


def follows_translations_and_signs(inverse, coarse):
    shape, b, function, plus = coarse.shape[1:], inverse.b, compiled(inverse), jnp.float32(1)
    site, zero = site_array(shape), origin(shape, [0] * len(shape))
    fine = function(coarse, site, zero, plus)
    assert fine.shape == (len(coarse), *[b * side for side in shape])
    rule = getattr(inverse, "rule", None)
    if rule is not None:
        blocked = jax.vmap(lambda field: rule.reduce(None, to_blocks(field, b)))(fine)
        np.testing.assert_allclose(blocked, coarse, atol=1e-5)
    for shift in [(1, *[0] * (len(shape) - 1)), tuple(range(2, 2 + len(shape)))]:
        move = partial(shifted, shift=shift)
        moved = function(move(coarse), move(site), origin(shape, shift), plus)
        np.testing.assert_allclose(moved, move(fine, scale=b), **CLOSE)
    np.testing.assert_allclose(function(-coarse, site, zero, -plus), -fine, **CLOSE)
    return float(np.abs(function(coarse, site, zero, -plus) - fine).max())


@pytest.mark.parametrize(("kind", "consistent", "shape", "b"), GEOMETRY)
def test_translations_and_signs(made_up, gaussians, kind, consistent, shape, b):
    inverse = made_up(kind, rule=MajorityMean(b=b), dimension=len(shape), consistent=consistent).map
    noise = follows_translations_and_signs(inverse, gaussians((2, *shape)))
    assert (noise > 0.1) == (kind in ("stochastic", "density"))


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "consistent", "shape", "b"), LARGER)
def test_translations_and_signs_of_large_blocks(made_up, gaussians, kind, consistent, shape, b):
    inverse = made_up(kind, rule=MajorityMean(b=b), dimension=len(shape), consistent=consistent).map
    assert follows_translations_and_signs(inverse, gaussians((2, *shape))) > 0.1


@pytest.mark.parametrize("kind", ["deterministic", pytest.param("density", marks=pytest.mark.slow)])
def test_a_larger_lattice_of_the_same_field_gives_the_same_blocks(made_up, gaussians, kind):
    function, coarse = compiled(made_up(kind, consistent=True).map), gaussians((1, 4, 6))
    site, zero, plus = site_array((4, 6)), jnp.zeros(2, jnp.int32), jnp.float32(1)
    fine = function(coarse, site, zero, plus)
    tiled = function(jnp.tile(coarse, (1, 3, 2)), jnp.tile(site, (3, 2)), zero, plus)
    np.testing.assert_allclose(tiled, jnp.tile(fine, (1, 3, 2)), **CLOSE)


@pytest.mark.parametrize(("shape", "consistent"), [((5,), True), ((4, 6), False)])
def test_the_law_of_a_density_is_translated_and_even(made_up, gaussians, shape, consistent):
    inverse = made_up("density", dimension=len(shape), consistent=consistent).map
    coarse, fine = gaussians((3, *shape)), gaussians((3, *[2 * side for side in shape]), seed=1)
    total = inverse.log_prob(fine, coarse)
    for shift in [(1, *[0] * (len(shape) - 1)), tuple(range(2, 2 + len(shape)))]:
        move = partial(shifted, shift=shift)
        np.testing.assert_allclose(inverse.log_prob(move(fine, scale=2), move(coarse)), total, rtol=1e-5)
    np.testing.assert_allclose(inverse.log_prob(-fine, -coarse), total, rtol=1e-5)
    assert np.abs(np.asarray(inverse.log_prob(fine[::-1], coarse)) - total).max() > 0.1


def test_both_orders_of_the_sublattices_are_summed_and_blocks_follow_even_translations(made_up, gaussians):
    inverse = made_up("density").map
    coarse, fine = gaussians((3, 4, 4)), gaussians((3, 8, 8), seed=1)
    terms = jax.jit(
        lambda fine, coarse: inverse.block_log_prob(jax.vmap(lambda field: to_blocks(field, 2))(fine), coarse)
    )
    even = terms(fine, coarse)
    moved = terms(shifted(fine, (1, 3), 2), shifted(coarse, (1, 3)))
    np.testing.assert_allclose(moved, shifted(even, (1, 3)), rtol=1e-4, atol=1e-4)
    odd = terms(shifted(fine, (1, 0), 2), shifted(coarse, (1, 0)))
    orders = [part.sum(axis=(1, 2)) for part in (even, odd)]
    assert np.abs(orders[0] - orders[1]).min() > 1e-3
    np.testing.assert_allclose(inverse.log_prob(fine, coarse), np.logaddexp(*orders) - np.log(2), rtol=1e-5)


CUTS = [
    ("deterministic", (6, 4), 60),
    ("stochastic", (6, 4), 9),
    ("stochastic", (5, 3), 1),
    pytest.param("density", (8, 4), 70, marks=pytest.mark.slow),
    ("density", (8, 4), 9),
    pytest.param("density", (5,), 1, marks=pytest.mark.slow),
    ("stochastic", (4, 2, 2), 7),
]


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.parametrize(("kind", "shape", "tile"), CUTS)
def test_tiles_change_nothing(made_up, gaussians, monkeypatch, kind, shape, tile):
    inverse = made_up(kind, dimension=len(shape), consistent=kind == "density").map
    coarse, number = gaussians((3, *shape)), jnp.arange(3, dtype=jnp.uint32)
    whole = jax.jit(lambda x: inverse.blocks(key(0), x, number))(coarse)
    sizes: list[int] = []
    apply = base.in_tiles

    def watched(function, reach, *arguments):
        def seen(padded, *parts):
            sizes.append(int(np.prod([n - 2 * reach for n in padded.shape[1:-1]])) * len(padded))
            return function(padded, *parts)

        return apply(seen, reach, *arguments)

    for module in (stochastic, sublattice_density):
        monkeypatch.setattr(module, "in_tiles", watched)
    monkeypatch.setattr(base, "_TILE_SITES", tile)
    cut = jax.jit(lambda x: inverse.blocks(key(0), x, number))(coarse)
    np.testing.assert_allclose(cut, whole, rtol=1e-5, atol=1e-5)
    # A tile is at least two rows high where the side is even, so that all have the same checkerboard.
    rows = 2 if shape[0] % 2 == 0 else 1
    assert max(sizes) <= max(tile, rows * int(np.prod(shape[1:]))) < 3 * np.prod(shape)


def test_noise_is_keyed_by_configuration_and_site_only(made_up, gaussians):
    inverse = made_up("density").map
    coarse = gaussians((4, 4, 4))
    fine = inverse.fine(key(1), coarse, jnp.arange(4, dtype=jnp.uint32))
    order = jnp.array([2, 0, 3, 1], dtype=jnp.uint32)
    np.testing.assert_allclose(inverse.fine(key(1), coarse[order], order), fine[order], **CLOSE)
    other = inverse.fine(key(1), coarse, jnp.arange(4, 8, dtype=jnp.uint32))
    assert np.abs(other - fine).max(axis=(1, 2)).min() > 0.1
    assert np.abs(inverse.fine(key(2), coarse, jnp.arange(4, dtype=jnp.uint32)) - fine).max() > 0.1
    with pytest.raises(InputError, match="dimension 2, the fields have 1"):
        inverse.fine(key(1), coarse[0], jnp.arange(4, dtype=jnp.uint32))


@pytest.mark.parametrize("shape", [(12,), (8, 12), (6, 6, 8)])
def test_the_linear_map_is_the_least_squares_one(gaussians, shape):
    fine = gaussians((8, *shape))
    coarse = jax.vmap(lambda field: to_blocks(field, 2).mean(axis=-1))(fine)
    coarse = coarse + 0.1 * gaussians(coarse.shape, seed=1)
    linear = fit_linear(np.asarray(coarse), np.asarray(fine), b=2)
    predicted = linear.fine(key(0), coarse, jnp.arange(8, dtype=jnp.uint32))
    # Residuals of a least-squares fit are orthogonal to its inputs: here the coarse field at every offset.
    residual = jax.vmap(lambda field: to_blocks(field, 2))(fine - predicted)
    for shift in (0, 1, -1):
        overlap = np.mean(np.asarray(jnp.roll(coarse, shift, 1))[..., None] * np.asarray(residual))
        assert abs(overlap) < 1e-5
    assert ConsistentInverse(inner=linear, rule=MajorityMean(b=2)).parameters == linear.parameters
