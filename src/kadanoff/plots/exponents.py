"""Exponents of every pair of levels, observables of every level, and how both answer to what should not matter."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kadanoff.observables import observable
from kadanoff.plots.style import COLOURS, MARKERS, figure, legend, points, reference, save
from kadanoff.renormalization import ExponentTable, Levels
from kadanoff.statistics import Estimate

__all__ = ["plot_exponents", "plot_levels", "plot_stability"]

_SYMBOLS = {"gamma_over_nu": r"$\gamma/\nu$", "beta_over_nu": r"$\beta/\nu$"}
_SHOWN = ("abs_magnetization", "susceptibility", "binder", "xi_over_L", "phi2", "neighbours")


def plot_exponents(
    ratio: ExponentTable,
    derivative: ExponentTable,
    talk: Mapping[str, tuple[float | None, ...]],
    exact: Mapping[str, float],
    path: str | Path,
) -> Path:
    """Draw both exponents of every pair, by both estimators, beside the talk's and the exact value."""
    drawing, axes = figure(rows=2, width=max(7.0, 0.42 * len(ratio.pairs)), height=3.2, sharex=True)
    labels = [row.label for row in ratio.rows("ratio")]
    place = np.arange(len(labels), dtype=float)
    for row, (quantity, symbol) in enumerate(_SYMBOLS.items()):
        axis = axes[row, 0]
        reference(axis, exact[quantity], f"exact {' and '.join(f'{exact[name]:g}' for name in _SYMBOLS)}")
        known = {k: talk[label][2 * row : 2 * row + 2] for k, label in enumerate(labels) if label in talk}
        talked = {k: Estimate(v, e) for k, (v, e) in known.items() if v is not None}
        points(axis, place[list(talked)] - 0.2, list(talked.values()), "talk", COLOURS[6], MARKERS[3])
        for shift, table, name in ((0.0, ratio, "ratio"), (0.2, derivative, "derivative")):
            found = [getattr(entry, quantity) for entry in table.rows(name)]
            told = "relaxed growth, ratio" if name == "ratio" else "regression map, derivative"
            colour = COLOURS[0 if name == "ratio" else 1]
            points(axis, place + shift, found, told, colour, MARKERS[0 if name == "ratio" else 1])
        axis.set_ylabel(symbol)
    axes[1, 0].set_xticks(place, labels, rotation=60 if len(labels) >= 10 else 0)
    axes[1, 0].set_xlabel("pair of levels $L_i/L_j$")
    legend(axes[0, 0], ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return save(drawing, path)


def plot_levels(growths: Sequence[Levels], path: str | Path) -> Path:
    """Draw observables of every level against L, one colour a training seed."""
    drawing, axes = figure(rows=2, columns=3, width=3.6, height=2.9)
    for axis, name in zip(axes.ravel(), _SHOWN, strict=True):
        for number, levels in enumerate(growths):
            sides = np.array([level.lattice.longest for level in levels], dtype=float)
            found = [level.observe(name) for level in levels]
            colour = COLOURS[number % len(COLOURS)]
            points(
                axis,
                sides * (1 + 0.04 * number),
                found,
                f"seed {number}",
                colour,
                MARKERS[number % len(MARKERS)],
            )
        axis.set_xscale("log", base=2)
        if name in ("abs_magnetization", "susceptibility"):
            axis.set_yscale("log", base=2)
        axis.set_xlabel("$L$")
        axis.set_ylabel(observable(name).symbol)
    for name, value in (("binder", 0.61069), ("xi_over_L", 0.90505)):
        axis = axes.ravel()[_SHOWN.index(name)]
        reference(axis, value, "universal")
        line = [entry for entry in axis.get_lines() if entry.get_label() == "universal"]
        legend(axis, handles=line, loc="lower right")
    legend(axes[0, 0])
    return save(drawing, path)


def plot_stability(rows: Sequence[Mapping[str, Any]], path: str | Path) -> Path:
    """Draw how far the exponents move under more sweeps and other start amplitudes, beside their own errors."""
    drawing, axes = figure(columns=2, width=4.6, height=3.2, sharey=True)
    names = [row["variant"] for row in rows]
    place = np.arange(len(rows), dtype=float)
    for axis, (quantity, symbol) in zip(axes[0], _SYMBOLS.items(), strict=True):
        error = rows[0][quantity].error
        axis.axvspan(-error, error, color=COLOURS[0], alpha=0.15, linewidth=0, label="statistical error")
        shifts = [row[f"{quantity}_shift"] for row in rows]
        errors = [shift.error if np.isfinite(shift.error) else 0.0 for shift in shifts]
        axis.errorbar([s.value for s in shifts], place, xerr=errors, fmt="o", color=COLOURS[1], capsize=2.5)
        reference(axis, 0.0, "no shift", vertical=True)
        axis.set_xlabel(f"shift of {symbol}, {rows[0]['label']}")
    axes[0, 0].set_yticks(place, names)
    axes[0, 0].invert_yaxis()
    legend(axes[0, 1], loc="best")
    return save(drawing, path)
