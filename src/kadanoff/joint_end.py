"""How joined processes begin, with one command, and end: together, with one status, and the first one last.

The first one holds what connects them.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NoReturn

import jax

from kadanoff.errors import InputError

__all__ = ["end_of_others", "leave", "listen", "require_one_command"]

_COMMAND, _END, _LEFT = (
    "kadanoff/command",
    "kadanoff/end",
    "kadanoff/left",
)  # names in the table that the first process keeps for all
_PATIENCE = 10.0  # seconds that the first process gives the others to leave
_PAUSE = 0.5  # seconds between two looks at the table
_GRACE = 1.0  # seconds from the last word of a process to its end, at most
_LEAVING = threading.Event()


def _joined() -> Any:
    """What JAX knows of the joined processes: `process_id`, `num_processes`, and `client`, a table that they share."""
    from jax._src import distributed  # the public module tells only whether there are any

    return distributed.global_state


def require_one_command(words: Sequence[str]) -> None:
    """`InputError` in a process with another command than that of the first: each would wait for the other."""
    joined, own = _joined(), "\n".join(words)
    if joined.process_id == 0:
        joined.client.key_value_set(_COMMAND, own, True)
    elif joined.client.blocking_key_value_get(_COMMAND, 60_000) != own:
        raise InputError(
            f"process {joined.process_id} has another command than the first one: give all of them the same"
        )


def end_of_others() -> int | None:
    """The exit status with which another process began to end; None where none does, as far as can be told."""
    with suppress(Exception):  # absent, or the first process is gone
        return int(_joined().client.key_value_try_get(_END))
    return None


def listen(told: Callable[[int], None]) -> None:
    """Call `told` with the status, in a thread, once another process ends before its work is done."""

    def wait() -> None:
        while jax.distributed.is_initialized():
            status = end_of_others()
            if _LEAVING.is_set():  # this process itself has told
                return
            if status is not None:
                return told(status)
            time.sleep(_PAUSE)

    threading.Thread(target=wait, daemon=True).start()


def leave(status: int) -> NoReturn:
    """End this process at once, and make the others end with the same status: nobody waits for who has gone.

    JAX aborts the others as soon as the first one is gone, so that one waits for them to leave.
    """
    _LEAVING.set()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    with suppress(Exception):  # the first process is gone, and the table with it
        _say_goodbye(status)
    os._exit(status)


def _say_goodbye(status: int) -> None:
    joined, until = _joined(), time.monotonic() + _PATIENCE
    with suppress(Exception):  # another one was faster
        joined.client.key_value_set(_END, str(status))
    if joined.process_id:
        joined.client.key_value_set(f"{_LEFT}/{joined.process_id}", "")
        return
    for other in range(1, joined.num_processes):
        left = max(1, int(1000 * (until - time.monotonic())))
        with suppress(Exception):  # it was killed
            joined.client.blocking_key_value_get(f"{_LEFT}/{other}", left)
    time.sleep(_GRACE)
