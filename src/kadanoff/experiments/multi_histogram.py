"""Several couplings joined: energy, specific heat and ln Z of the Ising model through the transition, beside exact.

Ising lattices of 32 x 32 are simulated at five couplings around the critical one and joined by multiple-histogram
reweighting. Curves between the simulations, and differences of ln Z, are compared with Kaufman's solution; beside them
stands what the nearest simulation alone gives.
"""

import time
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from kadanoff.actions import Ising
from kadanoff.exact import kaufman
from kadanoff.experiments.result import Result
from kadanoff.lattice import Lattice
from kadanoff.observables import Observable
from kadanoff.reweighting.curves import Curve, reweighted_curve
from kadanoff.reweighting.multihistogram import MultiHistogram
from kadanoff.sampling import SwendsenWang, sample
from kadanoff.sampling.run import Progress
from kadanoff.statistics import Estimate

__all__ = ["run"]

_SIDE, _CHAINS = 32, 64
_BETAS = (0.40, 0.42, 0.44, 0.46, 0.48)
_BETWEEN = (0.41, 0.43, 0.45, 0.47)
_POINTS = 33


def _squared_energy(field: Float[Array, "side side"]) -> Float[Array, ""]:
    """(H/V)^2 of the whole field."""
    return jnp.mean(field * Lattice(field.shape).forward_sum(field)) ** 2


#: V (<e^2> - <e>^2) with e = H/V: the specific heat over beta^2, which contains no coupling.
_FLUCTUATION = Observable(
    "energy_fluctuation",
    ("energy", _squared_energy),
    lambda means, lattice: lattice.volume * (means[1] - means[0] ** 2),
    r"$c/\beta^2$",
)
_NAMES: tuple[str | Observable, ...] = ("energy", _FLUCTUATION, "connected_susceptibility")


def run(out: Path, *, quick: bool, seed: int, progress: Progress | None = None) -> Result:
    """Simulate, join, compare with the exact solution, draw the figure and save the result in `out`."""
    from kadanoff.plots.multi_histogram import plot_joined

    begun = time.perf_counter()
    ensembles = [
        sample(
            Ising(beta),
            Lattice((_SIDE, _SIDE)),
            chains=_CHAINS,
            draws=32 if quick else 192,
            thin=2,
            thermalize=100,
            sampler=SwendsenWang(),
            seed=16 * seed + number,
            out=Path(out) / "simulations" / f"{beta:g}",
            progress=progress,
        )
        for number, beta in enumerate(_BETAS)
    ]
    joined = MultiHistogram(ensembles, seed=seed)
    rows: list[dict[str, Any]] = []
    first = kaufman(_BETAS[0], _SIDE).log_partition
    for beta, free in zip(_BETAS[1:], joined.free_energies[1:], strict=True):
        known = kaufman(beta, _SIDE).log_partition - first
        found = Estimate(-free.value, free.error)
        row = {"label": f"beta {_BETAS[0]:g} to {beta:g}", "estimator": "joined", "ln_Z_ratio": found}
        rows.append(
            {**row, "ln_Z_ratio_pull": found.pull(known), "reference": {"ln_Z_ratio": Estimate(known, 0)}}
        )
    grid = np.linspace(_BETAS[0] - 0.01, _BETAS[-1] + 0.01, _POINTS)
    grid = np.union1d(grid, _BETWEEN)
    curves = [joined.curve(name, grid) for name in _NAMES]
    for beta in _BETWEEN:
        place = int(np.argmin(np.abs(grid - beta)))
        rows.append(_row(beta, "joined", place, curves))
        nearest = ensembles[_BETWEEN.index(beta)]
        alone = [reweighted_curve(nearest, name, np.array([beta]), "beta", seed=seed) for name in _NAMES[:2]]
        rows.append(_row(beta, "one simulation", 0, alone))
    exact = [kaufman(float(beta), _SIDE) for beta in grid]
    figure = plot_joined(
        dict(zip(_NAMES, curves, strict=True)),
        {name: [each.observe(name) for each in ensembles] for name in _NAMES},
        np.array(_BETAS),
        Path(out) / "multi_histogram.png",
        exact={
            "energy": np.array([each.energy for each in exact]),
            _FLUCTUATION: np.array([each.specific_heat for each in exact]) / grid**2,
        },
    )
    result = Result("multi-histogram", rows, [figure], time.perf_counter() - begun, _notes(joined))
    result.save(out)
    return result


def _row(beta: float, estimator: str, place: int, curves: list[Curve]) -> dict[str, Any]:
    """One point of the curves of energy and its fluctuation beside the exact values."""
    exact = kaufman(beta, _SIDE)
    known = {"energy": exact.energy, "energy_fluctuation": exact.specific_heat / beta**2}
    row: dict[str, Any] = {"label": f"beta = {beta:g}", "estimator": estimator}
    for (name, value), curve in zip(known.items(), curves, strict=False):
        found = Estimate(curve.values[place], curve.errors[place])
        row |= {name: found, f"{name}_pull": found.pull(value)}
    row["effective_sample_size"] = float(curves[0].effective[place]) * curves[0].configurations
    return {**row, "reference": {name: Estimate(value, 0.0) for name, value in known.items()}}


def _notes(joined: MultiHistogram) -> list[str]:
    neighbours = ", ".join(f"{joined.overlap[k, k + 1]:.2f}" for k in range(len(_BETAS) - 1))
    sizes = ", ".join(f"{size:.0f}" for size in joined.solution.sizes)
    return [
        f"{joined.ensembles[0].chains * joined.ensembles[0].draws} configurations of {_SIDE} x {_SIDE} at each beta = "
        f"{', '.join(map(str, _BETAS))}; independent ones: {sizes}",
        f"overlap of neighbouring simulations: {neighbours}",
        "rows 'one simulation' are reweighted from the beta 0.01 below; errors are a bootstrap over the chains of "
        "every simulation, for which the free energies are solved anew",
        "pulls of different rows share configurations",
    ]
