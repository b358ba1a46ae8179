"""Growth in 3D with the couplings of a fixed point: found first, certified, then grown by compatible Monte Carlo.

The majority rule is the limit of Kadanoff's rule at an infinite weight. Its fixed point in 3D reaches farther than the
unit cube, so that a family of few couplings does not hold it. At a finite weight it may: the weight is chosen where
observables of blocked and direct fields agree that were not solved for.
"""

import numpy as np

from kadanoff.actions import LongerRangeIsing
from kadanoff.ensemble import Ensemble
from kadanoff.experiments.spin_rows import CRITICAL, grow_quietly
from kadanoff.lattice import Lattice
from kadanoff.renormalization import (
    CompatibleMonteCarlo,
    FixedPoint,
    SoftMajority,
    critical_exponents,
    fixed_point,
)
from kadanoff.reweighting.response import conjugate_series
from kadanoff.sampling import HeatBath, sample
from kadanoff.sampling.run import Progress
from kadanoff.statistics import Estimate

__all__ = ["RULE", "coupling_error", "fixed_point_row", "search", "start_of"]

#: Kadanoff's rule, with the weight at which <|m|> of blocked and of direct fields agrees within this family.
RULE = SoftMajority(b=2, weight=0.41)

# Far from the fixed point, but in neither phase, where the search would end in full order or in none.
_BEGIN = LongerRangeIsing(CRITICAL[3])
_SMALLEST = 8  # side of the lattice where the search begins
_THIN = 32  # sweeps of 8^3 between two draws


def search(side: int, draws: int, seed: int, progress: Progress | None) -> FixedPoint:
    """The fixed point of the rule, from lattices of this side and half of it, begun on smaller ones."""
    begin = _BEGIN if side <= _SMALLEST else search(side // 2, draws, seed, progress).action
    return fixed_point(
        RULE,
        begin,
        Lattice((side,) * 3),
        draws=draws,
        thin=side**2 // 16,
        thermalize=4
        * side**2,  # several relaxation times of the slowest mode, which grow as the side squared
        seed=seed,
        progress=progress,
    )


def fixed_point_row(found: FixedPoint, side: int) -> dict[str, object]:
    """The couplings, and the pull of every observable that was not solved for, blocked against direct."""
    pulls = {f"{row.name}_pull": float(row.difference.pull(0.0)) for row in found.agreement}
    ratios = {
        f"{row.name}_ratio": Estimate(
            row.blocked.value / row.direct.value, row.difference.error / row.direct.value
        )
        for row in found.agreement
    }
    return {
        "label": f"3D fixed point, {side} -> {side // 2}",
        "variant": f"Kadanoff's rule, weight {RULE.weight}",
        **found.couplings,
        **ratios,
        **pulls,
        "reference": {},
    }


def start_of(
    action: LongerRangeIsing, side: int, chains: int, draws: int, seed: int, progress: Progress | None
) -> Ensemble:
    """Direct fields of side^3, from where growth begins."""
    return sample(
        action,
        Lattice((side,) * 3),
        chains=chains,
        draws=draws,
        thin=_THIN,
        sampler=HeatBath(),
        seed=1000 * seed + 10 * side + 4,
        progress=progress,
    )


def coupling_error(
    found: FixedPoint, start: Ensemble, sweeps: int, seed: int, progress: Progress | None
) -> dict[str, Estimate]:
    """What the statistical error of the couplings makes of the exponents, from growth with the two farthest resamples.

    Couplings matter by what they add to the mean action; those two resamples that differ most in it are grown over two
    steps, and the slopes' differences are scaled down to one standard deviation. Their errors are added in quadrature.
    """
    series = conjugate_series(start)
    means = np.array([series[name].mean() for name in found.couplings])
    shift = found.samples @ means
    slopes = []
    for number, farthest in enumerate((shift.argmin(), shift.argmax())):
        action = found.at(found.samples[farthest])
        begin = start_of(
            action, start.lattice.longest, start.chains, start.draws, seed + 7 + number, progress
        )
        levels = grow_quietly(begin, _inverse(action, sweeps), 2, seed, progress)
        table = critical_exponents(levels, ("ratio",), seed=seed)
        slopes.append(table.slope(levels[0].lattice.longest, levels[-1].lattice.longest))
    share = shift.std(ddof=1) / (shift.max() - shift.min())
    errors: dict[str, Estimate] = {}
    for name in ("gamma_over_nu", "beta_over_nu"):
        low, high = (getattr(slope, name) for slope in slopes)
        change, noise = high.value - low.value, float(np.hypot(low.error, high.error))
        errors[name] = Estimate(share * float(np.hypot(change, noise)), share * noise)
    return errors


def _inverse(action: LongerRangeIsing, sweeps: int) -> CompatibleMonteCarlo:
    return CompatibleMonteCarlo(action, RULE, sweeps, 3)
