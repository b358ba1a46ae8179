"""What a fit to data gives back: the model, its couplings with errors, a score on data it never saw."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float

from kadanoff.learning.data.parameters import Parameters
from kadanoff.statistics import Estimate

__all__ = ["DataFit"]


@dataclass(frozen=True, eq=False)
class DataFit:
    """The outcome of `fit_data`, the same for every method.

    - `model`: the fitted action. Its couplings are the solution of the method's equations, even where the errors allow
        couplings that `kd` would refuse to build (a phi^6 term of -0.001(3)); a warning says so.
    - `values`, `covariance`: of the trained couplings, named by `names`; the covariance is None where there are too
        many. It comes from the scatter of the data (chains and autocorrelation respected) and of simulated chains,
        without assuming that the data follow the model.
    - `history`: (step, distance); a distance of 1 is about one standard error from the solution.
    - `held_out`: mean of `score` over the fields held out, per site, greater is better; None without any, or where
        the fitted couplings are no density.
    - `seconds`: of work, that of interrupted calls from which this one went on included.
    """

    model: Any
    method: str
    parameters: Parameters
    values: Float[np.ndarray, " K"]
    covariance: Float[np.ndarray, "K K"] | None
    history: tuple[tuple[int, float], ...]
    held_out: Estimate | None
    score: str
    fields: int
    seed: int
    seconds: float

    @property
    def names(self) -> list[str]:
        """Names of the trained couplings: `mass2`, `w[3]`, `a[0,1]`."""
        return self.parameters.components

    @cached_property
    def couplings(self) -> dict[str, Estimate]:
        """Every trained coupling with its error, NaN where it is unknown."""
        return {
            name: Estimate(value, error)
            for name, value, error in zip(self.names, self.values, self._deviations, strict=True)
        }

    @property
    def errors(self) -> Any:
        """Standard errors as a module of the action's own type: `fit.errors.w`; those that are fixed keep values."""
        return self.parameters.at(self._deviations)

    @property
    def _deviations(self) -> Float[np.ndarray, " K"]:
        if self.covariance is None:
            return np.full(len(self.values), np.nan)
        return np.sqrt(np.maximum(np.diag(self.covariance), 0))

    def pulls(self, truth: Any) -> Float[np.ndarray, " K"]:
        """Deviations from another action of the same kind, in standard errors."""
        known = Parameters(truth, self.parameters.names).values
        return (self.values - known) / self._deviations

    def as_dict(self) -> dict[str, Any]:
        """Everything but the model, ready for JSON."""
        return {
            "model": type(self.model).__name__,
            "method": self.method,
            "couplings": {name: estimate.as_dict() for name, estimate in self.couplings.items()},
            "held_out": None if self.held_out is None else self.held_out.as_dict(),
            "score": self.score,
            "fields": self.fields,
            "history": [list(entry) for entry in self.history],
            "fit_seconds": self.seconds,
        }

    def __str__(self) -> str:
        """A few lines for people."""
        count = len(self.values)
        lines = [
            f"{type(self.model).__name__}: {count} couplings by {self.method} from {self.fields} fields, "
            f"{self.seconds:.1f} s"
        ]
        if self.held_out is not None:
            lines.append(f"{self.score}, on fields held out: {self.held_out}")
        lines += [f"{name:<14} {estimate}" for name, estimate in list(self.couplings.items())[:12]]
        return "\n".join([*lines, f"... and {count - 12} more"] if count > 12 else lines)

    __repr__ = __str__
