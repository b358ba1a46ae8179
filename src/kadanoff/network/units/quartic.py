"""Updates of a layer of quartic units."""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from kadanoff import quartic
from kadanoff.compiled.foreign import call, threads, unsharded
from kadanoff.compiled.quartic import quartic_redraws, redraw_plan

__all__ = ["redraw_quartic"]

_SMALLEST = 1 << 12  # draws that are worth a call


def redraw_quartic(
    key: PRNGKeyArray,
    current: Float[Array, "*batch units"],
    h: Float[Array, "*batch units"],
    a: Float[Array, " units"],
    b: Float[Array, " units"],
) -> Float[Array, "*batch units"]:
    """See `kadanoff.quartic.redraw`, for b > 0: compiled on CPUs, with the same results up to rounding.

    >>> x = redraw_quartic(jax.random.key(0), jnp.full((64, 64), 7.0), jnp.zeros((64, 64)), *jnp.ones((2, 64)))
    >>> bool(jnp.mean(x == 7.0) < 0.1)
    True
    """
    generic, alone = partial(quartic.redraw, key), unsharded()
    if not (alone and h.ndim and h.size >= _SMALLEST and h.dtype == a.dtype == jnp.float32):
        return generic(current, h, a, b)

    def compiled(current: Array, h: Array, a: Array, b: Array) -> Array:
        flat = current.reshape(-1, h.shape[-1])
        given = (flat, h.reshape(flat.shape), jax.random.key_data(key), a, b)
        samples, units = flat.shape
        plan = redraw_plan(samples, units, threads())
        shape = jax.ShapeDtypeStruct(flat.shape, flat.dtype)
        return call(quartic_redraws, shape, given, plan).reshape(h.shape)

    return jax.lax.platform_dependent(current, h, a, b, cpu=compiled, default=generic)
