"""Persistent contrastive divergence: chains that go on from update to update."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from kadanoff.errors import InputError
from kadanoff.network.chains.base import Chains, Drawn
from kadanoff.network.model import Phi4Network

__all__ = ["Persistent", "renewed"]

_WATCHED = 16


class Persistent(Chains):
    """PCD-k: chains that go on from update to update, `steps` Gibbs steps each time.

    Before an update every chain starts anew from a sample of the batch with the probability `refresh`. Without it
    (`refresh=0`, the original form) the gradient is that of the likelihood as long as the chains keep up; on data of
    several modes they do not, all chains gather in one of them, and training runs away from the data. With it, chains
    are `steps/refresh` steps long on average, and every mode of the data holds some.

    Raises `InputError` for a probability outside [0, 1].

    >>> Persistent(steps=2)
    Persistent(steps=2)

    Source: T. Tieleman, ICML 2008 (without the new starts).
    """

    steps: int = eqx.field(static=True, default=1)
    refresh: float = eqx.field(static=True, default=0.05)

    def __check_init__(self) -> None:
        """Refuse what is no probability."""
        if not 0 <= self.refresh <= 1:
            raise InputError(f"refresh is a probability between 0 and 1, got {self.refresh}")

    def init(self, key: PRNGKeyArray, base: Phi4Network, count: int) -> Array:
        """Draws of the unlinked visible units."""
        return base.unlinked(key, count)

    def draw(
        self, key: PRNGKeyArray, network: Phi4Network, base: Phi4Network, kept: Array, batch: Array
    ) -> Drawn:
        """Start some chains anew, from the rows of the batch in turn, and update all."""
        which, move = jax.random.split(key)
        anew = jax.random.bernoulli(which, jnp.float32(self.refresh), (len(kept), 1))
        start = jnp.where(anew, jnp.resize(batch, kept.shape), kept)
        v = network.gibbs(move, start, self.steps)
        return Drawn(v, v, renewed(start, v))


def renewed(before: Float[Array, "chain visible"], after: Float[Array, "chain visible"]) -> Float[Array, ""]:
    """1 - the correlation of the states before and after, over all units about their means, of the first chains.

    Training averages it over thousands of updates, and few chains cost less than what they watch.
    """
    before, after = before[:_WATCHED], after[:_WATCHED]
    first, last = before - before.mean(axis=0), after - after.mean(axis=0)
    norm = jnp.sqrt(jnp.sum(first**2) * jnp.sum(last**2))
    return 1 - jnp.sum(first * last) / jnp.maximum(norm, jnp.finfo(norm.dtype).tiny)
