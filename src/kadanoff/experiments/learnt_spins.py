"""Learnt inverses of the majority rule: fields that they grow, beside direct ones, with the spread over trainings.

Every kind is trained several times, with seeds of its own. Rows hold the mean over the trainings, and errors the
variance of that mean beside the statistical one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kadanoff.ensemble import Ensemble
from kadanoff.exact import kaufman
from kadanoff.experiments.spin_rows import COMPARED, CRITICAL, grow_quietly, slope_row, with_pulls
from kadanoff.experiments.stages import kept_inverse
from kadanoff.renormalization import (
    CompatibleMonteCarlo,
    LearntInverse,
    Majority,
    Relaxation,
    combine_seeds,
    critical_exponents,
    learn_inverse,
    stability_matrix,
)
from kadanoff.renormalization.operators import SPIN_OPERATORS
from kadanoff.sampling.run import Progress
from kadanoff.statistics import Estimate

__all__ = ["Trained", "beside_rows", "learn", "slope_rows"]

#: Kinds and the depths of their training fields: simulated ones, and blocked twice, near the rule's fixed point.
_KINDS = (("minimal", 0), ("spins", 0), ("spins", 2))
_RELAXED = ("spins", 0)

#: Operators of the stability matrix, which the few configurations of a quick run can still tell apart.
_OPERATORS = tuple(
    o for o in SPIN_OPERATORS if o.name in ("nearest", "diagonal", "plaquette", "magnetization", "corner")
)
_SECTORS = {"y_T": ("even", 1.0), "y_H": ("odd", 1.875)}


@dataclass(frozen=True)
class Trained:
    """One kind of inverse, learnt with several seeds."""

    inverses: tuple[LearntInverse, ...]

    @property
    def name(self) -> str:
        """As rows call it."""
        return f"{self.inverses[0].kind}, depth {self.inverses[0].depth}"


def learn(
    direct: Ensemble,
    *,
    trainings: int,
    width: int,
    steps: int,
    seed: int,
    out: Path,
    progress: Progress | None,
) -> list[Trained]:
    """Minimal and full inverses, each with `trainings` seeds, kept in the folder `out`."""

    def learnt(kind: str, depth: int, training: int) -> LearntInverse:
        return kept_inverse(
            out / f"{kind}-{depth}-{training}",
            lambda: learn_inverse(
                direct,
                Majority(b=2),
                depth,
                kind=kind,
                seed=100 * seed + training,
                width=width,
                steps=steps,
                kernels=(3, 1),
                progress=progress,
            ),
        )

    return [Trained(tuple(learnt(*which, training) for training in range(trainings))) for which in _KINDS]


def beside_rows(
    blocked: Ensemble,
    learnt: Sequence[Trained],
    direct: dict[int, Ensemble],
    *,
    sweeps: int,
    samples: int,
    seed: int,
    progress: Progress | None,
) -> list[dict[str, Any]]:
    """Every level of fields blocked once and grown, beside direct ones; the exponents of the largest by their blocks.

    Energies are compared with Kaufman's exact ones. The exponents y_T and y_H are from the stability matrix of the
    second blocking step, of grown and of direct fields alike.
    """
    action = direct[16].action
    ways: list[tuple[str, Sequence[Any], Relaxation | None]] = [
        ("compatible", [CompatibleMonteCarlo(action, sweeps=sweeps)], None)
    ]
    ways += [(trained.name, trained.inverses, None) for trained in learnt]
    relaxed = learnt[_KINDS.index(_RELAXED)]
    ways.append((f"{_RELAXED[0]}, relaxed by 2 sweeps", relaxed.inverses, Relaxation(action, 2)))
    largest = max(direct)
    known = _eigenvalues(direct[largest], samples, seed)
    exact = {name: Estimate(value, 0.0) for name, (_, value) in _SECTORS.items()}
    rows: list[dict[str, Any]] = []
    eigenvalues = [with_pulls({"label": f"{largest}, blocked", "variant": "direct", **known}, exact)]
    for name, inverses, relax in ways:
        grown = [grow_quietly(blocked, inverse, 3, seed, progress, relax) for inverse in inverses]
        for place, level in enumerate(grown[0]):
            side = level.lattice.longest
            if place == 0:
                continue
            row = {"label": f"8 -> {side}", "variant": name} | {
                n: _combined([levels[place].observe(n) for levels in grown]) for n in COMPARED
            }
            there = {n: direct[side].observe(n) for n in COMPARED}
            there["energy"] = Estimate(kaufman(CRITICAL[2], side).energy, 0.0)
            rows.append(with_pulls(row, there))
        found = [_eigenvalues(levels[-1], samples, seed) for levels in grown]
        both = {n: _combined([each[n] for each in found]) for n in _SECTORS}
        eigenvalues.append(with_pulls({"label": f"8 -> {largest}, blocked", "variant": name, **both}, known))
    return rows + eigenvalues


def slope_rows(
    start: Ensemble, learnt: Sequence[Trained], *, seed: int, progress: Progress | None
) -> list[dict[str, Any]]:
    """Slopes of levels grown from the simulated start, the same as compatible Monte Carlo's."""
    rows = []
    for trained in learnt:

        def table(inverse: LearntInverse) -> Any:
            return critical_exponents(grow_quietly(start, inverse, 4, seed, progress), ("ratio",), seed=seed)

        slope = combine_seeds([table(inverse) for inverse in trained.inverses])
        first = slope.sides[0]
        rows.append(slope_row(slope.slope(first, 16 * first), 2, trained.name))
    return rows


def _eigenvalues(ensemble: Ensemble, samples: int, seed: int) -> dict[str, Estimate]:
    """y_T and y_H of the second blocking step, by the whole family."""
    table = stability_matrix(ensemble, Majority(b=2), 2, _OPERATORS, samples=samples, seed=seed)
    return {name: table.select(sector, step=2)[-1].exponent for name, (sector, _) in _SECTORS.items()}


def _combined(estimates: Sequence[Estimate]) -> Estimate:
    """Mean over trainings that share their configurations, with the variance of that mean beside the shared error."""
    values = np.array([each.value for each in estimates])
    spread = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0
    return Estimate(values.mean(), float(np.hypot(np.mean([each.error for each in estimates]), spread)))
