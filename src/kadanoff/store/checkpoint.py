"""A computation in progress, kept in one file from which the same request goes on to the same bits."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from inspect import get_annotations
from os import PathLike
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from kadanoff.errors import InputError, StoreError
from kadanoff.store.durable import atomic_write, checksum
from kadanoff.store.state import pack_state, unpack_state

__all__ = ["Checkpoint"]

_NAME = ".checkpoint.npz"
_EVERY = 1.0  # seconds between two writings
_SECONDS = "seconds"  # of work, in the file

Tree = TypeVar("Tree")


class Checkpoint:
    """Where a loop keeps its state: arrays and numbers, as a tree, in a file of a folder that its caller holds.

    The folder is made with the first state; the file is replaced whole, once a second at most. `request` (JSON) is
    what the computation answers: the state of another one is refused. Without a folder nothing is kept.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> Checkpoint(folder, {"seed": 1}).save((3, np.arange(2.0)))
    >>> step, values = Checkpoint(folder, {"seed": 1}).load((0, np.zeros(2)))
    >>> step, values.tolist()
    (3, [0.0, 1.0])
    """

    def __init__(
        self, folder: str | PathLike[str] | None = None, request: Mapping[str, Any] | None = None
    ) -> None:
        """Name the folder and the request; nothing is read or written yet."""
        self._file = None if folder is None else Path(folder) / _NAME
        self._request = checksum(json.dumps(request or {}, sort_keys=True).encode())
        self._written, self._begun, self.earlier = -np.inf, time.monotonic(), 0.0

    @classmethod
    def of_call(
        cls, given: "Checkpoint | str | PathLike[str] | None", call: Mapping[str, Any]
    ) -> "Checkpoint":
        """What a function was given as its checkpoint, for the call that it is: the state of another is refused.

        A path stands for the checkpoint in that folder, None for one that keeps nothing. The `call` may hold arrays,
        actions, graphs and other classes that declare what they hold; of functions name and code are compared, and not
        what they see from outside. Raises `InputError` for a checkpoint that is none.
        """
        if given is None:
            return cls()
        if isinstance(given, str | PathLike):
            given = cls(given)
        if not isinstance(given, cls):
            raise InputError(f"checkpoint={given!r} is none: give the path of a folder, or leave it out")
        bound = cls(None if given._file is None else given._file.parent)
        if bound._file is not None:
            told = json.dumps([given._request, _told(call)], sort_keys=True)
            bound._request = checksum(told.encode())
        return bound

    def load(self, like: Tree) -> Tree:
        """The state that is kept, in a tree of the shape of `like`; that itself where nothing is kept.

        Arrays may have another length than those of `like`. Raises `StoreError` for the state of another request, for
        that of a version that keeps other parts, and for a damaged one.
        """
        if self._file is None or not self._file.exists():
            return like
        leaves, shape = jax.tree_util.tree_flatten(like)
        try:
            arrays = unpack_state(self._file.read_bytes())
            request, earlier = str(arrays["request"]), float(arrays.pop(_SECONDS, np.zeros(())))
            if request != self._request:
                raise StoreError(
                    f"{self._file.parent} holds another request, half done: give another folder, or the same request "
                    "to go on with it"
                )
            if len(arrays) != 1 + len(leaves):
                raise StoreError(
                    f"{self._file} was kept by another version of kadanoff, whose state has other parts: go on with "
                    "that version, or delete the file, and the work starts again"
                )
            restored = [_restored(leaf, arrays[str(number)]) for number, leaf in enumerate(leaves)]
        except (OSError, ValueError, KeyError) as error:
            raise StoreError(f"{self._file} is damaged: delete it, and the work starts again") from error
        self.earlier = earlier
        return jax.tree_util.tree_unflatten(shape, restored)

    def save(self, state: Any) -> None:
        """Keep the state, unless one was kept within the last second."""
        if self._file is None or time.monotonic() - self._written < _EVERY:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        leaves = jax.tree_util.tree_leaves(state)
        content = {str(number): np.asarray(leaf) for number, leaf in enumerate(leaves)}
        seconds = self.earlier + time.monotonic() - self._begun
        atomic_write(self._file, pack_state({"request": self._request, _SECONDS: seconds, **content}))
        self._written = time.monotonic()

    def clear(self) -> None:
        """Forget the state, once the result is kept."""
        if self._file is not None:
            self._file.unlink(missing_ok=True)


def _told(value: Any) -> Any:
    """A part of a call as JSON: two that differ are told apart, in every process alike."""
    kind = type(value).__qualname__
    if value is None or isinstance(value, str | int | float | complex):
        return repr(value)
    if isinstance(value, np.ndarray | np.generic | jax.Array):
        array = np.asarray(value)
        return [str(array.dtype), array.shape, checksum(np.ascontiguousarray(array).tobytes())]
    if isinstance(value, Mapping):
        return {str(name): _told(part) for name, part in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return [kind, {part.name: _told(getattr(value, part.name)) for part in fields(value)}]
    if isinstance(value, Sequence):
        return [kind, [_told(part) for part in value]]
    if isinstance(value, FunctionType):
        return [value.__qualname__, _told(value.__code__)]
    if isinstance(value, CodeType):  # what it calls stands in its names, and what it defines in its constants
        return [checksum(value.co_code), value.co_names, _told(value.co_consts)]
    declared = [name for name in get_annotations(type(value)) if hasattr(value, name)]
    return [getattr(value, "__qualname__", kind), {name: _told(getattr(value, name)) for name in declared}]


def _restored(leaf: Any, value: np.ndarray) -> Any:
    """A value of the kind of `leaf`: an array of the same library, or a Python number."""
    if isinstance(leaf, jax.Array):
        return jnp.asarray(value, leaf.dtype)  # of this process: that of another may have had other defaults
    return value if isinstance(leaf, np.ndarray) else type(leaf)(value)
