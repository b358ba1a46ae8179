"""States drawn from a trained network: from nothing, and around features that are given."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from kadanoff.errors import InputError
from kadanoff.network.model import Phi4Network, interpolated
from kadanoff.products import matmul
from kadanoff.random import keys_of, split_words

__all__ = ["annealed_states", "completed", "known_mask"]


def annealed_states(
    key: PRNGKeyArray, network: Phi4Network, base: Phi4Network, count: int, steps: int
) -> Float[Array, "count visible"]:
    """Draw visible states: links are switched on in the first half of the steps, and stay in the second.

    Chains that start where there are no links spread over the modes as they form, better than chains that start in
    the trained network.
    """
    first, rest = _keys(key, steps)
    start = base.unlinked(first, count)
    return _annealed(rest, network, base, start, None)[0]


def completed(
    key: PRNGKeyArray,
    network: Phi4Network,
    base: Phi4Network,
    v: Float[Array, "sample visible"],
    known: Bool[Array, "sample visible"],
    steps: int,
) -> Float[Array, "sample visible"]:
    """The mean of the unknown features given the known ones, which keep their values.

    Links are switched on in the first half of the steps, so that the unknown features follow the known ones into their
    mode as it forms; <v> given the hidden units is averaged over the second half.
    """
    first, rest = _keys(key, steps)
    start = jnp.where(known, v, base.unlinked(first, len(v)))
    return jnp.where(known, v, _annealed(rest, network, base, start, known)[1])


def known_mask(known: Any, shape: tuple[int, int]) -> Bool[np.ndarray, "sample visible"]:
    """Which features are known, of the shape of the data, from a mask of that shape or of one sample.

    Raises `InputError` for another shape, and for values other than true and false, or 0 and 1.

    >>> known_mask([True, False], (2, 2)).tolist()
    [[True, False], [True, False]]
    """
    try:
        mask = np.asarray(known)
    except ValueError:  # rows of several lengths
        mask = np.asarray(None)
    if mask.dtype.kind not in "biuf" or not np.isin(mask, (0, 1)).all():
        raise InputError("the mask of what is known holds true and false, or 0 and 1, but this holds others")
    if mask.shape not in (shape, shape[1:]):
        raise InputError(
            f"the mask of what is known has the shape {shape} of the data, or {shape[1:]} of one sample, "
            f"got {mask.shape}"
        )
    return np.broadcast_to(mask.astype(bool), shape)


def _keys(key: PRNGKeyArray, steps: int) -> tuple[Array, Array]:
    """A key for the start, and one for every step."""
    words = split_words(key, steps + 1)
    return keys_of(words[0], key), keys_of(words[1:], key)


@eqx.filter_jit
def _annealed(
    keys: Array, network: Phi4Network, base: Phi4Network, start: Array, known: Array | None
) -> tuple[Array, Array]:
    """The last states, and the mean of <v> given the hidden units over the second half of the steps.

    What is known stays as it is at the start; where nothing is, no mean is taken.
    """
    steps = len(keys)
    count = jnp.arange(1, steps + 1, dtype=start.dtype)
    times, late = jnp.minimum(count / max(steps // 2, 1), 1.0), count > steps // 2

    def step(carry: tuple[Array, Array], now: tuple[Array, Array, Array]) -> tuple[tuple[Array, Array], None]:
        (state, total), (t, counts, key) = carry, now
        current = interpolated(base, network, t)
        up, down = jax.random.split(key)
        field = matmul(current.draw_hidden(up, state), current.w.T)
        drawn = current.visible.redraw(down, state, field)
        if known is None:
            return (drawn, total), None
        total = jax.lax.cond(counts, lambda: total + current.visible.mean(field), lambda: total)
        return (jnp.where(known, start, drawn), total), None

    (last, total), _ = jax.lax.scan(step, (start, jnp.zeros_like(start)), (times, late, keys))
    return last, total / jnp.maximum(late.sum(), 1)
