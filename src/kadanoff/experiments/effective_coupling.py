"""The effective coupling of grown fields: where direct fields of their size have the same observable.

Direct curves come from simulations by reweighting, each in the range that its sample covers. Values of grown levels
and their resamples come from one bootstrap: levels grown from the same configurations have correlated errors.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kadanoff.ensemble import Ensemble
from kadanoff.observables import Observable, evaluate, observable
from kadanoff.reweighting.curves import reweighted_curve
from kadanoff.reweighting.response import conjugate_series, simulated_action
from kadanoff.statistics import Estimate, bootstrap

__all__ = ["Resamples", "effective_coupling", "level_values", "slope"]

_POINTS = 17  # of a direct curve
_REACH = (
    1.25  # its range in standard deviations of the log-weights: a fifth of the sample is left at the ends
)
_MISSED = 0.02  # fraction of resamples that may find no match


@dataclass(frozen=True, eq=False)
class Resamples:
    """A value with its bootstrap replicas (resample,), NaN where there is none."""

    value: float
    samples: np.ndarray

    @property
    def estimate(self) -> Estimate | None:
        """Value and error; None when it, or one in fifty replicas, does not exist."""
        if not np.isfinite(self.value) or np.mean(~np.isfinite(self.samples)) > _MISSED:
            return None
        return Estimate(self.value, float(np.nanstd(self.samples - self.value, ddof=1)))

    @classmethod
    def exact(cls, value: float, samples: int) -> "Resamples":
        """A number without an error.

        >>> Resamples.exact(-0.95, 10).estimate.error
        0.0
        """
        return cls(value, np.full(samples, value))


def level_values(
    levels: Sequence[Ensemble], names: Sequence[str | Observable], samples: int, seed: int
) -> dict[tuple[int, str], Resamples]:
    """Observables of every level, by (level, name), from one bootstrap over the configurations that they share."""
    entries = [observable(name) for name in names]
    stacked, pieces = [], []
    for level in levels:
        for entry in entries:
            pieces.append((evaluate(entry, level.lattice), len(entry.primaries)))
            stacked.append(level.primaries(entry))

    def function(means: np.ndarray) -> np.ndarray:
        found, begin = [], 0
        for of, count in pieces:
            found.append(of(means[begin : begin + count]))
            begin += count
        return np.array(found)

    result = bootstrap(function, np.concatenate(stacked), seed, samples, levels[0].log_weight)
    keys = [(number, entry.name) for number in range(len(levels)) for entry in entries]
    return {
        key: Resamples(float(result.values[k]), result.samples[:, k].astype(float))
        for k, key in enumerate(keys)
    }


def effective_coupling(
    value: Resamples, direct: Sequence[Ensemble], name: str, seed: int, coupling: str = "mass2"
) -> Resamples:
    """The coupling at which a direct simulation has this value of an observable that falls with the coupling.

    Of several direct simulations the one whose own value is nearest answers. Replica k of the value meets replica k
    of that curve: the two must be independent. NaN where the curve does not reach the value.
    """
    nearest = min(direct, key=lambda each: abs(each.observe(name).value - value.value))
    centre = float(getattr(simulated_action(nearest), coupling))
    spread = float(conjugate_series(nearest, (coupling,))[coupling].std())
    grid = centre + np.linspace(-_REACH, _REACH, _POINTS) / spread
    curve = reweighted_curve(nearest, name, grid, coupling, samples=len(value.samples), seed=seed)
    found = [
        _inverted(curve.couplings, line, at) for line, at in zip(curve.samples, value.samples, strict=True)
    ]
    return Resamples(_inverted(curve.couplings, curve.values, value.value), np.array(found))


def slope(x: Sequence[Resamples], y: Sequence[Resamples]) -> Resamples:
    """Slope of the least-squares line through points (x, y), replica by replica.

    >>> points = [Resamples.exact(value, 4) for value in (0.0, 1.0, 2.0)]
    >>> halves = [Resamples.exact(value / 2, 4) for value in (0.0, 1.0, 2.0)]
    >>> slope(points, halves).value
    0.5
    """
    return Resamples(
        float(_line([p.value for p in x], [p.value for p in y])),
        _line([p.samples for p in x], [p.samples for p in y]),
    )


def _line(x: Sequence[float | np.ndarray], y: Sequence[float | np.ndarray]) -> np.ndarray:
    across, up = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    across = across - across.mean(axis=0)
    return np.asarray(np.sum(across * up, axis=0) / np.sum(across**2, axis=0))


def _inverted(grid: np.ndarray, line: np.ndarray, value: float) -> float:
    """Where a curve falls through a value, nearest to the middle, where it is best known; NaN if nowhere.

    >>> _inverted(np.array([0.0, 1.0, 2.0]), np.array([4.0, 3.0, 1.0]), 2.0)
    1.5
    """
    falls = np.flatnonzero((line[:-1] >= value) & (line[1:] < value))
    if not len(falls):
        return float("nan")
    share = (line[falls] - value) / (line[falls] - line[falls + 1])
    places = grid[falls] + share * (grid[falls + 1] - grid[falls])
    return float(places[np.argmin(np.abs(places - grid[len(grid) // 2]))])
