"""Learn an action with longer-range links: couplings of nearest neighbours that come closest to A_4.

The target A_4 is the homogeneous action of the talk with links of strength 1 along the diagonals of the 4 x 4 lattice,
deep in the broken phase. No couplings w_ij, a_i, b_i of nearest neighbours reproduce it: what KL(p||q) remains is
measured, from samples of both and by free energies, and how far reweighting corrects it. Nothing known about the
target enters but its action.
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
    long_range,
    random_start,
    renamed,
    spread,
    terms_of,
)
from kadanoff.experiments.result import Result
from kadanoff.learning import VariationalFit, fit_variational
from kadanoff.learning.partition import free_energy
from kadanoff.reweighting.overlap import Overlap, overlap
from kadanoff.reweighting.target import reweight
from kadanoff.sampling import sample
from kadanoff.sampling.run import Progress
from kadanoff.statistics import Estimate, gamma_method
from kadanoff.store.checkpoint import Checkpoint

__all__ = ["run"]

_SITES = SIDE**2
#: Direct Monte Carlo by two codes, to the digits given.
_KNOWN = {"phi2": Estimate(6.96, 0.003), "abs_magnetization": Estimate(2.626, 0.0003)}


@dataclass(frozen=True)
class _Effort:
    """How much is simulated and annealed."""

    chains: int
    epochs: dict[str, int]  # most, by optimiser
    points: int
    annealed: tuple[int, int]
    final: tuple[int, int]
    draws: int


_QUICK = _Effort(1024, {"adam": 700, "natural": 400}, 6, (512, 300), (2048, 600), 24)
_FULL = _Effort(4096, {"adam": 2000, "natural": 400}, 9, (2048, 500), (8192, 1500), 192)


def run(out: Path, *, quick: bool, seed: int, progress: Progress | None = None) -> Result:
    """Train, measure what remains, draw the figures and save the result in `out`."""
    from kadanoff.plots.overlap import plot_overlap
    from kadanoff.plots.variational import plot_bounds, plot_fits, plot_histograms

    begun = time.perf_counter()
    effort, target, start = _QUICK if quick else _FULL, long_range(), random_start(seed)
    folder = Path(out)
    fits: dict[str, VariationalFit] = {}
    for number, (name, epochs) in enumerate(effort.epochs.items()):
        fits[name] = fit_variational(
            start,
            target,
            name,
            train=TRAIN,
            epochs=epochs,
            chains=effort.chains,
            seed=16 * seed + number,
            progress=renamed(progress, f"by {name}"),
            checkpoint=Checkpoint(folder / name),
        )
    anneal: dict[str, Any] = {"chains": effort.final[0], "steps": effort.final[1]}
    exact = free_energy(target, seed=16 * seed + 4, **anneal)
    actions = {name: fit.model for name, fit in fits.items()}
    samples = {
        name: sample(
            action,
            chains=1024,
            draws=effort.draws,
            thin=4,
            start="cold",  # hot starts would leave a few chains in domains
            seed=16 * seed + 8 + i,
            out=folder / "simulations" / name,
            progress=renamed(progress, f"of {name}"),
        )
        for i, (name, action) in enumerate({**actions, "direct": target}.items())
    }
    direct = samples["direct"]
    compared = {name: overlap(samples[name], direct) for name in actions}
    rows = [
        _fit_row(name, fit, compared[name], free_energy(fit.model, seed=16 * seed + 5 + i, **anneal), exact)
        for i, (name, fit) in enumerate(fits.items())
    ]
    rows += [
        {"label": name, "estimator": "overlap with direct", **found.row()} for name, found in compared.items()
    ]
    bounds = {}
    for number, (name, fit) in enumerate(fits.items()):
        epochs = spread(fit.epochs - 1, effort.points)
        bounds[name] = bound_along(fit, epochs, *effort.annealed, seed=1000 * (seed + 1) + 100 * number)
        rows += [bound_row(name, epoch, bound, exact) for epoch, bound in bounds[name]]
    best = samples["natural"]
    for label, ensemble in (
        ("learnt", best),
        ("learnt, reweighted", reweight(best, target)),
        ("direct", direct),
    ):
        rows += _means(label, ensemble, direct)
    terms = terms_of(target)
    drawn = {"direct": histogrammed(direct, terms), "learnt $p$": histogrammed(best, terms)}
    figures = [
        plot_fits(fits, folder / "learn_long_range.png"),
        plot_bounds(fits, bounds, exact, _SITES, folder / "bound.png"),
        plot_histograms(drawn, (r"$A_4$", r"$\phi$ in the positive phase"), folder / "histograms.png"),
        plot_overlap(compared, folder / "overlap.png"),
    ]
    notes = _notes(effort, fits, compared, exact, rows)
    result = Result("learn-long-range", rows, figures, time.perf_counter() - begun, notes)
    result.save(out)
    return result


def _fit_row(
    name: str, fit: VariationalFit, found: Overlap, energy: Estimate, exact: Estimate
) -> dict[str, Any]:
    """The remaining gap, per site: KL(p||q) from samples of both, and the bound less F_A by annealing."""
    mean = gamma_method(found.under_p)
    error = np.hypot(np.hypot(mean.error, energy.error), exact.error)
    gap = Estimate((mean.value + energy.value - exact.value) / _SITES, error / _SITES)
    divergence = Estimate(found.divergence_pq.value / _SITES, found.divergence_pq.error / _SITES)
    ends = {n: np.asarray(getattr(fit.model, n), np.float64) for n in TRAIN}
    return {
        "label": name,
        "variant": "trained",
        "epochs": fit.epochs,
        "converged": fit.converged,
        **{n: float(values.mean()) for n, values in ends.items()},
        **{f"spread_{n}": float(values.std()) for n, values in ends.items()},
        "remaining_gap_per_site": divergence,
        "bound_gap_per_site": gap,
        "effective_fraction": found.effective_pq,
        "seconds": round(fit.seconds, 1),
        "pull": {"bound_gap_per_site": gap.pull(divergence)},
        "reference": {"bound_gap_per_site": divergence},
    }


def _means(label: str, ensemble: Ensemble, direct: Ensemble) -> list[dict[str, Any]]:
    """Observables beside direct simulation here, and beside the numbers of two independent codes."""
    rows = []
    for name, known in _KNOWN.items():
        found, expected = ensemble.observe(name), direct.observe(name)
        pulls = {"known": found.pull(known)}
        if ensemble is not direct:
            pulls["mean"] = found.pull(expected)
        rows.append(
            {
                "label": label,
                "observable": name,
                "mean": found,
                "pull": pulls,
                "reference": {"mean": expected, "known": known.value},
            }
        )
    return rows


def _notes(
    effort: _Effort,
    fits: dict[str, VariationalFit],
    compared: dict[str, Overlap],
    exact: Estimate,
    rows: list[dict[str, Any]],
) -> list[str]:
    gap = compared["natural"].divergence_pq
    below = min(row["pull"]["bound_gap"] for row in rows if "bound_gap" in row)
    return [
        f"the remaining gap of the natural gradient is KL(p||q) = {gap} nats on {_SITES} sites, by Bennett's "
        "acceptance ratio between samples of the learnt action and of the target",
        *(f"{name}: {fit.reason}" for name, fit in fits.items()),
        f"every epoch: 5 sweeps of {effort.chains} persistent chains; couplings that end differ by the noise of the "
        f"last epochs (spread), the target has w {COUPLINGS['w']:g}, a {COUPLINGS['a']:g}, b {COUPLINGS['b']:g} and "
        "further links",
        f"the free energy of the target is {exact} by annealed importance sampling; of all bounds the lowest is "
        f"{below:+.1f} errors from it",
        "samples start in the positive phase, which no sweeps leave at these couplings: the histogram of phi is of "
        "this phase, and that of the other one is its mirror image",
        "known: direct Monte Carlo by two independent codes, to the digits given",
    ]
