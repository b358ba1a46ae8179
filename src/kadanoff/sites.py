"""Where the sites of an action lie, and which values they take: actions are compared on fields that both know."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from kadanoff.actions.base import Action, FunctionAction, has_spins, require_density
from kadanoff.errors import InputError
from kadanoff.graph import Graph
from kadanoff.lattice import Lattice

__all__ = ["require_real", "require_same_sites", "require_spins", "require_values_of", "space_of"]


def space_of(action: Any, lattice: Lattice | Graph | int | Sequence[int] | None) -> Lattice | Graph:
    """Where the fields live: the graph of the action if it has one, else the lattice, or that of the sides, asked for.

    Raises `InputError` for an action with a graph and another lattice, and for one with neither.
    """
    graph = getattr(action, "graph", None)
    if not isinstance(graph, Graph):
        if lattice is None:
            raise InputError(f"{type(action).__name__} lives on any lattice: say which, kd.Lattice(shape)")
        return lattice if isinstance(lattice, Lattice | Graph) else Lattice(lattice)
    if lattice is not None and lattice != graph:
        raise InputError(
            f"{type(action).__name__} lives on a graph of its own, {graph!r}: leave the lattice out"
        )
    return graph


def require_real(action: Any, shape: tuple[int, ...]) -> None:
    """`InputError` for an action that is complex on fields of a shape: there is no probability to sample."""
    if jnp.issubdtype(require_density(action, shape).dtype, jnp.complexfloating):
        raise InputError(
            f"{type(action).__name__} is complex, and sampling needs a probability: sample a real action, and "
            "reweight to this one"
        )


def require_same_sites(first: Any, second: Any) -> None:
    """`InputError` where one action has spins and the other real fields.

    A bare function S(field), and a module that does not say `spins`, may have either.

    >>> import kadanoff as kd
    >>> require_same_sites(kd.Ising(0.4), kd.InhomogeneousIsing(kd.Graph.grid((4, 4)), w=0.4))
    """
    if _says(first) and _says(second) and has_spins(first) != has_spins(second):
        spins, real = (first, second) if has_spins(first) else (second, first)
        raise InputError(
            f"{type(spins).__name__} has spins, +1 and -1, and {type(real).__name__} real fields, so they share no "
            "configurations: give two actions of one kind (an action of your own has spins if its class says so)"
        )


def require_spins(fields: np.ndarray) -> np.ndarray:
    """Give fields back; `InputError` where whole numbers are no spins."""
    other = fields.dtype.kind in "biu" and (fields.dtype.kind == "b" or np.abs(fields) != 1)
    if np.any(other):
        wrong = fields.ravel()[np.argmax(other)]
        raise InputError(
            f"fields of {fields.dtype} are spins, +1 or -1, and here is {wrong}: give 2 * fields - 1 for 0 and 1, in "
            "a type with a sign, or real numbers, fields.astype('float32')"
        )
    return fields


def require_values_of(action: Any, fields: np.ndarray) -> None:
    """`InputError` where fields take values that the sites of an action do not; of real type, spins are +1.0 and -1.0.

    >>> import kadanoff as kd
    >>> require_values_of(kd.Ising(0.4), np.ones((1, 2, 4, 4), "float32"))
    """
    if not _says(action):
        return
    name, spins = type(action).__name__, fields.dtype.kind in "iu"
    if spins and not has_spins(action):
        raise InputError(
            f"{name} has real fields, and fields of {fields.dtype} are spins: give fields.astype('float32')"
        )
    if has_spins(action) and not spins and not np.all(np.abs(fields) == 1):
        wrong = fields.ravel()[np.argmax(np.abs(fields) != 1)]
        raise InputError(
            f"{name} has spins, +1 or -1, and among the fields is {wrong:g}: give fields of that action"
        )


def _says(action: Any) -> bool:
    return not isinstance(action, FunctionAction) and (isinstance(action, Action) or hasattr(action, "spins"))
