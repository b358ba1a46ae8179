"""The error that a run is to reach, and the warning when its longest length allowed ends before."""

import math
import warnings
from collections.abc import Sequence

import numpy as np

from kadanoff.errors import KadanoffWarning
from kadanoff.sampling.plan import Plan
from kadanoff.statistics import gamma_method
from kadanoff.statistics.gamma import MANY_CHAINS

__all__ = ["reached", "warn_unless_reached"]

_INDEPENDENT = 128  # draws from which tau_int is known well enough to stop by the error it gives
_LEAST = 32


def reached(series: Sequence[np.ndarray], target_error: float) -> tuple[float, float]:
    """Relative error of <|m|> from blocks (chain, draw) of the magnetisation, and draws that the target needs.

    These are draws of every chain, as far as those so far tell; at the end of a run they are no more than it has. A
    run that ended by its error alone would often end where that is underestimated: fewer than 16 chains also have to
    hold 128 independent draws, so that the error is known.

    >>> reached([np.ones((2, 3)), np.ones((2, 5))], 0.01)
    (0.0, 32.0)
    """
    error, independent = _judged(series)
    draws = sum(part.shape[1] for part in series)
    factor = (error / target_error) ** 2
    if len(series[0]) < MANY_CHAINS and error > 0:
        factor = max(factor, _INDEPENDENT / independent)
    return error, max(factor * draws, float(_LEAST))


def warn_unless_reached(plan: Plan, series: Sequence[np.ndarray]) -> None:
    """Warn, with a `KadanoffWarning`, when a run with a target ended by its longest length."""
    if plan.target_error is None or plan.draws is not None:
        return
    draws = sum(part.shape[1] for part in series)
    error, needed = reached(series, plan.target_error)
    if draws < plan.max_draws or needed <= draws:
        return
    found = f"is known to {100 * error:.2f} %, not to {100 * plan.target_error:.2f} %,"
    mend = "raise max_draws or thin"
    if math.isinf(error):
        found, mend = "is zero", "no relative error can be reached, give the number of draws instead"
    elif error <= plan.target_error:
        independent = _judged(series)[1]
        found = f"has {independent:.0f} independent draws, too few of {plan.chains} chains to know its error,"
        mend += f", or take {MANY_CHAINS} chains or more"
    warnings.warn(f"<|m|> {found} after {draws} draws of every chain: {mend}", KadanoffWarning, stacklevel=4)


def _judged(series: Sequence[np.ndarray]) -> tuple[float, float]:
    """Relative error of <|m|>, and the number of independent draws."""
    joined = np.abs(np.concatenate(series, axis=1))
    found = gamma_method(joined)
    return found.error / found.value if found.value else math.inf, joined.size / (2 * (found.tau_int or 0.5))
