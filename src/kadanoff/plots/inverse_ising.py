"""Inverse renormalization of Ising spins: fields of all sizes, log-log slopes, bias against sweeps."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int8

from kadanoff.plots.style import COLOURS, MARKERS, figure, legend, points, reference, save
from kadanoff.renormalization import Levels

__all__ = ["plot_bias", "plot_fields", "plot_slopes"]

#: What the legend adds in 3D, where two actions are compared.
_NAMES = {"compatible": ", nearest neighbours", "fixed point": ", fixed point"}


def plot_fields(fields: Sequence[Int8[np.ndarray, "..."]], path: str | Path) -> Path:
    """Draw one configuration at all its sizes, the smallest first: black is up.

    >>> import tempfile
    >>> plot_fields([np.ones((4, 4), np.int8), np.ones((8, 8), np.int8)], tempfile.mkdtemp() + "/f.png").name
    'f.png'
    """
    drawing, axes = figure(columns=len(fields), width=2.3, height=2.5)
    for axis, field in zip(axes[0], fields, strict=True):
        axis.grid(False)
        axis.imshow(field.T, cmap="Greys", vmin=-1, vmax=1, interpolation="nearest", origin="lower")
        axis.set_title(f"${field.shape[0]}^2$")
        axis.set_xticks([])
        axis.set_yticks([])
        axis.spines[["top", "right"]].set_visible(True)
    return save(drawing, path)


def plot_slopes(
    levels: Mapping[int, Levels], exponents: Mapping[int, tuple[float, float]], path: str | Path
) -> Path:
    """Draw <|m|> and chi of every level against its side, with lines of the known slopes through the first level.

    `levels` and `exponents`, (beta/nu, gamma/nu), are by dimension.
    """
    drawing, axes = figure(columns=2, width=4.6, height=3.9)
    for number, (dimension, found) in enumerate(levels.items()):
        sides = np.array([level.lattice.longest for level in found], dtype=np.float64)
        beta, gamma = exponents[dimension]
        for axis, name, power in zip(
            axes[0], ("abs_magnetization", "susceptibility"), (-beta, gamma), strict=True
        ):
            estimates = [level.observe(name) for level in found]
            label = f"{dimension}D, grown from ${int(sides[0])}^{dimension}$"
            points(axis, sides, estimates, label, COLOURS[number], MARKERS[number])
            line = estimates[0].value * (sides / sides[0]) ** power
            axis.plot(
                sides,
                line,
                "--",
                color=COLOURS[number],
                linewidth=1,
                label=f"{dimension}D, slope ${power:.5g}$",
            )
    for axis, symbol in zip(axes[0], (r"$\langle|m|\rangle$", r"$\chi$"), strict=True):
        axis.set_xscale("log", base=2)
        axis.set_yscale("log")
        axis.xaxis.set_major_formatter(lambda side, _: f"{side:.0f}")
        axis.set_xlabel("$L$")
        axis.set_ylabel(symbol)
        legend(axis)
    return save(drawing, path)


def plot_bias(
    rows: Sequence[Mapping[str, Any]],
    exponents: Mapping[int, tuple[float, float]],
    path: str | Path,
    *,
    energy: float,
) -> Path:
    """Draw what compatible Monte Carlo gives against its sweeps: the energy of inverted fields, and beta/nu.

    `rows` are those of the experiment; `energy` is the exact one of 32 x 32.
    """
    drawing, axes = figure(columns=3, width=4.0, height=3.6)
    inverted = [row for row in rows if "energy_p_value" in row]
    sweeps = [int(row["variant"].split()[0]) for row in inverted]
    left = axes[0, 0]
    points(left, sweeps, [row["energy"] for row in inverted], "blocked and inverted", COLOURS[0])
    reference(left, energy, "exact")
    left.set_ylabel(r"$\langle H\rangle/V$ of $32^2$")
    for number, (dimension, (beta, _)) in enumerate(exponents.items(), start=1):
        axis = axes[0, number]
        slopes = [row for row in rows if "sweeps" in row and row["label"].startswith(f"{dimension}D")]
        kinds = dict.fromkeys((row["label"], row["variant"].split(",")[0]) for row in slopes)
        for index, (label, kind) in enumerate(kinds):
            here = [row for row in slopes if (row["label"], row["variant"].split(",")[0]) == (label, kind)]
            x, y = [row["sweeps"] for row in here], [row["beta_over_nu"] for row in here]
            points(
                axis,
                x,
                y,
                f"$L = {label.split()[1].replace('..', '$ to $')}$" + _NAMES[kind] * (dimension == 3),
                COLOURS[index],
                MARKERS[index],
            )
        reference(axis, beta, f"known, {beta:.5g}")
        axis.set_ylabel(rf"$\beta/\nu$, slope in {dimension}D")
    for axis in axes[0]:
        axis.set_xscale("log", base=2)
        axis.xaxis.set_major_formatter(lambda count, _: f"{count:.0f}")
        axis.set_xlabel("sweeps of a step")
        legend(axis)
    return save(drawing, path)
