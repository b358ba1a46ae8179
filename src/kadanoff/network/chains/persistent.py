"""Persistent contrastive divergence: chains that go on from update to update."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from kadanoff.network.chains.base import Chains, Drawn
from kadanoff.network.model import Phi4Network

__all__ = ["Persistent", "renewed"]


class Persistent(Chains):
    """PCD-k: chains that are never reset, `steps` updates each time; the gradient of the likelihood as they keep up.

    >>> Persistent().steps
    1

    Source: T. Tieleman, ICML 2008.
    """

    steps: int = eqx.field(static=True, default=1)

    def init(self, key: PRNGKeyArray, base: Phi4Network, count: int) -> Array:
        """Draws of the unlinked visible units."""
        return base.visible.draw(key, jnp.zeros((count, base.visible.size)))

    def draw(
        self, key: PRNGKeyArray, network: Phi4Network, base: Phi4Network, kept: Array, batch: Array
    ) -> Drawn:
        """Update the chains."""
        v = network.gibbs(key, kept, self.steps)
        return Drawn(v, v, renewed(kept, v))


def renewed(before: Float[Array, "chain visible"], after: Float[Array, "chain visible"]) -> Float[Array, ""]:
    """1 - the correlation of the states before and after, over all units about their means."""
    first, last = before - before.mean(axis=0), after - after.mean(axis=0)
    norm = jnp.sqrt(jnp.sum(first**2) * jnp.sum(last**2))
    return 1 - jnp.sum(first * last) / jnp.maximum(norm, jnp.finfo(norm.dtype).tiny)
