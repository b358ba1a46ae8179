"""Independent pieces of work: on the cores of one machine, where XLA leaves many loops to one, and on many devices."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh

from kadanoff.cores import cores
from kadanoff.devices import is_alone, layout, require_devices
from kadanoff.errors import InputError

__all__ = ["Deal", "in_parallel"]

Item = TypeVar("Item")


def in_parallel(
    function: Callable[[Item], None], items: Sequence[Item], alone: int = 0, workers: int = 1
) -> Iterator[int]:
    """Call a function for each item, several at once on CPUs, `workers` elsewhere; yield how many are done.

    The first `alone` items are done before the others start, e.g. to compile once. An exception, or the end of the
    iteration, cancels what has not started and waits for what has.

    >>> found = {}
    >>> list(in_parallel(lambda item: found.update({item: item**2}), [1, 2, 3]))
    [1, 2, 3]
    >>> sorted(found.values())
    [1, 4, 9]
    """
    finished = 0
    for item in items[:alone]:
        function(item)
        finished += 1
        yield finished
    rest = items[alone:]
    workers = min(len(rest), cores() if jax.default_backend() == "cpu" else workers)
    if workers < 2:
        for item in rest:
            function(item)
            finished += 1
            yield finished
        return
    pool = ThreadPoolExecutor(workers)
    try:
        for done in as_completed([pool.submit(function, item) for item in rest]):
            done.result()
            finished += 1
            yield finished
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class Deal:
    """Pieces of work, numbered from zero, dealt out in turn over devices of all processes.

    None for `devices` leaves all of them to this process, on its default device. The program of a piece is the same
    everywhere, and so is its result.

    Raises `InputError` where there are not so many devices.
    """

    def __init__(self, devices: int | None = None) -> None:
        """Take the first so many devices."""
        self._devices = [] if devices is None else require_devices(devices)

    @property
    def workers(self) -> int:
        """How many devices of this process work at once."""
        return max(1, sum(device.process_index == jax.process_index() for device in self._devices))

    def is_mine(self, piece: int) -> bool:
        """Whether this process does a piece."""
        return not self._devices or self._owner(piece) == jax.process_index()

    def place(self, piece: int) -> AbstractContextManager[Any]:
        """Scope of the work at a piece of this process: its device is the default one."""
        if not self._devices or not self.is_mine(piece):
            return nullcontext()
        return jax.default_device(self._devices[piece % len(self._devices)])

    def require(self, pieces: int, sides: Sequence[int], possible: bool) -> None:
        """`InputError` unless there are pieces enough, or lattices of these sides can be cut (if that is possible)."""
        if len(self._devices) <= pieces:
            return
        if not possible:
            raise InputError(
                f"{len(self._devices)} devices cannot share {pieces} configurations that are not relaxed: ask for at "
                f"most {pieces}, or relax"
            )
        if sides[0] % (2 * len(self._devices)):
            raise InputError(
                f"{len(self._devices)} devices cannot share {pieces} configurations of side {sides[0]}, which "
                f"{2 * len(self._devices)} does not divide: ask for at most {pieces} devices, or more configurations"
            )

    def slabs(self, pieces: int, sides: Sequence[int]) -> Mesh | None:
        """A mesh that cuts each piece into slabs; None where there are pieces enough, or the sides are too short."""
        if len(self._devices) <= pieces or sides[0] % (2 * len(self._devices)):
            return None
        return layout(len(self._devices), 1, sides, slabs=True)

    def together(self, arrays: list[np.ndarray], batch: int) -> list[np.ndarray]:
        """Arrays whose rows, `batch` a piece, were filled by whoever had the piece, whole in every process."""
        if not self._devices or is_alone():
            return arrays
        rows = np.arange(len(arrays[0]))
        owners = np.array([self._owner(row // batch) for row in range(len(rows))])
        mine = rows[owners == jax.process_index()]
        most = int(max(np.bincount(owners)))
        for array in arrays:
            own = np.zeros((most, *array.shape[1:]), array.dtype)
            own[: len(mine)] = array[mine]
            # As bytes: jax would round double precision.
            found = multihost_utils.process_allgather(own.reshape(most, -1).view(np.uint8))
            for process, part in enumerate(found):
                theirs = rows[owners == process]
                array[theirs] = (
                    np.asarray(part)[: len(theirs)].view(array.dtype).reshape(-1, *array.shape[1:])
                )
        return arrays

    def _owner(self, piece: int) -> int:
        return self._devices[piece % len(self._devices)].process_index
