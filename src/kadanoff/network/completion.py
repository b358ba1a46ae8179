"""States drawn from a trained network: from nothing, and around features that are given."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from kadanoff.network.model import Phi4Network, interpolated

__all__ = ["annealed_states", "completed"]


@eqx.filter_jit
def annealed_states(
    key: PRNGKeyArray, network: Phi4Network, base: Phi4Network, count: int, steps: int
) -> Float[Array, "count visible"]:
    """Draw visible states: links are switched on in the first half of the steps, and stay in the second.

    Chains that start where there are no links spread over the modes as they form, better than chains that start in
    the trained network.
    """
    free = jnp.zeros((count, network.visible.size))
    return _annealed(key, network, base, free, jnp.zeros(free.shape, bool), steps)[0]


@eqx.filter_jit
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
    return jnp.where(known, v, _annealed(key, network, base, v, known, steps)[1])


def _annealed(
    key: PRNGKeyArray, network: Phi4Network, base: Phi4Network, v: Array, known: Array, steps: int
) -> tuple[Array, Array]:
    """The last states, and the mean of <v> given the hidden units over the second half of the steps."""
    keys = jax.random.split(key, steps + 1)
    start = jnp.where(known, v, base.visible.draw(keys[0], jnp.zeros(v.shape)))
    count = jnp.arange(1, steps + 1)
    times, late = jnp.minimum(count / max(steps // 2, 1), 1.0), count > steps // 2

    def step(carry: tuple[Array, Array], now: tuple[Array, Array, Array]) -> tuple[tuple[Array, Array], None]:
        (state, total), (t, counts, key) = carry, now
        current = interpolated(base, network, t)
        up, down = jax.random.split(key)
        field = current.draw_hidden(up, state) @ current.w.T
        drawn = current.visible.redraw(down, state, field)
        total = jax.lax.cond(counts, lambda: total + current.visible.mean(field), lambda: total)
        return (jnp.where(known, v, drawn), total), None

    (last, total), _ = jax.lax.scan(step, (start, jnp.zeros_like(v)), (times, late, keys[1:]))
    return last, total / jnp.maximum(late.sum(), 1)
