"""Commands on many devices, and in several processes that a launcher started: the first one speaks."""

import os
import sys
from typing import Annotated

import typer

__all__ = ["Devices", "joined"]

Devices = Annotated[
    int | None,
    typer.Option(
        "--devices",
        metavar="N",
        help="Share the work among N devices, those of all processes of an srun. The results do not depend on N; "
        "without it, CPUs take loops of their own, which round otherwise.",
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
    if not is_alone() and sys.stdout.fileno() == 1:
        # The libraries that connect processes say so on stdout, where a single JSON object was asked for.
        sys.stdout.flush()
        own = os.dup(1)
        os.dup2(2, 1)
        sys.stdout = os.fdopen(own, "w") if is_first() else open(os.devnull, "w")
    return is_first()
