"""Convolutions of padded fields, whose derivatives CPUs compute as fast as themselves.

XLA computes a convolution on CPUs by a product of matrices where the kernel's axes come in one order, its derivatives
in another one by plain loops, ten times as slow or more. The derivative is therefore told: along the fields another
convolution, whose transpose has the fast order, and along the kernel a product with the fields' patches.
"""

import math
from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Float

from kadanoff.compiled.foreign import on_cpu
from kadanoff.products import matmul
from kadanoff.renormalization.inverse.sublattice import pick

__all__ = ["convolution"]

_Places = tuple[tuple[int, ...], ...] | None


def convolution(
    values: Float[Array, "n ..."],
    kernel: Float[Array, "..."],
    places: Sequence[tuple[int, ...]] | None = None,
) -> Float[Array, "n ..."]:
    """Convolve (n, *sides, channels) with a kernel (*odd sides, channels, out), in up to four dimensions.

    With `places`, corners as in `sublattice`, at every second site along each axis, from each of them.

    >>> values = jnp.arange(5.0).reshape(1, 5, 1)
    >>> convolution(values, jnp.ones((3, 1, 1)))[0, :, 0].tolist()
    [3.0, 6.0, 9.0]
    """
    places = None if places is None else tuple(places)
    if kernel.shape[0] == 1:
        sites = values if places is None else pick(values, places)
        return matmul(sites, kernel.reshape(kernel.shape[-2:]))
    return (_with_derivative if on_cpu() else _plain)(values, kernel, places)


def _plain(values: Array, kernel: Array, places: _Places) -> Array:
    if places is None:
        return _valid(values, kernel)
    d = kernel.ndim - 2
    if d == 4:
        return pick(_valid(values, kernel), places)
    parts = []
    for corner in places:
        ends = [n - (1 - start) for n, start in zip(values.shape[1 : 1 + d], corner, strict=True)]
        window = values[(slice(None), *[slice(s, e) for s, e in zip(corner, ends, strict=True)])]
        parts.append(_valid(window, kernel, stride=2))
    return jnp.stack(parts, axis=1 + d)


_with_derivative = jax.custom_jvp(_plain, nondiff_argnums=(2,))


@partial(_with_derivative.defjvp, symbolic_zeros=True)
def _derivative(
    places: _Places, primals: tuple[Array, Array], tangents: tuple[Array | SymbolicZero, Array | SymbolicZero]
) -> tuple[Array, Array]:
    (values, kernel), (fields, weights) = primals, tangents
    result = _plain(values, kernel, places)
    slope = jnp.zeros_like(result)
    if not isinstance(fields, SymbolicZero):
        moved = _valid(fields, jnp.swapaxes(kernel, -1, -2), order="OI")
        slope += moved if places is None else pick(moved, places)
    if not isinstance(weights, SymbolicZero):
        patches = _patches(values, kernel.shape[:-2], places)
        slope += matmul(patches, weights.reshape(-1, weights.shape[-1]))
    return result, slope


def _patches(values: Array, window: tuple[int, ...], places: _Places) -> Array:
    """What the kernel sees at each of its places, (n, *places, sites of the kernel times channels)."""
    d, sides = len(window), values.shape[1 : 1 + len(window)]
    site = np.arange(math.prod(sides)).reshape(sides)
    seen = site[tuple(slice(side) for side in window)].reshape(-1)
    first = site[tuple(slice(n - side + 1) for n, side in zip(sides, window, strict=True))]
    if places is not None:
        first = np.stack(
            [first[tuple(slice(start, None, 2) for start in corner)] for corner in places], axis=d
        )
    # By one gather: compilers would make a loop of every slice.
    rows = values.reshape(len(values), site.size, values.shape[-1])
    patches = jnp.take(rows, np.add.outer(first, seen).reshape(-1), axis=1, mode="clip")
    return patches.reshape(len(values), *first.shape, -1)


def _valid(values: Array, kernel: Array, stride: int = 1, order: str = "IO") -> Array:
    d = kernel.ndim - 2
    sites = "WHDT"[:d]
    if d <= 3:
        return jax.lax.conv_general_dilated(
            values,
            kernel,
            (stride,) * d,
            "VALID",
            dimension_numbers=(f"N{sites}C", f"{sites}{order}", f"N{sites}C"),
            precision=jax.lax.Precision.HIGHEST,
        )
    # No backend convolves four spatial axes: sum over the shifts along the first of them.
    length = values.shape[1] - kernel.shape[0] + 1
    shifted = [_fold_first_axis(values[:, i : i + length], kernel[i], order) for i in range(kernel.shape[0])]
    return sum(shifted[1:], shifted[0])


def _fold_first_axis(values: Array, kernel: Array, order: str) -> Array:
    flat = values.reshape(-1, *values.shape[2:])
    result = _valid(flat, kernel, order=order)
    return result.reshape(*values.shape[:2], *result.shape[1:])
