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

from kadanoff.actions.base import couplings, has_spins
from kadanoff.ensemble import Ensemble
from kadanoff.errors import InputError, OverlapError
from kadanoff.observables import Observable, evaluate, observable
from kadanoff.response import conjugate_series, simulated_action, with_coupling
from kadanoff.reweighting import log_ratio
from kadanoff.statistics import Estimate, bootstrap, effective_sample_size

__all__ = ["Crossing", "Curve", "find_crossing", "reweighted_curve"]

_FRACTION = 0.05  # effective fraction of the configurations down to which a curve is trusted
_FEWEST = 10  # and effective configurations
_MISSED = 0.02  # fraction of the resamples that may have no crossing; about two standard errors at each end


@dataclass(frozen=True)
class Curve:
    """An observable against a coupling, from one ensemble by reweighting.

    - `couplings`: (point,) values of the coupling, all within the overlap of the sample.
    - `values`, `errors`: (point,) the observable and its standard error.
    - `effective`: (point,) effective fraction of the configurations, of which there are `configurations`.
    - `samples`: (resample, point) bootstrap curves; one resample takes the same configurations at every
      point.
    """

    couplings: Float[np.ndarray, " point"]
    values: Float[np.ndarray, " point"]
    errors: Float[np.ndarray, " point"]
    effective: Float[np.ndarray, " point"]
    samples: Float[np.ndarray, "resample point"]
    configurations: int

    @property
    def least_effective(self) -> float:
        """Effective number of configurations where it is least."""
        return float(self.effective.min()) * self.configurations


@dataclass(frozen=True)
class Crossing:
    """Where two curves meet.

    `value` is the coupling with its error, or None when there is no crossing in the range that both samples
    cover; `reason` says then why. `blocked` and `direct` are the curves over that range; `zeros` holds the crossing
    of each resample.
    """

    observable: str
    coupling: str
    value: Estimate | None
    reason: str
    blocked: Curve
    direct: Curve
    zeros: Float[np.ndarray, " resample"] | None = None

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
    grid = np.linspace(low, high, max(points, 0))
    if points < 4 or not low < high:
        raise InputError(
            f"cannot search {points} points from {low:g} to {high:g}; give 4 or more and low < high"
        )
    weights = [_log_weights(ensemble, coupling, grid) for ensemble in (blocked, direct)]
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
        _curve(ensemble, observable(name), grid[keep], weight[keep], part[keep], samples, (seed, index))
        for index, (ensemble, weight, part) in enumerate(
            zip((blocked, direct), weights, effective, strict=True)
        )
    ]
    value, reason, zeros = _solve(curves[0], curves[1], label)
    return Crossing(observable(name).name, label, value, reason, curves[0], curves[1], zeros)


def reweighted_curve(
    ensemble: Ensemble,
    name: str | Observable,
    grid: Float[np.ndarray, " point"],
    coupling: str | Observable = "mass2",
    *,
    samples: int = 400,
    seed: int = 0,
) -> Curve:
    """Evaluate an observable against a coupling as in `find_crossing`; every point is trusted to the caller."""
    weights = _log_weights(ensemble, coupling, grid)
    effective = np.array([effective_sample_size(w) for w in weights]) / weights[0].size
    return _curve(ensemble, observable(name), grid, weights, effective, samples, (seed,))


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
        centre = _simulated_at(ensemble, coupling)
        spread = float(conjugate_series(ensemble, (coupling,))[coupling].std())
        # Gaussian weights of log-variance 1.5**2 leave exp(-1.5**2) = 10 % of the configurations.
        ranges.append((centre - 1.5 / spread, centre + 1.5 / spread))
    low, high = max(low for low, _ in ranges), min(high for _, high in ranges)
    if not low < high:
        raise OverlapError(
            f"the two simulations reach {_label(coupling)} from {ranges[0][0]:g} to {ranges[0][1]:g} and from "
            f"{ranges[1][0]:g} to {ranges[1][1]:g} and have nothing in common; simulate them closer together"
        )
    return low, high


def _simulated_at(ensemble: Ensemble, coupling: str | Observable) -> float:
    if isinstance(coupling, Observable):
        return 0.0
    return float(getattr(simulated_action(ensemble), coupling, np.nan))


def _log_weights(ensemble: Ensemble, coupling: str | Observable, grid: np.ndarray) -> np.ndarray:
    """Log-weights at every value of the coupling, (point, chain, draw)."""
    if isinstance(coupling, Observable) or _is_linear(ensemble, coupling, grid[[0, -1]]):
        # One conjugate operator then serves every point: A - S = (g - g0) dS/dg.
        shift = grid - _simulated_at(ensemble, coupling)
        weights = -shift[:, None, None] * conjugate_series(ensemble, (coupling,))[coupling]
    else:
        action = simulated_action(ensemble)
        weights = np.stack([log_ratio(ensemble, with_coupling(action, coupling, float(v))) for v in grid])
    if ensemble.log_weight is not None:
        weights = weights + ensemble.log_weight
    if np.iscomplexobj(weights):
        raise InputError("a crossing needs real weights; start from ensembles without complex ones")
    return weights


def _is_linear(ensemble: Ensemble, coupling: str, ends: np.ndarray) -> bool:
    """Whether S is linear in the coupling: dS/dg of a few fields is the same at both ends of the range."""
    targets = [with_coupling(simulated_action(ensemble), coupling, float(value)) for value in ends]
    shape = (1, 2, *[4] * ensemble.lattice.dimension)
    probes = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    few = Ensemble(np.sign(probes) if has_spins(targets[0]) else probes)
    low, high = (conjugate_series(few.with_action(target), (coupling,))[coupling] for target in targets)
    return bool(np.allclose(low, high, rtol=1e-6, atol=0))


def _longest_run(trusted: np.ndarray) -> np.ndarray:
    """Keep the longest run of neighbouring trusted points."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], trusted, [False]]).astype(int)))
    keep = np.zeros(len(trusted), dtype=bool)
    if len(edges):
        starts, stops = edges[::2], edges[1::2]
        longest = np.argmax(stops - starts)
        keep[starts[longest] : stops[longest]] = True
    return keep


def _curve(
    ensemble: Ensemble,
    entry: Observable,
    grid: np.ndarray,
    log_weights: np.ndarray,
    effective: np.ndarray,
    samples: int,
    seed: tuple[int, ...],
) -> Curve:
    """Bootstrap the whole curve at once, from the weighted sums that all its points are ratios of."""
    if entry.needs_action:
        raise InputError(
            f"{entry.name} contains the action, hence the coupling that varies: it has no curve by weights alone"
        )
    weights = np.exp(log_weights - log_weights.max(axis=(1, 2), keepdims=True))
    primaries = ensemble.primaries(entry)
    width, function = len(primaries) + 1, evaluate(entry, ensemble.lattice)
    stacked = np.concatenate([weights[:, None], weights[:, None] * primaries], axis=1)

    def values(means: np.ndarray) -> np.ndarray:
        rows = means.reshape(len(grid), width)
        return np.array([function(row[1:] / row[0]) for row in rows])

    result = bootstrap(values, stacked.reshape(-1, *stacked.shape[2:]), np.array(seed), samples)
    count = ensemble.chains * ensemble.draws
    return Curve(grid, result.values, result.errors, effective, result.samples, count)


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
