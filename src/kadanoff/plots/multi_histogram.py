"""Curves of joined simulations with their bands, the simulations themselves, and what is known exactly."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from kadanoff.observables import observable
from kadanoff.plots.style import COLOURS, band, figure, legend, points, save
from kadanoff.reweighting.curves import Curve
from kadanoff.statistics import Estimate

__all__ = ["plot_joined"]


def plot_joined(
    curves: Mapping[Any, Curve],
    simulated: Mapping[Any, Sequence[Estimate]],
    couplings: Float[np.ndarray, " simulation"],
    path: str | Path,
    *,
    symbol: str = r"$\beta$",
    exact: Mapping[Any, Float[np.ndarray, " point"]] | None = None,
) -> Path:
    """Draw a panel for every observable: its curve with a band of one standard error, and the simulations as points.

    `curves` and `simulated` are by observable, `couplings` are where the simulations are; `symbol` names the
    coupling. Where `exact` has values along a curve, a panel below shows the differences from them. Below the others
    stands the effective number of configurations.

    >>> import tempfile
    >>> x = np.linspace(0.0, 1.0, 5)
    >>> curve = Curve(x, x**2, 0 * x + 0.1, 0 * x + 0.5, np.zeros((2, 5)), 100)
    >>> found = {"energy": [Estimate(0.3, 0.1)]}
    >>> plot_joined({"energy": curve}, found, np.array([0.5]), tempfile.mkdtemp() + "/joined.png").name
    'joined.png'
    """
    exact = exact or {}
    drawing, axes = figure(
        rows=2, columns=len(curves), width=4.2, height=2.9, sharex=True, gridspec_kw={"height_ratios": (3, 2)}
    )
    for (name, curve), above, below in zip(curves.items(), axes[0], axes[1], strict=True):
        entry = observable(name)
        band(above, curve.couplings, curve.values, curve.errors, "joined", COLOURS[0])
        points(above, couplings, simulated[name], "simulations", COLOURS[1])
        above.set_ylabel(entry.symbol)
        if name in exact:
            known = exact[name]
            above.plot(curve.couplings, known, "--", color="0.35", linewidth=1, label="exact")
            band(below, curve.couplings, curve.values - known, curve.errors, "joined", COLOURS[0])
            there = np.interp(couplings, curve.couplings, known)
            apart = [Estimate(e.value - k, e.error) for e, k in zip(simulated[name], there, strict=True)]
            points(below, couplings, apart, "simulations", COLOURS[1])
            below.axhline(0, color="0.35", linestyle="--", linewidth=1)
            below.set_ylabel("difference from exact")
        else:
            below.plot(curve.couplings, curve.effective * curve.configurations, color=COLOURS[2])
            below.set_ylim(bottom=0)
            below.set_ylabel("effective configurations")
        below.set_xlabel(symbol)
        legend(above)
    return save(drawing, path)
