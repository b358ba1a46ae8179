"""The probability of a neural network as an observable: against the coupling, at its crossing, and its own flow."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from kadanoff.plots.style import COLOURS, band, figure, legend, points, reference, save
from kadanoff.renormalization.matching import Matching
from kadanoff.renormalization.neural import PhaseRecord
from kadanoff.reweighting.curves import Curve
from kadanoff.statistics import Estimate

__all__ = ["plot_neural_observable"]


def plot_neural_observable(
    curves: Mapping[int, Curve],
    simulated: Sequence[tuple[float, Estimate]],
    record: PhaseRecord,
    matched: Matching,
    mapped: Mapping[str, Matching],
    path: str | Path,
    *,
    critical: float,
    exponents: Mapping[str, float],
) -> Path:
    """Draw P(beta) with the training ranges shaded, its blocked and direct curves, and Y' against Y.

    `curves` are reweighted ones by lattice side; `simulated` are means at other couplings on the smallest of these
    lattices; `mapped` are matchings in Y by kind of network, compared with slopes b^y of `exponents` by kind.
    """
    drawing, axes = figure(columns=2 + len(mapped), width=4.2)
    left, middle, *right = axes[0]
    for name, ranges, colour in zip(
        ("disordered", "ordered"), (record.disordered, record.ordered), (COLOURS[5], COLOURS[4]), strict=True
    ):
        left.axvspan(*ranges["beta"], color=colour, alpha=0.25, linewidth=0, label=f"trained: {name}")
    for colour, (side, curve) in zip(COLOURS, sorted(curves.items()), strict=False):
        band(left, curve.couplings, curve.values, curve.errors, f"$L = {side}$, reweighted", colour)
    small = min(curves)
    betas, means = [beta for beta, _ in simulated], [mean for _, mean in simulated]
    points(left, betas, means, f"$L = {small}$, simulated there", COLOURS[6])
    reference(left, critical, r"exact $\beta_c$", vertical=True)
    left.set(xlabel=r"$\beta$", ylabel=r"$\langle P(\mathrm{ordered})\rangle$", ylim=(0, 1))
    legend(left, loc="lower right", fontsize=7.5, frameon=True, edgecolor="none")
    large = max(curves)
    for curve, side, colour in ((matched.blocked, large, COLOURS[1]), (matched.direct, small, COLOURS[0])):
        band(middle, curve.couplings, curve.values, curve.errors, f"from $L = {side}$", colour)
    reference(middle, critical, r"exact $\beta_c$", vertical=True)
    middle.set(xlabel=r"$\beta$", ylabel=r"$\langle P\rangle$", title=f"crossing at {matched.critical}")
    middle.locator_params(axis="x", nbins=5)
    legend(middle, loc="upper left")
    for axis, colour, (kind, found) in zip(right, COLOURS[2:], mapped.items(), strict=False):
        scale = 1e4
        band(
            axis,
            scale * found.couplings,
            scale * found.mapped,
            scale * found.mapped_errors,
            kind,
            colour,
        )
        if found.critical is not None:
            fixed = found.critical.value
            line = fixed + found.b ** exponents[kind] * (found.couplings - fixed)
            axis.plot(
                scale * found.couplings,
                scale * line,
                "--",
                color="0.35",
                label=rf"slope $2^{{{exponents[kind]:g}}}$",
            )
        shown = np.abs(scale * found.couplings).max() if len(found.couplings) else 1.0
        axis.set(
            xlabel=r"$10^4\,Y$",
            ylabel=r"$10^4\,Y'$",
            xlim=(-shown, shown),
            title=f"{kind}: slope {found.slope}",
        )
        legend(axis, loc="upper left")
    return save(drawing, path)
