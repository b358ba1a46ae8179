"""Jackknife and bootstrap of vector-valued functions of (weighted) means.

The units are whole chains, or blocks of draws when there are fewer than 16 chains. Blocks of length B miss
the correlation across their ends: the variance is low by a factor 1 - tau/B (B >> tau, exponential decay).
The length (tau^2 T)^(1/3), T draws in all, balances that against the noise of having T/B blocks only; the
factor that remains is divided out. Of few chains errors and covariance have Student's factor for so few blocks, as
those of the Gamma method. Sources: B. Efron, The Jackknife, the Bootstrap and Other Resampling Plans
(SIAM 1982); H. R. Kuensch, Ann. Statist. 17, 1217 (1989), on blocks.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kadanoff.errors import InputError
from kadanoff.statistics._primaries import Primaries, evaluate
from kadanoff.statistics.estimate import Estimate
from kadanoff.statistics.gamma import MANY_CHAINS, autocorrelation, student
from kadanoff.whole import whole

__all__ = ["Resampled", "bootstrap", "jackknife", "multiplicities"]

_MAX_BLOCKS = 1024  # more would be slower, and the error is known to 2 % already


@dataclass(frozen=True)
class Resampled:
    """A vector with its errors and covariance from resampling.

    - `values`: (m,) the function at the means of all draws.
    - `errors`: (m,) standard errors; complex for complex values, the errors of both parts.
    - `covariance`: (m, m); of complex values Hermitian, the average of delta_i conj(delta_j).
    - `samples`: (resample, m) the function at each resample. Those of a bootstrap are scaled about their mean
        to have the covariance above; those of a jackknife are the leave-one-out values as they are.

    A resample at which the function is not finite makes the error NaN: it is not dropped. Of two draws alone so are
    the errors of functions that bend between them, such as a variance, which vanishes at either one.
    """

    values: NDArray[Any]
    errors: NDArray[Any]
    covariance: NDArray[Any]
    samples: NDArray[Any]

    def estimates(self) -> list[Estimate]:
        """The components as estimates, without their correlation."""
        return [Estimate(value, error) for value, error in zip(self.values, self.errors, strict=True)]


def jackknife(
    function: Callable[[Any], Any],
    primaries: ArrayLike,
    log_weights: ArrayLike | None = None,
    over: str = "chain",
) -> Resampled:
    """Leave-one-out errors and covariance of a vector-valued function of (weighted) means.

    **Arguments:**

    - `function`: maps the means (k,), float64 or complex128, to a number or a vector (m,).
    - `primaries`: (k, chain, draw). `log_weights`: (chain, draw), real or complex, or None.
    - `over`: "chain" leaves out whole chains, or blocks of draws when there are fewer than 16 chains;
        "block" always takes blocks, at least 2 tau_int long (tau_int the largest of the primaries').

    Raises `InputError` for wrong shapes, values that are not finite, or one draw only; `OverlapError` for
    impossible weights.

    >>> m2 = np.random.default_rng(0).normal(size=(32, 100)) ** 2
    >>> result = jackknife(lambda x: [x[0], np.log(x[0])], [m2])
    >>> result.covariance.shape, abs(result.estimates()[0].pull(1.0)) < 4
    ((2, 2), True)
    """
    means, units, values, inflation, known = _prepare(function, primaries, log_weights, over)
    samples = _apply(function, means, units.sum(axis=0) - units, values)
    count = len(samples)
    with np.errstate(invalid="ignore"):  # a resample that is not finite is meant to show as NaN
        deviations = samples - values
        deviations = (deviations - deviations.mean(axis=0)) * math.sqrt((count - 1) / count * inflation)
        deviations = deviations * known
    return _collect(values, deviations, samples)


def bootstrap(
    function: Callable[[Any], Any],
    primaries: ArrayLike,
    seed: ArrayLike | np.random.Generator,
    samples: int = 500,
    log_weights: ArrayLike | None = None,
    over: str = "chain",
) -> Resampled:
    """Bootstrap errors and covariance of a vector-valued function of (weighted) means.

    **Arguments:**

    - `seed`: an integer, a sequence of integers (such as `jax.random.key_data(key)`) or a numpy Generator.
    - `samples`: how many resamples, at least 2. The error is known to 1/sqrt(2 samples) at best.
    - the others, and the exceptions, as in `jackknife`.

    >>> m2 = np.random.default_rng(0).normal(size=(32, 100)) ** 2
    >>> result = bootstrap(lambda x: [x[0], np.log(x[0])], [m2], seed=1)
    >>> result.samples.shape
    (500, 2)
    """
    if whole("samples", samples) < 2:
        raise InputError(f"{samples} resamples have no spread: ask for at least 2, better 500.")
    means, units, values, inflation, known = _prepare(function, primaries, log_weights, over)
    count = len(units)
    rng = seed if isinstance(seed, np.random.Generator) else np.random.default_rng(_integers(seed))
    # How often each unit is drawn; all resampled sums are then one matrix product.
    counts = rng.multinomial(count, np.full(count, 1 / count), size=samples)
    raw = _apply(function, means, counts @ units, values)
    with np.errstate(invalid="ignore"):  # a resample that is not finite is meant to show as NaN
        centre = (raw - values).mean(axis=0)
        # Units drawn with replacement vary less than their parent, by (count - 1) / count.
        deviations = (raw - values - centre) * math.sqrt(inflation * count / (count - 1)) * known
    return _collect(values, deviations / math.sqrt(samples - 1), values + centre + deviations)


def _prepare(
    function: Callable[[Any], Any], primaries: ArrayLike, log_weights: ArrayLike | None, over: str
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], float, NDArray[np.float64]]:
    """Means, sums over each unit (unit, k + 1), the function at the means, a factor for the variance, and one for the
    deviations: NaN where they do not tell the error.
    """
    if over not in ("chain", "block"):
        raise InputError(f"over={over!r} is not known: resample over 'chain' or 'block'.")
    data = Primaries.of(primaries, log_weights)
    values = np.atleast_1d(evaluate(function, data.means))
    if values.ndim != 1:
        raise InputError(
            f"the function answered with shape {values.shape}: return a number or a vector (m,)."
        )
    chains, length = data.fluctuations.shape[1:]
    if chains * length == 1:
        raise InputError("one draw has no spread to resample: add draws or chains.")
    edges, inflation = _edges(data.fluctuations, over)
    # Sums of fluctuations, not of values: no rounding when a mean is much larger than its spread.
    weights = np.ones((chains, length)) if data.weights is None else data.weights
    stacked = np.concatenate([data.fluctuations, weights[None]])
    sums = np.add.reduceat(stacked, edges, axis=2).reshape(len(stacked), -1).T
    return data.means, sums, values, inflation, _known(function, data, values)


def _known(function: Callable[[Any], Any], data: Primaries, values: NDArray[Any]) -> NDArray[np.float64]:
    """One for every component whose error the draws tell, else NaN: of two, where the function bends."""
    if data.draws > 2:
        return np.ones(values.shape)
    weights = np.ones(data.fluctuations.shape[1:]) if data.weights is None else data.weights
    there = weights != 0
    alone = data.means[:, None] + data.fluctuations[:, there] / weights[there]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ends = np.array([np.atleast_1d(evaluate(function, draw)) for draw in alone.T])
        bend = np.abs(weights[there] @ ends / weights[there].sum() - values)
        straight = bend <= 1e-9 * np.abs(ends).max(axis=0)
    return np.where(straight & (data.draws == 2), 1.0, np.nan)


def multiplicities(
    primaries: ArrayLike, seed: ArrayLike, samples: int = 500
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """How often every draw counts in each bootstrap resample, for estimates that are no function of a few means.

    The units are those of `bootstrap`, by the autocorrelation of the primaries (k, chain, draw). Answers the counts
    (resample, unit), with mean one, and the unit of every draw (chain, draw). Counts are spread about one by the
    factors that `bootstrap` has on the variance, so they are no whole numbers, and some are slightly negative.

    Raises `InputError` for wrong shapes, values that are not finite, or one draw only.

    >>> counts, unit = multiplicities(np.random.default_rng(0).normal(size=(1, 16, 10)), seed=0, samples=3)
    >>> counts.shape, unit.shape, counts.mean(axis=1).round(12).tolist()
    ((3, 16), (16, 10), [1.0, 1.0, 1.0])
    """
    data = Primaries.of(primaries, None)
    chains, length = data.fluctuations.shape[1:]
    if chains * length == 1:
        raise InputError("one draw has no spread to resample: add draws or chains.")
    edges, inflation = _edges(data.fluctuations, "chain")
    count = chains * len(edges)
    within = np.searchsorted(edges, np.arange(length), side="right") - 1
    unit = np.arange(chains)[:, None] * len(edges) + within
    rng = np.random.default_rng(_integers(seed))
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=samples)
    spread = 1 + (drawn.astype(np.float64) - 1) * math.sqrt(inflation * count / (count - 1))
    return spread, unit.astype(np.intp)


def _edges(fluctuations: NDArray[Any], over: str) -> tuple[NDArray[np.intp], float]:
    """Where units start within each chain, and a factor for the variance."""
    chains = len(fluctuations[0])
    if over == "block" or chains < MANY_CHAINS:
        edges, inflation = _blocks(fluctuations)
        return edges, inflation * student(chains, chains * len(edges) - 1) ** 2
    return np.zeros(1, dtype=int), 1.0


def _blocks(fluctuations: NDArray[Any]) -> tuple[NDArray[np.intp], float]:
    """Where blocks start within each chain, and the variance that their ends cut off, as a factor."""
    _, chains, length = fluctuations.shape
    parts = (
        [np.real(fluctuations), np.imag(fluctuations)] if np.iscomplexobj(fluctuations) else [fluctuations]
    )
    tau = max(autocorrelation(series).tau_int for part in parts for series in part)
    draws = chains * length
    wanted = max(2 * tau, (tau**2 * draws) ** (1 / 3), draws / _MAX_BLOCKS)
    count = max(1 if chains > 1 else 2, int(length / wanted))
    edges = np.linspace(0, length, count, endpoint=False).astype(int)
    # Exact to first order for an exponential, zero for independent draws; chains themselves have ends too.
    cut = min(tau - 0.25 / tau, 0.25 * length)
    return edges, (1 - cut / length) / (1 - min(0.5, cut * count / length))


def _apply(
    function: Callable[[Any], Any], means: NDArray[Any], sums: NDArray[Any], values: NDArray[Any]
) -> NDArray[Any]:
    """The function at the (weighted) means of every resample, (resample, m)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        resampled = means + sums[:, :-1] / sums[:, -1:]
        results = [np.atleast_1d(evaluate(function, mean)) for mean in resampled]
    if any(result.shape != values.shape for result in results):
        raise InputError(
            f"the function changes its shape from {values.shape}: return the same length every time."
        )
    return np.array(results)


def _collect(values: NDArray[Any], deviations: NDArray[Any], samples: NDArray[Any]) -> Resampled:
    """Errors and covariance from deviations whose plain sum of squares is the variance."""
    covariance = np.einsum("ri,rj->ij", deviations, deviations.conj())
    errors: Any = np.sqrt(np.sum(np.real(deviations) ** 2, axis=0))
    if np.iscomplexobj(values) or np.iscomplexobj(deviations):
        errors = errors + 1j * np.sqrt(np.sum(np.imag(deviations) ** 2, axis=0))
    return Resampled(values, errors, covariance, samples)


def _integers(seed: Any) -> Any:
    """A seed that numpy takes: an integer or a flat list of integers."""
    array = np.asarray(seed)
    wrong = array.ravel().tolist() if array.dtype.kind not in "iu" else array[array < 0].tolist()
    if wrong:
        raise InputError(
            f"seed {wrong[0]!r} is not usable: pass integers, zero or larger, or a numpy Generator."
        )
    return array.ravel().tolist()
