"""Inverse renormalization of Ising spins: compatible Monte Carlo and learnt inverses of the majority rule.

Compatible Monte Carlo draws fine spins that keep every block's majority. Blocked 32 x 32 fields turn back into the
fine law: that is checked first, against its sweeps. Then 8 x 8 and 8^3 fields, simulated at the known critical
couplings, are grown at them, and the exponents read off as slopes. Learnt inverses, which are told no coupling, are
grown beside it from fields that were blocked once, with direct simulations of every size.
"""

import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from kadanoff.actions import Ising
from kadanoff.ensemble import Ensemble
from kadanoff.errors import DepthWarning
from kadanoff.exact import kaufman
from kadanoff.experiments.result import Result
from kadanoff.experiments.two_samples import compare
from kadanoff.lattice import Lattice
from kadanoff.observables import evaluate, observable
from kadanoff.renormalization import (
    CompatibleMonteCarlo,
    ExponentRow,
    LearntInverse,
    Levels,
    Majority,
    Relaxation,
    block,
    critical_exponents,
    grow,
    learn_inverse,
)
from kadanoff.renormalization.inverse.measured import measured
from kadanoff.sampling import SwendsenWang, sample
from kadanoff.sampling.run import Progress
from kadanoff.statistics import Estimate, jackknife

__all__ = ["run"]

_CRITICAL = {2: float(np.log(1 + np.sqrt(2)) / 2), 3: 0.22165463}
#: beta/nu and gamma/nu, compared with only: exact in 2D, of the conformal bootstrap in 3D.
_EXPONENTS = {2: (0.125, 1.75), 3: (0.51815, 1.96370)}
_COMPARED = ("energy", "binder", "xi_over_L", "abs_magnetization")
_START, _CHAINS = 8, 64


@dataclass(frozen=True)
class _Effort:
    """How much is done: the only difference between a quick run and a full one.

    `grown` draws of a chain by dimension, grown to `largest`; `draws` of direct simulations by side; `sweeps` of
    compatible Monte Carlo, the last number of which is taken for the slopes.
    """

    grown: dict[int, int]
    largest: dict[int, int]
    draws: dict[int, int]
    sweeps: tuple[int, ...]
    width: int
    steps: int


_QUICK = _Effort({2: 4, 3: 4}, {2: 512, 3: 32}, {16: 32, 32: 48, 64: 12}, (1, 4, 16), 4, 150)
_FULL = _Effort({2: 16, 3: 16}, {2: 512, 3: 64}, {16: 96, 32: 128, 64: 64}, (1, 2, 4, 8, 16), 8, 600)


def run(out: Path, *, quick: bool, seed: int, progress: Progress | None = None) -> Result:
    """Simulate, invert, grow, learn, compare, draw the figures and save the result in `out`."""
    from kadanoff.plots.inverse_ising import plot_bias, plot_fields, plot_slopes

    begun = time.perf_counter()
    effort = _QUICK if quick else _FULL
    tell = partial(_simulate, seed, progress)
    direct = {side: tell(2, side, draws) for side, draws in effort.draws.items()}
    rows = _inverted_rows(direct[32], effort, seed)
    levels: dict[int, Levels] = {}
    bias: dict[int, list[dict[str, Any]]] = {}
    for dimension in (2, 3):
        start = tell(dimension, _START, effort.grown[dimension])
        levels[dimension], bias[dimension] = _compatible(dimension, start, effort, seed, progress)
        rows += bias[dimension]
    fields = [np.asarray(level.fields)[0, -1] for level in levels[2]]
    pictures = plot_fields(fields, out / "fields.png")
    learnt = _learn(direct[64], effort, seed, progress)
    # Blocked once: what an inverse of depth 0 is right for. Simulated afresh, so that nothing learnt is grown.
    blocked = block(_simulate(seed + 1, progress, 2, 16, effort.draws[16]), Majority(b=2), seed=seed)
    rows += _beside_rows(blocked, learnt, direct, effort, seed, progress)
    rows += _slope_rows_of_learnt(levels[2][0], learnt, seed, progress)
    measurements = {dimension: measured(found) for dimension, found in levels.items()}
    figures = [
        pictures,
        plot_slopes(measurements, _EXPONENTS, out / "slopes.png"),
        plot_bias(rows, _EXPONENTS, out / "bias.png", energy=kaufman(_CRITICAL[2], 32).energy),
    ]
    result = Result("inverse-ising", rows, figures, time.perf_counter() - begun, _notes(learnt))
    result.save(out)
    return result


