"""What a person or a program sees: progress and notes on stderr, tables or one JSON object on stdout."""

import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from kadanoff.errors import KadanoffWarning

__all__ = [
    "KeptRun",
    "ProgressCallback",
    "as_json",
    "emit_json",
    "holds_work",
    "keep",
    "kept_run",
    "note",
    "on_screen",
    "print_table",
    "progress",
    "stop_bars",
]

ProgressCallback = Callable[[float, float | None, str], None]
"""``callback(done, total, message)``: how the library reports; total None where the end is not known yet."""


_displays: list[Any] = []


@contextmanager
def progress(enabled: bool | None = None) -> Iterator[ProgressCallback]:
    """Show one bar with time left per stage on stderr, fed by the callback that this yields.

    The callback may be handed to any library function that takes ``progress=``. The words of its message up
    to the first comma name the stage, and each stage has a bar: "drawing, error 0.41 %" moves the bar of
    "drawing" and rewrites its text. A total may change as a run learns its length. Reports are cheap, since
    the screen is drawn at most ten times a second. ``enabled=None`` shows bars on a terminal only, so that
    logs stay readable.

    >>> with progress(enabled=False) as report:
    ...     report(5, 10, "drawing, error 0.41 %")
    """
    if not (sys.stderr.isatty() if enabled is None else enabled):
        yield lambda done, total, message: None
        return
    from rich import progress as bars
    from rich.console import Console

    columns = (
        bars.TextColumn("{task.description}", markup=False),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TimeElapsedColumn(),
        bars.TextColumn("left"),
        bars.TimeRemainingColumn(),
    )
    with on_screen(bars.Progress(*columns, console=Console(stderr=True))) as display:
        stages: dict[str, bars.TaskID] = {}

        def report(done: float, total: float | None, message: str) -> None:
            stage = message.split(",")[0]
            length = round(total) if total is not None and math.isfinite(total) else None
            if stage not in stages:
                stages[stage] = display.add_task(message, total=length)
            display.update(stages[stage], completed=round(done), total=length, description=message)

        yield report


@contextmanager
def on_screen(display: Any) -> Iterator[Any]:
    """Show a live display of Rich, which `stop_bars` can end."""
    with display:
        _displays.append(display)
        try:
            yield display
        finally:
            _displays.remove(display)


def stop_bars() -> None:
    """Give the terminal back, cursor and all, before the process ends without unwinding."""
    for display in _displays:
        display.stop()


def note(message: str) -> None:
    """Say one line to a person, on stderr, where it cannot spoil ``--json``."""
    print(message, file=sys.stderr)


def print_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], labels: int = 1
) -> None:
    """Print a table on stdout, one ``str`` a cell, numbers right-aligned as physicists write them.

    Long headings are folded; digits never are, nor cut. On a screen too narrow for all columns the table goes on
    below with those left over, behind the first `labels` columns, which say which row it is, without rows that
    have nothing in them. In a file it is one table of any width.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console, cells = Console(), [[str(cell) for cell in row] for row in rows]
    screen = console.width if console.is_terminal or "COLUMNS" in os.environ else sys.maxsize
    headings = [column.replace("_", " ") for column in columns]
    uncut = [
        max(map(len, [*heading.split(), *(row[place] for row in cells)]), default=0)
        for place, heading in enumerate(headings)
    ]
    named = list(range(min(labels, len(columns))))
    parts = [list(named)]
    for place in range(len(named), len(columns)):
        # A column has a space on either side and a border.
        if len(parts[-1]) > len(named) and sum(uncut[k] + 3 for k in [*parts[-1], place]) + 1 > screen:
            parts.append(list(named))
        parts[-1].append(place)
    print(title)
    for part in parts:
        table = Table()
        for place in part:
            justify = "left" if place == 0 else "right"
            table.add_column(Text(headings[place]), justify=justify, min_width=uncut[place])
        for row in cells:
            if len(parts) == 1 or any(row[place] for place in part[len(named) :]):
                # Text, not markup: "[4, 4]" in a cell is a shape and not a style.
                table.add_row(*(Text(row[place]) for place in part))
        width = max(console.width, console.measure(table).minimum)
        console.print(table, width=width, crop=False, soft_wrap=True)


def emit_json(content: object) -> None:
    """Print one JSON object on stdout and nothing else.

    Estimates become their ``as_dict()``, paths strings, arrays lists, complex numbers
    ``{"real", "imag"}``, and numbers that JSON lacks (nan, inf) null.

    >>> emit_json({"size": (8, 8), "error": float("nan"), "store": Path("runs/a")})
    {"size": [8, 8], "error": null, "store": "runs/a"}
    """
    print(as_json(content))


def as_json(content: object, indent: int | None = None) -> str:
    """The text that `emit_json` prints, for a file."""
    return json.dumps(_plain(content), allow_nan=False, indent=indent)


def _plain(content: Any) -> Any:
    """Turn whatever a command collects into what JSON can hold."""
    if hasattr(content, "as_dict"):
        return _plain(content.as_dict())
    if isinstance(content, dict):
        return {str(key): _plain(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_plain(value) for value in content]
    if hasattr(content, "tolist"):  # numpy and jax, arrays and scalars, without importing either
        return _plain(content.tolist())
    if isinstance(content, complex):
        return {"real": _plain(content.real), "imag": _plain(content.imag)}
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    if isinstance(content, Path):
        return str(content)
    return content


@dataclass
class KeptRun:
    """The folder of the command in progress, None where it keeps nothing."""

    folder: Path | None = None

    def kept(self) -> Path | None:
        """The folder, once it holds something to go on with."""
        return self.folder if self.folder is not None and holds_work(self.folder) else None


def holds_work(folder: Path) -> bool:
    """Whether a folder holds anything to go on with: more than the lock of who writes it, and what was asked."""
    bare = ("lock", ".lock", "reproduce.json")
    return folder.is_dir() and any(file.name not in bare for file in folder.iterdir())


_runs: list[KeptRun] = []


@contextmanager
def kept_run() -> Iterator[KeptRun]:
    """Scope of one command; what it ``keep``s is what an interrupt tells the user to resume."""
    run = KeptRun()
    _runs.append(run)
    try:
        yield run
    finally:
        _runs.pop()


def keep(folder: Path) -> None:
    """Say that this is the folder from which the same command continues, as soon as it holds anything."""
    if _runs:
        _runs[-1].folder = folder


def warn_in_one_line(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print our own warnings in one line without a place in the code, and any other one with it."""
    where = "" if issubclass(category, KadanoffWarning) else f"{filename}:{lineno}: {category.__name__}: "
    text = f"kadanoff: warning: {where}{message}"
    print(" ".join(text.split()), file=file or sys.stderr)
