"""The scale on which a network sees its data: stored with the model, and undone in what it gives back."""

import warnings
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from kadanoff.errors import InputError, KadanoffWarning
from kadanoff.network.units import Unit

__all__ = ["SCALINGS", "Scaling", "checked", "filled", "pool_of", "require_single"]

SCALINGS = ("auto", "standard", "none", "binary")
_POOL = 256  # values that smoothing adds
_WIDEST = 10.0  # deviation that real units can have while they learn: b and a stay above 0.001
_ROUNDING = 16 * np.finfo(np.float64).eps  # of the largest value: columns that vary by no more are constant
_SAME = 0.9  # part of the samples from which on a column that has one value in them hardly varies


class Scaling(eqx.Module):
    """Features as the units see them, (x - shift)/scale, or the upper level where x > shift ("binary").

    `levels` are those of binary units, None for real ones.

    >>> import numpy as np
    >>> scaling = Scaling.of(np.array([[0.0, 4.0], [2.0, 4.0]]), "standard", None)
    >>> scaling.apply(np.array([[3.0, 4.0]])).tolist()
    [[2.0, 0.0]]
    """

    shift: Float[np.ndarray, " feature"]
    scale: Float[np.ndarray, " feature"]
    levels: tuple[float, float] | None = eqx.field(static=True, default=None)

    @classmethod
    def of(
        cls, x: Float[np.ndarray, "sample feature"], name: str, levels: tuple[float, ...] | None
    ) -> "Scaling":
        """Choose shift and scale from data.

        "standard" gives every feature mean 0 and variance 1 (one that is the same in 9 of 10 samples, as a pixel at
        the margin, is scaled by a tenth of the largest deviation, so that rare values do not become huge); "binary"
        cuts at the middle between the smallest and the largest value; "auto" is "standard" for real units, and for
        units with two levels "none" where the data hold these levels only, else "binary".

        Raises `InputError` for an unknown name, a kind that does not fit the units, and data without any variation.
        """
        if name not in SCALINGS:
            raise InputError(f"unknown scaling {name!r}; choose one of {', '.join(SCALINGS)}")
        peak = np.abs(x).max(axis=0)
        parts = x / np.where(peak > 0, peak, 1.0)  # squares of huge and tiny numbers are no numbers
        constant = np.ptp(parts, axis=0) <= _ROUNDING
        if constant.all():
            raise InputError(
                "every column of the data is constant: there is nothing to learn; check how the data were read"
            )
        if name == "auto":
            ready = levels is not None and np.isin(x, levels).all()
            name = "none" if ready else "standard" if levels is None else "binary"
        if (name == "binary") != (levels is not None) and name != "none":
            kind = "real" if levels is None else "two-level"
            raise InputError(f"scaling {name!r} does not fit {kind} units; choose 'auto'")
        ones = np.ones(x.shape[1])
        deviation = np.where(constant, 0.0, peak * parts.std(axis=0))
        if name == "none":
            if levels is None and deviation.max() > _WIDEST:
                warnings.warn(
                    f"a column deviates by {deviation.max():.3g}, more than real units can follow (about "
                    f"{_WIDEST:g}): choose scaling 'standard', or divide the data first",
                    KadanoffWarning,
                    stacklevel=2,
                )
            return cls(0 * ones, ones)
        if name == "binary":
            middle = x.min() / 2 + x.max() / 2
            return cls(middle * ones, ones, (levels[0], levels[1]) if levels else None)
        # Columns may be of different things: the rare values of one are not scaled to less than 1.
        extent = np.where(constant, np.inf, peak * np.ptp(parts, axis=0))
        least = np.minimum(deviation.max() / 10, extent)
        rare = constant | ((x == np.median(x, axis=0)).mean(axis=0) > _SAME)
        return cls(peak * parts.mean(axis=0), np.where(rare, np.maximum(deviation, least), deviation))

    def apply(self, x: Float[np.ndarray, "sample feature"]) -> Float[np.ndarray, "sample feature"]:
        """Turn features into values of units."""
        if self.levels is not None:
            return np.where(x > self.shift, self.levels[1], self.levels[0])
        return (x - self.shift) / self.scale

    def undo(self, v: Float[np.ndarray, "sample feature"]) -> Float[np.ndarray, "sample feature"]:
        """Turn values of units, or their means, into features; levels stay as they are."""
        return v if self.levels is not None else v * self.scale + self.shift

    @property
    def log_volume(self) -> float:
        """What is added to ln p of the features to have ln p of the units' values: sum of ln scale."""
        return float(np.log(self.scale).sum())


def filled(x: Any) -> Any:
    """Data as they are; of a masked array with NaN in place of what it masks, which a table would show again."""
    return np.ma.masked_array(x, dtype=np.float64).filled(np.nan) if np.ma.is_masked(x) else x


def checked(x: object, units: type[Unit] | None = None) -> Float[np.ndarray, "sample feature"]:
    """Data as a float64 table; `InputError` for anything but a table of finite numbers, rows first."""
    try:
        table = np.asarray(filled(x), dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"data are a table of numbers, rows first, but this holds others ({error})"
        ) from error
    if table.ndim != 2 or table.size == 0:
        raise InputError(
            f"data have the shape (sample, feature), got {table.shape}; flatten images into rows"
        )
    if not np.isfinite(table).all():
        row, column = np.argwhere(~np.isfinite(table))[0]
        raise InputError(
            f"data hold NaN or infinity (first in row {row}, column {column}); remove or fill them in"
        )
    if units is not None:
        units.check_data(table)
    return table


def require_single(v: Float[np.ndarray, "sample unit"]) -> Float[np.ndarray, "sample unit"]:
    """Values of units as they are; `InputError` where one is beyond single precision, in which networks compute."""
    largest = np.abs(v).max()
    if largest > np.finfo(np.float32).max:
        raise InputError(
            f"values of units are of single precision, but one is {largest:.3g}; check how the data were read"
        )
    return v


def pool_of(v: Any, scaling: Scaling) -> Any:
    """The values that all features take together, for each of them: some quantiles, as states of the units."""
    if not isinstance(v, np.ndarray):  # only shapes are asked for
        return jnp.zeros((_POOL, v.shape[1]))
    together = np.quantile(scaling.undo(v), np.linspace(0, 1, _POOL), method="nearest")
    pool = np.repeat(together[:, None], v.shape[1], axis=1)
    return pool if scaling.levels is not None else scaling.apply(pool)
