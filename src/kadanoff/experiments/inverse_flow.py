"""The inverse flow: off criticality every grown level lies closer to the critical coupling, and xi grows by b.

Fields of 32 x 32 are simulated at the critical mass and on both sides of it, and grown by a pure map (no relaxation,
so that the response to the simulated coupling stays): a conditional density learnt at the critical mass on pairs whose
coarse member was relaxed by two sweeps, which makes blocked fields look like simulated ones. Each level is matched to
direct simulations of its size: the effective coupling, whose slope is b^{-1/nu} a step. One map serves all couplings.
"""

import time
import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from kadanoff.actions import Phi4
from kadanoff.compiled.compilation import compile_ahead
from kadanoff.compiled.purposes import DRAWS, MEASUREMENTS, of_updates
from kadanoff.ensemble import Ensemble
from kadanoff.errors import DepthWarning, OverlapError
from kadanoff.experiments.correlation_lengths import length_rows
from kadanoff.experiments.effective_coupling import Resamples, effective_coupling, level_values, slope
from kadanoff.experiments.result import Result
from kadanoff.experiments.stages import kept_inverse
from kadanoff.lattice import Lattice
from kadanoff.renormalization import LearntInverse, MajorityMean, Relaxation, grow, learn_inverse
from kadanoff.renormalization.crossing import Crossing, find_crossing
from kadanoff.sampling import sample
from kadanoff.sampling.run import Progress
from kadanoff.statistics import Estimate

__all__ = ["run"]

_CRITICAL, _QUARTIC, _SIDE, _B = -0.9515, 0.7, 32, 2
_MATCHED = ("xi_over_L", "binder", "abs_magnetization")  # the first is drawn; see `_notes` for why
_CROSSED = ("abs_magnetization", "susceptibility", "binder", "xi_over_L")
_SAMPLES = 400
_FAR = 0.1  # offset of a simulation in the disordered phase whose xi is small against 32


@dataclass(frozen=True)
class _Effort:
    """How much is done: the only difference between a quick run and a full one.

    `draws` of a chain by lattice side, `grown` configurations at the critical mass (half as many off it), `largest`
    of them one step further, to 256 x 256.
    """

    offsets: tuple[float, ...]
    chains: int
    draws: dict[int, int]
    width: int
    steps: int
    grown: int
    largest: int


_QUICK = _Effort((-0.05, 0.0, 0.05), 32, {32: 32, 64: 48, 128: 20}, 8, 200, 1024, 64)
_FULL = _Effort((-0.05, -0.025, 0.0, 0.025, 0.05), 64, {32: 48, 64: 100, 128: 64}, 16, 600, 3072, 512)


def run(out: Path, *, quick: bool, seed: int, progress: Progress | None = None) -> Result:
    """Simulate, learn, grow, match to direct simulations, draw the figures and save the result in `out`."""
    begun, out = time.perf_counter(), Path(out)
    compile_ahead(*of_updates("phi4"), *DRAWS, *MEASUREMENTS)
    effort = _QUICK if quick else _FULL
    tell = partial(_simulate, effort, seed, out, progress)
    starts = {offset: tell(_SIDE, offset) for offset in effort.offsets}
    # Direct fields near where their levels are expected; matching reweights them, so any place in reach would do.
    direct = {
        side: {offset: tell(side, offset * _SIDE / side) for offset in effort.offsets}
        for side in (2 * _SIDE, 4 * _SIDE)
    }
    action = Phi4(_CRITICAL, _QUARTIC)
    inverse = kept_inverse(
        out / "inverse",
        lambda: learn_inverse(
            starts[0.0],
            MajorityMean(b=_B),
            relax=Relaxation(action, 2),
            seed=seed,
            progress=progress,
            width=effort.width,
            steps=effort.steps,
        ),
    )
    levels = {
        offset: _grow(start, inverse, effort, offset, seed, progress) for offset, start in starts.items()
    }
    couplings = _effective_couplings(levels, direct, seed)
    crossings = {
        (side, name): _cross(levels[0.0][step], direct[side][0.0], name, seed)
        for step, side in enumerate(direct, start=1)
        for name in _CROSSED
    }
    rows = _slope_rows(effort, couplings) + _coupling_rows(effort, couplings)
    rows += [_crossing_row(side, name, found) for (side, name), found in crossings.items()]
    far = _grow(tell(_SIDE, _FAR), inverse, effort, _FAR, seed, progress)
    off = {offset: grown for offset, grown in levels.items() if offset} | {_FAR: far}
    for number, (offset, grown) in enumerate(off.items()):
        label = f"at {_CRITICAL + offset:.4f}"
        rows += length_rows(grown, label, _B, _SAMPLES, 2000 + 8 * seed + number, disordered=offset > 0)
    rows = [_with_pulls(row) for row in rows]
    figures = _draw(levels, direct, couplings, rows, out)
    result = Result("inverse-flow", rows, figures, time.perf_counter() - begun, _notes(inverse))
    result.save(out)
    return result


