"""Independent pieces of work on the cores of one machine: XLA leaves many of its loops to a single core."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

import jax

__all__ = ["in_parallel"]

Item = TypeVar("Item")


def in_parallel(function: Callable[[Item], None], items: Sequence[Item], alone: int = 0) -> Iterator[int]:
    """Call a function for each item, several at once on CPUs, one by one elsewhere; yield how many are done.

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
    workers = min(len(rest), _cores()) if jax.default_backend() == "cpu" else 1
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


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
