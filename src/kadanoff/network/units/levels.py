"""Draws of units of two levels."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from kadanoff.compiled.foreign import call, either, threads
from kadanoff.compiled.levels import draw_plan, level_draws
from kadanoff.compiled.purposes import LEVEL_DRAWS
from kadanoff.random import uniforms

__all__ = ["draw_level"]


def draw_level(
    key: PRNGKeyArray,
    h: Float[Array, "*batch units"],
    r: Float[Array, " units"],
    levels: tuple[float, float],
) -> Float[Array, "*batch units"]:
    """Draw the upper level with probability 1/(1 + exp((lower - upper) (h - r))); compiled on CPUs.

    >>> draw_level(jax.random.key(0), jnp.array([[-90.0, 90.0]]), jnp.zeros(2), (-1.0, 1.0)).tolist()
    [[-1.0, 1.0]]
    """
    low, high = levels
    words = jax.random.key_data(key)

    def generic(h: Array, r: Array) -> Array:
        up = uniforms(jax.random.wrap_key_data(words), h.shape) < jax.nn.sigmoid((high - low) * (h - r))
        return jnp.where(up, high, low).astype(h.dtype)

    def compiled(h: Array, r: Array) -> Array:
        flat = h.reshape(-1, h.shape[-1])
        shape = jax.ShapeDtypeStruct(flat.shape, flat.dtype)
        given = (flat, r, words, jnp.array(levels, jnp.float32))
        return call(level_draws, shape, given, draw_plan(h.size, threads())).reshape(h.shape)

    known = h.ndim > 0 and h.dtype == r.dtype == jnp.float32
    return either(compiled, generic, h, r, when=known and h.size >= LEVEL_DRAWS)