def _simulate(seed: int, progress: Progress | None, dimension: int, side: int, draws: int) -> Ensemble:
    return sample(
        Ising(_CRITICAL[dimension]),
        Lattice((side,) * dimension),
        chains=_CHAINS,
        draws=draws,
        thin=8 if side == _START else 4,
        thermalize=100,
        sampler=SwendsenWang(),
        seed=1000 * seed + 10 * side + dimension,  # matched ensembles must be independent
        progress=progress,
    )


def _compared(estimate: Estimate, reference: Estimate) -> float:
    """Difference over the error of both."""
    return float((estimate.value - reference.value) / np.hypot(estimate.error, reference.error))


def _with_pulls(row: dict[str, Any], reference: Mapping[str, Estimate]) -> dict[str, Any]:
    pulls = {f"{name}_pull": _compared(row[name], known) for name, known in reference.items()}
    return {**row, **pulls, "reference": dict(reference)}


def _inverted_rows(direct: Ensemble, effort: _Effort, seed: int) -> list[dict[str, Any]]:
    """Direct fields, blocked and inverted: differences from the fields themselves, and the energy's distribution."""
    blocked = block(direct, Majority(b=2), seed=seed)
    rows = []
    for sweeps in effort.sweeps:
        fine = grow(blocked, CompatibleMonteCarlo(direct.action, sweeps=sweeps), seed=seed)[-1]
        row: dict[str, Any] = {"label": "32 blocked and inverted", "variant": f"{sweeps} sweeps"}
        for name in _COMPARED:
            row[name] = fine.observe(name)
            row[f"{name}_pull"] = _pull_of_pairs(fine, direct, name)
        true, drawn = ({"energy": list(each.series("energy"))} for each in (direct, fine))
        found = compare(true, drawn, seed)["energy"]
        row |= {"energy_distance": found.distance, "energy_p_value": found.p_value}
        known = Estimate(kaufman(_CRITICAL[2], 32).energy, 0.0)
        rows.append({**row, "reference": {"energy": known}})
    return rows


def _pull_of_pairs(fine: Ensemble, direct: Ensemble, name: str) -> float:
    """Difference of an observable over its error, by a jackknife over chains that keeps what the two share."""
    entry = observable(name)
    function = evaluate(entry, direct.lattice)
    both = np.concatenate([fine.primaries(entry), direct.primaries(entry)])
    half = len(both) // 2
    found = jackknife(lambda means: np.atleast_1d(function(means[:half]) - function(means[half:])), both)
    return float(found.values[0] / found.errors[0])


