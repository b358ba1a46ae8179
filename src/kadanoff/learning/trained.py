"""The couplings of an action that are trained, as one vector and back."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from kadanoff.actions.base import with_array_leaves
from kadanoff.actions.coupling import named_leaves, with_couplings
from kadanoff.errors import InputError

__all__ = ["Trained"]


class Trained(eqx.Module):
    """An action with the names of those of its couplings that are trained; the others stay as they are.

    Raises `InputError` for names that are no couplings of the action, and when there is nothing to train.

    >>> import kadanoff as kd
    >>> trained = Trained(kd.Phi4(-0.9515, 0.7), ("quartic",))
    >>> trained.vector().shape, trained.with_vector(trained.vector() + 1).quartic.item()
    ((1,), 1.7000000476837158)
    """

    action: Any
    names: tuple[str, ...] = eqx.field(static=True)

    def __init__(self, action: Any, names: Sequence[str] | None = None) -> None:
        self.action = with_array_leaves(action)
        known = [name for name, _ in self._leaves()]
        self.names = tuple(known if names is None else names)
        for name in self.names:
            if name not in known:
                raise InputError(
                    f"{type(action).__name__} has no coupling {name!r} to train; "
                    f"choose from {', '.join(known) or 'none'}"
                )
        if not self.names:
            raise InputError(f"{type(action).__name__} has no couplings to train")

    def _leaves(self) -> list[tuple[str, Array]]:
        return named_leaves(eqx.filter(self.action, eqx.is_inexact_array))

    def slices(self) -> dict[str, tuple[slice, tuple[int, ...]]]:
        """Place in the vector and shape of every trained coupling, by name."""
        places, begin = {}, 0
        for name, leaf in self._leaves():
            if name in self.names:
                places[name] = (slice(begin, begin + leaf.size), leaf.shape)
                begin += leaf.size
        return places

    def vector(self) -> Float[Array, " P"]:
        """The trained couplings, one after another."""
        return jnp.concatenate([leaf.ravel() for name, leaf in self._leaves() if name in self.names])

    def with_vector(self, vector: Float[Array, " P"]) -> Any:
        """The action with other values of the trained couplings."""
        places = self.slices().items()
        return with_couplings(
            self.action, {name: vector[where].reshape(shape) for name, (where, shape) in places}
        )

    def bounded(self, vector: Float[Array, " P"], previous: Float[Array, " P"]) -> Float[Array, " P"]:
        """The vector with every coupling that must stay positive at half of its previous value or more.

        A projected step: such couplings (`positive` of the action) may fall for ever, but never reach zero.
        """
        for name, (where, _) in self.slices().items():
            if name in getattr(self.action, "positive", ()):
                vector = vector.at[where].max(previous[where] / 2)
        return vector
