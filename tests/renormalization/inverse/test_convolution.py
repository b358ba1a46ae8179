"""Convolutions of padded fields and their derivatives, beside sums by NumPy in double precision."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kadanoff.renormalization.inverse.convolution import convolution
from kadanoff.renormalization.inverse.sublattice import corners, pick

pytestmark = pytest.mark.exact

SIDES = {1: 10, 2: 8, 3: 6, 4: 6}


def by_definition(values, kernel, places):
    """The same, site by site of the kernel."""
    d = kernel.ndim - 2
    lengths = [n - side + 1 for n, side in zip(values.shape[1:], kernel.shape[:d], strict=False)]
    total = 0.0
    for offset in np.ndindex(*kernel.shape[:d]):
        window = tuple(slice(o, o + n) for o, n in zip(offset, lengths, strict=True))
        total = total + values[(slice(None), *window)].astype(np.float64) @ kernel[offset]
    if places is None:
        return total
    parts = [total[(slice(None), *[slice(start, None, 2) for start in corner])] for corner in places]
    return np.stack(parts, axis=1 + d)


def case(dimension, packed, side=3):
    random = np.random.default_rng(dimension)

    def some():
        values = random.normal(size=(2, *[SIDES[dimension]] * dimension, 3)).astype(np.float32)
        return values, random.normal(size=(*[side] * dimension, 3, 2)).astype(np.float32)

    return some(), some(), corners(dimension, 1) if packed else None


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dimension", SIDES)
def test_values_and_derivatives_are_those_of_a_bilinear_map(dimension, packed):
    """Forwards f(dv, k) + f(v, dk); backwards what has the same products with every direction."""
    (values, kernel), (along, slope), places = case(dimension, packed)

    @jax.jit
    def everything(values, kernel, along, slope, weights):
        one, two = jax.vjp(lambda v, k: convolution(v, k, places), values, kernel)[1](weights)
        found, moved = jax.jvp(lambda v, k: convolution(v, k, places), (values, kernel), (along, slope))
        return found, moved, one, two

    by_values, by_kernel = by_definition(along, kernel, places), by_definition(values, slope, places)
    weights = np.random.default_rng(9).normal(size=by_values.shape).astype(np.float32)
    found, moved, one, two = everything(values, kernel, along, slope, weights)
    np.testing.assert_allclose(found, by_definition(values, kernel, places), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(moved, by_values + by_kernel, rtol=1e-4, atol=1e-4)
    for mine, direction, expected in ((one, along, by_values), (two, slope, by_kernel)):
        product = np.sum(np.asarray(mine, np.float64) * direction)
        size = np.linalg.norm(weights) * np.linalg.norm(expected)
        assert product == pytest.approx(np.sum(weights * expected), abs=1e-5 * size)


@pytest.mark.parametrize("packed", [False, True])
def test_each_derivative_alone_and_of_second_order(packed):
    """As of convolutions that JAX differentiates by its own rules."""
    given, along, places = case(2, packed)

    def plain(values, kernel, places):
        form = ("NWHC", "WHIO", "NWHC")
        result = jax.lax.conv_general_dilated(values, kernel, (1, 1), "VALID", dimension_numbers=form)
        return result if places is None else pick(result, places)

    def derivatives(function, given, along):
        def norm(values, kernel):
            return jnp.sum(jnp.tanh(function(values, kernel, places)) ** 2)

        first = [jax.grad(norm, argument)(*given) for argument in (0, 1)]
        return *first, *jax.jvp(jax.grad(norm, 1), given, along)

    mine, theirs = (jax.jit(partial(derivatives, one))(given, along) for one in (convolution, plain))
    for ours, expected in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("packed", [False, True])
def test_a_kernel_of_one_site_is_a_product(packed):
    (values, kernel), _, places = case(3, packed, side=1)
    found = convolution(jnp.asarray(values), jnp.asarray(kernel), places)
    np.testing.assert_allclose(found, by_definition(values, kernel, places), rtol=1e-5, atol=1e-5)
