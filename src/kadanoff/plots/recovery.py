"""Learning from data: fitted against true couplings, pulls by method, and errors against time."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import norm

from kadanoff.plots.style import COLOURS, MARKERS, coupling_symbol, figure, legend, points, reference, save
from kadanoff.statistics import Estimate

__all__ = ["plot_couplings", "plot_recovery"]


def plot_recovery(fits: Mapping[str, Any], truth: Any, path: str | Path) -> Path:
    """Draw what fits by several methods, all of one action and one set of data, find of its true couplings."""
    drawing, axes = figure(columns=3, width=4.4, height=3.9)
    left, middle, right = axes[0]
    name, best = next(iter(fits.items()))
    known = {each: float(np.asarray(value)) for each, value in _true(best, truth).items()}
    for number, kind in enumerate(dict.fromkeys(each.partition("[")[0] for each in known)):
        chosen = [each for each in known if each.partition("[")[0] == kind]
        values = [best.couplings[each] for each in chosen]
        points(left, [known[each] for each in chosen], values, f"${kind}$", COLOURS[number], MARKERS[number])
    span = [min(known.values()), max(known.values())]
    left.plot(span, span, color="0.35", linestyle="--", linewidth=1.0)
    left.set(xlabel="true coupling", ylabel="fitted coupling", title=name)
    legend(left)
    bins, highest = np.linspace(-4, 4, 17), 0.72
    for number, (method, fit) in enumerate(fits.items()):
        # What lies farther counts in the outermost bins.
        density = np.histogram(np.clip(fit.pulls(truth), -4, 4), bins, density=True)[0]
        middle.stairs(density, bins, color=COLOURS[number], linewidth=1.5, label=method)
        highest = max(highest, 1.2 * float(density.max()))
    x = np.linspace(-4, 4, 200)
    middle.plot(x, norm.pdf(x), color="0.35", linestyle="--", linewidth=1.0, label="unit normal")
    middle.set(xlabel="(fitted - true) / error", ylabel="probability density", ylim=(0, highest))
    legend(middle, fontsize=8)
    for number, (method, fit) in enumerate(fits.items()):
        error = float(np.sqrt(np.mean([coupling.error**2 for coupling in fit.couplings.values()])))
        right.plot([fit.seconds], [error], MARKERS[number], color=COLOURS[number], markersize=8, label=method)
    errors = [line.get_ydata()[0] for line in right.lines]
    right.set(xlabel="seconds", ylabel="root mean square of the errors")
    right.set_ylim(0.9 * min(errors), 1.2 * max(errors))
    legend(right, fontsize=8)
    return save(drawing, path)


def plot_couplings(
    found: Mapping[str, Mapping[str, Mapping[str, Estimate]]],
    truth: Mapping[str, Mapping[str, float]],
    path: str | Path,
) -> Path:
    """Draw the fitted couplings of several data sets (rows), a panel a coupling, a point a method."""
    names = list(next(iter(truth.values())))
    drawing, axes = figure(rows=len(found), columns=len(names), width=2.5, height=2.3)
    for line, (row, (title, methods)) in enumerate(zip(axes, found.items(), strict=True)):
        for axis, name in zip(row, names, strict=True):
            reference(axis, truth[title][name], "true")
            for number, (method, couplings) in enumerate(methods.items()):
                points(axis, [number], [couplings[name]], method, COLOURS[number], MARKERS[number])
            axis.set_xlim(-0.6, len(methods) - 0.4)
            # More ticks have longer labels, for which the layout keeps no room.
            axis.locator_params(axis="y", nbins=4)
            axis.set_xticks([])
            if line == 0:
                axis.set_title(coupling_symbol(name))
        row[0].set_ylabel(title.replace("phi^4", r"$\phi^4$"))
    handles, labels = axes[0, 0].get_legend_handles_labels()
    drawing.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False, fontsize=9)
    return save(drawing, path)


def _true(fit: Any, truth: Any) -> dict[str, float]:
    """The true values of the fitted couplings by their names."""
    pulls = fit.pulls(truth)
    return {
        name: coupling.value - pull * coupling.error
        for (name, coupling), pull in zip(fit.couplings.items(), pulls, strict=True)
    }
