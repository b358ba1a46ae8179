"""Maximum likelihood by persistent chains: the mean operators of the model follow those of the data."""

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

__all__ = ["Likelihood"]

_LARGEST = 0.5  # nats that one step may move the model: chains can follow
_RATE = 0.5  # of the Newton step: chains lag behind the couplings


class _State(NamedTuple):
    """What is kept between two steps; `sums` and `squares` are those at rest."""

    done: int
    vector: np.ndarray
    mean: np.ndarray
    history: np.ndarray
    chains: ChainState
    sums: np.ndarray
    squares: np.ndarray


@dataclass(frozen=True)
class Likelihood:
    """Minimise KL(q||p): d/dg of the mean log-likelihood is <dS/dg>_model - <dS/dg>_data.

    Natural gradient, with the Fisher matrix Cov(dS/dg) of the chains; they start at fields of the data and persist
    while the couplings change. Those of the last half of `steps` are averaged; as many steps at these fixed couplings
    then measure the model, and one Newton step ends. What the finite chains add to the error is counted.

    - `chains`: how many (at most as many as there are data), `sweeps` updates of each between two steps.
    - `sampler`: that of `kd.sample` unless given.

    Source: L. Younes, Stochastics 65 (1999) 177 (persistent chains); S. Amari, Neural Comput. 10 (1998) 251.
    """

    steps: int = 100
    chains: int = 1000
    sweeps: int = 2
    sampler: Sampler | None = None

    def __post_init__(self) -> None:
        """Refuse counts below one."""
        require_counts(self, "steps", "chains", "sweeps")

    def solve(
        self, parameters: Parameters, samples: Samples, seed: int, progress: Progress, checkpoint: Checkpoint
    ) -> Solution:
        """Follow the gradient, then measure at rest."""
        rng = np.random.default_rng(seed)
        picks = rng.choice(len(samples.fields), self.chains, p=samples.weights)
        chains = Chains.start(parameters, samples.fields[picks], self.sampler, seed)
        vector = parameters.within(parameters.values)
        ours = parameters.operators(vector, samples.fields)
        target = samples.weights @ ours
        zero, late = np.zeros_like(vector), self.steps // 2
        state = checkpoint.load(
            _State(0, vector, zero, np.zeros((0, 2)), chains.state, np.zeros(()), np.zeros(()))
        )
        chains.state, chains.moves = state.chains, state.done
        vector, mean, history = state.vector, state.mean, state.history
        for step in range(state.done, self.steps):
            chains.advance(vector, self.sweeps, tune=step < late)
            theirs = parameters.operators(vector, chains.fields)
            gradient, fisher = theirs.mean(axis=0) - target, _covariance(theirs)
            move = natural_step(gradient, fisher, fisher, _LARGEST, furthest_fall(vector, parameters.lower))
            history = np.append(history, [[step, float(move @ fisher @ move) * len(samples.fields)]], axis=0)
            vector = parameters.within(vector + _RATE * move)
            if step >= late:
                mean = mean + vector / (self.steps - late)
            progress(step + 1, 2 * self.steps, f"likelihood, distance {history[-1, 1]:.3g}")
            state = _State(step + 1, vector, mean, history, chains.state, state.sums, state.squares)
            checkpoint.save(state)
        return self._at_rest(parameters, chains, state, ours - target, target, progress, checkpoint)

    def _at_rest(
        self,
        parameters: Parameters,
        chains: Chains,
        state: _State,
        away: np.ndarray,
        target: np.ndarray,
        progress: Progress,
        checkpoint: Checkpoint,
    ) -> Solution:
        """Measure the model at fixed couplings, and make the last Newton step."""
        vector, sums, squares = state.mean, state.sums, state.squares
        for step in range(state.done - self.steps, self.steps):
            chains.advance(vector, self.sweeps)
            theirs = parameters.operators(vector, chains.fields)
            sums = sums + theirs
            squares = squares + theirs.T @ theirs / len(theirs) / self.steps
            done = self.steps + step + 1
            progress(done, 2 * self.steps, "likelihood, measuring")
            checkpoint.save(_State(done, state.vector, vector, state.history, chains.state, sums, squares))
        by_chain = np.asarray(sums) / self.steps
        mean = by_chain.mean(axis=0)
        fisher = np.asarray(squares) - np.outer(mean, mean)
        history = as_history(state.history)
        distance = decrement(mean - target, fisher)
        history.append((self.steps, distance * len(away)))
        noise = _covariance(by_chain) / len(by_chain)
        inverse = solve(fisher, np.eye(len(fisher)))
        # Beyond what one step may move, the Fisher matrix is another one: the history tells that there is more to go.
        final = vector + solve(fisher, mean - target) * min(
            1.0, np.sqrt(2 * _LARGEST / max(distance, 1e-300))
        )
        return Solution(final, -solve(fisher, away.T).T, inverse @ noise @ inverse.T, history)


def _covariance(rows: np.ndarray) -> np.ndarray:
    away = rows - rows.mean(axis=0)
    return away.T @ away / max(len(rows) - 1, 1)
