"""Overlap of ensembles: histograms of the difference of their actions, which cross at that of their free energies."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from kadanoff.plots.style import COLOURS, figure, legend, reference, save
from kadanoff.reweighting.overlap import Overlap

__all__ = ["plot_overlap"]


def plot_overlap(pairs: Mapping[str, Overlap], path: str | Path, names: tuple[str, str] = ("p", "q")) -> Path:
    """Draw a panel for every pair of ensembles, under its title; `names` are those of the two distributions.

    The line is the histogram of the first times exp(F_q - F_p - d): where there is overlap it is that of the second.
    """
    drawing, axes = figure(columns=len(pairs), width=5.0, height=3.8)
    for axis, (title, found) in zip(axes[0], pairs.items(), strict=True):
        both = np.concatenate([found.under_p.ravel(), found.under_q.ravel()])
        low, high = np.quantile(both, [0.0005, 0.9995])
        edges = np.linspace(low, high, 61)
        middle = (edges[1:] + edges[:-1]) / 2
        for values, name, colour in zip((found.under_p, found.under_q), names, COLOURS, strict=False):
            axis.hist(values.ravel(), edges, density=True, color=colour, alpha=0.45, label=f"under ${name}$")
        density = np.histogram(found.under_p, edges, density=True)[0]
        predicted = density * np.exp(found.free_energy_difference.value - middle)
        shown = predicted > 0
        axis.plot(
            middle[shown],
            predicted[shown],
            color=COLOURS[6],
            linewidth=1.2,
            label=f"from ${names[0]}$, reweighted",
        )
        top = 1.15 * max(axis.get_ylim()[1] / 1.05, 0)
        reference(axis, found.free_energy_difference.value, f"$F_{names[1]} - F_{names[0]}$", vertical=True)
        first, second = names
        axis.set(
            xlabel=f"$A_{second} - A_{first}$",
            ylabel="density",
            ylim=(0, top),
            title=f"{title}\n$KL({first}\\|{second})$ = {found.divergence_pq}, "
            f"$KL({second}\\|{first})$ = {found.divergence_qp}\n"
            f"effective fraction {found.effective_pq:.2g} there, {found.effective_qp:.2g} back",
        )
        axis.title.set_fontsize(9)
        legend(axis)
    return save(drawing, path)
