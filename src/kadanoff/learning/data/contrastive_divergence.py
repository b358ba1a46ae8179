"""Contrastive divergence CD-k: the operators of the data and of fields k sweeps later."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from kadanoff.learning.data.moments import Chains, natural_step
from kadanoff.learning.data.newton import decrement, furthest_fall
from kadanoff.learning.data.parameters import Parameters
from kadanoff.learning.data.samples import Samples
from kadanoff.learning.data.solution import Solution, as_history, require_counts, solve
from kadanoff.sampling.run import Progress
from kadanoff.sampling.state import ChainState, Sampler
from kadanoff.store.checkpoint import Checkpoint

__all__ = ["ContrastiveDivergence"]

_LARGEST = 0.5  # nats that one step may move the model
_RATE = 0.5  # of the Newton step, whose matrix is noisy


class _State(NamedTuple):
    """What is kept between two steps; `total` is that at rest."""

    done: int
    vector: np.ndarray
    mean: np.ndarray
    history: np.ndarray
    chains: ChainState
    total: np.ndarray


@dataclass(frozen=True)
class ContrastiveDivergence:
    """Make `sweeps` updates of the model leave the mean operators of the data as they are.

    Chains start at the data in every step and never equilibrate. Where the data follow the model, moving away from it
    by dg changes the difference of the means by (C(0) - C(k)) dg, with C the covariance of operators `sweeps` updates
    apart: that matrix makes Newton steps and errors. As in the likelihood, the last half of `steps` is averaged and
    followed by as many at rest and one Newton step; the error includes the noise of the updates.

    Source: G. E. Hinton, Neural Comput. 14 (2002) 1771.
    """

    steps: int = 40
    sweeps: int = 1
    sampler: Sampler | None = None

    def __post_init__(self) -> None:
        """Refuse counts below one."""
        require_counts(self, "steps", "sweeps")

    def solve(
        self, parameters: Parameters, samples: Samples, seed: int, progress: Progress, checkpoint: Checkpoint
    ) -> Solution:
        """Follow the gradient, then measure at rest."""
        chains = Chains.start(parameters, samples.fields, self.sampler, seed)
        vector = parameters.within(parameters.values)
        ours = parameters.operators(vector, samples.fields)
        weights = samples.weights
        away = ours - weights @ ours
        fisher = _weighted(weights, away, away)
        zero, late = np.zeros_like(vector), self.steps // 2
        state = checkpoint.load(_State(0, vector, zero, np.zeros((0, 2)), chains.state, np.zeros_like(ours)))
        done, vector, mean, history, chains.state, total = state
        chains.moves = done
        for step in range(done, self.steps):
            change = self._change(parameters, chains, samples, vector, ours, tune=step < late)
            gradient, response = weights @ change, -_weighted(weights, change, away)
            move = natural_step(gradient, fisher, response, _LARGEST, furthest_fall(vector, parameters.lower))
            history = np.append(history, [[step, float(abs(move @ gradient)) * len(ours)]], axis=0)
            vector = parameters.within(vector + _RATE * move)
            if step >= late:
                mean = mean + vector / (self.steps - late)
            progress(step + 1, 2 * self.steps, f"contrastive divergence, distance {history[-1, 1]:.3g}")
            checkpoint.save(_State(step + 1, vector, mean, history, chains.state, total))
        for step in range(max(done, self.steps), 2 * self.steps):
            total = total + self._change(parameters, chains, samples, mean, ours) / self.steps
            progress(step + 1, 2 * self.steps, "contrastive divergence, measuring")
            checkpoint.save(_State(step + 1, vector, mean, history, chains.state, total))
        response, residual = -_weighted(weights, total, away), weights @ total
        distance = decrement(residual, (response + response.T) / 2) * len(ours)
        return Solution(
            mean + solve(response, residual),
            solve(response, (total - residual).T).T,
            history=[*as_history(history), (self.steps, distance)],
        )

    def _change(
        self,
        parameters: Parameters,
        chains: Chains,
        samples: Samples,
        vector: np.ndarray,
        ours: np.ndarray,
        tune: bool = False,
    ) -> np.ndarray:
        """What the updates change in the operators of every field, (n, K)."""
        chains.move_to(samples.fields)
        chains.advance(vector, self.sweeps, tune)
        return parameters.operators(vector, chains.fields) - ours


def _weighted(weights: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return (left * weights[:, None]).T @ right
