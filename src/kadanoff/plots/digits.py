"""Small images of a data set beside those that a learnt model draws."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from kadanoff.plots.style import figure, save

__all__ = ["plot_digits"]

_EACH = 8  # images of either kind in a row


def plot_digits(shown: Mapping[int, tuple[np.ndarray, np.ndarray]], path: str | Path) -> Path:
    """Draw a row a class: some of its data, and some fields of the model; both (n, side, side) from -1 to 1."""
    drawing, axes = figure(rows=len(shown), columns=2 * _EACH + 1, width=0.72, height=0.8)
    for line, (row, (label, both)) in enumerate(zip(axes, shown.items(), strict=True)):
        for kind, images in enumerate(both):
            for number in range(_EACH):
                axis = row[kind * (_EACH + 1) + number]
                axis.imshow(
                    images[number], cmap="gray", vmin=-1.2, vmax=1.2, origin="upper", interpolation="nearest"
                )
                axis.set_xticks([])
                axis.set_yticks([])
                axis.grid(False)
                axis.spines[:].set_visible(False)
            if line == 0:
                row[kind * (_EACH + 1)].set_title(
                    ("data", "drawn by the model")[kind], loc="left", fontsize=10
                )
        row[_EACH].axis("off")
        row[0].set_ylabel(str(label), rotation=0, labelpad=10)
    return save(drawing, path)
