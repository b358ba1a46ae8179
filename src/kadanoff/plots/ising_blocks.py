"""Degrees of freedom of Ising spins: the blocks behind one majority spin, with their probabilities."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from kadanoff.plots.style import figure, save
from kadanoff.statistics import Estimate

__all__ = ["plot_preimages"]


def plot_preimages(
    blocks: Float[np.ndarray, "n 2 2"],
    isolated: Float[np.ndarray, " n"],
    measured: Sequence[Estimate],
    path: str | Path,
) -> Path:
    """Draw a block spin up and the blocks it may stand for, by their number of spins down.

    Under each stand its probability in a critical lattice, and in brackets that of an isolated block.

    >>> import tempfile
    >>> plot_preimages(np.ones((1, 2, 2)), np.ones(1), [Estimate(1.0, 0.1)], tempfile.mkdtemp() + "/b.png").name
    'b.png'
    """
    drawing, axes = figure(width=9.6, height=5.0)
    axis = axes[0, 0]
    axis.set_aspect("equal")
    axis.axis("off")
    down = (blocks < 0).sum(axis=(1, 2))
    kinds = np.unique(down)
    size, gap, height = 2.0, 1.1, 3.6
    top = (len(kinds) - 1) * height
    _tile(axis, np.array([[1.0]]), 0.0, top / 2, size)
    axis.text(size / 2, top / 2 - 0.15, "one block spin", ha="center", va="top", fontsize=10)
    arrow = {"arrowstyle": "-|>", "linewidth": 1.6, "color": "0.2"}
    axis.annotate("", (size + 1.7, top / 2 + size / 2), (size + 0.3, top / 2 + size / 2), arrowprops=arrow)
    left = size + 2.1
    widest = max(int((down == kind).sum()) for kind in kinds)
    for row, kind in enumerate(kinds):
        y = top - row * height
        for column, number in enumerate(np.flatnonzero(down == kind)):
            x = left + column * (size + gap)
            _tile(axis, blocks[number], x, y, size)
            axis.text(x + size / 2, y - 0.15, f"{measured[int(number)]}", ha="center", va="top", fontsize=9.5)
            axis.text(
                x + size / 2,
                y - 0.65,
                f"({isolated[number]:.4f})",
                ha="center",
                va="top",
                fontsize=9,
                color="0.4",
            )
    axis.set_xlim(-0.1, left + widest * (size + gap))
    axis.set_ylim(-1.3, top + size + 0.2)
    axis.set_title("probability in a critical lattice (of an isolated block)", fontsize=10)
    return save(drawing, path)


def _tile(axis: Any, block: np.ndarray, x: float, y: float, size: float) -> None:
    """Draw a block, the first row on top: dark sites are up, as are their arrows."""
    side = size / len(block)
    for i, row in enumerate(block):
        for j, spin in enumerate(row):
            corner = (x + j * side, y + size - (i + 1) * side)
            shade = "#0072B2" if spin > 0 else "white"
            axis.add_patch(_rectangle(corner, side, shade))
            sign = r"$\uparrow$" if spin > 0 else r"$\downarrow$"
            colour = "white" if spin > 0 else "black"
            axis.text(
                corner[0] + side / 2,
                corner[1] + side / 2,
                sign,
                ha="center",
                va="center",
                fontsize=13,
                color=colour,
            )


def _rectangle(corner: tuple[float, float], side: float, shade: str) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(corner, side, side, facecolor=shade, edgecolor="0.2", linewidth=1.0)
