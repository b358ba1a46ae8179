"""What every way to learn from data gives: couplings, their linear response to each field, the noise of chains."""

from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from kadanoff.learning.data.parameters import Parameters
from kadanoff.learning.data.samples import Samples
from kadanoff.sampling.run import Progress
from kadanoff.store.checkpoint import Checkpoint
from kadanoff.whole import whole

__all__ = ["Method", "Solution", "as_history", "require_counts", "solve"]


@dataclass(frozen=True, eq=False)
class Solution:
    """Couplings that solve a method's equations, mean over the data of psi(field; g) = 0.

    - `influence`: (n, K) what each field adds to the couplings to first order, n times; its mean vanishes, and the
        error of its mean is that of the couplings. None where there are too many couplings.
    - `noise`: (K, K) covariance that comes from simulated chains alone, or None.
    - `history`: (step, distance): how far the equations are from solved, as the Newton decrement in units of the
        squared statistical error (a distance of 1 is one standard error along the worst direction, at most).
    """

    vector: Float[np.ndarray, " K"]
    influence: Float[np.ndarray, "n K"] | None
    noise: Float[np.ndarray, "K K"] | None = None
    history: list[tuple[int, float]] = field(default_factory=list)


@runtime_checkable
class Method(Protocol):
    """One way to learn couplings from data."""

    def solve(
        self, parameters: Parameters, samples: Samples, seed: int, progress: Progress, checkpoint: Checkpoint
    ) -> Solution:
        """Find the couplings, from those of the parameters on, or from the state that the checkpoint holds."""
        ...


def require_counts(method: Any, *names: str) -> None:
    """Make these options of a method whole numbers; `InputError` unless each is 1 or more."""
    for name in names:
        object.__setattr__(method, name, whole(name, getattr(method, name), least=1))


def as_history(rows: Float[np.ndarray, "step 2"]) -> list[tuple[int, float]]:
    """Rows (step, distance), the form in which a checkpoint keeps them, as a history."""
    return [(int(step), float(distance)) for step, distance in rows]


def solve(matrix: Float[np.ndarray, "K K"], right: Float[np.ndarray, "K ..."]) -> Float[np.ndarray, "K ..."]:
    """Solve a linear system scaled to a unit diagonal, by least squares where it is singular."""
    scale = 1 / np.sqrt(np.maximum(np.abs(np.diag(matrix)), np.finfo(np.float64).tiny))
    scaled = matrix * scale[:, None] * scale
    lead = scale.reshape(-1, *[1] * (right.ndim - 1))
    return lead * np.linalg.lstsq(scaled, lead * right, rcond=1e-9)[0]
