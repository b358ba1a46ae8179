"""What derived quantities and resampling share: checked input and weighted means of primary observables."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kadanoff.errors import InputError
from kadanoff.statistics.weights import relative_weights, total_weight

__all__ = ["Primaries", "as_series", "evaluate"]

_LAYOUT = {1: "(draw,)", 2: "(chain, draw)", 3: "(k, chain, draw)"}


def as_series(data: ArrayLike, ndim: int = 2, name: str = "series") -> NDArray[Any]:
    """`data` in double precision with `ndim` axes; one axis less is one chain or one primary.

    Raises `InputError` for other shapes, empty arrays, and values that are not finite.
    """
    array = np.asarray(data)
    if array.ndim == ndim - 1:
        array = array[None]
    if array.ndim != ndim or array.size == 0:
        raise InputError(
            f"{name} of shape {np.shape(data)} cannot be averaged: pass {_LAYOUT[ndim]}, at least one draw."
        )
    if array.dtype.kind not in "biufc":
        raise InputError(f"{name} has dtype {array.dtype}: pass real or complex numbers.")
    array = array.astype(np.complex128 if array.dtype.kind == "c" else np.float64, copy=False)
    bad = array.size - int(np.count_nonzero(np.isfinite(array)))
    if bad:
        raise InputError(
            f"{name} has {bad} of {array.size} values that are NaN or infinite: dropping them would bias "
            "the mean; look for the draws that made them."
        )
    return array


@dataclass(frozen=True)
class Primaries:
    """Primary observables with their (weighted) means.

    - `means`: (k,) sum(w O) / sum(w).
    - `fluctuations`: (k, chain, draw), w (O - mean) / mean(w): the linear response of the mean to each draw,
        whose own mean vanishes. Their autocorrelation is that of the weighted mean.
    - `weights`: (chain, draw) with mean one, or None.
    """

    means: NDArray[Any]
    fluctuations: NDArray[Any]
    weights: NDArray[Any] | None

    @property
    def draws(self) -> int:
        """How many draws count: those of weight zero do not."""
        if self.weights is None:
            return self.fluctuations[0].size
        return int(np.count_nonzero(self.weights))

    @classmethod
    def of(cls, primaries: ArrayLike, log_weights: ArrayLike | None) -> "Primaries":
        """Means and fluctuations of primaries (k, chain, draw) with log-weights (chain, draw) or None."""
        values = as_series(primaries, 3, "primaries")
        # From the first draw on: a constant then fluctuates by exactly zero.
        origin = values[:, 0, 0]
        values = values - origin[:, None, None]
        if log_weights is None:
            means = values.mean(axis=(1, 2))
            fluctuations = values - means[:, None, None]
            return cls(origin + means, fluctuations, None)
        weights = relative_weights(log_weights)
        if weights.ndim == 1:
            weights = weights[None]
        if weights.shape != values.shape[1:]:
            raise InputError(
                f"log_weights of shape {np.shape(log_weights)} do not fit primaries of shape {values.shape}: "
                "pass one log-weight for every (chain, draw)."
            )
        weights = weights / (total_weight(weights) / weights.size)
        means = (weights * values).mean(axis=(1, 2))
        fluctuations = weights * (values - means[:, None, None])
        return cls(origin + means, fluctuations, weights)


def evaluate(function: Callable[[Any], Any], means: NDArray[Any]) -> NDArray[Any]:
    """`function(means)` as a double-precision array.

    Raises `InputError` when it answers in single precision, too coarse for a numerical derivative.
    """
    result = np.asarray(function(means))
    if result.dtype in (np.float16, np.float32, np.complex64):
        raise InputError(
            f"the function answered in {result.dtype}, but errors need double precision: "
            "use numpy instead of jax.numpy in it (it only sees a few means)."
        )
    if result.dtype.kind not in "biufc":
        raise InputError(f"the function answered with dtype {result.dtype}: return real or complex numbers.")
    return result.astype(np.complex128 if result.dtype.kind == "c" else np.float64)
