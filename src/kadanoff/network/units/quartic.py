"""Draws and updates of a layer of quartic units, compiled on CPUs."""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from kadanoff import quartic
from kadanoff.compiled.foreign import call, either, threads
from kadanoff.compiled.purposes import QUARTIC_DRAWS
from kadanoff.compiled.quartic import quartic_redraws, redraw_plan
from kadanoff.quartic.rejection import until_drawn

__all__ = ["draw_quartic", "redraw_quartic"]


def draw_quartic(
    key: PRNGKeyArray, h: Float[Array, "*batch units"], a: Float[Array, " units"], b: Float[Array, " units"]
) -> Float[Array, "*batch units"]:
    """See `kadanoff.quartic.draw`: compiled on CPUs, by updates until all are drawn; the same up to rounding.

    >>> x = draw_quartic(jax.random.key(0), jnp.zeros((64, 64)), *jnp.ones((2, 64)))
    >>> bool(jnp.isfinite(x).all())
    True
    """

    def compiled(h: Array, a: Array, b: Array) -> Array:
        def attempt(state: tuple[Array, Array]) -> tuple[Array, Array]:
            block, x = state
            fresh = _compiled_redraws(jax.random.fold_in(key, block), x, h, a, b)
            return block + 1, jnp.where(jnp.isinf(x), fresh, x)

        return until_drawn(attempt, h.shape, h.dtype)

    return either(compiled, partial(quartic.draw, key), h, a, b, when=_is_worth_a_call(h, a, b))


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
    compiled, generic = partial(_compiled_redraws, key), partial(quartic.redraw, key)
    return either(compiled, generic, current, h, a, b, when=_is_worth_a_call(h, current, a, b))


def _is_worth_a_call(h: Array, *others: Array) -> bool:
    # The kernel reads single precision, whatever it is given.
    single = all(given.dtype == jnp.float32 for given in (h, *others))
    return h.ndim > 0 and h.size >= QUARTIC_DRAWS and single


def _compiled_redraws(key: PRNGKeyArray, current: Array, h: Array, a: Array, b: Array) -> Array:
    flat = current.reshape(-1, h.shape[-1])
    given = (flat, h.reshape(flat.shape), jax.random.key_data(key), a, b)
    samples, units = flat.shape
    shape = jax.ShapeDtypeStruct(flat.shape, flat.dtype)
    return call(quartic_redraws, shape, given, redraw_plan(samples, units, threads())).reshape(h.shape)
