"""Data to learn from: independent fields, or the chains of an ensemble with their weights."""

from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from kadanoff.actions.base import has_spins
from kadanoff.ensemble import Ensemble
from kadanoff.errors import InputError
from kadanoff.statistics import Resampled, jackknife
from kadanoff.statistics.weights import relative_weights

__all__ = ["Samples"]

_SMALLEST = 2  # fields: one alone has no spread


@dataclass(frozen=True, eq=False)
class Samples:
    """Fields (n, *shape) in single precision; `chains` runs of n/chains draws each, n of one draw if independent.

    `log_weight` (chain, draw) multiplies every field in every mean, as in an ensemble.
    """

    fields: Float[np.ndarray, "n ..."]
    chains: int
    log_weight: Float[np.ndarray, "chain draw"] | None = None

    @classmethod
    def of(cls, data: "Ensemble | ArrayLike", action: Any) -> "Samples":
        """Read an `Ensemble`, or an array (n, *shape) whose fields count as independent.

        Raises `InputError` for numbers that are not real or not finite, integers where sites are real, values other
        than +-1 where they are spins, fields of another shape than the action's graph, fewer than two fields, and
        complex weights.

        >>> import kadanoff as kd
        >>> Samples.of(np.ones((10, 4, 4), np.float32), kd.Phi4(-0.9515, 0.7)).draws
        1
        """
        weights = None
        if isinstance(data, Ensemble):
            fields, weights = np.asarray(data.fields), data.log_weight
            chains, fields = data.chains, fields.reshape(-1, *fields.shape[2:])
        else:
            if np.ma.is_masked(data):
                raise InputError(
                    "the data are a masked array with values missing, and every site of a field is needed: fill them, "
                    "or leave the fields that miss some out"
                )
            try:
                fields = np.asarray(data)
            except ValueError as error:
                raise InputError(f"the data are no array (n, *shape) of fields: {error}") from error
            chains = len(fields) if fields.ndim else 0
        if weights is not None and np.iscomplexobj(weights):
            raise InputError("complex weights are no distribution to learn: give an ensemble with real ones")
        _require_numbers(fields, action)
        return cls(np.ascontiguousarray(fields, np.float32), chains, weights)

    def require_fluctuations(self) -> None:
        """`InputError` for fields that are all the same, or differ by a sign: no finite couplings have such data.

        >>> Samples(np.array([[1.0, -2.0], [-1.0, 2.1]], np.float32), 2).require_fluctuations()
        """
        first = self.fields[0]
        place = (slice(None), *np.unravel_index(np.argmax(np.abs(first)), first.shape))
        signs = np.where(self.fields[place] * first[place[1:]] < 0, -1, 1)
        if all(np.array_equal(sign * each, first) for sign, each in zip(signs, self.fields, strict=True)):
            raise InputError(
                f"all {len(self.fields)} fields of the data are the same, but for their sign, so that couplings would "
                "be infinite: give fields that fluctuate"
            )

    @property
    def draws(self) -> int:
        """Fields of one chain."""
        return len(self.fields) // self.chains

    @property
    def weights(self) -> Float[np.ndarray, " n"]:
        """Weights of the fields, which add up to one."""
        if self.log_weight is None:
            return np.full(len(self.fields), 1 / len(self.fields))
        weights = relative_weights(self.log_weight).ravel()
        return np.asarray(weights / weights.sum(), np.float64)

    def split(self, share: float) -> tuple["Samples", "Samples | None"]:
        """Part the data in those to learn from and those held out: whole chains, or the last draws of few chains."""
        if not (isinstance(share, Real) and 0 <= share < 1):
            raise InputError(f"held_out is a share of the data, at least 0 and below 1, got {share!r}")
        whole = self.chains if self.chains >= 10 else self.draws
        count = round(share * whole)
        if count == 0 or whole - count < _SMALLEST:
            return self, None
        cut = whole - count
        return self._part(slice(0, cut)), self._part(slice(cut, whole))

    def _part(self, part: slice) -> "Samples":
        shaped = self.fields.reshape(self.chains, self.draws, *self.fields.shape[1:])
        index = (part, slice(None)) if self.chains >= 10 else (slice(None), part)
        kept, weights = shaped[index], None if self.log_weight is None else self.log_weight[index]
        return Samples(kept.reshape(-1, *self.fields.shape[1:]), len(kept), weights)

    def resampled(self, series: Float[np.ndarray, "n K"]) -> Resampled:
        """Means of series over the fields with their covariance; chains and autocorrelation are respected."""
        shaped = np.moveaxis(series.reshape(self.chains, self.draws, -1), -1, 0)
        return jackknife(lambda means: means, shaped, self.log_weight)


def _require_numbers(fields: np.ndarray, action: Any) -> None:
    spins, graph = has_spins(action), getattr(action, "graph", None)
    if fields.dtype.kind not in ("iuf" if spins else "f"):
        hint = "give real numbers"
        if fields.dtype.kind == "i" and np.all(np.abs(fields) == 1):
            name = type(action).__name__
            hint = f"they are spins, and {name} has real fields: give a model that has spins (kd.InhomogeneousIsing)"
        elif fields.dtype.kind in "iu":
            hint = "scale integers, such as grey levels, to real numbers: phi = grey / 255"
        elif fields.dtype.kind == "b":
            hint = "give spins as +1 and -1, 2 * x - 1, and what is real as real numbers"
        raise InputError(f"the data have the type {fields.dtype}: {hint}")
    wanted = None if graph is None else graph.shape
    if fields.ndim < 2 or (wanted is not None and fields.shape[1:] != wanted):
        shape = "(n, *sides of the lattice)" if wanted is None else f"(n, {', '.join(map(str, wanted))})"
        raise InputError(f"the data have the shape {fields.shape}: give fields of shape {shape}")
    if len(fields) < _SMALLEST:
        raise InputError(f"the data hold {len(fields)} field, and one alone has no spread: give two or more")
    wrong = np.argwhere(~np.isfinite(fields.reshape(len(fields), -1)).all(axis=1))
    if len(wrong):
        raise InputError(
            f"field {int(wrong[0, 0])} of the data holds NaN or infinity: leave it out or mend it"
        )
    largest = float(np.abs(fields).max(initial=0.0))
    if largest > np.finfo(np.float32).max:
        raise InputError(
            f"the data hold {largest:.3g}, beyond single precision: divide them, or check how they were read"
        )
    if spins and not np.all(np.abs(fields) == 1):
        raise InputError(f"{type(action).__name__} has spins, and the data hold other values than +1 and -1")
