"""The trained couplings of an action as a vector of named components, and the operators conjugate to them."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from kadanoff.actions.base import as_action
from kadanoff.errors import InputError
from kadanoff.learning.trained import Trained

__all__ = ["Parameters"]

_LEAST = 1e-4  # a fit keeps couplings that must be positive above it: every intermediate action is a density


class Parameters(Trained):
    """The couplings of an action that are learnt, in double precision, their names and their operators.

    Raises `InputError` as `Trained` does, and for complex couplings.

    >>> import kadanoff as kd
    >>> parameters = Parameters(kd.Phi4(-0.9515, 0.7), ("mass2", "quartic"))
    >>> parameters.components, parameters.values.round(4).tolist()
    (['mass2', 'quartic'], [-0.9515, 0.7])
    """

    def __init__(self, action: Any, names: Sequence[str] | None = None) -> None:
        """Take the couplings of an action, or some of them by name."""
        super().__init__(as_action(action), names)

    def __check_init__(self) -> None:
        """Refuse couplings that are not real."""
        if jnp.iscomplexobj(self.vector()):
            raise InputError(
                f"{type(self.action).__name__} has complex couplings, and data follow a probability: make them real"
            )

    @property
    def values(self) -> Float[np.ndarray, " K"]:
        """The couplings of the action that was given."""
        return np.asarray(self.vector(), np.float64)

    @property
    def components(self) -> list[str]:
        """One name a component: `mass2`, `w[3]`, `a[0,1]`."""
        found: list[str] = []
        for name, (_, shape) in self.slices().items():
            places = np.ndindex(shape) if shape else ()
            found += [f"{name}[{','.join(map(str, place))}]" for place in places] or [name]
        return found

    def places(self, name: str) -> np.ndarray | None:
        """Where the components of a coupling stand in the vector, in its shape; None for one that is not trained."""
        if name not in self.slices():
            return None
        where, shape = self.slices()[name]
        return np.arange(where.start, where.stop).reshape(shape)

    @property
    def positive(self) -> np.ndarray:
        """Places of the components that must stay positive."""
        found = [self.places(name) for name in getattr(self.action, "positive", ())]
        return np.concatenate([np.ravel(each) for each in found if each is not None] or [np.zeros(0, int)])

    @property
    def lower(self) -> Float[np.ndarray, " K"]:
        """The bounds of all components from below: a small number for those that must stay positive."""
        bounds = np.full(len(self.values), -np.inf)
        bounds[self.positive] = _LEAST
        return bounds

    def at(self, vector: Float[Array, " K"] | np.ndarray) -> Any:
        """The action with these couplings; unchecked, so that a fit may end beyond what a user may ask for."""
        return self.with_vector(jnp.asarray(vector, jnp.result_type(float)))

    def within(self, vector: Float[np.ndarray, " K"]) -> Float[np.ndarray, " K"]:
        """The vector with the components that must be positive above a small number."""
        return np.maximum(vector, self.lower)

    def operators(
        self, vector: Float[np.ndarray, " K"], fields: Array | np.ndarray
    ) -> Float[np.ndarray, "n K"]:
        """dS/dg of every field (n, *shape)."""
        values = jnp.asarray(vector, jnp.result_type(float))
        rows = max(1, (1 << 22) // max(len(vector), fields[0].size))
        parts = [
            _operators(self, values, jnp.asarray(fields[i : i + rows])) for i in range(0, len(fields), rows)
        ]
        return np.concatenate([np.asarray(part, np.float64) for part in parts])


@eqx.filter_jit
def _operators(parameters: Parameters, vector: Array, fields: Array) -> Array:
    def action(values: Array, field: Array) -> Array:
        return jnp.sum(parameters.at(values).density(field))

    return jax.vmap(jax.grad(action), (None, 0))(vector, fields)
