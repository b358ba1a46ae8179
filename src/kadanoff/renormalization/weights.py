"""What refuses log-weights that it would have to leave out."""

import numpy as np

from kadanoff.ensemble import Ensemble
from kadanoff.errors import InputError

__all__ = ["require_equal_weights", "require_real_weights"]


def require_equal_weights(ensemble: Ensemble, what: str) -> None:
    """`InputError` for log-weights that differ; `what` is done with configurations of equal weight only.

    >>> require_equal_weights(Ensemble(np.ones((2, 3, 4, 4))), "learning an inverse")
    """
    weights = ensemble.log_weight
    if weights is not None and np.any(weights != np.ravel(weights)[0]):
        raise InputError(
            f"{what} counts every configuration alike, and these have log-weights: sample anew at the coupling that "
            "is wanted, or resample by the weights"
        )


def require_real_weights(ensemble: Ensemble, what: str) -> None:
    """`InputError` for complex log-weights; `what` has errors for real ones only."""
    weights = ensemble.log_weight
    if weights is not None and np.iscomplexobj(weights):
        raise InputError(
            f"{what} has errors for real log-weights only, and these are complex: use `observe`, whose errors hold"
        )
