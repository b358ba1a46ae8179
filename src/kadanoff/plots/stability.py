"""Exponents of the stability matrix against the blocking step, for every size of the family of operators."""

from collections.abc import Mapping
from pathlib import Path

from kadanoff.plots.style import COLOURS, MARKERS, figure, legend, points, reference, save
from kadanoff.renormalization.stability import StabilityTable

__all__ = ["plot_exponents"]

_SYMBOLS = {"even": r"$y_T$", "odd": r"$y_H$"}


def plot_exponents(
    tables: Mapping[str, StabilityTable], exact: Mapping[str, float], path: str | Path
) -> Path:
    """Draw one row of panels a system and one column a sector; families lie side by side at each step.

    `exact` holds the exponent to compare with, by sector.
    """
    drawing, axes = figure(rows=len(tables), columns=len(exact), height=3.2)
    for line, (name, table) in zip(axes, tables.items(), strict=True):
        for axis, (sector, value) in zip(line, exact.items(), strict=True):
            sizes = sorted({len(row.operators) for row in table.select(sector)})
            for place, size in enumerate(sizes):
                rows = table.select(sector, size=size)
                shift = 0.08 * (place - (len(sizes) - 1) / 2)
                points(
                    axis,
                    [row.step + shift for row in rows],
                    [row.exponent for row in rows],
                    f"{size} operator" + ("s" if size > 1 else ""),
                    COLOURS[place % len(COLOURS)],
                    MARKERS[place % len(MARKERS)],
                )
            reference(axis, value, f"exact {value:g}")
            rows = table.select(sector, size=sizes[0])
            ticks = [f"{row.before[0]}" + r"$\to$" + f"{row.after[0]}" for row in rows]
            axis.set_xticks([row.step for row in rows], ticks)
            axis.set_title(f"{name}, {sector} operators")
            axis.set_ylabel(_SYMBOLS[sector])
            legend(axis, fontsize=7)
    for axis in axes[-1]:
        axis.set_xlabel("blocking step")
    return save(drawing, path)
