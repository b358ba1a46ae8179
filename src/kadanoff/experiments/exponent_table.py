"""What Tables I and II share: simulate, learn, grow, measure the exponents, and see whether they stay put.

One critical ensemble is simulated. Each training seed learns two inverses from it and grows configurations of its
own: the recommended one (a conditional density on relaxed pairs, growth with relaxation; ratio estimator) and the
talk's (regression, pure map; derivative estimator). Errors are the bootstrap over simulated configurations and the
spread over training seeds. Exponents of the recommended growth are then compared with those of more relaxation
sweeps and of another start amplitude, configuration by configuration. Every finished stage is kept in the folder.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from kadanoff.actions import Phi4
from kadanoff.compiled.compilation import compile_ahead
from kadanoff.compiled.purposes import DRAWS, MEASUREMENTS, of_updates
from kadanoff.ensemble import Ensemble
from kadanoff.experiments.result import Result
from kadanoff.experiments.stages import KeptGrowth, kept_inverse
from kadanoff.lattice import Lattice
from kadanoff.parallel import in_parallel
from kadanoff.renormalization import (
    ExponentTable,
    LearntInverse,
    Levels,
    MajorityMean,
    Relaxation,
    certificate,
    combine_seeds,
    critical_exponents,
    learn_inverse,
)
from kadanoff.renormalization.inverse.levels import thinned
from kadanoff.sampling import sample
from kadanoff.sampling.run import Progress
from kadanoff.statistics import Estimate

__all__ = ["EXACT", "Effort", "Plan", "run_table"]

#: Exponents of the two-dimensional Ising universality class, to compare with.
EXACT = {"gamma_over_nu": 1.75, "beta_over_nu": 0.125}
#: Systematic errors of gamma/nu and beta/nu by the recommended growth, of opposite signs: how well one step of it is
#: known to be direct simulation's, from eight trainings each for 8 -> 16 and 16 -> 32 at the couplings of Table II,
#: for 16 -> 32 and 32 -> 64 at those of Table I. Mean differences were at most 0.0015 and 0.0026, known to 0.003 to
#: 0.005 and 0.002 to 0.004.
_SYSTEMATIC = (0.005, -0.003)
QUANTITIES = ("gamma_over_nu", "beta_over_nu")


@dataclass(frozen=True)
class Effort:
    """How much is done: the only difference between a quick run and a full one."""

    draws: int
    seeds: int
    training_steps: int
    configurations: int
    stability_configurations: int


@dataclass(frozen=True)
class Plan:
    """A table of the talk: where it starts, how far it grows, and what the talk found.

    `talk` maps labels such as '32/64' to (gamma/nu, its error, beta/nu, its error), None where it is missing.
    `pair_sweeps` relax the coarse member of training pairs, `sweeps` every grown level; both were chosen on
    certificates of grown lattices beside direct ones, before exponents.
    """

    name: str
    side: int
    mass2: float
    quartic: float
    steps: int
    talk: dict[str, tuple[float | None, ...]]
    quick: Effort
    full: Effort
    chains: int = 128
    pair_sweeps: int = 2
    sweeps: int = 64

    @property
    def action(self) -> Phi4:
        """The simulated action, and the one that relaxation follows."""
        return Phi4(self.mass2, self.quartic)


def run_table(plan: Plan, out: Path, *, quick: bool, seed: int, progress: Progress | None) -> Result:
    """Reproduce a table; give its rows, figures and notes, and keep everything in `out`."""
    begun = time.perf_counter()
    compile_ahead(*of_updates("phi4"), *DRAWS, *MEASUREMENTS)
    effort = plan.quick if quick else plan.full
    report = partial(_report, progress)
    ensemble = sample(
        plan.action,
        Lattice((plan.side, plan.side)),
        chains=plan.chains,
        draws=effort.draws,
        seed=seed,
        out=out / "ensemble",
        progress=report(f"simulating {plan.side} x {plan.side}"),
    )
    recommended, regression = _learn_all(plan, ensemble, effort, seed, out, report("learning"))
    ratios, derivatives, grown = [], [], []
    for number in range(effort.seeds):
        told = f"seed {number + 1} of {effort.seeds}: "
        own = _share(ensemble, number, effort)
        relax = Relaxation(plan.action, plan.sweeps)
        growth = KeptGrowth(plan.steps, own, recommended[number], 16 * seed + number, out, relax)
        levels = growth.levels(f"grown-{number}", report(told + "growing"))
        pure = KeptGrowth(plan.steps, own, regression[number], 16 * seed + number, out, None)
        pure_levels = pure.levels(f"pure-{number}", report(told + "growing by the talk's map"))
        # Each seed grows configurations of its own, hence another seed of the resampling.
        ratios.append(critical_exponents(levels, ("ratio",), seed=number))
        derivatives.append(critical_exponents(pure_levels, seed=number))
        grown.append(levels)
    pure_table = combine_seeds(derivatives)
    table = combine_seeds(ratios).with_systematic("ratio", *_SYSTEMATIC)
    stability = _stability(plan, effort, ensemble, recommended[0], seed, out, report)
    rows = _exponent_rows(plan, table, "ratio") + _exponent_rows(plan, pure_table, "derivative")
    rows += stability
    figures = _draw(plan, out, table, pure_table, grown, stability)
    notes, seconds = _notes(plan, recommended, effort, grown), time.perf_counter() - begun
    result = Result(plan.name, rows, figures, seconds, notes, certificate(grown[0]))
    result.save(out)
    return result


def _report(progress: Progress | None, stage: str) -> Progress:
    def tell(done: float, total: float | None, message: str) -> None:
        if progress is not None:
            detail = message.removeprefix("learning, ").removeprefix("growing ").removeprefix("drawing, ")
            progress(done, total, f"{stage}, {detail}")

    return tell


def _share(ensemble: Ensemble, number: int, effort: Effort) -> Ensemble:
    """The configurations that one training seed grows: a part of the draws that no other seed has."""
    part = ensemble.draws // effort.seeds
    return thinned(ensemble.select(draws=slice(number * part, (number + 1) * part)), effort.configurations)


def _learn_all(
    plan: Plan, ensemble: Ensemble, effort: Effort, seed: int, out: Path, progress: Progress
) -> tuple[list[LearntInverse], list[LearntInverse]]:
    """The recommended inverse and the talk's for every training seed, several at once."""
    kinds: dict[str, dict[str, Any]] = {
        "inverse": {"relax": Relaxation(plan.action, plan.pair_sweeps), "steps": effort.training_steps},
        "regression": {"kind": "deterministic", "steps": max(100, effort.training_steps // 2)},
    }
    # Kinds side by side, so that later seeds find what the first one compiled.
    tasks = [(name, number) for number in range(effort.seeds) for name in kinds]
    found: dict[tuple[str, int], LearntInverse] = {}
    shares: dict[tuple[str, int], float] = {}

    def learn(task: tuple[str, int]) -> None:
        name, number = task

        def report(done: float, total: float | None, message: str) -> None:
            shares[task] = done / (total or 1.0)
            progress(sum(shares.values()), len(tasks), f"seed {number}, {message}")

        def make() -> LearntInverse:
            own = 16 * seed + number
            return learn_inverse(ensemble, MajorityMean(b=2), seed=own, progress=report, **kinds[name])

        found[task] = kept_inverse(out / f"{name}-{number}", make)
        shares[task] = 1.0

    for _ in in_parallel(learn, tasks):
        progress(sum(shares.values()), len(tasks), "learning")
    recommended, regression = ([found[name, number] for number in range(effort.seeds)] for name in kinds)
    return recommended, regression


def _stability(
    plan: Plan,
    effort: Effort,
    ensemble: Ensemble,
    inverse: LearntInverse,
    seed: int,
    out: Path,
    report: Callable[[str], Progress],
) -> list[dict[str, Any]]:
    """The exponents of the whole range under more sweeps and other start amplitudes, on the same configurations."""
    start = thinned(_share(ensemble, 0, effort), effort.stability_configurations)
    label = f"{plan.side}/{plan.side * 2**plan.steps}"
    variants = {f"{k * plan.sweeps} sweeps": (k * plan.sweeps, 1.0) for k in (1, 2, 4)}
    variants |= {f"start times {amplitude}": (plan.sweeps, amplitude) for amplitude in (1.05, 0.95)}
    rows: list[dict[str, Any]] = []
    first: ExponentTable | None = None
    for name, (sweeps, amplitude) in variants.items():
        growth = KeptGrowth(
            plan.steps, start, inverse, 16 * seed, out, Relaxation(plan.action, sweeps), amplitude
        )
        levels = growth.levels(f"stability-{sweeps}-{amplitude:g}", report(f"stability, {name}"))
        # What is grown from a scaled start is compared with the start as it was simulated.
        levels = replace(levels, ensembles=(start, *levels[1:]))
        table = critical_exponents(levels, ("ratio",), seed=0)
        first = first or table
        rows.append(_stability_row(label, name, table, first))
    return rows


def _stability_row(label: str, name: str, table: ExponentTable, first: ExponentTable) -> dict[str, Any]:
    index = [row.label for row in table.rows("ratio")].index(label)
    row = table.rows("ratio")[index]
    shift = table.values["ratio"][index] - first.values["ratio"][index]
    # Replicas of both tables resample the same configurations, so that their difference has a small error.
    error = (table.samples["ratio"][:, index] - first.samples["ratio"][:, index]).std(axis=0, ddof=1)
    return {
        "label": label,
        "variant": name,
        "gamma_over_nu": row.gamma_over_nu,
        "beta_over_nu": row.beta_over_nu,
        "gamma_over_nu_shift": Estimate(shift[0], error[0]),
        "beta_over_nu_shift": Estimate(shift[1], error[1]),
    }


def _exponent_rows(plan: Plan, table: ExponentTable, estimator: str) -> list[dict[str, Any]]:
    rows = []
    for row in table.rows(estimator):
        talk = plan.talk.get(row.label, (None,) * 4)
        known = {q: _estimate(talk[2 * k], talk[2 * k + 1]) for k, q in enumerate(QUANTITIES)}
        matrix = np.array(row.covariance)
        rows.append(
            {
                "label": row.label,
                "estimator": estimator,
                "gamma_over_nu": row.gamma_over_nu,
                "beta_over_nu": row.beta_over_nu,
                "correlation": float(matrix[0, 1] / np.sqrt(matrix[0, 0] * matrix[1, 1])),
                "reference": known,
                "exact": EXACT,
            }
        )
    return rows


def _estimate(value: float | None, error: float | None) -> Estimate | None:
    return None if value is None or error is None else Estimate(value, error)


def _draw(
    plan: Plan,
    out: Path,
    table: ExponentTable,
    pure: ExponentTable,
    grown: list[Levels],
    stability: list[dict[str, Any]],
) -> list[Path]:
    from kadanoff.plots.exponents import plot_exponents, plot_levels, plot_stability
    from kadanoff.plots.run import configurations

    with np.load(out / "grown-0-fields.npz") as file:
        fields = {f"L = {len(file[name])}": file[name] for name in file.files}
    return [
        plot_exponents(table, pure, plan.talk, EXACT, out / f"{plan.name}.png"),
        plot_levels(grown, out / "levels.png"),
        configurations(fields, out / "fields.png"),
        plot_stability(stability, out / "stability.png"),
    ]


def _notes(plan: Plan, inverses: list[LearntInverse], effort: Effort, grown: list[Levels]) -> list[str]:
    record = inverses[0]
    configurations = effort.seeds * grown[0][0].chains * grown[0][0].draws
    return [
        f"ratio: {record.describe()}; {plan.sweeps} Metropolis sweeps after each step",
        "derivative: the talk's regression map, pure, fed with simulated fields; from covariances with sum phi^2 / 2",
        f"{configurations} configurations, {effort.seeds} training seeds, each with configurations of its own; errors "
        "are the bootstrap over configurations and the spread over training seeds; those of pairs are correlated",
        f"errors of ratio include {_SYSTEMATIC[0]:g} and {-_SYSTEMATIC[1]:g} for gamma/nu and beta/nu, within which "
        "one step of growth is direct simulation's at the couplings of both tables, by the mean over eight trainings",
        "reference: the talk's table; no exponent entered training, growth or relaxation",
        "shifts are differences from the first stability row on the same configurations",
    ]
