"""Two-lattice matching: critical coupling and nu of the Ising model and of phi^4, from 64 x 64 and 32 x 32.

Both lattices are simulated at the critical coupling. The larger is blocked n + 1 times, the smaller n times; both are
reweighted by the actions they were simulated with, and matched by several observables at once. n = 0 is the plain
comparison of blocked and direct fields; how the answers settle as n grows shows its bias. Only the couplings that are
simulated are known beforehand: the curves are matched where they meet.

The default rule of phi^4 is homogeneous, RG(c phi) = c RG(phi): the amplitude of the fields is a neutral direction,
in which no step brings blocked and direct fields together. Observables that contain the amplitude keep a bias, in nu
above all; the Binder cumulant does not contain it, and the majority rule removes it, leaving signs.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kadanoff.actions import Ising, Phi4
from kadanoff.ensemble import Ensemble
from kadanoff.errors import StoreError
from kadanoff.experiments.result import Result
from kadanoff.lattice import Lattice
from kadanoff.renormalization.blocking import BlockingRule, Majority, MajorityMean, block
from kadanoff.renormalization.matching import MATCHED, Matching, match
from kadanoff.renormalization.totals import totals_ensemble
from kadanoff.reweighting.response import conjugate_series
from kadanoff.sampling import sample
from kadanoff.sampling.run import Progress
from kadanoff.statistics import Estimate
from kadanoff.store.durable import atomic_write
from kadanoff.store.state import pack_state, unpack_state

__all__ = ["run"]

_STEPS = 3  # n = 0, 1, 2
_SIDES = (64, 32)
_B = 2
_SERIES = ("magnetization", "neighbours")


@dataclass(frozen=True)
class _System:
    """What is simulated, how it is blocked, and what is known of it.

    `rules` are by the label of their rows, each with its first n: signs cannot be compared with plain fields. `parts`
    (quick, full) of `draws` configurations from each of `chains` are simulated, by the side of the lattice.
    """

    name: str
    action: Any
    coupling: str
    rules: dict[str, tuple[BlockingRule, int]]
    names: tuple[str, ...]
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
        {"ising": (Majority(b=_B), 0)},
        MATCHED,
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
        {"phi4": (MajorityMean(b=_B), 0), "phi4 signs": (Majority(b=_B), 1)},
        (*MATCHED, "binder"),
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
        totals = [_totals(system, side, out, quick, 4 * seed + 2 * number, report) for side in _SIDES]
        for label, (_, first) in system.rules.items():
            large, small = (
                _ladder(system, label, side, series) for side, series in zip(_SIDES, totals, strict=True)
            )
            found = {n: _matched(system, large[n + 1], small[n], seed) for n in range(first, _STEPS)}
            for step, matchings in found.items():
                rows += [_row(system, f"{label} n = {step}", each) for each in matchings]
                rows += _differences(f"{label} n = {step}", matchings)
            path = out / f"matching_{label.replace(' ', '_')}"
            figures += [
                plot_matchings(found, path.with_suffix(".png"), critical=system.critical),
                plot_flow(found, path.with_name(f"{path.name}_flow.png"), critical=system.critical, nu=1.0),
            ]
        count = [f"{side}^2: {series['conjugate'].size}" for side, series in zip(_SIDES, totals, strict=True)]
        at = f"{system.coupling} = {system.critical:.7g}"
        notes.append(f"{system.name}: simulated at {at}; configurations {', '.join(count)}")
    notes += [
        "n = 0 is biased by what one blocking step leaves of irrelevant couplings; each further step damps it",
        "rows of one n share their configurations: rows 'difference' come from common resamples",
        "phi4: the rule majority-mean is homogeneous, so the amplitude is a neutral direction and biases nu of |m|, "
        "m^2 and neighbours at any n; the Binder cumulant is free of it, and so are signs (rule majority)",
    ]
    result = Result("matching", rows, figures, time.perf_counter() - begun, notes)
    result.save(out)
    return result


def _totals(
    system: _System,
    side: int,
    out: Path,
    quick: bool,
    seed: int,
    report: Callable[[float, float | None, str], None],
) -> dict[str, np.ndarray]:
    """Totals of all parts, (chain, draw); parts that are kept are read, others are simulated."""
    count = system.parts[0 if quick else 1]
    parts = []
    for number in range(count):
        report(number, count, f"{system.name} {side}x{side}")
        parts.append(_part(system, side, number, out, quick, seed))
    report(count, count, f"{system.name} {side}x{side}")
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _ladder(system: _System, label: str, side: int, totals: dict[str, np.ndarray]) -> list[Ensemble]:
    """The simulated ensemble and the same blocked 1, 2, .. times, as totals."""
    ladder: list[Ensemble] = []
    for step in range(_steps(side) + 1):
        magnetization, neighbours = (totals[f"{label}/{step}/{name}"] for name in _SERIES)
        root: dict[str, Any] = {"action": system.action, "conjugates": {system.coupling: totals["conjugate"]}}
        origin: dict[str, Any] = {"parent": ladder[-1]} if step else root
        lattice = Lattice((side // _B**step,) * 2)
        ladder.append(totals_ensemble(magnetization, neighbours, lattice, **origin))
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
        try:
            return unpack_state(path.read_bytes())
        except (OSError, ValueError) as error:
            raise StoreError(f"{path} is damaged: delete it, and it is simulated again") from error
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
    for label, (rule, _) in system.rules.items():
        level = ensemble
        for step in range(_steps(side) + 1):
            level = block(level, rule, seed=stream) if step else level
            for name, values in level.raw(_SERIES).items():
                found[f"{label}/{step}/{name}"] = values * level.lattice.volume
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, pack_state(found))
    return found


def _matched(system: _System, blocked: Ensemble, direct: Ensemble, seed: int) -> list[Matching]:
    """Match every observable."""
    return [match(blocked, direct, name, system.coupling, b=_B, seed=seed) for name in system.names]


def _row(system: _System, label: str, found: Matching) -> dict[str, Any]:
    """What a matching says, beside what is known, in standard errors."""
    known = {f"{system.coupling}_c": system.critical, "nu": 1.0, "slope": float(_B)}
    row = {"label": label, **found.row(), "reference": known}
    row["pull"] = {
        name: None if row[name] is None else row[name].pull(value) for name, value in known.items()
    }
    if not row["reason"]:
        del row["reason"]
    return row


def _differences(label: str, matchings: Sequence[Matching]) -> list[dict[str, Any]]:
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
                "label": label,
                "variant": "difference",
                "observable": f"{other.observable} - {first.observable}",
                "difference": difference,
                "pull": difference.pull(0.0),
            }
        )
    return rows
