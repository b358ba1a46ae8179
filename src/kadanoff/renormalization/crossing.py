"""Where an observable of blocked fields crosses that of direct ones on the same lattice: O'(K) = O(K).

At a fixed point of the renormalization group blocked and direct fields look alike, so their observables meet
there as the coupling varies. Both ensembles are reweighted from where they were simulated, the blocked one
with the weights of its original fields, and the error comes from resampling both.

Source: R. H. Swendsen, PRL 52 (1984) 1165; A. M. Ferrenberg, R. H. Swendsen, PRL 61 (1988) 2635.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from kadanoff.actions.base import couplings
from kadanoff.arguments import require_ensembles
from kadanoff.ensemble import Ensemble
from kadanoff.errors import InputError, OverlapError
from kadanoff.observables import Observable, observable
from kadanoff.reweighting.curves import Curve, bootstrapped_curve, log_weights_along, simulated_at
from kadanoff.reweighting.response import conjugate_series, simulated_action
from kadanoff.statistics import Estimate, effective_sample_size
from kadanoff.whole import whole

__all__ = ["Crossing", "find_crossing"]

_FRACTION = 0.05  # effective fraction of the configurations down to which a curve is trusted
_FEWEST = 10  # and effective configurations
_MISSED = 0.02  # fraction of the resamples that may have no crossing; about two standard errors at each end


@dataclass(frozen=True)
class Crossing:
    """Where two curves meet.

    `value` is the coupling with its error, or None when there is no crossing in the range that both samples
    cover; `reason` says then why. `blocked` and `direct` are the curves over that range; `zeros` holds the crossing
    of each resample; `spins` says whether the sites are spins.
    """

    observable: str
    coupling: str
    value: Estimate | None
    reason: str
    blocked: Curve
    direct: Curve
    zeros: Float[np.ndarray, " resample"] | None = None
    spins: bool = False

    def __str__(self) -> str:
        """Say where, or why not."""
        if self.value is None:
            return f"{self.observable} of blocked and direct fields: {self.reason}"
        return f"{self.observable} of blocked and direct fields cross at {self.coupling} = {self.value}"


def find_crossing(
    blocked: Ensemble,
    direct: Ensemble,
    name: str | Observable = "abs_magnetization",
    coupling: str | Observable = "mass2",
    *,
    span: tuple[float, float] | None = None,
    points: int = 25,
    samples: int = 400,
    seed: int = 0,
) -> Crossing:
    """Find where an observable of a blocked ensemble equals that of a direct one on the same lattice.

    `coupling` names one of the simulated action, or is an observable O: the external coupling Y of S - V Y O then
    varies around 0, by weights exp(V Y O) of the original fields that need no action. `span` is the range to search;
    by default, and at most, where both ensembles keep an effective 5 % of their configurations (and ten of them). The
    two must be independent simulations. A crossing counts only if 98 % of the resamples of both have one in the
    range: otherwise noise alone could have made it.

    Raises `InputError` for different lattices, fewer than 4 points, an empty span, an unknown coupling, or actions
    that differ in more than this coupling; `OverlapError` when the two samples have no range in common.

    >>> import kadanoff as kd
    >>> from kadanoff.renormalization.blocking import MajorityMean, block
    >>> action = kd.Phi4(-0.95, 0.7)
    >>> fine = kd.sample(action, kd.Lattice((16, 16)), chains=64, draws=16, seed=1)
    >>> coarse = kd.sample(action, kd.Lattice((8, 8)), chains=64, draws=16, seed=2)
    >>> crossing = find_crossing(block(fine, MajorityMean(b=2)), coarse)
    >>> abs(crossing.value.value + 0.95) < 0.05
    True
    """
    require_ensembles(blocked, direct)
    if blocked.lattice != direct.lattice:
        raise InputError(
            f"blocked fields live on {blocked.lattice.shape} and direct ones on {direct.lattice.shape}; "
            "simulate the direct ensemble on the blocked lattice"
        )
    if blocked.simulated is direct.simulated:
        raise InputError("blocked and direct fields come from one simulation; simulate the direct one anew")
    _same_family(blocked, direct, coupling)
    label = _label(coupling)
    low, high = _common_span((blocked, direct), coupling, span)
    points = whole("points", points)
    if points < 4 or not low < high:
        raise InputError(
            f"cannot search {points} points from {low:g} to {high:g}; give 4 or more and low < high"
        )
    grid = np.linspace(low, high, points)
    weights = [log_weights_along(ensemble, coupling, grid) for ensemble in (blocked, direct)]
    effective = [np.array([effective_sample_size(w) for w in weight]) / weight[0].size for weight in weights]
    least = [max(_FRACTION, _FEWEST / weight[0].size) for weight in weights]
    trusted = (effective[0] >= least[0]) & (effective[1] >= least[1])
    keep = _longest_run(trusted)
    if np.count_nonzero(keep) < 4:
        raise OverlapError(
            f"the samples overlap on {np.count_nonzero(keep)} of {points} values of {label} from {low:g} "
            f"to {high:g}; simulate the two closer together, narrow the span, or take more configurations"
        )
    curves = [
        bootstrapped_curve(
            ensemble, observable(name), grid[keep], weight[keep], part[keep], samples, (seed, index)
        )
        for index, (ensemble, weight, part) in enumerate(
            zip((blocked, direct), weights, effective, strict=True)
        )
    ]
    value, reason, zeros = _solve(curves[0], curves[1], label)
    return Crossing(observable(name).name, label, value, reason, curves[0], curves[1], zeros, blocked.spins)


def _label(coupling: str | Observable) -> str:
    return "Y" if isinstance(coupling, Observable) else coupling


def _same_family(blocked: Ensemble, direct: Ensemble, coupling: str | Observable) -> None:
    """The two simulated actions may differ in the coupling that is varied only; an external one needs no action."""
    if isinstance(coupling, Observable) and None in (blocked.simulated.action, direct.simulated.action):
        return
    first, second = (couplings(simulated_action(ensemble)) for ensemble in (blocked, direct))
    kinds = {type(simulated_action(ensemble)).__name__ for ensemble in (blocked, direct)}
    differ = [name for name in first if name != coupling and first[name] != second.get(name)]
    if len(kinds) > 1 or differ:
        what = ", ".join(differ) or "their action"
        raise InputError(f"the two simulations differ in {what}; only {_label(coupling)} may differ")


def _common_span(
    ensembles: tuple[Ensemble, Ensemble], coupling: str | Observable, span: tuple[float, float] | None
) -> tuple[float, float]:
    """The range asked for, or the one that both samples can be expected to cover."""
    if span is not None:
        return span
    ranges = []
    for ensemble in ensembles:
        centre = simulated_at(ensemble, coupling)
        spread = float(conjugate_series(ensemble, (coupling,))[coupling].std())
        if not spread > 0:
            raise InputError(
                f"what couples to {_label(coupling)} is the same in all configurations of one ensemble, so weights "
                "cannot tell its values apart; take more configurations, or simulate where they fluctuate"
            )
        # Gaussian weights of log-variance 1.5**2 leave exp(-1.5**2) = 10 % of the configurations.
        ranges.append((centre - 1.5 / spread, centre + 1.5 / spread))
    low, high = max(low for low, _ in ranges), min(high for _, high in ranges)
    if not low < high:
        raise OverlapError(
            f"the two simulations reach {_label(coupling)} from {ranges[0][0]:g} to {ranges[0][1]:g} and from "
            f"{ranges[1][0]:g} to {ranges[1][1]:g} and have nothing in common; simulate them closer together"
        )
    return low, high


def _longest_run(trusted: np.ndarray) -> np.ndarray:
    """Keep the longest run of neighbouring trusted points."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], trusted, [False]]).astype(int)))
    keep = np.zeros(len(trusted), dtype=bool)
    if len(edges):
        starts, stops = edges[::2], edges[1::2]
        longest = np.argmax(stops - starts)
        keep[starts[longest] : stops[longest]] = True
    return keep


