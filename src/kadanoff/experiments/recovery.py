"""Known couplings learnt back from configurations by four methods, with their errors, scores and times.

Data of an inhomogeneous phi^4 theory on 4 x 4 (80 couplings drawn at random) and of the homogeneous one on 8 x 8;
every method starts from the same other couplings and sees the same configurations.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import kstest

from kadanoff.actions import InhomogeneousPhi4, Phi4
from kadanoff.ensemble import Ensemble
from kadanoff.experiments.result import Result
from kadanoff.graph import Graph
from kadanoff.lattice import Lattice
from kadanoff.learning.data import METHODS, DataFit, fit_data
from kadanoff.sampling import ColourBlock, sample
from kadanoff.sampling.run import Progress
from kadanoff.statistics import Estimate
from kadanoff.store.checkpoint import Checkpoint

__all__ = ["CHAINS", "FULL", "QUICK", "Effort", "fits", "run"]

CHAINS = 100


@dataclass(frozen=True)
class Effort:
    """How much is done: the only difference between a quick run and a full one."""

    draws: int
    steps: int


QUICK = Effort(draws=20, steps=25)
FULL = Effort(draws=100, steps=100)


def run(out: Path, *, quick: bool, seed: int, progress: Progress | None = None) -> Result:
    """Simulate, fit by every method, draw and save the comparison in `out`."""
    from kadanoff.plots.recovery import plot_recovery

    begun = time.perf_counter()
    effort = QUICK if quick else FULL
    report: Progress = progress or (lambda done, total, message: None)
    truth = _inhomogeneous(seed)
    data = sample(
        truth,
        chains=CHAINS,
        draws=effort.draws,
        thermalize=100,
        sampler=ColourBlock(sweeps=4),
        seed=seed,
        out=Path(out) / "simulations" / "inhomogeneous",
        progress=report,
    )
    many = fits(
        InhomogeneousPhi4.random(truth.graph, seed + 1),
        data,
        effort.steps,
        seed,
        Path(out) / "fits" / "inhomogeneous",
        report,
    )
    uniform = Phi4(-0.5, 0.7)
    fields = sample(
        uniform,
        Lattice((8, 8)),
        chains=CHAINS,
        draws=effort.draws,
        thin=4,
        seed=seed,
        out=Path(out) / "simulations" / "uniform",
        progress=report,
    )
    few = fits(Phi4(0.5, 1.0, 0.5), fields, effort.steps, seed, Path(out) / "fits" / "uniform", report)
    rows = [_row_of_many(name, fit, truth) for name, fit in many.items()]
    rows += [_row_of_few(name, fit, uniform) for name, fit in few.items()]
    picture = plot_recovery(many, truth, Path(out) / "recovery.png")
    notes = [
        f"{CHAINS * effort.draws} configurations ({CHAINS} chains), a tenth of them held out; "
        "every method starts from the same random couplings and knows nothing of the true ones",
        "pulls: (fitted - true)/error, with errors from the scatter between chains; of 80 pulls the root mean square "
        "should be 1 and 95 % should lie within 2; p_value is "
        "Kolmogorov's for a unit normal, as if they were independent",
        "mean_error is the root mean square of the errors; held_out the mean log pseudo-likelihood per site on the "
        "configurations held out, which the truth itself reaches within its error",
        "pseudo-likelihood and score matching simulate nothing; the seconds of the others grow with --quick off",
    ]
    return Result("recovery", rows, [picture], time.perf_counter() - begun, notes)


def fits(
    model: Any, data: Ensemble, steps: int, seed: int, out: Path, progress: Progress
) -> dict[str, DataFit]:
    """The same data fitted by every method, with so many steps of simulated chains; states are kept in `out`."""
    options: dict[str, dict[str, Any]] = {
        "likelihood": {"steps": steps},
        "contrastive divergence": {"steps": max(20, steps // 3)},
    }
    return {
        name: fit_data(
            model,
            data,
            name,
            seed=seed,
            progress=progress,
            checkpoint=Checkpoint(out / name.replace(" ", "-")),
            **options.get(name, {}),
        )
        for name in METHODS
    }


def _inhomogeneous(seed: int) -> InhomogeneousPhi4:
    """Random couplings on the periodic 4 x 4 grid, of a theory with one phase."""
    graph, rng = Graph.grid((4, 4)), np.random.default_rng([seed, 17])
    w = rng.uniform(0.2, 0.7, len(graph.edges))
    r, a, b = (rng.uniform(low, high, graph.shape) for low, high in ((-0.3, 0.3), (0.5, 1.0), (0.3, 0.6)))
    return InhomogeneousPhi4(graph, w, a, b, r)


def _row_of_many(name: str, fit: DataFit, truth: Any) -> dict[str, Any]:
    pulls = fit.pulls(truth)
    return {
        "label": "80 couplings, 4 x 4",
        "variant": name,
        "rms_pull": float(np.sqrt(np.mean(pulls**2))),
        "largest_pull": float(np.abs(pulls).max()),
        "within_2": float(np.mean(np.abs(pulls) < 2)),
        "p_value": float(kstest(pulls, "norm").pvalue),
        "mean_error": float(np.sqrt(np.mean([c.error**2 for c in fit.couplings.values()]))),
        "held_out": fit.held_out,
        "seconds": fit.seconds,
        "reference": {"rms_pull": 1.0, "within_2": 0.954},
    }


def _row_of_few(name: str, fit: DataFit, truth: Phi4) -> dict[str, Any]:
    known = {coupling: float(getattr(truth, coupling)) for coupling in fit.names}
    found: dict[str, Estimate] = fit.couplings
    return {
        "label": "phi^4, 8 x 8",
        "estimator": name,
        **found,
        "pull": {coupling: found[coupling].pull(known[coupling]) for coupling in known},
        "held_out": fit.held_out,
        "seconds": fit.seconds,
        "reference": known,
    }
