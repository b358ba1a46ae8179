"""Figures of variational learning: couplings and bound against epochs, and what the learnt action draws."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from kadanoff.learning import VariationalFit
from kadanoff.plots.style import COLOURS, MARKERS, band, figure, legend, points, reference, save
from kadanoff.statistics import Estimate

__all__ = ["plot_bounds", "plot_fits", "plot_histograms"]

_SYMBOLS = {"w": "$w_{ij}$", "r": "$r_i$", "a": "$a_i$", "b": "$b_i$"}


def plot_fits(
    fits: Mapping[str, VariationalFit], path: str | Path, expected: Mapping[str, float] | None = None
) -> Path:
    """Draw every trained coupling against the epoch, from 1 on a logarithmic axis.

    One row a fit, under its name, and one column an array of couplings; `expected` are values that they should reach.
    """
    names = list(next(iter(fits.values())).couplings)
    drawing, axes = figure(len(fits), len(names), width=3.7, height=2.9, sharey="col")
    for line, (label, fit) in zip(axes, fits.items(), strict=True):
        epoch = np.arange(1, fit.epochs + 1)
        for axis, name, colour in zip(line, names, COLOURS, strict=False):
            values = fit.couplings[name].reshape(fit.epochs, -1)
            axis.plot(epoch, values, color=colour, linewidth=0.7, alpha=0.55)
            if expected is not None:
                reference(axis, expected[name], "target")
            symbol = _SYMBOLS.get(name, name)
            title = f"{label}: {values.shape[1]} {symbol}"
            if expected is not None:
                title += f", target {expected[name]:g}"
            axis.set(xscale="log", xlim=(1, max(2, fit.epochs)), ylabel=symbol, title=title)
    for axis in axes[-1]:
        axis.set_xlabel("epoch $t$")
    return save(drawing, path)


def plot_bounds(
    fits: Mapping[str, VariationalFit],
    bounds: Mapping[str, Sequence[tuple[int, Estimate]]],
    exact: Estimate,
    sites: int,
    path: str | Path,
) -> Path:
    """Draw the bound above the free energy of the target, per site, and the gradient beside its noise.

    `bounds` are (epoch, <A - S> + F) by the names of the fits; `exact` is the free energy of the target, by annealing.
    Bounds within two errors of it are drawn as upper limits, at two errors.
    """
    drawing, axes = figure(columns=2, width=5.2, height=3.8)
    left, right = axes[0]
    for (label, found), colour, marker in zip(bounds.items(), COLOURS, MARKERS, strict=False):
        gaps = [
            (epoch + 1, (bound.value - exact.value) / sites, np.hypot(bound.error, exact.error) / sites)
            for epoch, bound in found
        ]
        clear = [(x, Estimate(gap, error)) for x, gap, error in gaps if gap > 2 * error]
        limit = [(x, max(gap, 0) + 2 * error) for x, gap, error in gaps if gap <= 2 * error]
        if clear:
            points(left, [x for x, _ in clear], [gap for _, gap in clear], label, colour, marker)
        if limit:
            left.plot(*zip(*limit, strict=True), linestyle="none", marker="v", color=colour, fillstyle="none")
            if not clear:
                left.plot([], [], linestyle="none", marker="v", color=colour, fillstyle="none", label=label)
    left.set(xscale="log", yscale="log", xlabel="epoch $t$", ylabel=r"$(\mathcal{F} - F_A)/V$")
    left.set_title("Bogoliubov bound (open: upper limit, two errors)")
    legend(left)
    for (label, fit), colour in zip(fits.items(), COLOURS, strict=False):
        epoch = np.arange(1, fit.epochs + 1)
        right.plot(epoch, fit.gradient, color=colour, linewidth=1.2, label=label)
        right.plot(epoch, fit.noise, color=colour, linewidth=0.8, linestyle=":")
    right.set(
        xscale="log", yscale="log", xlabel="epoch $t$", ylabel=r"$\|\partial\mathcal{F}/\partial\theta\|$"
    )
    right.set_title("gradient (dotted: its noise)")
    legend(right)
    return save(drawing, path)


def plot_histograms(
    samples: Mapping[str, tuple[Float[np.ndarray, "_ _"], ...]],
    symbols: Sequence[str],
    path: str | Path,
) -> Path:
    """Draw a panel for each quantity: its histogram in the first sample, and in the others with error bands.

    The series of a sample are (chain, draw), with as many sites in a draw as there are; errors are over chains.
    """
    drawing, axes = figure(columns=len(symbols), width=5.2, height=3.8)
    for place, (axis, symbol) in enumerate(zip(axes[0], symbols, strict=True)):
        series = [sample[place] for sample in samples.values()]
        low, high = np.quantile(np.concatenate([each.ravel() for each in series]), [2e-4, 1 - 2e-4])
        edges = np.linspace(low, high, 61)
        middle, width = (edges[1:] + edges[:-1]) / 2, edges[1] - edges[0]
        for number, (label, values) in enumerate(zip(samples, series, strict=True)):
            counts = np.stack([np.histogram(chain, edges)[0] for chain in values]) / (values.shape[1] * width)
            density, error = counts.mean(axis=0), counts.std(axis=0, ddof=1) / np.sqrt(len(counts))
            if number == 0:
                axis.bar(middle, density, width, color=COLOURS[5], alpha=0.5, label=label)
            else:
                band(axis, middle, density, error, label, COLOURS[number])
        axis.set(xlabel=symbol, ylabel="density", ylim=(0, None))
        legend(axis)
    return save(drawing, path)
