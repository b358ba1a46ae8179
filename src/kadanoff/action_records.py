"""What the record of a run says of its action, and whether an action is the one of a record."""

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from kadanoff.actions import ACTIONS, FunctionAction, couplings
from kadanoff.actions.base import with_array_leaves
from kadanoff.actions.coupling import named_leaves, with_couplings
from kadanoff.errors import StoreError
from kadanoff.graph_models import MODELS
from kadanoff.programs import program_digest
from kadanoff.store.layout import jsonable

__all__ = ["action_program", "action_record", "as_recorded", "differences", "is_recorded", "library_action"]


def action_record(action: Any, shape: tuple[int, ...]) -> dict[str, Any]:
    """Name and couplings of an action; with one that is not of the library, what it computes on fields of a shape.

    The program is the digest of the traced density, which names, comments and formatting of the source do not change.
    Versions of JAX trace differently, and each in its own way where numbers are of double precision by default.

    >>> import kadanoff as kd
    >>> action_record(kd.Ising(0.5), (4, 4))
    {'action': 'Ising', 'couplings': {'beta': 0.5}}
    """
    name = type(action).__name__
    record = {"action": name, "couplings": None if name in MODELS else couplings(action)}
    program = action_program(action, shape)
    return record if program is None else {**record, "program": program}


def action_program(action: Any, shape: tuple[int, ...]) -> dict[str, str] | None:
    """What an action of one's own computes on fields of a shape, and by which JAX that was traced.

    None for one of the library.
    """
    name = type(action).__name__
    if name in MODELS or ACTIONS.get(name) is type(action):
        return None
    tracer = jax.__version__ + (" with x64" if jnp.result_type(float) == jnp.float64 else "")
    return {"jax": tracer, "digest": _digest(action, shape)}


def as_recorded(action: Any, shape: tuple[int, ...], kept: Mapping[str, Any], where: Any) -> dict[str, Any]:
    """The record of an action in the words of the record that is kept in the folder `where`.

    Couplings are the same if they are in single precision, that of the fields: the record of a process with
    `jax_enable_x64` has more digits. A record of an earlier version holds no program, nor whole numbers among the
    couplings; a program that another JAX traced cannot be compared. Raises `StoreError` when the same name and
    couplings compute something else.
    """
    record, known = action_record(action, shape), kept.get("couplings") or {}
    if record["couplings"] is not None:
        record["couplings"] = {
            name: known[name] if name in known and _is_same(value, known[name]) else value
            for name, value in record["couplings"].items()
        }
    if "program" not in record:
        return record
    program = kept.get("program")
    if program is None:
        own = {name: value for name, value in (record["couplings"] or {}).items() if name in known}
        return {"action": record["action"], "couplings": own}
    if program["jax"] != record["program"]["jax"]:
        return {**record, "program": program}
    alike = (kept.get("action"), kept.get("couplings")) == (
        record["action"],
        jsonable(record["couplings"], "couplings"),
    )
    if alike and program != record["program"]:
        name = record["action"]
        if isinstance(action, FunctionAction):
            name = getattr(action.function, "__name__", name)
        raise StoreError(
            f"{where} was started with another version of {name}, which computes another density: "
            "give another folder, or that version to go on with it"
        )
    return record


def is_recorded(action: Any, shape: tuple[int, ...], kept: Mapping[str, Any]) -> bool:
    """Whether an action is the one of a record: its name, couplings and program."""
    try:
        record = jsonable(as_recorded(action, shape, kept, "the record"), "the action")
    except StoreError:
        return False
    return all(kept.get(name) == value for name, value in record.items())


def differences(first: Any, second: Any, shape: tuple[int, ...]) -> tuple[str, ...]:
    """What tells two actions apart: couplings by name, else other fields with which they compute something else.

    Of different kinds of actions it is the names of both.

    >>> import kadanoff as kd
    >>> differences(kd.Phi4(-0.9, 0.7), kd.Phi4(-0.8, 0.7), (4, 4))
    ('mass2',)
    """
    kinds = dict.fromkeys(type(action).__name__ for action in (first, second))
    if len(kinds) > 1:
        return tuple(kinds)
    ours, theirs = couplings(first), couplings(second)
    found = [name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name)]
    alike = with_couplings(first, {name: leaf for name, leaf in named_leaves(second) if name in theirs})
    fixed = [name for name in vars(second) if not eqx.tree_equal(vars(alike).get(name), vars(second)[name])]
    return (*found, *(fixed if fixed and not _computes_alike(alike, second, shape) else ()))


def _computes_alike(first: Any, second: Any, shape: tuple[int, ...]) -> bool:
    """Whether two densities are one, as functions that are made anew for every action may be."""
    try:
        return _digest(first, shape) == _digest(second, shape)
    except Exception:  # fields of one with couplings of the other need not fit together
        return False


def library_action(kept: Mapping[str, Any]) -> Any:
    """The action of the library that a record names, with its couplings; None where it names another.

    Raises `KeyError` or `TypeError` where the record has not the couplings of that action.

    >>> library_action({"action": "Ising", "couplings": {"beta": 0.5}})
    Ising(beta=0.5)
    """
    made = None if "program" in kept else ACTIONS.get(str(kept.get("action")))
    return None if made is None else made(**kept["couplings"])


def _is_same(value: Any, other: Any) -> bool:
    first, second = np.asarray(value), np.asarray(other)
    real = first.dtype.kind in "fi" and second.dtype.kind in "fi"
    return real and np.array_equal(first.astype(np.float32), second.astype(np.float32))


def _digest(action: Any, shape: tuple[int, ...]) -> str:
    field = jax.ShapeDtypeStruct(shape, jnp.float32)
    try:  # couplings are constants then, whether they were given as numbers or as arrays
        alike = with_array_leaves(jax.tree_util.tree_map(_as_number, action))
        return program_digest(alike.density, field)
    except Exception:  # a density that needs a number of its own as Python has it
        return program_digest(action.density, field)


def _as_number(leaf: Any) -> Any:
    scalar = eqx.is_inexact_array(leaf) and leaf.ndim == 0 and not jnp.iscomplexobj(leaf)
    return float(leaf) if scalar else leaf
