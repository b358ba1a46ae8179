"""phi^4 units on their way to spins: the difference of the log-likelihood against n."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from kadanoff.plots.style import COLOURS, MARKERS, figure, legend, save

__all__ = ["plot_limit"]


def plot_limit(depths: Sequence[float], differences: Mapping[str, Sequence[float]], path: str | Path) -> Path:
    """Draw the largest difference of ln p against n, one line a layer, and the slope of 1/n."""
    drawing, axes = figure()
    axis = axes[0, 0]
    for colour, marker, (layer, values) in zip(COLOURS, MARKERS, differences.items(), strict=False):
        axis.loglog(
            depths, values, marker=marker, color=colour, label=rf"$\phi^4$ units in the {layer} layer"
        )
    first = next(iter(differences.values()))
    guide = np.asarray(depths, np.float64)
    axis.loglog(
        guide, first[-1] * depths[-1] / guide, "--", color="0.35", linewidth=1.0, label=r"$\propto 1/n$"
    )
    axis.set_xlabel(r"$n$, with $m = -2n$")
    axis.set_ylabel(r"largest $|\ln p_n - \ln p_{\pm 1}|$")
    axis.set_title(r"$\phi^4$ units become spins")
    legend(axis)
    return save(drawing, path)
