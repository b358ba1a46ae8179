"""The live view of a training: one bar with time left, and every monitor with its history."""

import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kadanoff.cli.console import ProgressCallback, on_screen

if TYPE_CHECKING:
    from kadanoff.network.monitor import Record

__all__ = ["MONITORS", "TrainingView", "cells", "sparkline"]

#: The monitors in the order in which they are shown, with what they are called.
MONITORS = {
    "reconstruction": "reconstruction error",
    "pseudo_likelihood": "pseudo-likelihood",
    "log_likelihood": "log-likelihood",
    "gradient": "gradient norm",
    "mixing": "chain mixing",
}
_LEVELS = "▁▂▃▄▅▆▇█"
_WIDTH = 30


class TrainingView:
    """Shows the monitors in its `history`, below a bar; nothing where stderr is no terminal."""

    def __init__(self) -> None:
        self.history: Sequence[Record] = ()

    @contextmanager
    def shown(self, enabled: bool | None = None) -> Iterator[ProgressCallback]:
        """Show the view; gives the callback that moves its bar."""
        if not (sys.stderr.isatty() if enabled is None else enabled):
            yield lambda done, total, message: None
            return
        from rich import progress as bars
        from rich.console import Console, Group
        from rich.live import Live

        bar = bars.Progress(
            bars.TextColumn("{task.description}", markup=False),
            bars.BarColumn(),
            bars.MofNCompleteColumn(),
            bars.TimeElapsedColumn(),
            bars.TextColumn("left"),
            bars.TimeRemainingColumn(),
        )
        task = bar.add_task("preparing", total=None)
        live = Live(
            get_renderable=lambda: Group(bar, self.table()),
            console=Console(stderr=True),
            refresh_per_second=8,
        )
        with on_screen(live):

            def report(done: float, total: float | None, message: str) -> None:
                bar.update(task, completed=round(done), total=total, description=message)

            yield report

    def table(self) -> Any:
        """The monitors: now, at the first epoch, and all in between."""
        from rich.table import Table

        table = Table(box=None, padding=(0, 2, 0, 0))
        for heading in ("monitor", "now", "first", "history"):
            table.add_column(heading, justify="right" if heading in ("now", "first") else "left")
        for name, title in MONITORS.items():
            values = [value for r in self.history if (value := getattr(r, name)) is not None]
            if values:
                table.add_row(
                    title, _text(values[-1]), _text(values[0]), sparkline([float(v) for v in values])
                )
        return table


def cells(record: "Record") -> tuple[str, ...]:
    """One epoch as the cells of a table."""
    values = (getattr(record, name) for name in MONITORS)
    return (str(record.epoch), *("" if value is None else _text(value) for value in values))


def sparkline(values: Sequence[float], width: int = _WIDTH) -> str:
    """A curve in one line of text, the mean of neighbours where there are more than `width` values.

    >>> sparkline([0.0, 1.0, 2.0, 7.0])
    '▁▂▃█'
    """
    finite = [value for value in values if math.isfinite(value)]
    parts = min(width, len(finite))
    edges = [round(part * len(finite) / parts) for part in range(parts + 1)] if parts else []
    means = [sum(finite[a:b]) / (b - a) for a, b in zip(edges, edges[1:], strict=False)]
    if not means:
        return ""
    low, span = min(means), (max(means) - min(means)) or 1.0
    return "".join(_LEVELS[min(int((mean - low) / span * 8), 7)] for mean in means)


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
