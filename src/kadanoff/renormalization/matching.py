"""Two-lattice matching: the critical coupling and nu from a lattice of side b L and one of side L.

The larger lattice is blocked once more than the smaller one, so that both end on the same lattice, where a few
steps have made irrelevant couplings small. Where their observables agree as functions of the original couplings,
O_blocked(K) = O_direct(K'), lies the flow K -> K' of one step: its fixed point is the critical coupling, and its
slope there b^{1/nu} = t'/t.

Source: K. G. Wilson (1979, unpublished); S. H. Shenker, J. Tobochnik, PRB 22 (1980) 4462; R. H. Swendsen, PRL 52
(1984) 1165.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from kadanoff.arguments import require_ensembles
from kadanoff.ensemble import Ensemble
from kadanoff.errors import InputError
from kadanoff.lattice import Lattice
from kadanoff.names import several
from kadanoff.observables import Observable
from kadanoff.renormalization.blocking import BlockingRule, block
from kadanoff.renormalization.blocking_rule import require_rule
from kadanoff.renormalization.crossing import Crossing, find_crossing
from kadanoff.reweighting.curves import Curve
from kadanoff.statistics import Estimate
from kadanoff.whole import whole

__all__ = ["MATCHED", "Matching", "match", "match_steps", "rescaling_factor"]

#: Observables that are matched unless others are named.
MATCHED = ("abs_magnetization", "magnetization_squared", "neighbours")


@dataclass(frozen=True)
class Matching:
    """What one observable says of one renormalization step.

    - `crossing`: where blocked and direct curves meet; `critical` is that coupling, None where they do not.
    - `slope`: dK'/dK at the critical coupling, t'/t = b^{1/nu}; `nu` = ln b / ln slope. None without a crossing, and
        where the slope does not exceed one, so that no nu follows (`reason` says so).
    - `couplings`, `mapped`, `mapped_errors`: (point,) the flow K -> K', where both curves reach.
    """

    crossing: Crossing
    b: int
    slope: Estimate | None
    nu: Estimate | None
    reason: str
    couplings: Float[np.ndarray, " point"]
    mapped: Float[np.ndarray, " point"]
    mapped_errors: Float[np.ndarray, " point"]

    @property
    def observable(self) -> str:
        """Name of the observable."""
        return self.crossing.observable

    @property
    def critical(self) -> Estimate | None:
        """The coupling at which both agree."""
        return self.crossing.value

    @property
    def blocked(self) -> Curve:
        """The observable of the larger lattice, blocked once more."""
        return self.crossing.blocked

    @property
    def direct(self) -> Curve:
        """The observable of the smaller lattice."""
        return self.crossing.direct

    @property
    def range(self) -> tuple[float, float]:
        """The couplings searched: where both samples keep their overlap."""
        return float(self.blocked.couplings[0]), float(self.blocked.couplings[-1])

    @property
    def effective_sample_size(self) -> float:
        """Least effective number of configurations of either ensemble over the range by their weights, Kish's."""
        return float(min(curve.least_effective for curve in (self.blocked, self.direct)))

    def row(self) -> dict[str, Any]:
        """What tables and JSON show."""
        return {
            "observable": self.observable,
            f"{self.crossing.coupling}_c": self.critical,
            "nu": self.nu,
            "slope": self.slope,
            "range": list(self.range),
            "effective_sample_size": self.effective_sample_size,
            "reason": self.reason,
        }

    def __str__(self) -> str:
        """Say what was found, or why not."""
        if self.critical is None or self.nu is None:
            return f"{self.observable}: {self.reason}"
        return f"{self.observable}: {self.crossing.coupling}_c = {self.critical}, nu = {self.nu}"


def match(
    blocked: Ensemble,
    direct: Ensemble,
    name: str | Observable = "abs_magnetization",
    coupling: str | Observable = "beta",
    *,
    b: int | None = None,
    span: tuple[float, float] | None = None,
    points: int = 25,
    samples: int = 400,
    seed: int = 0,
) -> Matching:
    """Match one observable of two ensembles on the same lattice, both reweighted by their original actions.

    `blocked` was blocked once more than `direct`. Errors come from resampling both. The range is that of
    `find_crossing`, which says what it refuses. `coupling` may be an observable, for the flow Y -> Y' of an
    external coupling to it; `nu` is then 1/y of that coupling. `b` is the ratio of the two lattices that were
    simulated, and has to be given only where these are of one size.

    Raises `InputError` for a `b` that contradicts this ratio, and for none where there is no ratio.

    >>> import kadanoff as kd
    >>> fine = kd.sample(kd.Ising(0.44), kd.Lattice((16, 16)), chains=64, draws=32, seed=1)
    >>> direct = kd.sample(kd.Ising(0.44), kd.Lattice((8, 8)), chains=64, draws=32, seed=2)
    >>> found = match(kd.block(fine, kd.Majority(b=2)), direct)
    >>> abs(found.critical.value - 0.44) < 0.02
    True
    """
    require_ensembles(blocked, direct)
    b = _factor(blocked, direct, b)
    crossing = find_crossing(
        blocked, direct, name, coupling, span=span, points=points, samples=samples, seed=seed
    )
    couplings, mapped, errors = _flow(crossing)
    if crossing.value is None:
        return Matching(crossing, b, None, None, crossing.reason, couplings, mapped, errors)
    slope = _slope(crossing)
    if not slope.value > 1 + slope.error:
        reason = f"the slope dK'/dK = {slope} is not above one, so it gives no nu; take more configurations"
        return Matching(crossing, b, slope, None, reason, couplings, mapped, errors)
    nu = np.log(b) / np.log(slope.value)
    spread = nu * slope.error / (slope.value * np.log(slope.value))
    return Matching(crossing, b, slope, Estimate(nu, float(spread)), "", couplings, mapped, errors)


