"""Observables reweighted along a coupling, real and complex, with what tells how far to trust them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from kadanoff.observables import Observable, observable
from kadanoff.plots.style import COLOURS, MARKERS, band, coupling_symbol, figure, legend, points, save
from kadanoff.reweighting.trajectory import FEWEST, PHASE, Point, Trajectory
from kadanoff.statistics import Estimate

__all__ = ["plot_trajectories"]

#: Of the background where one curve is not to be trusted.
_GREY, _SHADE = "0", 0.06


def plot_trajectories(
    found: Mapping[str, Trajectory],
    path: str | Path,
    observables: Sequence[str | Observable],
    simulated: Mapping[str, Trajectory] | None = None,
    symbol: str | None = None,
) -> Path:
    """Draw observables against the coupling, a column each, and what is left of the sample in the last column.

    `found` are trajectories from one sample by the names of their targets, drawn as bands; `simulated` are others, by
    the same names, of samples made at each point, drawn as points. Imaginary parts and phases have a second row where
    there are any. The background is grey where a band is not to be trusted, the darker the more bands; points without
    overlap are left out.
    """
    entries = [observable(each) for each in observables]
    are_complex = {name: any(_is_complex(point) for point in line) for name, line in found.items()}
    rows = 2 if any(are_complex.values()) else 1
    drawing, axes = figure(rows, len(entries) + 1, width=4.6, height=3.3, sharex=True)
    name, spins = next((line.coupling, line.spins) for line in found.values())
    coupling = symbol or coupling_symbol(name)
    for number, (name, line) in enumerate(found.items()):
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
        shown = [point for point in line if point.observables]
        for column, entry in enumerate(entries):
            for row, part in enumerate(("real", "imag")[: 1 + are_complex[name]]):
                axis = axes[row, column]
                drawn = [_part(point.observables[entry.name], part) for point in shown]
                x, label = [point.value for point in shown], f"{name}, reweighted"
                band(axis, x, [e.value for e in drawn], [e.error for e in drawn], label, colour)
                if simulated is not None and name in simulated:
                    direct = [point for point in simulated[name] if point.observables]
                    drawn = [_part(point.observables[entry.name], part) for point in direct]
                    points(axis, [p.value for p in direct], drawn, f"{name}, simulated there", colour, marker)
        axes[0, -1].plot(
            [point.value for point in shown],
            [point.effective / point.configurations for point in shown],
            color=colour,
            marker=marker,
            markersize=3,
            linestyle="-" if number == 0 else "--",
            label=name,
        )
        if are_complex[name]:
            _phase(axes[1, -1], shown, name, colour, marker)
    for row, word in enumerate(("Re ", "Im ")[:rows]):
        for axis, entry in zip(axes[row], entries, strict=False):
            axis.set_ylabel((word if rows == 2 else "") + entry.symbol_of(spins))
            legend(axis, fontsize=7.5)
    count = max(point.configurations for line in found.values() for point in line)
    axes[0, -1].axhline(
        FEWEST / count, color="0.35", linestyle=":", label=f"{FEWEST} effective configurations"
    )
    axes[0, -1].set(yscale="log", ylabel="effective sample / sample")
    _shade(list(axes.ravel()), list(found.values()))
    if not all(point.trusted for line in found.values() for point in line):
        text = "not to be trusted" + (", darker for more curves" if len(found) > 1 else "")
        axes[0, -1].fill_between([], [], [], color=_GREY, alpha=2 * _SHADE, linewidth=0, label=text)
    legend(axes[0, -1], fontsize=8)
    for axis in axes[-1]:
        axis.set_xlabel(coupling)
    return save(drawing, path)


def _phase(axis: Axes, line: Sequence[Point], name: str, colour: str, marker: str) -> None:
    """The average phase beside what it has to exceed."""
    x = [point.value for point in line]
    axis.plot(x, [point.phase for point in line], color=colour, marker=marker, markersize=3, label=name)
    noise = [PHASE / np.sqrt(point.effective) for point in line]
    axis.plot(x, noise, color=colour, linestyle=":", label=f"{PHASE:g} times its noise")
    axis.set(ylabel="average phase", ylim=(0, 1.02))
    legend(axis, fontsize=8)


def _shade(axes: Sequence[Axes], lines: Sequence[Trajectory]) -> None:
    """Grey every value at which a line is not trusted, half way to its neighbours; darker for several lines."""
    for line in lines:
        x = np.array([point.value for point in line])
        edges = np.concatenate([x[:1], (x[1:] + x[:-1]) / 2, x[-1:]])
        for axis in axes:
            if len(x) > 1:
                axis.set_xlim(x[0], x[-1])
            for point, low, high in zip(line, edges[:-1], edges[1:], strict=True):
                if not point.trusted:
                    axis.axvspan(low, high, color=_GREY, alpha=_SHADE, linewidth=0, zorder=0)


def _is_complex(point: Point) -> bool:
    return any(isinstance(estimate.value, complex) for estimate in point.observables.values())


def _part(found: Estimate, part: str) -> Estimate:
    return Estimate(getattr(complex(found.value), part), getattr(complex(found.error), part))
