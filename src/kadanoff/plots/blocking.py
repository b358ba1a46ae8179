"""What blocking does: configurations step by step, observables that cross, correlation lengths that halve."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kadanoff.observables import observable
from kadanoff.plots.style import COLOURS, MARKERS, band, figure, legend, points, reference, save
from kadanoff.renormalization.crossing import Crossing
from kadanoff.statistics import Estimate

__all__ = ["plot_configurations", "plot_observables"]


def plot_configurations(shown: Mapping[str, Sequence[np.ndarray]], path: str | Path) -> Path:
    """Draw configurations as images: a coupling a row, by its title, and a blocking step a column."""
    columns = len(next(iter(shown.values())))
    drawing, axes = figure(rows=len(shown), columns=columns, width=2.5, height=2.6)
    for row, (title, fields) in zip(axes, shown.items(), strict=True):
        for step, (axis, field) in enumerate(zip(row, fields, strict=True)):
            axis.imshow(field, cmap="gray_r", vmin=-1, vmax=1, interpolation="nearest")
            axis.set_xticks([])
            axis.set_yticks([])
            axis.grid(False)
            axis.spines[:].set_visible(True)
            if axis is axes[0, step]:
                axis.set_title(_step(step, field.shape[0]), fontsize=10)
        row[0].set_ylabel(title, fontsize=10)
    return save(drawing, path)


def _step(step: int, side: int) -> str:
    done = {0: "simulated", 1: "blocked once", 2: "blocked twice"}.get(step, f"blocked {step} times")
    return f"{done}, ${side}^2$"


def plot_observables(
    crossings: Mapping[str, Crossing],
    measured: Mapping[str, Sequence[tuple[float, Estimate, Estimate]]],
    lengths: Sequence[Mapping[str, Any]],
    path: str | Path,
    *,
    critical: float,
) -> Path:
    """Draw observables of blocked and direct fields against beta, and correlation lengths with their exact curve.

    `measured` holds (beta, blocked, direct) by observable; `lengths` are rows of `length_rows`; `critical` is the
    coupling to compare with.
    """
    drawing, axes = figure(columns=len(crossings) + 1, width=4.3, height=3.9)
    for axis, (name, crossing) in zip(axes[0], crossings.items(), strict=False):
        betas = [beta for beta, _, _ in measured[name]]
        for number, (label, curve) in enumerate(
            (("64 blocked to 32", crossing.blocked), ("direct 32", crossing.direct))
        ):
            band(axis, curve.couplings, curve.values, curve.errors, "", COLOURS[number], ("-", "--")[number])
            estimates = [(blocked, direct)[number] for _, blocked, direct in measured[name]]
            points(axis, betas, estimates, label, COLOURS[number], MARKERS[number])
        reference(axis, critical, rf"$\beta_c = {critical:.6f}$", vertical=True)
        title = "no crossing" if crossing.value is None else f"cross at {crossing.value}"
        axis.set_title(title)
        axis.set_xlabel(r"$\beta$")
        axis.set_ylabel(observable(name).symbol)
        legend(axis, loc="upper left")
    _draw_lengths(axes[0, -1], lengths)
    return save(drawing, path)


def _draw_lengths(axis: Any, lengths: Sequence[Mapping[str, Any]]) -> None:
    """Measured lengths by side, and the exact one halved at every step."""
    found: dict[int, dict[float, Estimate]] = {}
    for row in lengths:
        pair, beta = row["label"].split(" at ")
        for side, xi in zip(map(int, pair.split("/")), (row["xi_i"], row["xi_j"]), strict=True):
            found.setdefault(side, {})[float(beta)] = xi
    sides = sorted(found, reverse=True)
    betas = list(found[sides[0]])
    grid = np.linspace(min(betas) - 0.003, max(betas) + 0.002, 100)
    exact = 1 / (np.log(1 / np.tanh(grid)) - 2 * grid)  # L. Onsager, Phys. Rev. 65 (1944) 117
    for number, side in enumerate(sides):
        label = f"${side}^2$ " + ("simulated" if number == 0 else f"blocked {('once', 'twice')[number - 1]}")
        axis.plot(grid, exact / 2**number, ":", color=COLOURS[number], linewidth=1)
        points(axis, betas, [found[side][beta] for beta in betas], label, COLOURS[number], MARKERS[number])
    axis.plot([], [], ":", color="0.35", label=r"exact $\xi/2^n$ of the infinite lattice")
    axis.set_yscale("log", base=2)
    low, high = axis.get_ylim()
    axis.set_ylim(low, 2 * high)  # room for the legend
    axis.yaxis.set_major_formatter(lambda xi, _: f"{xi:g}")
    axis.locator_params(axis="x", nbins=5)
    axis.set_title("each step halves the correlation length")
    axis.set_xlabel(r"$\beta$")
    axis.set_ylabel(r"$\xi$ (lattice units)")
    legend(axis, loc="upper left")
