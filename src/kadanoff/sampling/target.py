"""The error that a run is to reach, and the warning when its longest length allowed ends before."""

import math
import warnings
from collections.abc import Sequence

import numpy as np

from kadanoff.errors import KadanoffWarning
from kadanoff.sampling.plan import Plan
from kadanoff.statistics import gamma_method

__all__ = ["relative_error", "warn_unless_reached"]


def relative_error(series: Sequence[np.ndarray]) -> float:
    """Relative error of <|m|> from blocks (chain, draw) of the magnetisation.

    >>> relative_error([np.ones((2, 3)), np.ones((2, 5))])
    0.0
    """
    estimate = gamma_method(np.abs(np.concatenate(series, axis=1)))
    return estimate.error / estimate.value if estimate.value else math.inf


def warn_unless_reached(plan: Plan, series: Sequence[np.ndarray]) -> None:
    """Warn, with a `KadanoffWarning`, when a run with a target ended by its longest length."""
    if plan.target_error is None or plan.draws is not None:
        return
    reached, draws = relative_error(series), sum(part.shape[1] for part in series)
    if draws >= plan.max_draws and not reached <= plan.target_error:
        found = f"is known to {100 * reached:.2f} %, not to {100 * plan.target_error:.2f} %,"
        mend = "raise max_draws or thin"
        if math.isinf(reached):
            found, mend = "is zero", "no relative error can be reached, give the number of draws instead"
        warnings.warn(
            f"<|m|> {found} after {draws} draws of every chain: {mend}", KadanoffWarning, stacklevel=4
        )
