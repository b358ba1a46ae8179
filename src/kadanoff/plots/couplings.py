"""Couplings of a model with many of them: how each array is distributed."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from kadanoff.plots.style import COLOURS, coupling_symbol, figure, reference, save

__all__ = ["plot_couplings"]


def plot_couplings(values: Mapping[str, np.ndarray], path: str | Path) -> Path:
    """Draw a histogram of the components of every array of couplings, with a line at their mean.

    >>> import tempfile
    >>> plot_couplings({"w": np.arange(4.0)}, tempfile.mkdtemp() + "/couplings.png").name
    'couplings.png'
    """
    drawing, axes = figure(columns=len(values), width=3.6, height=3.0)
    for axis, (name, array), colour in zip(axes[0], values.items(), COLOURS * len(values), strict=False):
        flat = np.asarray(array, np.float64).ravel()
        axis.hist(flat, bins="auto" if np.ptp(flat) > 0 else 1, color=colour, alpha=0.8)
        reference(axis, float(flat.mean()), "mean", vertical=True)
        axis.set(xlabel=coupling_symbol(name), ylabel="components")
        axis.set_title(f"{flat.size} components, mean {flat.mean():.4g}")
    return save(drawing, path)
