"""Contrastive divergence: chains that start at the data of every batch."""

import equinox as eqx
from jaxtyping import Array, PRNGKeyArray

from kadanoff.network.chains.base import Chains, Drawn
from kadanoff.network.chains.persistent import renewed
from kadanoff.network.model import Phi4Network

__all__ = ["ContrastiveDivergence"]


class ContrastiveDivergence(Chains):
    """CD-k: `steps` updates from the batch itself. Fast, and biased towards what the chains cannot leave in k steps.

    >>> ContrastiveDivergence(steps=2).steps
    2

    Source: G. E. Hinton, Neural Comput. 14 (2002) 1771.
    """

    steps: int = eqx.field(static=True, default=1)

    def init(self, key: PRNGKeyArray, base: Phi4Network, count: int) -> None:
        """Nothing is kept."""

    def draw(
        self, key: PRNGKeyArray, network: Phi4Network, base: Phi4Network, kept: None, batch: Array
    ) -> Drawn:
        """Update the batch."""
        v = network.gibbs(key, batch, self.steps)
        return Drawn(v, None, renewed(batch, v))