def _simulate(
    effort: _Effort, seed: int, out: Path, progress: Progress | None, side: int, offset: float
) -> Ensemble:
    mass2 = _CRITICAL + offset

    def report(done: float, total: float | None, message: str) -> None:
        if progress is not None:
            progress(done, total, f"{message.split(',')[0]} {side}x{side} at {mass2:.5g}")

    return sample(
        Phi4(mass2, _QUARTIC),
        Lattice((side, side)),
        chains=effort.chains,
        draws=effort.draws[side],
        # Growth costs more than simulation: its configurations are spaced to be nearly independent.
        thin=24 if side == _SIDE else 8,
        thermalize=150,
        # Seeds differ between sizes and couplings: matched ensembles must be independent.
        seed=64 * seed + 16 * (side // _SIDE) + round(offset * side / _SIDE * 40),
        out=out / "simulations" / f"{side}-{mass2:.6g}",
        progress=report,
    )


def _grow(
    start: Ensemble,
    inverse: LearntInverse,
    effort: _Effort,
    offset: float,
    seed: int,
    progress: Progress | None,
) -> list[Ensemble]:
    """Levels 32, 64, 128 of one coupling, and 256 of a few configurations at the critical one."""
    count = effort.grown if offset == 0 else effort.grown // 2
    with warnings.catch_warnings():
        # Said in the notes: a pure map hands its own output, not relaxed fields, to the next step.
        warnings.simplefilter("ignore", DepthWarning)
        levels = list(grow(start, inverse, 2, configurations=count, seed=seed, progress=progress))
        if offset == 0:
            levels.append(
                grow(levels[-1], inverse, configurations=effort.largest, seed=seed + 1, progress=progress)[-1]
            )
    return levels


Couplings = dict[tuple[int, float, str], Resamples]
"""Effective couplings by level, offset of the original coupling, and the observable that was matched."""


def _effective_couplings(
    levels: dict[float, list[Ensemble]], direct: dict[int, dict[float, Ensemble]], seed: int
) -> Couplings:
    found: Couplings = {}
    for number, (offset, grown) in enumerate(levels.items()):
        values = level_values(grown[:3], _MATCHED, _SAMPLES, 8 * seed + number)
        for name in _MATCHED:
            found[0, offset, name] = Resamples.exact(_CRITICAL + offset, _SAMPLES)
            for level, others in enumerate(direct.values(), start=1):
                stream = 1000 + 64 * seed + 8 * level + number
                found[level, offset, name] = effective_coupling(
                    values[level, name], list(others.values()), name, stream
                )
    return found


def _cross(level: Ensemble, direct: Ensemble, name: str, seed: int) -> Crossing | None:
    try:
        return find_crossing(level, direct, name, seed=seed)
    except OverlapError:
        return None


_PHASES = {"ordered": -1, "disordered": 1}


def _slope_rows(effort: _Effort, couplings: Couplings) -> list[dict[str, Any]]:
    """dK_j/dK_i between levels i and j, on each side of the critical coupling, by each observable."""
    rows = []
    for i, j in ((0, 1), (1, 2), (0, 2)):
        for phase, sign in _PHASES.items():
            offsets = [offset for offset in effort.offsets if offset * sign >= 0]
            for name in _MATCHED:
                steps = [[couplings[level, offset, name] for offset in offsets] for level in (i, j)]
                found, inner = slope(*steps), slope(*(_inner(points, sign) for points in steps))
                log = -(j - i) * np.log(_B)
                with np.errstate(invalid="ignore"):
                    nu = Resamples(log / np.log(found.value), log / np.log(found.samples))
                rows.append(
                    {
                        "label": f"{_SIDE * _B**i}/{_SIDE * _B**j}",
                        "variant": phase,
                        "estimator": name,
                        "slope": found.estimate,
                        "inner_slope": inner.estimate if len(offsets) > 2 else None,
                        "nu": nu.estimate,
                        "reference": {"slope": Estimate(float(_B) ** (i - j), 0.0), "nu": Estimate(1.0, 0.0)},
                    }
                )
    return rows


def _inner(points: list[Resamples], sign: int) -> list[Resamples]:
    """The two points nearest to the critical coupling; points are in ascending order of it."""
    return points[:2] if sign > 0 else points[-2:]


def _coupling_rows(effort: _Effort, couplings: Couplings) -> list[dict[str, Any]]:
    return [
        {
            "label": f"{_SIDE * _B**level} from {_CRITICAL + offset:.4f}",
            **{f"mass2_by_{name}": couplings[level, offset, name].estimate for name in _MATCHED},
            "reference": {
                f"mass2_by_{name}": Estimate(_CRITICAL + offset / _B**level, 0.0) for name in _MATCHED
            },
        }
        for level in (1, 2)
        for offset in effort.offsets
    ]


def _crossing_row(side: int, name: str, found: Crossing | None) -> dict[str, Any]:
    return {
        "label": f"{_SIDE}/{side}",
        "observable": name,
        "critical_mass2": None if found is None else found.value,
        "reference": {"critical_mass2": Estimate(_CRITICAL, 0.0)},
    }


def _with_pulls(row: dict[str, Any]) -> dict[str, Any]:
    """The row with its differences from the references, in standard errors."""
    known = {name: value for name, value in row["reference"].items() if row[name] is not None}
    return {**row, "pull": {name: row[name].pull(value) for name, value in known.items()}}


def _notes(inverse: LearntInverse) -> list[str]:
    return [
        inverse.describe(),
        "slope is dK_j/dK_i, K_j the mass^2 at which direct fields of level j's size have its value of the observable "
        "named as estimator; level 0 is simulated, so K_0 is exact; nu = (j - i) ln b / -ln(slope)",
        "slope goes through all couplings of a side, inner_slope through those nearest to the critical one: their "
        "difference is curvature, for t_j = b^{-(j-i)/nu} t_i holds near criticality only",
        "empty is what direct simulations, reweighted, do not reach within the range that their samples cover, and "
        "where structure factors, in one of fifty resamples or more, do not fall like 1/(1 + xi^2 k^2)",
        "xi/L and U4 do not see the amplitude of the map; <|m|> does, and it is the most precise of the three",
        "the map keeps U4 and xi/L of the start, whose corrections to scaling are those of 32 x 32: levels from the "
        "critical mass are matched slightly off it",
        "one map, learnt at the critical mass, serves all couplings, and from the second step on it reads its own "
        "output instead of relaxed fields; errors hold the configurations, not the training seed",
        "xi is the second-moment correlation length in lattice units, by zero momentum in the disordered phase only, "
        "where <phi> = 0; 'connected' holds in both phases and is noisier; where xi is not small against L both are "
        "lengths of that finite torus, and differ",
    ]


def _draw(
    levels: dict[float, list[Ensemble]],
    direct: dict[int, dict[float, Ensemble]],
    couplings: Couplings,
    rows: list[dict[str, Any]],
    out: Path,
) -> list[Path]:
    from kadanoff.plots.inverse_flow import plot_effective_couplings, plot_lengths, plot_levels

    folder = Path(out)
    name = _MATCHED[0]
    matched = {
        _SIDE * _B**level: [
            (_CRITICAL + offset, found.estimate)
            for (number, offset, other), found in couplings.items()
            if (number, other) == (level, name)
        ]
        for level in (1, 2)
    }
    slopes = [row for row in rows if "slope" in row]
    return [
        plot_levels(levels, direct, folder / "inverse_flow.png", critical=_CRITICAL),
        plot_effective_couplings(
            matched, slopes, folder / "effective_coupling.png", critical=_CRITICAL, b=_B, start=_SIDE
        ),
        plot_lengths([row for row in rows if "ratio" in row], folder / "correlation_length.png", b=_B),
    ]
