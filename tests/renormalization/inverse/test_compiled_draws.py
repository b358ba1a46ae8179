"""Compiled draws of a density against the generic ones, which draw the same random numbers."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numba
import numpy as np
import pytest

from kadanoff.renormalization.inverse import compiled_draws
from kadanoff.renormalization.inverse.density import ConditionalDensity

pytestmark = [
    pytest.mark.exact,
    pytest.mark.skipif(jax.default_backend() != "cpu", reason="compiled for CPUs only"),
]


def density(dimension, b, width, kernels, components, temperature=1.0):
    """A density whose every weight matters."""
    plain = ConditionalDensity.random(jax.random.key(3), dimension, b, width, kernels, components, None)
    weights, rest = eqx.partition(plain, eqx.is_inexact_array)
    leaves, tree = jax.tree_util.tree_flatten(weights)
    keys = jax.random.split(jax.random.key(4), len(leaves))
    leaves = [x + 0.2 * jax.random.normal(k, x.shape) for x, k in zip(leaves, keys, strict=True)]
    shaken = eqx.combine(jax.tree_util.tree_unflatten(tree, leaves), rest)
    return replace(shaken, temperature=temperature)


def fields(*shape):
    return jax.random.normal(jax.random.key(5), shape), jnp.arange(7, 7 + shape[0], dtype=jnp.uint32)


TWO, THREE = ((2, 2, 16, (3, 3), 4, 0.9), (5, 22, 16)), ((3, 2, 8, (3,), 1), (2, 4, 6, 2))
IN_CI = (pytest.mark.slow, pytest.mark.ci)
CASES = [
    TWO,
    pytest.param((2, 3, 20, (3, 5, 1), 3), (2, 6, 10), marks=IN_CI),
    pytest.param(*THREE, marks=IN_CI),
    pytest.param((4, 2, 8, (3, 1), 2), (1, 2, 4, 2, 4), marks=IN_CI),
]


@pytest.mark.parametrize(("kind", "shape"), CASES)
def test_compiled_draws_are_the_generic_ones(kind, shape):
    inverse, (coarse, number) = density(*kind), fields(*shape)
    drawn = inverse.fine(jax.random.key(6), coarse, number)
    generic = eqx.filter_jit(inverse.generic_fine)(jax.random.key(6), coarse, number)
    assert float(jnp.std(drawn)) > 0.5
    np.testing.assert_allclose(drawn, generic, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.ci
def test_draws_depend_neither_on_threads_nor_on_company():
    inverse, (coarse, number) = density(*TWO[0]), fields(16, 64, 32)
    threads, results = numba.get_num_threads(), []
    for count in {1, threads}:
        numba.set_num_threads(count)
        results.append(compiled_draws._call(inverse, jax.random.key(6), coarse, number))
    numba.set_num_threads(threads)
    part = compiled_draws._call(inverse, jax.random.key(6), coarse[3:4], number[3:4])
    for result in results:
        np.testing.assert_array_equal(result, results[0])
        np.testing.assert_array_equal(result[3:4], part)


@pytest.mark.slow
@pytest.mark.ci
def test_draws_have_derivatives():
    inverse, (coarse, number) = density(*THREE[0]), fields(*THREE[1])

    def total(scale):
        return jnp.sum(inverse.fine(jax.random.key(6), scale * coarse, number))

    one, step = jnp.float32(1), jnp.float32(1e-2)
    slope = (total(one + step) - total(one - step)) / (2 * step)
    assert float(jax.grad(total)(one)) == pytest.approx(float(slope), rel=1e-2, abs=1e-2)
