"""Log-partition function and moments of exp(h x - a x^2 - b x^4) by the trapezoidal rule.

The integrand is entire and falls faster than a Gaussian, so the trapezoidal rule on the whole line converges
exponentially in the number of nodes. Only nodes with |x| near the upper mode are kept: both wells of a deep
double well are covered by one narrow window of |x|. Values are formed as differences from the mode, by
Taylor's (finite) expansion there, so that single precision loses nothing.

Source: L. N. Trefethen, J. A. C. Weideman, The exponentially convergent trapezoidal rule, SIAM Review 56
(2014) 385.
"""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.lax import stop_gradient
from jaxtyping import Array, ArrayLike, Float

from kadanoff.quartic.modes import check, promote, upper_mode

__all__ = ["covariance", "log_partition", "log_partition_above_mode", "mean", "moments", "variance"]

# Nodes and depth (in natural logarithms below the mode) of the rule, for single and double precision.
_RULES = {"float32": (32, 22.0), "float64": (64, 42.0)}


class _Rule(NamedTuple):
    x: Float[Array, "... node"]
    distance: Float[Array, "... node"]  # x - mode, exact also where the mode is large
    mode: Float[Array, "..."]
    weight: Float[Array, "... node"]


def log_partition(h: ArrayLike, a: ArrayLike, b: ArrayLike) -> Float[Array, "..."]:
    """ln of the integral of exp(h x - a x^2 - b x^4) over x; couplings broadcast.

    Differentiable to any order: the derivative by h is the mean, the second one the variance.

    Raises `InputError` as `check` does.

    >>> import jax
    >>> round(float(log_partition(0.0, 1.0, 0.0)), 4)  # half of ln(pi)
    0.5724
    >>> bool(abs(jax.grad(log_partition)(0.3, -1.0, 0.5) - mean(0.3, -1.0, 0.5)) < 1e-6)
    True
    """
    check(h, a, b)
    return _log_partition(h, a, b)


def moments(
    h: ArrayLike, a: ArrayLike, b: ArrayLike, orders: Sequence[int]
) -> tuple[Float[Array, "..."], ...]:
    """The moments <x^k> for every k in `orders`, all from one evaluation of the rule.

    Raises `InputError` as `check` does.

    >>> [round(float(m), 5) for m in moments(0.0, 0.5, 0.0, (2, 4))]
    [1.0, 3.0]
    """
    check(h, a, b)
    return _moments(h, a, b, tuple(orders))


def mean(h: ArrayLike, a: ArrayLike, b: ArrayLike) -> Float[Array, "..."]:
    """<x>, the derivative of `log_partition` by h.

    >>> round(float(mean(0.7, -2e4, 1e4)), 4)  # the Ising limit: tanh(h)
    0.6044
    """
    check(h, a, b)
    return _mean(h, a, b)


def variance(h: ArrayLike, a: ArrayLike, b: ArrayLike) -> Float[Array, "..."]:
    """<x^2> - <x>^2, formed from the distances to the mean.

    >>> round(float(variance(3.0, 2.0, 0.0)), 5)
    0.25
    """
    check(h, a, b)
    return _variance(h, a, b)


def covariance(h: ArrayLike, a: ArrayLike, b: ArrayLike, orders: Sequence[int]) -> Float[Array, "... k k"]:
    """Covariances <x^k x^l> - <x^k><x^l> for k, l in `orders`, formed from the distances to the means.

    Raises `InputError` as `check` does.

    >>> covariance(0.0, 0.5, 0.0, (1, 2)).round(4).tolist()
    [[1.0, 0.0], [0.0, 2.0]]
    """
    check(h, a, b)
    return _covariance(h, a, b, tuple(orders))


def log_partition_above_mode(h: Array, a: Array, b: Array) -> Float[Array, "..."]:
    """ln Z less the exponent at the upper mode: small where both are large."""
    return jnp.log(jnp.sum(_rule(h, a, b).weight, axis=-1))


@jax.jit
def _log_partition(h: ArrayLike, a: ArrayLike, b: ArrayLike) -> Array:
    h, a, b = promote(h, a, b)
    rule = _rule(h, a, b)
    return stop_gradient(_height(h, a, b, jnp.abs(rule.mode))) + jnp.log(jnp.sum(rule.weight, axis=-1))


@partial(jax.jit, static_argnums=3)
def _moments(h: ArrayLike, a: ArrayLike, b: ArrayLike, orders: tuple[int, ...]) -> tuple[Array, ...]:
    x, probability = _kept(_rule(*promote(h, a, b)))
    return tuple(jnp.sum(probability * x**order, axis=-1) for order in orders)


@jax.jit
def _mean(h: ArrayLike, a: ArrayLike, b: ArrayLike) -> Array:
    rule = _rule(*promote(h, a, b))
    # Averaging distances from the mode keeps the digits of a narrow peak far from zero.
    return rule.mode + jnp.sum(_normalised(rule.weight) * rule.distance, axis=-1)


