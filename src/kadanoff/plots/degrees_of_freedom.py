"""Degrees of freedom: fine blocks drawn for one block value, and histograms of drawn and true ones."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from kadanoff.plots.style import COLOURS, figure, legend, save

__all__ = ["plot_blocks"]

_AXES = {
    "site value": r"$\phi$ of a fine site",
    "block spread": "standard deviation within the block",
    "neighbours in block": r"$\phi_x\phi_{nn}$, mean over the block",
}


def plot_blocks(
    value: float,
    blocks: Float[np.ndarray, "n 2 2"],
    samples: Mapping[str, Any],
    path: str | Path,
    *,
    tolerance: float,
) -> Path:
    """Draw a block value, fine blocks drawn for it, and histograms of what blocks of that value hold.

    `samples` are by name, each with `values`, the true and the drawn ones, and with `distance`; blocks count as of
    that value within `tolerance`.
    """
    drawing, axes = figure(rows=2, columns=1, width=11.5, height=3.3, height_ratios=(1.0, 1.25))
    upper, lower = axes[:, 0]
    scale = float(max(abs(value), np.abs(blocks).max()))
    _tiles(upper, value, blocks, scale)
    lower.axis("off")
    width = 1 / len(samples)
    for number, (name, both) in enumerate(samples.items()):
        axis = lower.inset_axes((number * width + 0.045, 0.13, width - 0.06, 0.87))
        axis.grid(alpha=0.25)
        axis.set_axisbelow(True)
        axis.spines[["top", "right"]].set_visible(False)
        low, high = np.quantile(np.concatenate(both.values), (0.0005, 0.9995))
        bins = np.linspace(low, high, 61)
        true, drawn = (_density(sample, bins) for sample in both.values)
        axis.stairs(true, bins, color=COLOURS[0], fill=True, alpha=0.35, label="simulated")
        axis.stairs(
            drawn, bins, color=COLOURS[1], linewidth=1.4, label=f"drawn, distance {both.distance:.3f}"
        )
        axis.set_ylim(0, 1.35 * max(true.max(), drawn.max()))
        axis.set_xlabel(_AXES.get(name, name))
        if number == 0:
            axis.set_ylabel("probability density")
        legend(axis, loc="upper left", title=rf"block value ${value:.2f} \pm {tolerance}$", title_fontsize=9)
    return save(drawing, path)


def _density(values: np.ndarray, bins: np.ndarray) -> np.ndarray:
    """Histogram normalised to all values, those beyond the bins included."""
    return np.histogram(values, bins)[0] / (len(values) * np.diff(bins))


def _tiles(axis: Any, value: float, blocks: np.ndarray, scale: float) -> None:
    """The value as one square, an arrow, and the blocks in two rows, every site with its number."""
    axis.set_aspect("equal")
    axis.axis("off")
    rows, size, gap = 2, 2.0, 0.5
    columns = -(-len(blocks) // rows)
    height = rows * size + (rows - 1) * gap
    axis.imshow([[value]], extent=(0, size, height / 2 - size / 2, height / 2 + size / 2), **_colours(scale))
    axis.text(size / 2, height / 2, f"{value:.2f}", ha="center", va="center", fontsize=14)
    axis.text(size / 2, height / 2 - size / 2 - 0.2, "one block value", ha="center", va="top", fontsize=9)
    axis.annotate(
        "",
        (size + 1.6, height / 2),
        (size + 0.3, height / 2),
        arrowprops={"arrowstyle": "-|>", "linewidth": 1.6, "color": "0.2"},
    )
    left = size + 1.9
    for number, block in enumerate(blocks):
        row, column = divmod(number, columns)
        x, y = left + column * (size + gap), height - size - row * (size + gap)
        axis.imshow(block[::-1], extent=(x, x + size, y, y + size), **_colours(scale))
        for i in range(2):
            for j in range(2):
                number_at = (x + (j + 0.5) * size / 2, y + size - (i + 0.5) * size / 2)
                shade = "white" if abs(block[i, j]) > 0.7 * scale else "black"
                axis.text(*number_at, f"{block[i, j]:.2f}", ha="center", va="center", fontsize=9, color=shade)
    axis.set_xlim(-0.1, left + columns * (size + gap) - gap + 0.1)
    axis.set_ylim(-0.2, height + 0.1)
    image = axis.images[-1]
    axis.figure.colorbar(image, ax=axis, label=r"$\phi$", shrink=0.85, pad=0.02)


def _colours(scale: float) -> dict[str, Any]:
    return {"cmap": "RdBu_r", "vmin": -scale, "vmax": scale, "interpolation": "nearest", "origin": "lower"}
