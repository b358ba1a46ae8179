"""The two-point function along the axes of a lattice."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.fft
from jaxtyping import Float, Inexact, Int, Num

from kadanoff.statistics import Estimate

__all__ = ["TwoPoint", "correlations"]

_SITES = 1 << 21  # sites transformed at once: bounds the memory, not the speed


@dataclass(frozen=True)
class TwoPoint:
    """G(r) = <phi(x) phi(x + r e)>, averaged over the sites x and the directions e of the longest sides.

    - `distance`: (r,) the whole numbers from 0 to half the longest side.
    - `value`, `error`: (r,) G and its standard error.
    - `covariance`: (r, r) of the values, all of which come from the same configurations.

    It prints as a table.
    """

    distance: Int[np.ndarray, " r"]
    value: Inexact[np.ndarray, " r"]
    error: Inexact[np.ndarray, " r"]
    covariance: Inexact[np.ndarray, "r r"]

    def estimates(self) -> dict[int, Estimate]:
        """The values with their errors by distance, without their correlation."""
        pairs = zip(self.distance, self.value, self.error, strict=True)
        return {int(r): Estimate(value, error) for r, value, error in pairs}

    def __str__(self) -> str:
        """One distance a line."""
        return "\n".join(f"{r:<4}  {estimate}" for r, estimate in self.estimates().items())


def correlations(fields: Num[np.ndarray, "config ..."]) -> Float[np.ndarray, "config r"]:
    """Mean over the sites of phi(x) phi(x + r e), averaged over the directions of the longest sides, of every field.

    In double precision, by a transform along each of these axes.

    >>> correlations(np.array([[1.0, 1.0, -1.0, -1.0]])).tolist()
    [[1.0, 0.0, -1.0]]
    """
    step = max(1, _SITES // int(np.prod(fields.shape[1:])))
    return np.concatenate([_transformed(fields[i : i + step]) for i in range(0, len(fields), step)])


def _transformed(fields: np.ndarray) -> np.ndarray:
    longest, found = max(fields.shape[1:]), []
    for axis in (axis for axis in range(1, fields.ndim) if fields.shape[axis] == longest):
        lines = np.moveaxis(fields, axis, -1).reshape(len(fields), -1, longest).astype(np.float64)
        spectrum: Any = scipy.fft.rfft(lines, axis=-1)
        power = np.mean(spectrum.real**2 + spectrum.imag**2, axis=1)
        lags: Any = scipy.fft.irfft(power, longest, axis=-1)
        found.append(lags[:, : longest // 2 + 1] / longest)
    return np.mean(found, axis=0)