def rescaling_factor(larger: Lattice, smaller: Lattice) -> int | None:
    """The whole number b, 2 or more, by which all sides of one lattice exceed those of another; None without one.

    >>> rescaling_factor(Lattice((27, 9)), Lattice((9, 3))), rescaling_factor(Lattice((8, 8)), Lattice((8, 4)))
    (3, None)
    """
    b = larger.shape[0] // smaller.shape[0]
    return b if b > 1 and larger == smaller.refined(b) else None


def _factor(blocked: Ensemble, direct: Ensemble, b: int | None) -> int:
    """The rescaling factor of the flow: one more blocking made the larger simulated lattice like the smaller one."""
    lattices = blocked.simulated.lattice, direct.simulated.lattice
    known = rescaling_factor(*lattices)
    about = f"the lattices that were simulated, {lattices[0].shape} and {lattices[1].shape},"
    if b is None:
        if known is None:
            raise InputError(f"{about} do not tell the rescaling factor: give b")
        return known
    b = whole("the rescaling factor b", b, least=2)
    if known not in (None, b):
        raise InputError(f"b={b} contradicts {about} whose sides are as {known} to 1: leave b out")
    return b


def match_steps(
    original: Ensemble,
    direct: Ensemble,
    rule: BlockingRule,
    steps: int = 3,
    names: Sequence[str | Observable] = MATCHED,
    coupling: str | Observable = "beta",
    *,
    span: tuple[float, float] | None = None,
    points: int = 25,
    samples: int = 400,
    seed: int = 0,
) -> list[list[Matching]]:
    """Match `original` blocked n + 1 times with `direct` blocked n times, n = 0 .. steps - 1; one list a step.

    n = 0 is the plain comparison of blocked and direct fields, whose irrelevant couplings bias it; how the answers
    settle with n shows how much.

    Raises `InputError` unless the original lattice is b times the direct one and can be blocked that often.

    >>> import kadanoff as kd
    >>> fine = kd.sample(kd.Ising(0.44), kd.Lattice((16, 16)), chains=64, draws=32, seed=1)
    >>> direct = kd.sample(kd.Ising(0.44), kd.Lattice((8, 8)), chains=64, draws=32, seed=2)
    >>> found = match_steps(fine, direct, kd.Majority(b=2), steps=2, names=("neighbours",))
    >>> [each[0].blocked.couplings.shape == (25,) for each in found]
    [True, True]
    """
    require_ensembles(original, direct)
    require_rule(rule)
    steps = whole("the number of matchings", steps, least=1)
    if original.lattice != direct.lattice.refined(rule.b):
        raise InputError(
            f"the original lattice {original.lattice.shape} is not b={rule.b} times the direct one "
            f"{direct.lattice.shape}"
        )
    names = several("names", names)
    found = []
    for step in range(steps):
        original = block(original, rule, seed=seed)
        if step:
            direct = block(direct, rule, seed=seed + 1)
        options: dict[str, Any] = {"span": span, "points": points, "samples": samples, "seed": seed}
        found.append([match(original, direct, name, coupling, b=rule.b, **options) for name in names])
    return found


def _slope(crossing: Crossing) -> Estimate:
    """(dO_blocked/dK) / (dO_direct/dK) at the crossing, with the error of both ensembles."""
    from scipy.interpolate import CubicSpline

    assert crossing.value is not None and crossing.zeros is not None
    blocked, direct = crossing.blocked, crossing.direct

    def ratio(up: np.ndarray, down: np.ndarray, at: float) -> float:
        grid = blocked.couplings
        return float(CubicSpline(grid, up)(at, 1) / CubicSpline(grid, down)(at, 1))

    best = ratio(blocked.values, direct.values, crossing.value.value)
    resamples = [
        ratio(up, down, at)
        for up, down, at in zip(blocked.samples, direct.samples, crossing.zeros, strict=True)
    ]
    return Estimate(best, float(np.sqrt(np.mean((np.array(resamples) - best) ** 2))))


def _flow(crossing: Crossing) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """K' against K where O_blocked(K) lies within the direct curve, with errors; empty where that is not monotone."""
    grid = crossing.blocked.couplings

    def mapped(up: np.ndarray, down: np.ndarray) -> np.ndarray:
        rising = down if down[-1] > down[0] else -down
        return np.interp(up if rising is down else -up, rising, grid, left=np.nan, right=np.nan)

    rises = np.diff(crossing.direct.values)
    if not (np.all(rises > 0) or np.all(rises < 0)):
        return np.empty(0), np.empty(0), np.empty(0)
    values = mapped(crossing.blocked.values, crossing.direct.values)
    samples = np.array(
        [mapped(up, down) for up, down in zip(crossing.blocked.samples, crossing.direct.samples, strict=True)]
    )
    inside = np.isfinite(values) & (np.isfinite(samples).mean(axis=0) > 0.9)
    errors = np.nanstd(samples[:, inside], axis=0)
    return grid[inside], values[inside], errors
