"""Parallel tempering: persistent chains that exchange states with chains of weaker links."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from kadanoff.errors import InputError
from kadanoff.network.chains.base import Chains, Drawn
from kadanoff.network.model import Phi4Network, interpolated

__all__ = ["Tempered"]


class Tempered(Chains):
    """PCD with `replicas` of every chain between the unlinked network (t = 0) and the trained one (t = 1).

    A step updates every replica and exchanges neighbours by Metropolis, odd and even pairs in turn. The replica at
    t = 0 is drawn afresh each time, so that chains cannot stay caught in one mode.

    >>> Tempered(replicas=4).replicas
    4

    Source: G. Desjardins et al., AISTATS 2010.
    """

    steps: int = eqx.field(static=True, default=1)
    replicas: int = eqx.field(static=True, default=8)

    def __check_init__(self) -> None:
        """Refuse a ladder without rungs."""
        if self.replicas < 2:
            raise InputError(f"tempering needs 2 replicas or more, got {self.replicas}")

    def init(self, key: PRNGKeyArray, base: Phi4Network, count: int) -> Array:
        """Draws of the unlinked visible units, for every replica."""
        return base.visible.draw(key, jnp.zeros((self.replicas, count, base.visible.size), base.w.dtype))

    def draw(
        self, key: PRNGKeyArray, network: Phi4Network, base: Phi4Network, kept: Array, batch: Array
    ) -> Drawn:
        """Update all replicas, exchange, and give those at t = 1."""
        ladder = jax.vmap(lambda t: interpolated(base, network, t))(
            jnp.linspace(0.0, 1.0, self.replicas, dtype=base.w.dtype)
        )

        def step(v: Array, key: PRNGKeyArray) -> tuple[Array, Array]:
            move, fresh, swap = jax.random.split(key, 3)
            keys = jax.random.split(move, self.replicas)
            v = jax.vmap(lambda rung, key, v: rung.gibbs(key, v))(ladder, keys, v)
            v = v.at[0].set(base.visible.draw(fresh, jnp.zeros(v.shape[1:], v.dtype)))
            rates = []
            for parity in (0, 1):
                v, rate = _exchanged(jax.random.fold_in(swap, parity), ladder, v, parity)
                rates.append(rate)
            return v, jnp.stack(rates).sum() / (self.replicas - 1)

        v, rates = jax.lax.scan(step, kept, jax.random.split(key, self.steps))
        return Drawn(v[-1], v, rates.mean())


def _exchanged(key: PRNGKeyArray, ladder: Phi4Network, v: Array, parity: int) -> tuple[Array, Array]:
    """Exchange the rungs (parity, parity + 1), (parity + 2, ...), ...; give the acceptance summed over pairs."""
    low = jnp.arange(parity, len(v) - 1, 2)
    if low.size == 0:
        return v, jnp.zeros((), v.dtype)
    high = low + 1

    def energies(rungs: Array, states: Array) -> Array:
        networks = jax.tree_util.tree_map(lambda leaf: leaf[rungs], ladder)
        return jax.vmap(lambda rung, v: rung.visible_energy(v))(networks, v[states])

    gain = energies(low, low) + energies(high, high) - energies(low, high) - energies(high, low)
    accept = jnp.log(jax.random.uniform(key, gain.shape, gain.dtype)) < gain
    upper = jnp.where(accept[..., None], v[low], v[high])
    lower = jnp.where(accept[..., None], v[high], v[low])
    return v.at[low].set(lower).at[high].set(upper), accept.mean(axis=1).sum()
