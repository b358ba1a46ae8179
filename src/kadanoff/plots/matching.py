"""Two-lattice matching: curves that meet, how the answers settle with the steps, the flow of the coupling."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from kadanoff.observables import observable
from kadanoff.plots.style import (
    COLOURS,
    COUPLING_SYMBOLS,
    MARKERS,
    band,
    figure,
    legend,
    points,
    reference,
    save,
)
from kadanoff.renormalization.matching import Matching

__all__ = ["plot_flow", "plot_matchings"]


def plot_matchings(
    found: Mapping[int, Sequence[Matching]], path: str | Path, *, critical: float | None = None
) -> Path:
    """Draw blocked and direct curves with bands: an observable a column, the smallest n above the largest.

    `found` are lists of `match_steps` by their n; `critical` is a known critical coupling to compare with.
    """
    steps = list(dict.fromkeys((min(found), max(found))))
    drawing, axes = figure(rows=len(steps), columns=len(found[steps[0]]), width=3.9, height=3.2, sharex="col")
    for row, step in zip(axes, steps, strict=True):
        for axis, each in zip(row, found[step], strict=True):
            for curve, name, colour, line in (
                (each.blocked, f"blocked {_times(step + 1)}", COLOURS[0], "-"),
                (each.direct, "direct" if step == 0 else f"direct, blocked {_times(step)}", COLOURS[1], "--"),
            ):
                band(axis, curve.couplings, curve.values, curve.errors, name, colour, line)
            if critical is not None:
                reference(axis, critical, "critical point", vertical=True)
            if each.critical is not None:
                height = float(np.interp(each.critical.value, each.direct.couplings, each.direct.values))
                label = f"{_symbol(each, 1)} = {each.critical}"
                axis.plot(each.critical.value, height, "o", color=COLOURS[6], markersize=5, label=label)
            axis.set_title(f"n = {step}")
            axis.set_ylabel(observable(each.observable).symbol_of(each.crossing.spins))
            axis.locator_params(axis="x", nbins=5)
            legend(axis, loc="best", fontsize=8)
            if step == steps[-1]:
                axis.set_xlabel(_symbol(each))
    return save(drawing, path)


def plot_flow(
    found: Mapping[int, Sequence[Matching]],
    path: str | Path,
    *,
    critical: float | None = None,
    nu: float | None = None,
) -> Path:
    """Draw the critical coupling and nu against n, and the flow K'(K) of the largest n.

    `found` are lists of `match_steps` by their n; `critical` and `nu` are known values to compare with.
    """
    drawing, axes = figure(columns=3, width=4.1, height=3.8)
    left, middle, right = axes[0]
    first, steps = next(iter(found.values())), list(found)
    symbol = _symbol(first[0])
    for number, name in enumerate(each.observable for each in first):
        series = [matchings[number] for matchings in found.values()]
        label = observable(name).symbol_of(first[0].crossing.spins)
        colour, marker = COLOURS[number], MARKERS[number]
        shift = 0.08 * (number - 1)
        for axis, values in (
            (left, [each.critical for each in series]),
            (middle, [each.nu for each in series]),
        ):
            known = [
                (step + shift, value) for step, value in zip(steps, values, strict=True) if value is not None
            ]
            points(axis, [x for x, _ in known], [value for _, value in known], label, colour, marker)
        last = series[-1]
        if len(last.couplings):
            band(
                right,
                last.couplings,
                last.mapped,
                last.mapped_errors,
                label,
                colour,
                ("-", "--", ":")[number % 3],
            )
    ends = right.get_xlim()
    right.plot(ends, ends, color="0.35", linewidth=1, label="$K' = K$")
    right.set_xlim(ends)
    if critical is not None:
        reference(left, critical, "known")
        reference(right, critical, "", vertical=True)
    if nu is not None:
        reference(middle, nu, "exact")
    for axis, text in ((left, _symbol(first[0], 1)), (middle, r"$\nu$")):
        axis.set_xlabel("n, further steps of both")
        axis.set_xticks(steps)
        # Of one step, too, the legend has room beside the points.
        axis.set_xlim(min(steps) - 0.5, max(steps) + 0.5)
        axis.set_ylabel(text)
        axis.ticklabel_format(axis="y", useOffset=False)
    right.set_xlabel(f"$K$ = {symbol}, original")
    right.set_ylabel("$K'$ after one step")
    right.set_title(f"n = {steps[-1]}")
    right.locator_params(axis="x", nbins=5)
    for axis in (left, middle, right):
        legend(axis, loc="best")
    return save(drawing, path)


def _symbol(found: Matching, critical: int = 0) -> str:
    name = found.crossing.coupling
    return COUPLING_SYMBOLS.get(name, (name, f"critical {name}"))[critical]


def _times(step: int) -> str:
    return {1: "once", 2: "twice"}.get(step, f"{step} times")
