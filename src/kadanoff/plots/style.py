"""What every figure shares: size, fonts, colours, bands, points with errors, reference lines, saving."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import AutoLocator, MaxNLocator

from kadanoff.statistics import Estimate

__all__ = [
    "COLOURS",
    "COUPLING_SYMBOLS",
    "MARKERS",
    "band",
    "coupling_symbol",
    "figure",
    "legend",
    "points",
    "reference",
    "save",
]

#: Told apart by readers with any colour vision (M. Okabe, K. Ito, Color Universal Design, 2008).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "D", "^", "v", "P", "X")

#: A coupling and its critical value.
COUPLING_SYMBOLS = {
    "beta": (r"$\beta$", r"$\beta_c$"),
    "mass2": (r"$\mu^2$", r"$\mu_c^2$"),
    "kappa": (r"$\kappa$", r"$\kappa_c$"),
    "quartic": (r"$\lambda$", r"$\lambda_c$"),
}


def coupling_symbol(name: str) -> str:
    """The symbol of a coupling, its name where it has none.

    >>> coupling_symbol("mass2"), coupling_symbol("w"), coupling_symbol("next_nearest")
    ('$\\\\mu^2$', '$w$', 'next nearest')
    """
    known = f"${name}$" if len(name) == 1 else name.replace("_", " ")
    return COUPLING_SYMBOLS.get(name, (known,))[0]


_STYLE: Any = {
    "font.size": 10,
    "axes.labelsize": 11,
    "axes.titlesize": 11,
    "axes.prop_cycle": cycler(color=COLOURS),
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.alpha": 0.25,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "mathtext.fontset": "cm",
    "image.origin": "lower",
}


_GAP = 4  # pixels between the labels of two ticks, at least


def figure(
    rows: int = 1, columns: int = 1, width: float = 5.2, height: float = 3.8, **options: Any
) -> tuple[Figure, np.ndarray]:
    """Make a figure of panels, each `width` by `height` inches; give it with its axes (rows, columns).

    No global state and no window: the figure is drawn by Agg, and the reader's matplotlib settings are left
    alone. `options` go to `Figure.subplots`, e.g. `sharex=True`.

    >>> drawing, axes = figure(columns=2)
    >>> axes.shape
    (1, 2)
    """
    with matplotlib.rc_context(_STYLE):
        drawing = Figure(figsize=(width * columns, height * rows), layout="constrained")
        axes = drawing.subplots(rows, columns, squeeze=False, **options)
    return drawing, axes


def band(axis: Axes, x: Any, value: Any, error: Any, label: str, colour: str, line: str = "-") -> None:
    """Draw a curve with its one-sigma band."""
    x, value, error = (np.asarray(values, dtype=np.float64) for values in (x, value, error))
    axis.plot(x, value, line, color=colour, label=label, linewidth=1.4)
    axis.fill_between(x, value - error, value + error, color=colour, alpha=0.22, linewidth=0)


def points(
    axis: Axes, x: Any, estimates: Sequence[Estimate], label: str, colour: str, marker: str = "o"
) -> None:
    """Draw real estimates with one-sigma error bars; an unknown error leaves the marker without a bar."""
    values = [estimate.value for estimate in estimates]
    errors = [estimate.error if np.isfinite(estimate.error) else 0.0 for estimate in estimates]
    axis.errorbar(x, values, errors, fmt=marker, color=colour, label=label, markersize=4.5, capsize=2.5)


def legend(axis: Axes, **options: Any) -> None:
    """Name what is drawn, without a frame; `options` go to `Axes.legend`."""
    axis.legend(**{"frameon": False, "fontsize": 9, **options})


def reference(axis: Axes, value: float, label: str, vertical: bool = False) -> None:
    """Draw a dashed line at an exact or published value."""
    draw = axis.axvline if vertical else axis.axhline
    draw(value, color="0.35", linestyle="--", linewidth=1.0, label=label, zorder=1)


def save(drawing: Figure, path: str | Path) -> Path:
    """Write the figure, in the format of the path's suffix, making its folder; give the path.

    It appears whole or not at all, since an interrupt may come at any time.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _space_ticks(drawing)
    draft = path.with_name(f".{path.name}.part")
    drawing.savefig(draft, dpi=150, format=path.suffix[1:])
    return draft.replace(path)


def _space_ticks(drawing: Figure) -> None:
    """Take fewer ticks along x where their labels would touch: long decimals are wider than matplotlib reckons."""
    close = [axis for axis in drawing.axes if isinstance(axis.xaxis.get_major_locator(), AutoLocator)]
    for most in range(7, 2, -1):
        drawing.draw_without_rendering()
        close = [axis for axis in close if _touch(axis)]
        if not close:
            return
        for axis in close:
            axis.xaxis.set_major_locator(MaxNLocator(most))


def _touch(axis: Axes) -> bool:
    boxes = [label.get_window_extent() for label in axis.get_xticklabels() if label.get_text()]
    return any(left.x1 + _GAP > right.x0 for left, right in pairwise(sorted(boxes, key=lambda box: box.x0)))