def _solve(blocked: Curve, direct: Curve, coupling: str) -> tuple[Estimate | None, str, np.ndarray | None]:
    """The zero of blocked - direct, with its bootstrap error and resamples, or the reason why there is none."""
    grid = blocked.couplings
    gap = blocked.values - direct.values
    where = f"for {coupling} from {grid[0]:.5g} to {grid[-1]:.5g}"
    if np.sign(gap[0]) == np.sign(gap[-1]):
        if np.any(np.sign(gap) != np.sign(gap[0])):
            return None, f"the curves cross more than once {where}; give a narrower span", None
        error = np.hypot(blocked.errors, direct.errors)
        nearest = np.min(np.abs(gap) / np.where(error > 0, error, 1))
        return None, f"no crossing {where} (they stay {nearest:.1f} standard errors apart or more)", None
    best = _zero(grid, gap, None)
    assert best is not None
    found = [_zero(grid, sample, best) for sample in blocked.samples - direct.samples]
    missed = sum(zero is None for zero in found)
    # A resample whose curves do not cross has its zero beyond an end of the range: put it at the farther one.
    edge = grid[0] if best - grid[0] > grid[-1] - best else grid[-1]
    zeros = np.array([edge if zero is None else zero for zero in found])
    if missed > _MISSED * len(found):
        reason = f"no significant crossing {where}: {missed} of {len(found)} resamples have none"
        return None, reason, None
    return Estimate(best, float(np.sqrt(np.mean((zeros - best) ** 2)))), "", zeros


def _zero(grid: np.ndarray, gap: np.ndarray, near: float | None) -> Any:
    """The zero of the interpolated gap (the one nearest to `near`, else to the middle), None without one."""
    from scipy.interpolate import CubicSpline

    roots = CubicSpline(grid, gap).roots(extrapolate=False)
    if not len(roots):
        return None
    target = (grid[0] + grid[-1]) / 2 if near is None else near
    return float(roots[np.argmin(np.abs(roots - target))])
