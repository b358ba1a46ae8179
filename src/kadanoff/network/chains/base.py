"""What supplies the model's side of the gradient: chains of the visible layer."""

import abc
from typing import Any, NamedTuple

import equinox as eqx
from jaxtyping import Array, Float, PRNGKeyArray

from kadanoff.errors import InputError
from kadanoff.network.model import Phi4Network

__all__ = ["Chains", "Drawn"]


class Drawn(NamedTuple):
    """Visible states of the model, what the chains keep, and how well they mix.

    `mixing` is the part of the visible states that an update renews: 1 - the correlation before and after, or the
    acceptance of exchanges where there are some.
    """

    v: Float[Array, "chain visible"]
    kept: Any
    mixing: Float[Array, ""]


class Chains(eqx.Module):
    """A way to draw visible states of the model during training."""

    steps: eqx.AbstractVar[int]

    def __check_init__(self) -> None:
        """Refuse chains that do not move."""
        if self.steps < 1:
            raise InputError(f"chains take 1 step or more an update, got {self.steps}")

    @abc.abstractmethod
    def init(self, key: PRNGKeyArray, base: Phi4Network, count: int) -> Any:
        """Make what is kept between updates, for `count` chains, from exact draws of the unlinked network `base`."""

    @abc.abstractmethod
    def draw(
        self,
        key: PRNGKeyArray,
        network: Phi4Network,
        base: Phi4Network,
        kept: Any,
        batch: Float[Array, "s visible"],
    ) -> Drawn:
        """Update the chains under the network of the moment."""