def _compatible(
    dimension: int, start: Ensemble, effort: _Effort, seed: int, progress: Progress | None
) -> tuple[Levels, list[dict[str, Any]]]:
    """Levels by the most sweeps, and rows of slopes by the number of sweeps, all from the same start."""
    rows: list[dict[str, Any]] = []
    levels: Levels | None = None
    for sweeps in effort.sweeps:
        last = sweeps == effort.sweeps[-1]
        # The bias of few sweeps shows on three steps already.
        largest = effort.largest[dimension] if last else min(effort.largest[dimension], 64)
        inverse = CompatibleMonteCarlo(start.action, sweeps=sweeps, dimension=dimension)
        levels = _quietly(start, inverse, int(np.log2(largest // _START)), seed, progress)
        table = critical_exponents(levels, ("ratio",), seed=seed)
        pairs = [(_START, min(largest, 64)), *((first, largest) for first in (_START, 32) if largest > 64)]
        for first, side in pairs:
            row = _slope_row(table.slope(first, side), dimension, f"compatible, {sweeps} sweeps")
            rows.append({**row, "sweeps": sweeps})
    assert levels is not None
    return levels, rows


def _slope_row(slope: ExponentRow, dimension: int, variant: str) -> dict[str, Any]:
    names = ("beta_over_nu", "gamma_over_nu")
    row = {"label": f"{dimension}D {slope.label}", "variant": variant, "estimator": "slope"}
    row |= {"beta_over_nu": slope.beta_over_nu, "gamma_over_nu": slope.gamma_over_nu}
    known = {n: Estimate(v, 0.0) for n, v in zip(names, _EXPONENTS[dimension], strict=True)}
    return _with_pulls(row, known)


def _learn(direct: Ensemble, effort: _Effort, seed: int, progress: Progress | None) -> list[LearntInverse]:
    """Minimal and full inverses, of simulated fields and of fields blocked twice, near the rule's fixed point."""
    kinds = (("minimal", 0), ("spins", 0), ("spins", 2))
    return [
        learn_inverse(
            direct,
            Majority(b=2),
            depth,
            kind=kind,
            seed=seed,
            width=effort.width,
            steps=effort.steps,
            kernels=(3, 1),
            progress=progress,
        )
        for kind, depth in kinds
    ]


def _beside_rows(
    blocked: Ensemble,
    learnt: list[LearntInverse],
    direct: dict[int, Ensemble],
    effort: _Effort,
    seed: int,
    progress: Progress | None,
) -> list[dict[str, Any]]:
    """Every level of fields blocked once and grown, beside direct ones; energies beside Kaufman's exact ones."""
    action = direct[16].action
    compatible = CompatibleMonteCarlo(action, sweeps=effort.sweeps[-1])
    ways: list[tuple[str, Any, Relaxation | None]] = [("compatible", compatible, None)]
    for inverse in learnt:
        ways.append((_name(inverse), inverse, None))
    ways.append(("spins, relaxed by 2 sweeps", learnt[1], Relaxation(action, 2)))
    rows = []
    for name, inverse, relax in ways:
        levels = _quietly(blocked, inverse, 3, seed, progress, relax)
        for level in list(levels)[1:]:
            side = level.lattice.longest
            row = {"label": f"8 -> {side}", "variant": name} | {n: level.observe(n) for n in _COMPARED}
            known = {n: direct[side].observe(n) for n in _COMPARED}
            known["energy"] = Estimate(kaufman(_CRITICAL[2], side).energy, 0.0)
            rows.append(_with_pulls(row, known))
    return rows


def _slope_rows_of_learnt(
    start: Ensemble, learnt: list[LearntInverse], seed: int, progress: Progress | None
) -> list[dict[str, Any]]:
    """Slopes of levels that learnt inverses grew from the simulated start, the same as compatible Monte Carlo's."""
    rows = []
    for inverse in learnt:
        levels = _quietly(start, inverse, 4, seed, progress)
        slope = critical_exponents(levels, ("ratio",), seed=seed).slope(_START, 128)
        rows.append(_slope_row(slope, 2, _name(inverse)))
    return rows


def _name(inverse: LearntInverse) -> str:
    return f"{inverse.kind}, depth {inverse.depth}"


def _quietly(
    start: Ensemble,
    inverse: Any,
    steps: int,
    seed: int,
    progress: Progress | None,
    relax: Relaxation | None = None,
) -> Levels:
    """Grow without the warning of another input depth: the notes say what the maps are fed with."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DepthWarning)
        return grow(start, inverse, steps, relax, seed=seed, progress=progress)


def _notes(learnt: list[LearntInverse]) -> list[str]:
    numbers = [float(leaf) for leaf in jax.tree_util.tree_leaves(learnt[0].map)]
    return [
        *(inverse.describe() for inverse in learnt),
        "the minimal inverse's numbers, own spin, what lies beside, coupling of links, for the first and the second "
        f"colour of blocks: {', '.join(f'{number:.4f}' for number in numbers)}; exact for the second colour are 0, "
        f"beta, beta with beta = {_CRITICAL[2]:.4f}, which it was not told",
        "simulated and grown by compatible Monte Carlo at the known critical couplings; no exponent enters",
        "rows '32 blocked and inverted': pulls are against the fields that were blocked, by a jackknife over chains "
        "that keeps what both share; energy_p_value is Kolmogorov's for the distribution of the energy",
        "slopes are straight lines, log against log, through all levels; errors are a bootstrap over the simulated "
        "configurations, which all levels share, and hold no systematic error",
        "compatible Monte Carlo is exact for one step. Iterated, every step takes the nearest-neighbour action for "
        "the finer fields, which are the blocks of the next step, and whose action at the fixed point has further "
        "couplings. Its slopes are therefore off by a little that no number of sweeps removes; fewer sweeps bias them "
        "too, and where the two cancel is no result",
        "the inverse learnt at depth 2 reads fields near the fixed point of the rule, where one map may serve all "
        "steps; its energies are those of twice blocked fields, not of the nearest-neighbour action; errors hold the "
        "configurations, not the training",
    ]
