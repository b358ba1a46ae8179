"""The standard renormalization group: an observable of blocked and direct fields against the coupling."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from kadanoff.plots.style import COLOURS, band, figure, legend, points, reference, save
from kadanoff.renormalization.crossing import Crossing
from kadanoff.statistics import Estimate

__all__ = ["plot_crossings"]


def plot_crossings(
    crossings: Mapping[str, Crossing],
    path: str | Path,
    *,
    title: str,
    ylabel: str,
    critical: float,
    checks: Sequence[tuple[float, Estimate]] = (),
) -> Path:
    """Draw blocked against direct curves: rules that cross in the left panel, those that do not in the right
    one.

    `crossings` are by rule, all with the same direct ensemble; `checks` are direct simulations at other
    couplings that the reweighted direct curve must meet; `critical` is the coupling to compare with.
    """
    drawing, axes = figure(columns=2, sharey=True)
    left, right = axes[0]
    panels = {left: "rules that cross", right: "rules that do not"}
    for axis, name in panels.items():
        direct = next(iter(crossings.values())).direct
        band(axis, direct.couplings, direct.values, direct.errors, "direct", COLOURS[6])
        axis.set_title(f"{title}: {name}")
        axis.set_xlabel(r"$\mu^2$")
    # rules that agree lie on top of each other, hence the different strokes
    for colour, line, (rule, crossing) in zip(COLOURS, ("-", "--", ":") * 2, crossings.items(), strict=False):
        crosses = crossing.value is not None
        label = f"{rule}: {crossing.value}" if crosses else rule
        curve = crossing.blocked
        band(left if crosses else right, curve.couplings, curve.values, curve.errors, label, colour, line)
    for axis in panels:
        if checks:
            couplings, estimates = [c for c, _ in checks], [e for _, e in checks]
            points(axis, couplings, estimates, "direct, simulated there", COLOURS[6])
        reference(axis, critical, rf"$\mu_c^2 = {critical}$", vertical=True)
        axis.locator_params(axis="x", nbins=6)
        legend(axis, loc="lower left", frameon=True, edgecolor="none")
    left.set_ylabel(ylabel)
    return save(drawing, path)
