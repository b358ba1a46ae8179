"""A computation in progress, kept in one file from which the same request goes on to the same bits."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from kadanoff.errors import StoreError
from kadanoff.store.durable import atomic_write, checksum
from kadanoff.store.state import pack_state, unpack_state

__all__ = ["Checkpoint"]

_NAME = ".checkpoint.npz"
_EVERY = 1.0  # seconds between two writings

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

    def __init__(self, folder: Path | None = None, request: Mapping[str, Any] | None = None) -> None:
        """Name the folder and the request; nothing is read or written yet."""
        self._file = None if folder is None else folder / _NAME
        self._request = checksum(json.dumps(request or {}, sort_keys=True).encode())
        self._written = -np.inf

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
            request = str(arrays["request"])
            if len(arrays) != 1 + len(leaves):
                raise StoreError(
                    f"{self._file} was kept by another version of kadanoff, whose state has other parts: go on with "
                    "that version, or delete the file, and the work starts again"
                )
            restored = [_restored(leaf, arrays[str(number)]) for number, leaf in enumerate(leaves)]
        except (OSError, ValueError, KeyError) as error:
            raise StoreError(f"{self._file} is damaged: delete it, and the work starts again") from error
        if request != self._request:
            raise StoreError(
                f"{self._file.parent} holds another request, half done: give another folder, or the same request to "
                "go on with it"
            )
        return jax.tree_util.tree_unflatten(shape, restored)

    def save(self, state: Any) -> None:
        """Keep the state, unless one was kept within the last second."""
        if self._file is None or time.monotonic() - self._written < _EVERY:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        leaves = jax.tree_util.tree_leaves(state)
        content = {str(number): np.asarray(leaf) for number, leaf in enumerate(leaves)}
        atomic_write(self._file, pack_state({"request": self._request, **content}))
        self._written = time.monotonic()

    def clear(self) -> None:
        """Forget the state, once the result is kept."""
        if self._file is not None:
            self._file.unlink(missing_ok=True)


def _restored(leaf: Any, value: np.ndarray) -> Any:
    """A value of the kind of `leaf`: an array of the same library, or a Python number."""
    if isinstance(leaf, jax.Array):
        return jnp.asarray(value, leaf.dtype)  # of this process: that of another may have had other defaults
    return value if isinstance(leaf, np.ndarray) else type(leaf)(value)
