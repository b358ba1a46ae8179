"""How a command is asked to stop: by Ctrl-C, by SIGTERM, or by the end of the wall time that it was given.

One handler serves all three. Runs survive a kill at any moment, so it says what is kept and how to go on, and ends the
process; a commit in flight is finished first. Where the main thread does not answer, because compiled code runs in it,
another thread ends the process after `PATIENCE` seconds, well before a scheduler loses its own.
"""

import os
import re
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from kadanoff.cli.console import KeptRun, stop_bars
from kadanoff.errors import InputError

__all__ = ["INTERRUPTED", "Stopper", "WallTime", "end", "end_by", "limited", "parse_duration", "stop_as"]

INTERRUPTED, TERMINATED, OUT_OF_TIME = 130, 143, 124
"""Exit statuses: as shells have it for the two signals, and that of timeout(1) for the wall time."""

PATIENCE = 20.0
"""Seconds that the main thread has to come to the handler; SLURM kills 30 seconds after SIGTERM."""

_ENDS = {
    signal.SIGINT: (INTERRUPTED, "interrupted"),
    signal.SIGTERM: (TERMINATED, "terminated"),
    signal.SIGALRM: (OUT_OF_TIME, "the wall time is over"),
}
_EXITS: list[Callable[[int], Any]] = [os._exit]
_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}


def _checked(text: str | None) -> str | None:
    if text is not None:
        parse_duration(text)
    return text


WallTime = Annotated[
    str | None,
    typer.Option(
        "--wall-time",
        metavar="TIME",
        callback=_checked,
        help="Stop by then (3h, 30m, 1:30:00), to be continued; exit status 124.",
    ),
]


def parse_duration(text: str) -> float:
    """Read a time as people and schedulers write it; gives seconds.

    Raises `InputError` for anything else, and for no time at all.

    >>> parse_duration("3h"), parse_duration("1h30m"), parse_duration("90"), parse_duration("1-00:00:10")
    (10800.0, 5400.0, 90.0, 86410.0)
    """
    seconds = 0.0
    parts = re.findall(r"([\d.]+)([dhms])", text.strip().lower())
    clock = re.fullmatch(r"(?:(\d+)-)?(\d+):(\d+)(?::(\d+))?", text.strip())
    try:
        if parts and "".join(map("".join, parts)) == text.strip().lower():
            seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
        elif clock:
            days, first, second, third = (int(number or 0) for number in clock.groups())
            # As schedulers read it: M:S alone, H:M after days, H:M:S.
            short = clock[4] is None and clock[1] is None
            seconds = 60.0 * first + second if short else 86400.0 * days + 3600 * first + 60 * second + third
        else:
            seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e9:
        raise InputError(f"--wall-time {text!r} is no time: give 3h, 30m, 1h30m, seconds, or 1:30:00")
    return seconds


def end(status: int) -> None:
    """End the process at once, in the way that was set last."""
    _EXITS[-1](status)


def end_by(leave: Callable[[int], Any]) -> None:
    """Set the way in which `end` ends the process: joined ones end together."""
    _EXITS[:] = [leave]


def stop_as(status: int) -> bool:
    """Stop this command as one that ended with a status was stopped; False for the status of no stop."""
    number = next((number for number, (found, _) in _ENDS.items() if found == status), None)
    if number is None:
        return False
    os.kill(os.getpid(), number)
    return True


class Stopper:
    """The handler of one command, which knows what the command keeps and how it was typed."""

    def __init__(self, run: KeptRun, argv: Sequence[str]) -> None:
        """Remember them; `install` makes it count."""
        self._run, self._argv = run, argv

    def install(self) -> None:
        """Answer every signal that is still at its default, and watch that it is answered in time."""
        defaults = (signal.SIG_DFL, signal.default_int_handler)
        for number in _ENDS:
            if signal.getsignal(number) in defaults:
                signal.signal(number, self._handle)
        heard, tell = os.pipe()
        os.set_blocking(tell, False)
        signal.set_wakeup_fd(tell, warn_on_full_buffer=False)
        threading.Thread(target=self._watch, args=(heard,), daemon=True).start()

    def message(self, number: int) -> str:
        """Say what ended the command, what is kept, and which command continues it."""
        why = _ENDS[signal.Signals(number)][1]
        folder = self._run.kept()
        if folder is None:
            return f"{why}; nothing had been written, so there is nothing to resume"
        again = shlex.join(["kadanoff", *self._argv])
        return f"{why}; what was done is kept in {folder}, and the same command continues it: {again}"

    def _handle(self, number: int, frame: FrameType | None) -> None:
        # An exception instead could be raised within a host callback or a garbage collection, and be lost there.
        stop_bars()
        self._end(number)

    def _watch(self, heard: int) -> None:
        """Give the main thread its time; a process that is not stopped by then runs compiled code."""
        while True:
            number = os.read(heard, 1)[0]
            if number in set(_ENDS):
                time.sleep(PATIENCE)
                self._end(number)

    def _end(self, number: int) -> None:
        print(f"kadanoff: {self.message(number)}", file=sys.stderr, flush=True)
        sys.stdout.flush()
        end(_ENDS[signal.Signals(number)][0])


@contextmanager
def limited(wall_time: str | None, out: Path | None) -> Iterator[None]:
    """Scope of work that ends by itself after a wall time; None sets no limit.

    Raises `InputError` where nothing is kept that could be continued, and where a caller handles signals itself.
    """
    if wall_time is None:
        yield
        return
    seconds = parse_duration(wall_time)
    if out is None:
        raise InputError("--wall-time stops a run that is to be continued: add --out DIR")
    handler: Callable[..., Any] | Any = signal.getsignal(signal.SIGALRM)
    if not callable(handler):
        raise InputError("--wall-time works in a process of the command's own: run `kadanoff` from a shell")
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
