"""The couplings of an action as one vector, and the operators that are conjugate to them."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from kadanoff.actions.base import as_action, with_array_leaves
from kadanoff.actions.inhomogeneous import InhomogeneousPhi4
from kadanoff.errors import InputError

__all__ = ["Parameters"]

_LEAST_QUARTIC = 1e-4  # a fit keeps b above it, so that every intermediate action is a density


class Parameters(eqx.Module):
    """An action whose couplings, all or those in `train`, are the components of a vector.

    Raises `InputError` for a name that is no coupling, and an action without a real coupling to learn.

    >>> import kadanoff as kd
    >>> parameters = Parameters.of(kd.Phi4(-0.9515, 0.7), train=("mass2", "quartic"))
    >>> parameters.names, parameters.vector.round(4).tolist()
    (['mass2', 'quartic'], [-0.9515, 0.7])
    """

    template: Any
    free: tuple[bool, ...] = eqx.field(static=True)

    @classmethod
    def of(cls, action: Any, train: Sequence[str] | None = None) -> "Parameters":
        """Take the couplings of an action apart."""
        template = with_array_leaves(as_action(action))
        paths = jax.tree_util.tree_leaves_with_path(template)
        names = [_name(path) for path, _ in paths]
        for name in train or ():
            if name not in names:
                raise InputError(
                    f"{type(action).__name__} has no coupling {name!r} to train; it has {', '.join(names)}"
                )
        free = tuple(
            eqx.is_array(leaf)
            and bool(jnp.issubdtype(leaf.dtype, jnp.floating))
            and (train is None or name in train)
            for name, (_, leaf) in zip(names, paths, strict=True)
        )
        if not any(free):
            raise InputError(f"{type(action).__name__} has no real coupling to learn: name one in `train`")
        return cls(template, free)

    @property
    def _leaves(self) -> list[tuple[str, Array]]:
        """Names and values of the free couplings."""
        paths = jax.tree_util.tree_leaves_with_path(self.template)
        return [(_name(path), leaf) for (path, leaf), free in zip(paths, self.free, strict=True) if free]

    @property
    def vector(self) -> Float[np.ndarray, " K"]:
        """The free couplings in double precision."""
        return np.concatenate([np.ravel(np.asarray(leaf, np.float64)) for _, leaf in self._leaves])

    @property
    def names(self) -> list[str]:
        """One name a component: `mass2`, `w[3]`, `a[0,1]`."""
        found: list[str] = []
        for name, leaf in self._leaves:
            places = np.ndindex(leaf.shape) if leaf.ndim else ()
            found += [f"{name}[{','.join(map(str, place))}]" for place in places] or [name]
        return found

    def places(self, name: str) -> Float[np.ndarray, "..."] | None:
        """Where the components of a coupling stand in the vector, in its shape; None for one that is fixed."""
        start = 0
        for each, leaf in self._leaves:
            if each == name:
                return start + np.arange(leaf.size).reshape(leaf.shape)
            start += leaf.size
        return None

    def action(self, vector: Float[Array, " K"] | np.ndarray) -> Any:
        """The action with these couplings; unchecked, so that a fit may end beyond what a user may ask for."""
        leaves, tree = jax.tree_util.tree_flatten(self.template)
        start, filled = 0, []
        for leaf, free in zip(leaves, self.free, strict=True):
            if free:
                part = jnp.asarray(vector[start : start + leaf.size], leaf.dtype)
                leaf, start = part.reshape(leaf.shape), start + leaf.size
            filled.append(leaf)
        return jax.tree_util.tree_unflatten(tree, filled)

    def within(self, vector: Float[np.ndarray, " K"]) -> Float[np.ndarray, " K"]:
        """The vector with what must be positive, the quartic couplings of sites, kept above a small number."""
        quartic = self.places("b") if isinstance(self.template, InhomogeneousPhi4) else None
        if quartic is None:
            return vector
        kept = vector.copy()
        kept[quartic] = np.maximum(kept[quartic], _LEAST_QUARTIC)
        return kept

    def operators(
        self, vector: Float[np.ndarray, " K"], fields: Array | np.ndarray
    ) -> Float[np.ndarray, "n K"]:
        """dS/dg of every field (n, *shape)."""
        values = jnp.asarray(vector, jnp.float32)
        rows = max(1, (1 << 22) // max(len(vector), fields[0].size))
        parts = [
            _operators(self, values, jnp.asarray(fields[i : i + rows])) for i in range(0, len(fields), rows)
        ]
        return np.concatenate([np.asarray(part, np.float64) for part in parts])


@eqx.filter_jit
def _operators(parameters: Parameters, vector: Array, fields: Array) -> Array:
    def action(values: Array, field: Array) -> Array:
        return jnp.sum(parameters.action(values).density(field))

    return jax.vmap(jax.grad(action), (None, 0))(vector, fields)


def _name(path: Any) -> str:
    return jax.tree_util.keystr(path).lstrip(".")
