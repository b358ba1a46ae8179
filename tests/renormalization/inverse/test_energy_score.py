"""The energy score prefers the true law; patches cover the lattice once."""

import jax.numpy as jnp
import numpy as np
import pytest

from kadanoff.random import key
from kadanoff.renormalization.inverse.energy_score import energy_score, patches
from kadanoff.renormalization.inverse.objective import patch_sides


@pytest.mark.exact
@pytest.mark.parametrize(
    ("shape", "sides"),
    [
        ((32, 32), (2, 4, 8)),
        ((8, 8), (2, 4)),
        ((4, 4), (2,)),
        ((8, 12), (2,)),
        ((9, 9), (3,)),
        ((27, 27), (3, 9)),
        ((15, 15), (3, 5)),
        ((2, 2), (2,)),
        ((16,), (2, 4, 8)),
        ((8, 8, 8), (2, 4)),
    ],
)
def test_patch_sides_divide_the_lattice(shape, sides):
    assert patch_sides(shape) == sides
    assert all(side % s == 0 for side in shape for s in sides)


@pytest.mark.exact
@pytest.mark.parametrize("shape", [(8,), (6, 4), (4, 2, 6)])
def test_patches_hold_every_site_once_and_their_neighbours(shape):
    sites = jnp.arange(2 * np.prod(shape), dtype=jnp.float32).reshape(2, *shape)
    offset = jnp.arange(1, 1 + len(shape))
    cut = np.asarray(patches(sites, 2, offset))
    assert cut.shape == (2, np.prod(shape) // 2 ** len(shape), 2 ** len(shape))
    assert np.array_equal(np.sort(cut.reshape(2, -1)), np.asarray(sites).reshape(2, -1))
    moved = np.roll(np.asarray(sites[0]), [-int(o) for o in offset], range(len(shape)))
    assert np.array_equal(cut[0, 0], moved[(slice(0, 2),) * len(shape)].ravel())


def correlated(seed, strength, count=2048):
    """Fields of unit variance whose neighbours along rows have the given correlation."""
    white = np.random.default_rng(seed).normal(size=(count, 8, 8))
    angle = 0.5 * np.arcsin(strength)
    fields = np.cos(angle) * white + np.sin(angle) * np.roll(white, 1, axis=2)
    return jnp.asarray(fields, dtype=jnp.float32)


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.statistical
@pytest.mark.parametrize(
    "wrong",
    [
        lambda x: x + 0.2,
        lambda x: 0.7 * x,
        lambda x: 1.4 * x,
        lambda x: jnp.zeros_like(x),
        lambda x: x[:, :, ::-1].at[:, :, ::2].multiply(-1.0),
    ],
    ids=["shifted", "narrow", "wide", "mean", "anticorrelated"],
)
def test_the_true_law_scores_lowest(wrong):
    one, two, true = (correlated(seed, 0.95) for seed in (0, 1, 2))
    right = np.asarray(energy_score(key(0), one, two, true, (2, 4)), dtype=np.float64)
    other = np.asarray(energy_score(key(0), wrong(one), wrong(two), true, (2, 4)), dtype=np.float64)
    gain = other - right
    # expected 6 or more standard errors: a fixed seed, significance 3e-7 for the bound of 5
    assert gain.mean() > 5 * gain.std() / np.sqrt(len(gain))
