"""Learn a homogeneous action: 64 couplings of a 4 x 4 lattice, from a random start to critical phi^4 (Fig. 2).

The couplings w_ij, a_i, b_i start at random and follow the gradient of KL(p||q), estimated from chains of the model,
by plain descent, Adam and the natural gradient. The free energy of the model at several epochs makes the Bogoliubov
bound; all free energies are by annealed importance sampling. The target's couplings enter through its action only.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kadanoff.ensemble import Ensemble
from kadanoff.experiments.lattice_targets import (
    COUPLINGS,
    SIDE,
    TRAIN,
    bound_along,
    bound_row,
    histogrammed,
    homogeneous,
    random_start,
    renamed,
    spread,
    terms_of,
)
from kadanoff.experiments.result import Result
from kadanoff.learning import VariationalFit, fit_variational
from kadanoff.learning.partition import free_energy
from kadanoff.observables import Observable
from kadanoff.reweighting.overlap import overlap
from kadanoff.sampling import sample
from kadanoff.sampling.run import Progress
from kadanoff.statistics import Estimate
from kadanoff.store.checkpoint import Checkpoint

__all__ = ["run"]

#: How far from the target any coupling may end, by optimiser.
_ALLOWED = {"descent": 0.02, "adam": 0.02, "natural": 1e-3}
_SITES = SIDE**2


@dataclass(frozen=True)
class _Effort:
    """How much is simulated and annealed."""

    chains: int  # of the training
    epochs: int  # most
    points: int  # epochs at which the bound is evaluated
    annealed: tuple[int, int]  # chains and steps for F along the training
    final: tuple[int, int]  # and for the target and the trained models
    draws: int


_QUICK = _Effort(256, 6000, 5, (512, 200), (2048, 600), 16)
_FULL = _Effort(1024, 6000, 8, (2048, 400), (8192, 1500), 128)


def run(out: Path, *, quick: bool, seed: int, progress: Progress | None = None) -> Result:
    """Train, anneal, compare, draw the figures and save the result in `out`."""
    from kadanoff.plots.overlap import plot_overlap
    from kadanoff.plots.variational import plot_bounds, plot_fits, plot_histograms

    begun = time.perf_counter()
    effort, target, start = _QUICK if quick else _FULL, homogeneous(), random_start(seed)
    folder = Path(out)
    fits: dict[str, VariationalFit] = {}
    for number, name in enumerate(_ALLOWED):
        fits[name] = fit_variational(
            start,
            target,
            name,
            train=TRAIN,
            epochs=effort.epochs,
            chains=effort.chains,
            seed=16 * seed + number,
            progress=renamed(progress, f"by {name}"),
            checkpoint=Checkpoint(folder / name),
        )
    anneal: dict[str, Any] = {"chains": effort.final[0], "steps": effort.final[1]}
    exact = free_energy(target, seed=16 * seed + 8, **anneal)
    rows = [
        _fit_row(name, fit, free_energy(fit.model, seed=16 * seed + 9 + number, **anneal), exact)
        for number, (name, fit) in enumerate(fits.items())
    ]
    bounds = {}
    for number, (name, fit) in enumerate(fits.items()):
        epochs = spread(fit.epochs - 1, effort.points)
        bounds[name] = bound_along(fit, epochs, *effort.annealed, seed=1000 * (seed + 1) + 100 * number)
        rows += [bound_row(name, epoch, bound, exact) for epoch, bound in bounds[name]]
    first, learnt, direct = (
        sample(
            action,
            chains=1024,
            draws=effort.draws,
            thin=4,
            seed=16 * seed + 12 + i,
            out=folder / "simulations" / str(i),
            progress=progress,
        )
        for i, action in enumerate((start, fits["descent"].model, target))
    )
    terms = terms_of(target)
    rows += _samples(learnt, direct, terms)
    compared = {"random start": overlap(first, direct), "learnt by descent": overlap(learnt, direct)}
    for name, found in compared.items():
        rows.append({"label": name, "estimator": "overlap with direct", **found.row()})
    drawn = {"direct": histogrammed(direct, terms), "learnt $p$": histogrammed(learnt, terms)}
    figures = [
        plot_fits(fits, folder / "learn_homogeneous.png", COUPLINGS),
        plot_bounds(fits, bounds, exact, _SITES, folder / "bound.png"),
        plot_histograms(drawn, (r"$A$", r"$\phi$"), folder / "histograms.png"),
        plot_overlap(compared, folder / "overlap.png"),
    ]
    result = Result(
        "learn-homogeneous", rows, figures, time.perf_counter() - begun, _notes(effort, exact, rows)
    )
    result.save(out)
    return result


def _fit_row(name: str, fit: VariationalFit, energy: Estimate, exact: Estimate) -> dict[str, Any]:
    """Where the couplings ended, and how tight the bound is there."""
    mean = fit.at_bound(-1)
    error = np.hypot(np.hypot(mean.error, energy.error), exact.error)
    gap = Estimate((mean.value + energy.value - exact.value) / _SITES, error / _SITES)
    ends = {n: np.asarray(getattr(fit.model, n), np.float64).ravel() for n in TRAIN}
    return {
        "label": name,
        "variant": "trained",
        "epochs": fit.epochs,
        "converged": fit.converged,
        **{n: float(values.mean()) for n, values in ends.items()},
        "largest_deviation": max(float(np.abs(ends[n] - COUPLINGS[n]).max()) for n in TRAIN),
        "allowed": _ALLOWED[name],
        "bound_gap_per_site": gap,
        "seconds": round(fit.seconds, 1),
        "pull": {"bound_gap_per_site": gap.pull(0.0)},
        "reference": {**COUPLINGS, "bound_gap_per_site": 0.0},
    }


def _samples(learnt: Ensemble, direct: Ensemble, terms: Any) -> list[dict[str, Any]]:
    """Means under the learnt action beside those of direct simulation."""
    action = Observable("target_action", (terms,), lambda means, _: means[0], "$A/V$")
    rows = []
    for entry in (action, "phi2", "phi4", "abs_magnetization"):
        name = entry if isinstance(entry, str) else entry.name
        found, expected = learnt.observe(entry), direct.observe(entry)
        rows.append(
            {
                "label": "under the learnt p",
                "observable": name,
                "mean": found,
                "pull": {"mean": found.pull(expected)},
                "reference": {"mean": expected},
            }
        )
    return rows


def _notes(effort: _Effort, exact: Estimate, rows: list[dict[str, Any]]) -> list[str]:
    below = min(row["pull"]["bound_gap"] for row in rows if "bound_gap" in row)
    return [
        f"every epoch: 5 sweeps of {effort.chains} persistent chains, one step; rates 0.05 (descent), 0.005 (Adam), "
        "0.2 (natural gradient, damping 1e-3, at most 1 nat a step); b_i falls by half at most (projected step)",
        f"the free energy of the target is {exact} by annealed importance sampling; bounds have an annealing each",
        f"of all bounds the lowest is {below:+.1f} errors from the free energy of the target",
        "the target lies within the family, so the noise of the gradient vanishes with A - S, and the fit ends when "
        "half the variance of A - S, which is KL(p||q) there, is below 1e-8 a site",
        "histograms and means are of the action learnt by plain descent",
    ]
