"""The inverse flow: levels against the simulated coupling, their effective couplings, their correlation lengths."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kadanoff.ensemble import Ensemble
from kadanoff.plots.style import COLOURS, MARKERS, band, figure, legend, points, reference, save
from kadanoff.reweighting.curves import reweighted_curve
from kadanoff.reweighting.response import conjugate_series, simulated_action
from kadanoff.statistics import Estimate

__all__ = ["plot_effective_couplings", "plot_lengths", "plot_levels"]

_STYLES = {"ordered": COLOURS[0], "disordered": COLOURS[1]}
_NAMES = {"xi_over_L": r"$\xi/L$", "binder": "$U_4$", "abs_magnetization": r"$\langle|m|\rangle$"}


def plot_levels(
    levels: Mapping[float, Sequence[Ensemble]],
    direct: Mapping[int, Mapping[float, Ensemble]],
    path: str | Path,
    *,
    critical: float,
) -> Path:
    """Draw <|m|> and chi of every level against the simulated mass, beside direct simulations of the same sizes.

    `levels` and `direct` (by side) are by the offset of the mass from `critical`. Bands are reweighted from the
    simulation at offset 0, within one standard deviation of its log-weights; points are simulated where they stand.
    """
    drawing, axes = figure(columns=2, width=5.6, height=4.6)
    sides = [level.lattice.longest for level in levels[0.0]]
    widest = max(levels) / 2
    for axis, name, symbol in zip(
        axes[0],
        ("abs_magnetization", "susceptibility"),
        (r"$\langle|m|\rangle$", r"$\chi = V\langle m^2\rangle$"),
        strict=True,
    ):
        for number, side in enumerate(sides):
            kind = "simulated" if number == 0 else "grown"
            here = {offset: grown[number] for offset, grown in levels.items() if number < len(grown)}
            _curve(axis, here, name, critical, f"${side}^2$ {kind}", number, "-", widest)
            if side in direct:
                _curve(axis, direct[side], name, critical, f"${side}^2$ direct", number, "--", widest)
        reference(axis, critical, rf"$\mu_c^2 = {critical}$", vertical=True)
        axis.set_xlabel(r"simulated $\mu^2$")
        axis.set_ylabel(symbol)
        axis.locator_params(axis="x", nbins=6)
    if any(0 < abs(offset) <= 1.001 * widest for offset in levels):
        axes[0, 0].plot([], [], "o", color="0.35", markersize=4.5, label="grown, simulated there")
    axes[0, 0].plot([], [], "D", color="0.35", markersize=4.5, label="direct, simulated there")
    axes[0, 1].set_yscale("log")
    # below the panels: no corner is free of curves
    drawing.legend(
        *axes[0, 0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=5,
        frameon=False,
        fontsize=9,
    )
    return save(drawing, path)


def _curve(
    axis: Any,
    ensembles: Mapping[float, Ensemble],
    name: str,
    critical: float,
    label: str,
    number: int,
    line: str,
    widest: float,
) -> None:
    """A reweighted band about the critical coupling, and a point for each simulation within `widest` of it."""
    centre = ensembles[0.0]
    reach = min(1 / float(conjugate_series(centre)["mass2"].std()), widest)
    grid = critical + np.linspace(-reach, reach, 15)
    curve = reweighted_curve(centre, name, grid, samples=200)
    band(axis, grid, curve.values, curve.errors, label, COLOURS[number], line)
    couplings = {float(simulated_action(each).mass2): each for offset, each in ensembles.items() if offset}
    near = {mass2: each for mass2, each in couplings.items() if abs(mass2 - critical) <= 1.001 * widest}
    if near:
        estimates = [each.observe(name) for each in near.values()]
        points(axis, list(near), estimates, "", COLOURS[number], "o" if line == "-" else "D")


def plot_effective_couplings(
    matched: Mapping[int, Sequence[tuple[float, Estimate | None]]],
    slopes: Sequence[Mapping[str, Any]],
    path: str | Path,
    *,
    critical: float,
    b: int,
    start: int,
) -> Path:
    """Draw effective against simulated masses by side, with lines of slope 1/b^n, and the slopes of every step.

    `matched` holds (simulated, effective) masses by side; `slopes` the rows with 'label', 'variant', 'estimator' and
    'slope'.
    """
    drawing, axes = figure(columns=2, width=5.4, height=4.4)
    left, right = axes[0]
    for number, (side, found) in enumerate(matched.items()):
        known = [(x, y) for x, y in found if y is not None]
        x = np.array([simulated for simulated, _ in found])
        share = start / side
        left.plot(
            x, critical + share * (x - critical), "--", color=COLOURS[number], linewidth=1, label=_line(share)
        )
        estimates = [y for _, y in known]
        points(left, [x for x, _ in known], estimates, f"${side}^2$ grown", COLOURS[number], MARKERS[number])
    reference(left, critical, "", vertical=True)
    reference(left, critical, rf"$\mu_c^2 = {critical}$")
    left.set_xlabel(rf"simulated $\mu^2$ ($L = {start}$)")
    left.set_ylabel(r"effective $\mu^2$, by $\xi/L$ of direct fields")
    left.locator_params(axis="x", nbins=6)
    legend(left, loc="upper left")
    single = [row for row in slopes if _ratio(row["label"]) == b and row["slope"] is not None]
    shown = {(row["label"], row["estimator"]) for row in single}
    # In the order of the table, whichever phase a point is missing from.
    labels = [
        key for key in dict.fromkeys((row["label"], row["estimator"]) for row in slopes) if key in shown
    ]
    for shift, phase in ((-0.12, "ordered"), (0.12, "disordered")):
        rows = [row for row in single if row["variant"] == phase]
        places = [labels.index((row["label"], row["estimator"])) + shift for row in rows]
        points(right, places, [row["slope"] for row in rows], phase, _STYLES[phase], "os"[shift > 0])
    reference(right, 1 / b, rf"$b^{{-1/\nu}} = {1 / b:g}$ ($\nu = 1$)")
    right.axhspan(1 / b - 0.06, 1 / b + 0.06, color="0.5", alpha=0.12, linewidth=0, label=r"$\pm 0.06$")
    ticks = [f"{_NAMES.get(name, name)}\n{label}" for label, name in labels]
    right.set_xticks(range(len(labels)), ticks, fontsize=9)
    right.set_ylabel(r"$dK_j/dK_i$")
    ends = [
        0.27,
        0.72,
        *(row["slope"].value + sign * row["slope"].error for row in single for sign in (-1, 1)),
    ]
    right.set_ylim(min(ends) - 0.02, max(ends) + 0.1)  # the legend is at the top
    legend(right, loc="upper right", ncols=2)
    return save(drawing, path)


def _line(share: float) -> str:
    return rf"$t_j = t_i/{1 / share:.0f}$"


def _ratio(label: str) -> float:
    small, large = map(int, label.split("/"))
    return large / small


def plot_lengths(rows: Sequence[Mapping[str, Any]], path: str | Path, *, b: int) -> Path:
    """Draw xi against the side of the level, one panel a kind of estimate, with lines that grow by `b` a step.

    `rows` have 'label' ("32/64 at -0.9"), 'estimator', 'xi_i', 'xi_j'.
    """
    estimators = {"zero-momentum": "disordered phase, from $k = 0$", "connected": "both phases, from $k > 0$"}
    drawing, axes = figure(columns=2, width=4.8, height=4.2, sharey=True)
    couplings = list(dict.fromkeys(row["label"].split(" at ")[1] for row in rows))
    for axis, (estimator, title) in zip(axes[0], estimators.items(), strict=True):
        sides: list[int] = []
        for number, coupling in enumerate(couplings):
            lengths: dict[int, Estimate] = {}
            for row in rows:
                pair, at = row["label"].split(" at ")
                if (at, row["estimator"]) == (coupling, estimator):
                    small, large = map(int, pair.split("/"))
                    lengths |= {
                        s: xi for s, xi in ((small, row["xi_i"]), (large, row["xi_j"])) if xi is not None
                    }
            if not lengths:
                continue  # chi holds <|m|>^2 in the ordered phase: no correlation length from k = 0
            sides = list(lengths)
            label, marker = rf"$\mu^2 = {coupling}$", MARKERS[number]
            points(axis, sides, list(lengths.values()), label, COLOURS[number], marker)
            first = lengths[sides[0]].value
            axis.plot(
                sides, [first * side / sides[0] for side in sides], ":", color=COLOURS[number], linewidth=1
            )
        axis.plot([], [], ":", color="0.35", label=rf"$\xi_{{j+1}} = {b}\,\xi_j$")
        axis.set_xscale("log", base=2)
        axis.set_yscale("log", base=2)
        axis.xaxis.set_major_formatter(lambda side, _: f"{side:.0f}")
        axis.yaxis.set_major_formatter(lambda xi, _: f"{xi:g}")
        axis.set_xticks(sides)
        axis.set_title(title)
        axis.set_xlabel("$L$ of the level")
        legend(axis, loc="upper left")
    axes[0, 0].set_ylabel(r"$\xi$ (lattice units)")
    return save(drawing, path)
