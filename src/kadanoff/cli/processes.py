"""Commands on many devices, and in several processes that a launcher started: the first one speaks."""

import os
import re
import sys
from typing import Annotated

import typer

from kadanoff.cli.stopping import end, end_by, stop_as

__all__ = ["Devices", "are_joined", "end_together", "joined", "why_failed"]

FAILED = 2
_JOINED: list[bool] = []

Devices = Annotated[
    int | None,
    typer.Option(
        "--devices",
        metavar="N",
        help="Share the work among N devices, those of all processes of an srun. The results do not depend on N, but "
        "for rounding where growth is cut into slabs or a device has one chain on a graph; without it, CPUs take "
        "loops of their own, which round otherwise.",
    ),
]


def joined(devices: int | None) -> bool:
    """Join the other processes, if there are any; whether this one writes and prints.

    What the others print on stdout is dropped.
    """
    if devices is None:
        return True
    from kadanoff.devices import is_alone, is_first, join_processes

    join_processes()
    if not is_alone() and not _JOINED:
        from kadanoff.joint_end import leave, listen, require_one_command

        _JOINED.append(True)
        end_by(leave)
        listen(_told)
        require_one_command(sys.argv[1:])
    if not is_alone() and sys.stdout.fileno() == 1:
        # The libraries that connect processes say so on stdout, where a single JSON object was asked for.
        sys.stdout.flush()
        own = os.dup(1)
        os.dup2(2, 1)
        sys.stdout = os.fdopen(own, "w") if is_first() else open(os.devnull, "w")
    return is_first()


def are_joined() -> bool:
    """Whether this command is one of several processes."""
    return bool(_JOINED)


def why_failed(error: Exception) -> tuple[str, int]:
    """What to say of a failure that is no wrong input, and the exit status: that of the process that ended first."""
    from jax.errors import JaxRuntimeError

    from kadanoff.joint_end import end_of_others

    told = str(error).partition("\n")[0][:200]
    if not (isinstance(error, JaxRuntimeError) or re.match("[A-Z_]+: ", told)):  # JAX tells some as others
        sys.excepthook(type(error), error, error.__traceback__)
        return f"this process of several failed ({type(error).__name__}: {told})", 1
    status = end_of_others()
    if status is not None:
        stop_as(status)  # which says why
    return f"another process of this command ended, or cannot be reached ({told})", status or FAILED


def end_together(status: object) -> None:
    """End now, the others with this process, if this one failed or another one ended: JAX would wait for them."""
    from kadanoff.joint_end import end_of_others

    code = status if isinstance(status, int) else 0
    if code or end_of_others() is not None:
        end(code)


def _told(status: int) -> None:
    """Another process ended: the first one finishes what it writes, the others have nothing to finish."""
    from kadanoff.devices import is_first

    if not is_first():
        print("kadanoff: another process of this command ended, and this one with it", file=sys.stderr)
        end(status)
    else:  # else the next exchange with the others fails
        stop_as(status)
