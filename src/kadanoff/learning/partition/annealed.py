"""Annealed importance sampling along any path of models: the ratio of partition functions of its two ends.

Nothing here knows what a model or a state is: a lattice field, the layers of a network, or anything else.

Source: C. Jarzynski, PRL 78 (1997) 2690; R. M. Neal, Statistics and Computing 11 (2001) 125.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, SupportsIndex

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from kadanoff.errors import InputError
from kadanoff.random import keys_of, split_words
from kadanoff.statistics import Estimate, effective_sample_size
from kadanoff.statistics.weights import relative_weights
from kadanoff.summation import compensated_sum
from kadanoff.whole import whole

__all__ = [
    "Annealed",
    "Energy",
    "Path",
    "Transition",
    "annealed_importance_sampling",
    "chain_totals",
    "schedule",
]

_ROUND = 500  # steps that one program makes: the same one for any number of them

#: t in [0, 1] -> the model there.
Path = Callable[[Array], Any]
#: (model, state) -> S of every chain, (chain,), or terms that sum to it, (chain, ...).
Energy = Callable[[Any, Any], Array]
#: (key, model, state) -> the state after a Markov step that leaves exp(-S) of the model invariant.
Transition = Callable[[PRNGKeyArray, Any, Any], Any]


@dataclass(frozen=True)
class Annealed:
    """What an annealing gives: `log_weight` (chain,) in double precision, and the last `state`.

    The weights average to Z_1/Z_0; with them the states are a sample of the last model. `work` (step, chain) holds
    the parts that add up to -log_weight: where along the path they spread, steps are missing.
    """

    log_weight: Float[np.ndarray, " chain"]
    work: Float[np.ndarray, "step chain"]
    state: Any

    @property
    def effective_sample_size(self) -> float:
        """Kish's effective number of chains under the weights."""
        return effective_sample_size(self.log_weight)

    @property
    def log_ratio(self) -> Estimate:
        """ln(Z_1/Z_0), the logarithm of the mean weight, with its error from the spread over chains.

        The logarithm of a mean is low by half the squared error; that is added back.
        """
        count = len(self.log_weight)
        mean = float(self.log_weight.max() + np.log(relative_weights(self.log_weight).mean()))
        if count < 2:
            return Estimate(mean, float("nan"))
        square = max(0.0, (count / self.effective_sample_size - 1) / (count - 1))
        return Estimate(mean + square / 2, np.sqrt(square))


def annealed_importance_sampling(
    key: PRNGKeyArray,
    state: Any,
    path: Path,
    energy: Energy,
    transition: Transition,
    steps: SupportsIndex | Float[np.ndarray, " step"] = 1000,
) -> Annealed:
    """Anneal many chains from t = 0 to t = 1; their weights average to Z_1/Z_0 exactly, for any number of steps.

    **Arguments:**

    - `state`: exact, independent draws of `path(0)`, any tree of arrays whose leaves begin with the chain.
    - `path`, `energy`, `transition`: see `Path`, `Energy`, `Transition`; they are traced, and compiled once for the
        same functions or modules. Energies given as terms are subtracted term by term, without loss.
    - `steps`: how many equal steps, or the values of t themselves, from 0 to 1.

    Raises `InputError` for a schedule that does not rise from 0 to 1.

    >>> import jax, jax.numpy as jnp
    >>> key, width = jax.random.key(0), lambda t: 1 + 3 * t  # exp(-x^2/(2 width^2)): Z_1/Z_0 = 4
    >>> result = annealed_importance_sampling(
    ...     key, jax.random.normal(key, (4096,)), width, lambda w, x: (x / w) ** 2 / 2,
    ...     lambda key, w, x: w * jax.random.normal(key, x.shape), steps=40)
    >>> abs(result.log_ratio.pull(jnp.log(4.0).item())) < 4
    True
    """
    times = schedule(steps).astype(np.float32)
    words = split_words(key, len(times) - 1)
    parts = []
    for begin in range(0, len(words), _ROUND):
        keys = keys_of(words[begin : begin + _ROUND], key)
        now = jax.device_put(times[begin : begin + _ROUND + 1])
        state, work = _anneal(keys, state, path, energy, transition, now)
        parts.append(np.asarray(work, np.float64))
    work = np.concatenate(parts)
    return Annealed(-work.sum(axis=0), work, state)


def schedule(steps: SupportsIndex | Float[np.ndarray, " step"]) -> Float[np.ndarray, " step"]:
    """The values of t of an annealing; `InputError` unless they rise from 0 to 1.

    >>> schedule(4).tolist()
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    if np.asarray(steps).ndim == 0:
        return np.linspace(0, 1, whole("the steps of an annealing", steps, least=1) + 1)
    times = np.asarray(steps, np.float64)
    rising = (
        times.ndim == 1 and len(times) > 1 and times[0] == 0 and times[-1] == 1 and np.all(np.diff(times) > 0)
    )
    if not rising:
        raise InputError(
            "the values of t of an annealing must rise from 0 to 1; give their number, or such values"
        )
    return times


def chain_totals(terms: Array) -> Float[Array, " chain"]:
    """Sum the terms of every chain without loss."""
    return compensated_sum(terms, terms.ndim - 1)


@eqx.filter_jit
def _anneal(
    keys: Array, state: Any, path: Path, energy: Energy, transition: Transition, times: Array
) -> tuple[Any, Array]:
    def step(state: Any, now: tuple[Array, Array, Array]) -> tuple[Any, Array]:
        key, before, after = now
        model = path(after)
        work = chain_totals(energy(model, state) - energy(path(before), state))
        return transition(key, model, state), work

    return jax.lax.scan(step, state, (keys, times[:-1], times[1:]))
