"""Importance weights from their logarithms, real or complex."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kadanoff.errors import OverlapError

__all__ = ["average_phase", "effective_sample_size", "normalised_weights", "relative_weights", "tail_shape"]

_ROUNDING = 1e-6  # relative differences of weights that are equal but for the rounding of single precision


def relative_weights(log_weight: ArrayLike) -> NDArray[Any]:
    """Weights w / max|w|, float64 or complex128, in the shape of `log_weight`; -inf is a weight of zero.

    Raises `OverlapError` when a log-weight is NaN or +inf, or all are -inf.
    """
    log_w = np.asarray(log_weight)
    log_w = log_w.astype(np.complex128 if np.iscomplexobj(log_w) else np.float64)
    if log_w.size == 0:
        raise OverlapError("there are no log-weights: pass one for every draw.")
    zero = log_w.real == -np.inf
    bad = int(np.sum(~zero & ~np.isfinite(log_w)))
    if bad:
        raise OverlapError(
            f"{bad} of {log_w.size} log-weights are NaN or +inf: the actions cannot be compared on this "
            "sample; check the target action and its couplings on these fields."
        )
    if zero.all():
        raise OverlapError(
            f"all {log_w.size} log-weights are -inf: no draw is possible under the target; "
            "sample closer to the target or move there in smaller steps."
        )
    # The largest goes first, so that the sum can neither overflow nor vanish; exp(-inf + i anything) is 0.
    return np.exp(log_w - log_w.real.max())


def normalised_weights(log_weight: ArrayLike) -> NDArray[Any]:
    """Weights that sum to one, so that a reweighted mean is `sum(weights * observable)`.

    Any shape, real or complex; computed in double precision and safe against overflow.

    Raises `OverlapError` for NaN or +inf, for -inf everywhere, and for complex weights that cancel.

    >>> normalised_weights([1000.0, 1000.0 + np.log(3.0)]).round(12).tolist()
    [0.25, 0.75]
    """
    weights = relative_weights(log_weight)
    return weights / total_weight(weights)


def total_weight(weights: NDArray[Any]) -> Any:
    """The sum of weights; `OverlapError` for complex ones of which rounding alone is left."""
    total = weights.sum()
    if abs(total) <= 1e-14 * np.abs(weights).sum():
        raise OverlapError(
            "the complex weights cancel completely (average phase zero): "
            "move the target closer, take a smaller lattice or more draws."
        )
    return total


def effective_sample_size(log_weight: ArrayLike) -> float:
    """Kish's effective number of draws, (sum|w|)^2 / sum|w|^2, between 1 and the number of draws.

    Complex weights count by their modulus, see `average_phase`. Autocorrelation is not counted.

    Raises `OverlapError` for NaN or +inf and for -inf everywhere.

    >>> effective_sample_size([0.0, 0.0, -np.inf, -np.inf])
    2.0
    """
    weights = np.abs(relative_weights(log_weight))
    return float(weights.sum() ** 2 / np.sum(weights**2))


def average_phase(log_weight: ArrayLike) -> float:
    """Modulus of the average phase, |sum w| / sum|w|: 1 for positive weights, near 0 if they cancel.

    Raises `OverlapError` for NaN or +inf and for -inf everywhere.

    >>> average_phase([0.0, 1j * np.pi / 2])  # (1 + i) / 2
    0.7071067811865476
    """
    weights = relative_weights(log_weight)
    return float(abs(weights.sum()) / np.abs(weights).sum())


def tail_shape(log_weight: ArrayLike) -> float:
    """Shape k of a generalised Pareto distribution fitted to the largest weights (their moduli, if complex).

    The weights have a variance where k < 1/2, so that effective sample size and errors can be believed there; above,
    configurations that the sample lacks decide the means. Of n weights the largest min(n/5, 3 sqrt(n)) are fitted;
    -inf where these are all equal, NaN where they are fewer than 5. Spins give few different weights: equal ones count
    as spread evenly towards their neighbours.

    >>> rng = np.random.default_rng(0)
    >>> tail_shape(0.1 * rng.normal(size=10_000)) < 0.2, tail_shape(rng.exponential(size=10_000)) > 0.7
    (True, True)

    Source: A. Vehtari et al., J. Mach. Learn. Res. 25 (2024) 72; the fit is that of J. Zhang, M. Stephens,
    Technometrics 51 (2009) 316.
    """
    weights = _without_ties(np.sort(np.abs(relative_weights(log_weight)).ravel()))
    size = int(min(len(weights) / 5, 3 * np.sqrt(len(weights))))
    if size < 5:
        return float("nan")
    if not weights[-1] > weights[-size] * (1 + _ROUNDING):
        return float("-inf")
    excess = weights[-size:] - weights[-size - 1]
    quarter = excess[int(size / 4 + 0.5) - 1]
    count = 30 + int(np.sqrt(size))
    slopes = (1 - np.sqrt(count / (np.arange(1, count + 1) - 0.5))) / (3 * quarter) + 1 / excess[-1]
    shapes = np.log1p(-slopes[:, None] * excess).mean(axis=1)
    likelihood = size * (np.log(-slopes / shapes) - shapes - 1)
    posterior = np.exp(likelihood - likelihood.max())
    return float(np.log1p(-(posterior @ slopes / posterior.sum()) * excess).mean())


def _without_ties(ordered: NDArray[Any]) -> NDArray[Any]:
    """Ordered weights with every run of equal ones on straight lines from its middle to those of its neighbours."""
    begins = np.flatnonzero(np.diff(ordered, prepend=-1) > _ROUNDING * ordered)
    middles = (begins + np.append(begins[1:], len(ordered)) - 1) / 2
    return np.interp(np.arange(len(ordered)), middles, ordered[middles.astype(int)])
