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
    start, *keys = jax.random.split(key, steps + 1)
    v = base.visible.draw(start, jnp.zeros((count, network.visible.size)))
    times = jnp.minimum(jnp.arange(1, steps + 1) / max(steps // 2, 1), 1.0)

    def step(v: Array, now: tuple[Array, Array]) -> tuple[Array, None]:
        t, key = now
        return interpolated(base, network, t).gibbs(key, v), None

    return jax.lax.scan(step, v, (times, jnp.stack(keys)))[0]


@eqx.filter_jit
def completed(
    key: PRNGKeyArray,
    network: Phi4Network,
    v: Float[Array, "sample visible"],
    known: Bool[Array, "sample visible"],
    steps: int,
) -> Float[Array, "sample visible"]:
    """The mean of the unknown features given the known ones, which keep their values.

    Chains of the unknown features start at their means without links; <v> given the hidden units is averaged over the
    second half of the steps.
    """
    free = network.visible_mean(jnp.zeros((*v.shape[:-1], network.hidden.size)))
    start = jnp.where(known, v, free)

    def step(v_now: Array, now: tuple[Array, PRNGKeyArray]) -> tuple[Array, Array]:
        up, down = jax.random.split(now[1])
        h = network.draw_hidden(up, v_now)
        field = h @ network.w.T
        drawn = network.visible.redraw(down, v_now, field)
        mean = jax.lax.cond(now[0], lambda: network.visible.mean(field), lambda: jnp.zeros_like(v_now))
        return jnp.where(known, v, drawn), mean

    late = jnp.arange(steps) >= steps // 2
    _, means = _summed(step, start, (late, jax.random.split(key, steps)))
    return jnp.where(known, v, means / late.sum())


def _summed(step, start: Array, given: tuple[Array, Array]) -> tuple[Array, Array]:
    """Scan, and add up what every step gives, without keeping it."""

    def body(carry: tuple[Array, Array], now: tuple[Array, Array]) -> tuple[tuple[Array, Array], None]:
        state, total = carry
        state, value = step(state, now)
        return (state, total + value), None

    return jax.lax.scan(body, (start, jnp.zeros_like(start)), given)[0]
