"""Two-lattice matching: critical coupling and nu of the Ising model and of phi^4, from 64 x 64 and 32 x 32.

Both lattices are simulated at the critical coupling. The larger is blocked n + 1 times, the smaller n times; both are
reweighted by the actions they were simulated with, and matched by three observables at once. n = 0 is the plain
comparison of blocked and direct fields; how the answers settle as n grows shows its bias. Only the couplings that are
simulated are known beforehand: the curves are matched where they meet.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kadanoff.actions import Ising, Phi4
from kadanoff.ensemble import Ensemble
from kadanoff.experiments.result import Result
from kadanoff.lattice import Lattice
from kadanoff.renormalization.blocking import BlockingRule, Majority, MajorityMean, block
from kadanoff.renormalization.matching import MATCHED, Matching, match
from kadanoff.renormalization.totals import totals_ensemble
from kadanoff.response import conjugate_series
from kadanoff.sampling import sample
from kadanoff.sampling.run import Progress
from kadanoff.statistics import Estimate

__all__ = ["run"]

_STEPS = 3  # n = 0, 1, 2
_SIDES = (64, 32)


@dataclass(frozen=True)
class _System:
    """What is simulated, how it is blocked, and what is known of it.

    `parts` (quick, full) of `draws` configurations from each of `chains` are simulated, by the side of the lattice.
    """

    name: str
    action: Any
    coupling: str
    rule: BlockingRule
    critical: float
    chains: int
    thin: int
    draws: dict[int, tuple[int, int]]
    parts: tuple[int, int]


_SYSTEMS = (
    _System(
        "ising",
        Ising(np.log1p(np.sqrt(2)) / 2),
        "beta",
        Majority(b=2),
        float(np.log1p(np.sqrt(2)) / 2),
        chains=128,
        thin=4,
        draws={64: (96, 256), 32: (192, 512)},
        parts=(1, 10),
    ),
    _System(
        "phi4",
        Phi4(-0.9515, 0.7),
        "mass2",
        MajorityMean(b=2),
        -0.9515,
        chains=64,
        thin=6,
        draws={64: (32, 128), 32: (64, 256)},
        parts=(1, 4),
    ),
)


def run(out: Path, *, quick: bool, seed: int, progress: Progress | None = None) -> Result:
    """Simulate, block, match, draw the figures and save the result in `out`."""
    from kadanoff.plots.matching import plot_flow, plot_matchings

    begun = time.perf_counter()
    out = Path(out)
    report = progress or (lambda done, total, message: None)
    rows: list[dict[str, Any]] = []
    figures, notes = [], []
    for number, system in enumerate(_SYSTEMS):
        ladders = [_ladder(system, side, out, quick, 4 * seed + 2 * number, report) for side in _SIDES]
        found = _matched(system, ladders[0], ladders[1], seed)
        rows += [_row(system, step, each) for step, matchings in enumerate(found) for each in matchings]
        rows += [row for step, matchings in enumerate(found) for row in _differences(system, step, matchings)]
        figures += [
            plot_matchings(found, out / f"matching_{system.name}.png", critical=system.critical),
            plot_flow(found, out / f"matching_{system.name}_flow.png", critical=system.critical, nu=1.0),
        ]
        count = [
            f"{side}^2: {ladder[0].chains * ladder[0].draws}"
            for side, ladder in zip(_SIDES, ladders, strict=True)
        ]
        notes.append(
            f"{system.name}: simulated at {system.coupling} = {system.critical:.7g}; configurations {', '.join(count)}"
        )
    notes += [
        "n = 0 is biased by what one blocking step leaves of irrelevant couplings; each further step damps it",
        "rows of one n share their configurations: rows 'difference' come from common resamples",
    ]
    result = Result("matching", rows, figures, time.perf_counter() - begun, notes)
    result.save(out)
    return result


def _ladder(
    system: _System,
    side: int,
    out: Path,
    quick: bool,
    seed: int,
    report: Callable[[float, float | None, str], None],
) -> list[Ensemble]:
    """The simulated ensemble and the same blocked 1, 2, .. times, as totals; parts that are kept are read."""
    count = system.parts[0 if quick else 1]
    title = f"{system.name} {side}x{side}"
    parts = []
    for number in range(count):
        report(number, count, title)
        parts.append(_part(system, side, number, out, quick, seed))
    report(count, count, title)
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    ladder: list[Ensemble] = []
    lattice = Lattice((side, side))
    for step in range(_steps(side) + 1):
        ladder.append(
            totals_ensemble(
                joined[f"{step}/magnetization"],
                joined[f"{step}/neighbours"],
                lattice,
                action=None if step else system.action,
                conjugates=None if step else {system.coupling: joined["conjugate"]},
                parent=ladder[-1] if step else None,
                spins=bool(ladder[0].spins) if step else True,
            )
        )
        lattice = lattice.blocked(system.rule.b) if step < _steps(side) else lattice
    return ladder


def _steps(side: int) -> int:
    """The larger lattice is blocked once more."""
    return _STEPS if side == _SIDES[0] else _STEPS - 1


def _part(
    system: _System, side: int, number: int, out: Path, quick: bool, seed: int
) -> dict[str, np.ndarray]:
    """Totals of some simulated configurations and of their blocked descendants, read where they are kept."""
    draws = system.draws[side][0 if quick else 1]
    # Independent streams for the systems, the lattices and the parts.
    stream = 64 * (seed + _SIDES.index(side)) + number
    path = out / "totals" / f"{system.name}-{side}-{draws}-{stream}.npz"
    if path.exists():
        with np.load(path) as file:
            return {name: file[name] for name in file.files}
    ensemble = sample(
        system.action,
        Lattice((side, side)),
        chains=system.chains,
        draws=draws,
        thin=system.thin,
        thermalize=100,
        seed=stream,
    )
    found = {"conjugate": conjugate_series(ensemble, (system.coupling,))[system.coupling]}
    for step in range(_steps(side) + 1):
        volume = ensemble.lattice.volume
        raw = ensemble.raw(("magnetization", "neighbours"))
        found |= {f"{step}/{name}": values * volume for name, values in raw.items()}
        if step < _steps(side):
            ensemble = block(ensemble, system.rule, seed=stream)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".part.npz")
    np.savez(draft, **found)  # type: ignore[arg-type]
    draft.replace(path)
    return found


def _matched(
    system: _System, large: Sequence[Ensemble], small: Sequence[Ensemble], seed: int
) -> list[list[Matching]]:
    """One list of matchings an n, one observable an entry."""
    return [
        [
            match(large[step + 1], small[step], name, system.coupling, b=system.rule.b, seed=seed)
            for name in MATCHED
        ]
        for step in range(_STEPS)
    ]


def _row(system: _System, step: int, found: Matching) -> dict[str, Any]:
    """What a matching says, beside what is known, in standard errors."""
    known = {f"{system.coupling}_c": system.critical, "nu": 1.0, "slope": float(system.rule.b)}
    row = {"label": f"{system.name} n = {step}", **found.row(), "reference": known}
    row["pull"] = {name: row[name].pull(value) for name, value in known.items() if row[name] is not None}
    if not row["reason"]:
        del row["reason"]
    return row


def _differences(system: _System, step: int, matchings: Sequence[Matching]) -> list[dict[str, Any]]:
    """Differences of the critical coupling between observables, in standard errors."""
    rows = []
    first = matchings[0]
    for other in matchings[1:]:
        if first.critical is None or other.critical is None:
            continue
        zeros = [each.crossing.zeros for each in (first, other)]
        assert zeros[0] is not None and zeros[1] is not None
        difference = Estimate(
            other.critical.value - first.critical.value, float(np.std(zeros[1] - zeros[0], ddof=1))
        )
        rows.append(
            {
                "label": f"{system.name} n = {step}",
                "variant": "difference",
                "observable": f"{other.observable} - {first.observable}",
                "difference": difference,
                "pull": difference.pull(0.0),
            }
        )
    return rows
