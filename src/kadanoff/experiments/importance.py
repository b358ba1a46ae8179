"""Exact weights of grown Ising lattices: what is left of the sample against L, and free energies beside Kaufman's.

A law of the spins of a block, given the coarse field, is learnt on critical lattices and their majorities: six
numbers, or a network. It grows simulated lattices of half the side, and importance weights make them an exact sample
of the critical Ising model. The start follows the Ising model itself, or the action that maximum likelihood finds for
the blocked fields (nearest neighbours and diagonals), which is nearer to what the law was learnt on.
"""

import time
import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from kadanoff.actions import Ising, LongerRangeIsing
from kadanoff.errors import DepthWarning, OverlapWarning
from kadanoff.exact import kaufman
from kadanoff.experiments.result import Result
from kadanoff.experiments.stages import kept_inverse
from kadanoff.lattice import Lattice
from kadanoff.learning import fit_data
from kadanoff.renormalization import (
    ImportanceWeights,
    LearntInverse,
    Majority,
    block,
    grow,
    importance_weights,
    learn_inverse,
)
from kadanoff.sampling import SwendsenWang, sample
from kadanoff.sampling.run import Progress
from kadanoff.statistics import Estimate
from kadanoff.store.checkpoint import Checkpoint

__all__ = ["run"]

_BETA = 0.440687
_TARGET, _RULE = Ising(_BETA), Majority(b=2)
_LAWS = {"six numbers": "minimal", "network": "spins"}
_CHAINS = 128


@dataclass(frozen=True)
class _Effort:
    """How much is done: the only difference between a quick run and a full one."""

    training: int
    steps: int
    draws: int
    sides: tuple[int, ...]


_QUICK = _Effort(48, 200, 32, (4, 8))
_FULL = _Effort(128, 600, 128, (4, 8, 16))


def run(out: Path, *, quick: bool, seed: int, progress: Progress | None = None) -> Result:
    """Learn the laws and the action of the start, grow, weigh, draw the figure and save the result in `out`."""
    from kadanoff.plots.importance import plot_importance

    begun = time.perf_counter()
    effort, runs = (_QUICK if quick else _FULL), Path(out) / "simulations"
    draw = partial(sample, chains=_CHAINS, thermalize=200, progress=progress)
    clusters = SwendsenWang()
    training = draw(
        _TARGET,
        Lattice((16, 16)),
        draws=effort.training,
        sampler=clusters,
        seed=64 * seed,
        out=runs / "training",
    )
    laws = {
        name: kept_inverse(
            Path(out) / f"inverse-{kind}",
            partial(
                learn_inverse,
                training,
                _RULE,
                kind=kind,
                steps=effort.steps,
                seed=64 * seed + number,
                progress=progress,
            ),
        )
        for number, (name, kind) in enumerate(_LAWS.items(), start=1)
    }
    fit = fit_data(
        LongerRangeIsing(_BETA),
        block(training, _RULE, seed=seed),
        train=("nearest", "diagonal"),  # the third kind of pairs needs three dimensions
        seed=seed,
        progress=progress,
        checkpoint=Checkpoint(Path(out) / "fit"),
    )
    rows: list[dict[str, Any]] = []
    found: dict[tuple[str, str], list[ImportanceWeights]] = {}
    for number, side in enumerate(effort.sides):
        for place, (start, action) in enumerate({"Ising": _TARGET, "the fitted action": fit.model}.items()):
            small = draw(
                action,
                Lattice((side, side)),
                draws=effort.draws,
                thin=2 if action is _TARGET else 16,
                sampler=clusters if action is _TARGET else None,
                seed=64 * seed + 8 + 2 * number + place,
                out=runs / f"{start.split()[-1]}-{side}",
            )
            for name, law in laws.items():
                weights = _weigh(small, law, 64 * seed + 32 + number)
                rows.append(_row(name, start, side, weights))
                found.setdefault((name, start), []).append(weights)
    figure = plot_importance(
        {f"{name}, from {start}": each for (name, start), each in found.items()}, Path(out) / "importance.png"
    )
    notes = [
        *(f"{name}: {law.describe()}" for name, law in laws.items()),
        "action of the blocked fields by maximum likelihood: "
        + ", ".join(f"{name} {estimate}" for name, estimate in fit.couplings.items() if estimate.error > 0),
        f"{_CHAINS * effort.draws} configurations at each side; effective: share of them that is left",
        "free energies are differences to the simulated start, and known where that is the Ising model",
    ]
    result = Result("importance", rows, [figure], time.perf_counter() - begun, notes)
    result.save(out)
    return result


def _weigh(start: Any, law: LearntInverse, seed: int) -> ImportanceWeights:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DepthWarning)  # the weights answer for it
        warnings.simplefilter("ignore", OverlapWarning)  # what is left is a column
        return importance_weights(grow(start, law, seed=seed), _TARGET)


def _row(name: str, start: str, side: int, weights: ImportanceWeights) -> dict[str, Any]:
    """What is left, and energy and free energy beside the exact ones."""
    coarse, fine = kaufman(_BETA, side), kaufman(_BETA, 2 * side)
    row: dict[str, Any] = {"label": f"{side} -> {2 * side}", "variant": f"{name}, from {start}"}
    row |= {key: value for key, value in weights.row().items() if key in ("effective", "divergence_per_site")}
    reference: dict[str, Estimate] = {}
    if start == "Ising":
        known = coarse.log_partition - fine.log_partition
        row |= {
            "free_energy_difference": weights.free_energy_difference,
            "free_energy_pull": weights.free_energy_difference.pull(known),
        }
        reference["free_energy_difference"] = Estimate(known, 0.0)
    if weights.effective * weights.log_weight.size > _CHAINS:
        energy = weights.ensemble().observe("energy")
        row |= {"energy": energy, "energy_pull": energy.pull(fine.energy)}
        reference["energy"] = Estimate(fine.energy, 0.0)
    return {**row, "reference": reference}
