"""Newton's method for couplings: steps kept where the model stays a density, and shortened until they descend."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from scipy.sparse.linalg import splu

from kadanoff.errors import InputError
from kadanoff.learning.data.solution import as_history, solve
from kadanoff.store.checkpoint import Checkpoint

__all__ = ["Objective", "bounded_step", "decrement", "furthest_fall", "minimise", "solve_any"]

_DONE = 1e-3  # Newton decrement in squared statistical errors: far below what the data can tell
_HALVINGS = 25


@runtime_checkable
class Objective(Protocol):
    """A mean over data to minimise, in double precision."""

    def value(self, vector: Float[np.ndarray, " K"]) -> float:
        """The objective; not finite where the couplings are no density."""
        ...

    def slopes(self, vector: Float[np.ndarray, " K"]) -> tuple[Float[np.ndarray, " K"], Any]:
        """Its gradient, and its Hessian: an array, or a sparse one."""
        ...


def minimise(
    objective: Objective,
    start: Float[np.ndarray, " K"],
    count: float,
    steps: int,
    lower: Float[np.ndarray, " K"],
    report: Callable[[int, float], None] = lambda step, distance: None,
    checkpoint: Checkpoint | None = None,
) -> tuple[Float[np.ndarray, " K"], list[tuple[int, float]]]:
    """Minimise an objective that is a mean over `count` independent data; give the vector and its history.

    Ends when the decrement, in squared statistical errors of so many data, is negligible, or after `steps`. No
    component falls below its `lower` bound, and one that has a bound loses at most four fifths of its value in one
    step; where some would fall further, the others move as is best given where those stop.

    With a `checkpoint` the iteration goes on from what it holds.

    Raises `InputError` when the objective is not finite at the start.
    """
    checkpoint = Checkpoint() if checkpoint is None else checkpoint
    done, vector, rows = checkpoint.load((0, start.astype(np.float64), np.zeros((0, 2))))
    history, value = as_history(rows), objective.value(vector)
    if not np.isfinite(value):
        raise InputError("the model to start from is no density for these data: give finite couplings, b > 0")
    for step in range(done, steps):
        gradient, hessian = objective.slopes(vector)
        most = furthest_fall(vector, lower)
        direction = bounded_step(gradient, hessian, most)
        # Far from the minimum a Hessian from some of the data may point upwards.
        if direction @ gradient > 0:
            direction = np.maximum(-gradient / np.abs(hessian.diagonal()), most)
        distance = float(-direction @ gradient * count)
        history.append((step, distance))
        report(step, distance)
        if distance < _DONE:
            break
        length = 1.0
        for _ in range(_HALVINGS):
            trial = objective.value(vector + length * direction)
            if np.isfinite(trial) and trial <= value + 1e-7 * abs(value):
                vector, value = vector + length * direction, trial
                checkpoint.save((step + 1, vector, np.asarray(history, np.float64)))
                break
            length /= 2
        else:
            break
    return vector, history


def solve_any(matrix: Any, right: np.ndarray) -> np.ndarray:
    """Solve with a dense or a sparse matrix."""
    if isinstance(matrix, np.ndarray):
        return solve(matrix, right)
    try:
        return splu(matrix.tocsc()).solve(right)
    except RuntimeError as error:
        raise InputError(
            "the data do not determine the couplings: the linear system is singular; give more fields, name fewer "
            "couplings in `train`, or give a ridge"
        ) from error


def decrement(gradient: np.ndarray, matrix: np.ndarray) -> float:
    """Square of a gradient in the metric of the inverse matrix."""
    return float(gradient @ solve(matrix, gradient))


def furthest_fall(vector: np.ndarray, lower: np.ndarray) -> Float[np.ndarray, " K"]:
    """How far components may fall in one step, 0 or less: to `lower`, where it is finite, at most by four fifths.

    >>> furthest_fall(np.array([1.0, 1.0, 0.1]), np.array([-np.inf, 0.01, 0.09])).round(3).tolist()
    [-inf, -0.8, -0.01]
    """
    return np.where(np.isfinite(lower), np.maximum(lower, vector / 5), lower) - vector


def bounded_step(gradient: np.ndarray, hessian: Any, most: np.ndarray) -> Float[np.ndarray, " K"]:
    """Newton's step of components none of which may fall further than to `most`, 0 or less.

    >>> bounded_step(np.array([2.0, 1.0]), np.array([[1.0, 0.5], [0.5, 1.0]]), np.array([-0.5, -np.inf])).tolist()
    [-0.5, -0.75]
    """
    held = (most == 0) & (gradient > 0)
    while True:
        step, free = np.where(held, most, 0.0), np.flatnonzero(~held)
        if not len(free):
            return step
        rest = gradient + hessian @ step
        step[free] = -solve_any(hessian[free][:, free] if held.any() else hessian, rest[free])
        further = step < most
        if not further.any():
            return step
        held |= further
