"""Importance weights of growths: how much of the sample is left, and how far it was from the target, against L."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kadanoff.plots.style import COLOURS, MARKERS, figure, legend, points, save

if TYPE_CHECKING:
    from kadanoff.renormalization import ImportanceWeights

__all__ = ["plot_importance"]


def plot_importance(found: "Mapping[str, Sequence[ImportanceWeights]]", path: str | Path) -> Path:
    """Draw, by side of the grown lattice, the share of the sample that is left and the divergence of a site.

    `found` has the weights at several sides by the name of what made them.
    """
    drawing, axes = figure(columns=2, width=4.8, height=3.6)
    left, right = axes[0]
    for (name, weights), colour, marker in zip(found.items(), COLOURS, MARKERS, strict=False):
        rows = [each.row() for each in weights]
        sides = [row["side"] for row in rows]
        left.plot(
            sides, [row["effective"] for row in rows], marker=marker, color=colour, label=name, markersize=4.5
        )
        points(right, sides, [row["divergence_per_site"] for row in rows], name, colour, marker)
    for axis in (left, right):
        axis.set_xscale("log", base=2)
        axis.xaxis.set_major_formatter("{x:.0f}")
        axis.set_xlabel("$L$, grown from $L/2$")
    left.set(ylabel="share of the sample that is left", ylim=(0, 1.05))
    left.axhline(1, color="0.35", linestyle="--", linewidth=1)
    right.set(ylabel="KL(grown || target), nats a site")
    right.set_ylim(bottom=0)
    legend(left, fontsize=8)
    return save(drawing, path)
