"""phi^4 on its way to the Ising model: observables against the quartic coupling, and the field at a site."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kadanoff.observables import observable
from kadanoff.plots.style import COLOURS, band, figure, legend, points, reference, save

__all__ = ["plot_limit"]

_SHOWN = (1.0, 10.0, 100.0, 1000.0)


def plot_limit(
    rows: Sequence[Mapping[str, Any]],
    limits: Mapping[str, Any],
    exact: Mapping[str, float],
    histograms: Mapping[float, tuple[np.ndarray, np.ndarray]],
    fitted: float,
    path: str | Path,
) -> Path:
    """Draw a panel for every quantity with its extrapolation, in 1/quartic in an inset, and histograms of the field.

    `limits` have a `curve` in 1/quartic and a `value`; they are drawn from quartic = `fitted` on.
    """
    drawing, axes = figure(columns=len(limits) + 1, width=4.3, height=3.6)
    quartic = np.array([row["quartic"] for row in rows])
    across = np.geomspace(fitted, 3 * quartic.max(), 200)
    for axis, (name, limit) in zip(axes[0], limits.items(), strict=False):
        points(axis, quartic, [row[name] for row in rows], r"$\phi^4$", COLOURS[0])
        value, error = limit.curve(1 / across)
        band(axis, across, value, error, f"extrapolated: {limit.value}", COLOURS[1])
        reference(axis, exact[name], f"Ising, exact: {exact[name]:.5f}")
        axis.set_xscale("log")
        axis.set_xlabel(r"quartic coupling $\lambda$")
        axis.set_ylabel(observable(name).symbol)
        legend(axis, loc="lower right" if rows[0][name].value < exact[name] else "upper right")
        inset = axis.inset_axes((0.42, 0.36, 0.55, 0.34))
        near = [row for row in rows if row["quartic"] >= fitted]
        inverse = [1 / row["quartic"] for row in near]
        points(inset, inverse, [row[name] for row in near], "", COLOURS[0])
        whole = np.linspace(0, 1.05 * max(inverse), 100)
        value, error = limit.curve(whole)
        band(inset, whole, value, error, "", COLOURS[1])
        reference(inset, exact[name], "")
        inset.set_xlabel(r"$1/\lambda$", fontsize=8, labelpad=1)
        inset.tick_params(labelsize=7)
        inset.set_xlim(-0.02 * max(inverse), None)
    last = axes[0, -1]
    for place, chosen in enumerate(_SHOWN):
        centre, density = histograms[chosen]
        last.plot(centre, density, color=COLOURS[place], linewidth=1.2, label=rf"$\lambda = {chosen:g}$")
    last.set_yscale("log")
    last.set_ylim(1e-3, None)
    last.set_xlim(-3, 3)
    last.set_xlabel(r"$\phi$ at a site")
    last.set_ylabel("density")
    legend(last)
    return save(drawing, path)
