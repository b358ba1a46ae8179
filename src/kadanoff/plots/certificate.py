"""Deviations of grown levels from direct simulation, variant by variant."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kadanoff.observables import observable
from kadanoff.plots.style import COLOURS, MARKERS, figure, legend, save

__all__ = ["plot_deviations"]


def plot_deviations(
    rows: Sequence[Mapping[str, Any]], tolerances: Mapping[str, float], path: str | Path
) -> Path:
    """Draw the relative deviation of each observable by variant and side, with a band for its tolerance.

    The axis is linear within the tolerance and logarithmic beyond, so that small and large failures both show.
    """
    variants = list(dict.fromkeys(row["variant"] for row in rows))
    sides = sorted({row["side"] for row in rows})
    drawing, axes = figure(columns=len(tolerances), width=2.1, height=0.42 * len(variants) + 1.2, sharey=True)
    for axis, (name, tolerance) in zip(axes[0], tolerances.items(), strict=True):
        axis.axvspan(-tolerance, tolerance, color=COLOURS[2], alpha=0.18, linewidth=0)
        axis.axvline(0, color="0.35", linewidth=0.8)
        axis.set_xscale("symlog", linthresh=tolerance)
        for shift, side in zip(np.linspace(-0.15, 0.15, len(sides)), sides, strict=True):
            mine = [row for row in rows if row["side"] == side]
            place = [variants.index(row["variant"]) + shift for row in mine]
            values, errors = ([getattr(row[name], part) for row in mine] for part in ("value", "error"))
            number = sides.index(side)
            axis.errorbar(
                values,
                place,
                xerr=errors,
                fmt=MARKERS[number],
                color=COLOURS[number],
                markersize=4,
                label=f"L = {side}",
            )
        largest = max(abs(row[name].value) for row in rows)
        limit = 10 ** np.ceil(np.log10(max(largest, 2 * tolerance)))
        axis.set_xlim(-limit, limit)
        ticks = [-limit, -tolerance, 0, tolerance, limit]
        axis.set_xticks(ticks, [f"{100 * tick:g}" for tick in ticks], fontsize=8)
        axis.set_title(observable(name).symbol)
    axes[0, 0].set_yticks(range(len(variants)), variants)
    axes[0, 0].invert_yaxis()
    axes[0, len(tolerances) // 2].set_xlabel("deviation from direct simulation (%); shaded: tolerance")
    legend(axes[0, -1], loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return save(drawing, path)