@jax.jit
def _variance(h: ArrayLike, a: ArrayLike, b: ArrayLike) -> Array:
    rule = _rule(*promote(h, a, b))
    probability = _normalised(rule.weight)
    centre = jnp.sum(probability * rule.distance, axis=-1, keepdims=True)
    return jnp.sum(probability * (rule.distance - centre) ** 2, axis=-1)


@partial(jax.jit, static_argnums=3)
def _covariance(h: ArrayLike, a: ArrayLike, b: ArrayLike, orders: tuple[int, ...]) -> Array:
    x, probability = _kept(_rule(*promote(h, a, b)))
    powers = [x**order for order in orders]
    away = [power - jnp.sum(probability * power, axis=-1, keepdims=True) for power in powers]
    # Each pair once: the compiler makes a loop of every sum.
    sums = [[jnp.sum(probability * x * y, axis=-1) for y in away[: k + 1]] for k, x in enumerate(away)]
    every = range(len(away))
    rows = [jnp.stack([sums[max(i, j)][min(i, j)] for j in every], axis=-1) for i in every]
    return jnp.stack(rows, axis=-2)


def _normalised(weight: Array) -> Array:
    return weight / jnp.sum(weight, axis=-1, keepdims=True)


def _kept(rule: _Rule) -> tuple[Array, Array]:
    """Nodes and probabilities, formed once: the compiler would form them again for every sum."""
    return jax.lax.optimization_barrier((rule.x, _normalised(rule.weight)))


def _height(h: Array, a: Array, b: Array, mode: Array) -> Float[Array, "..."]:
    """The exponent at the upper mode, in the form whose terms are all positive."""
    h = jnp.abs(h)
    return jnp.where(a < 0, 0.75 * h * mode - 0.5 * a * mode**2, (a + 3 * b * mode**2) * mode**2)


def _rule(h: Array, a: Array, b: Array) -> _Rule:
    """Nodes and weights around the upper mode, relative to the density there.

    All values are stopped gradients; the couplings enter again through an exponent that is differentiated but not
    computed, so that differentiating a weighted sum differentiates the integrand under the integral, to any order.
    """
    count, depth = _RULES[h.dtype.name]
    tiny = jnp.finfo(h.dtype).tiny
    fixed_h, fixed_a, fixed_b = (stop_gradient(value) for value in (h, a, b))
    sign, size = jnp.where(fixed_h < 0, -1.0, 1.0).astype(h.dtype), jnp.abs(fixed_h)
    # The barrier keeps the compiler from solving for the mode again at every node.
    mode = jax.lax.optimization_barrier(upper_mode(size, fixed_a, fixed_b))
    curvature = fixed_a + 6 * fixed_b * mode**2

    above = jnp.minimum(
        jnp.sqrt(depth / jnp.maximum(curvature, tiny)), jnp.sqrt(jnp.sqrt(depth / jnp.maximum(fixed_b, tiny)))
    )
    below = jnp.sqrt(depth / jnp.maximum(fixed_a + 3 * fixed_b * mode**2, tiny))
    # Windows that reach zero start there, so that the nodes of both signs make one grid.
    start = -jnp.minimum(mode, below)
    spacing = (above - start) / (count - 1)
    distance = start[..., None] + jnp.arange(count, dtype=h.dtype) * spacing[..., None]
    node = mode[..., None] + distance
    drop = distance**2 * (
        curvature[..., None] + fixed_b[..., None] * distance * (4 * mode[..., None] + distance)
    )
    # The node at zero belongs to both signs.
    upper = spacing[..., None] * jnp.exp(-drop) * jnp.where(node > 0, 1.0, 0.5)
    lower = upper * jnp.exp(-2 * size[..., None] * node)
    sign = sign[..., None]
    x = stop_gradient(sign * jnp.concatenate([node, -node], axis=-1))
    distance = stop_gradient(sign * jnp.concatenate([distance, -node - mode[..., None]], axis=-1))
    weight = stop_gradient(jnp.concatenate([upper, lower], axis=-1))
    exponent = h[..., None] * x - a[..., None] * x**2 - b[..., None] * x**4
    return _Rule(x, distance, stop_gradient(sign[..., 0] * mode), weight * _one(exponent))


@jax.custom_jvp
def _one(exponent: Array) -> Array:
    """exp(exponent - the same number): one, with the derivatives of exp, and no exponential to compute."""
    # A selection and no plain ones, so that a batch of exponents gives a batch.
    return jnp.where(False, exponent, jnp.ones((), exponent.dtype))


@_one.defjvp
def _one_and_slope(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    one = _one(primals[0])
    return one, one * tangents[0]
