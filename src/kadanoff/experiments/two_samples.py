"""Two samples of one quantity, chain by chain: moments, quantiles, and whether the distributions agree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kadanoff.errors import InputError
from kadanoff.statistics import Estimate

__all__ = ["TwoSamples", "compare"]

_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_POINTS = 400  # at which distribution functions are compared
_RESAMPLES = 400


@dataclass(frozen=True, eq=False)
class TwoSamples:
    """A true and a drawn sample of one quantity.

    - `true`, `drawn`: mean, variance and quantiles by name, with errors from a bootstrap over chains.
    - `distance`: the largest difference of the distribution functions (Kolmogorov, Smirnov).
    - `effective`: so many independent values in each sample would scatter as the difference does.
    - `p_value`: probability of a larger distance between two samples of that number from one distribution.
    - `values`: all true values and all drawn ones.
    """

    true: dict[str, Estimate]
    drawn: dict[str, Estimate]
    distance: float
    effective: float
    p_value: float
    values: tuple[np.ndarray, np.ndarray]


def compare(
    true: Mapping[str, Sequence[np.ndarray]], drawn: Mapping[str, Sequence[np.ndarray]], seed: int
) -> dict[str, TwoSamples]:
    """Compare samples by name, each a list of the values (n,) of every chain; chains correspond.

    Chains are resampled together, so that what the samples share (drawn values come from the true blocked fields)
    counts as shared. Raises `InputError` for fewer than 16 chains or a sample without values.

    >>> rng = np.random.default_rng(0)
    >>> one, two = ([rng.normal(size=500) for _ in range(32)] for _ in range(2))
    >>> found = compare({"x": one}, {"x": two}, seed=0)["x"]
    >>> found.p_value > 0.001, 10_000 < found.effective < 25_000
    (True, True)
    """
    return {name: _compare(true[name], drawn[name], seed) for name in true}


def _compare(true: Sequence[np.ndarray], drawn: Sequence[np.ndarray], seed: int) -> TwoSamples:
    from scipy.special import kolmogorov

    values = (np.concatenate(true), np.concatenate(drawn))
    chains = len(true)
    if chains < 16 or min(map(len, values)) == 0:
        raise InputError(
            f"two samples of {len(values[0])} and {len(values[1])} values from {chains} chains cannot be compared: "
            "take at least 16 chains and a wider range of block values"
        )
    # Inner quantiles of both: the variance of an empirical distribution function is not known in its tails.
    grid = np.quantile(np.concatenate(values), np.linspace(0.01, 0.99, _POINTS))
    sums = [np.stack([_sums(chain, grid) for chain in sample]) for sample in (true, drawn)]
    weights = np.random.default_rng(seed).multinomial(chains, np.full(chains, 1 / chains), size=_RESAMPLES)
    scale = np.sqrt(chains / (chains - 1))
    estimates: list[dict[str, Estimate]] = []
    for sample, per_chain in zip(values, sums, strict=True):
        exact = _summary(per_chain.sum(axis=0), grid)
        exact[2:] = np.quantile(sample, _QUANTILES)
        replicas = np.array([_summary(row, grid) for row in weights @ per_chain])
        errors = scale * replicas.std(axis=0, ddof=1)
        names = ("mean", "variance", *(f"quantile_{round(100 * q)}" for q in _QUANTILES))
        estimates.append(
            {name: Estimate(*pair) for name, pair in zip(names, zip(exact, errors, strict=True), strict=True)}
        )
    functions = [_distribution(weights @ per_chain) for per_chain in sums]
    scatter = scale * (functions[1] - functions[0]).std(axis=0, ddof=1)
    middle = np.mean([_distribution(per_chain.sum(axis=0)) for per_chain in sums], axis=0)
    # Each of two independent samples of n values has the variance F (1 - F) / n. Summed before dividing: the ratio at
    # one point is noisy.
    effective = float(2 * np.sum(middle * (1 - middle)) / np.sum(scatter**2))
    distance = _distance(*values)
    p_value = float(kolmogorov(distance * np.sqrt(effective / 2)))
    return TwoSamples(estimates[0], estimates[1], distance, effective, p_value, values)


def _sums(values: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Number, sum, sum of squares, and how many values lie at or below each point."""
    below = np.searchsorted(np.sort(values), grid, side="right")
    return np.concatenate([[len(values), values.sum(), (values**2).sum()], below])


def _distribution(sums: np.ndarray) -> np.ndarray:
    return sums[..., 3:] / sums[..., :1]


def _summary(sums: np.ndarray, grid: np.ndarray) -> np.ndarray:
    mean, square = sums[1] / sums[0], sums[2] / sums[0]
    return np.concatenate([[mean, square - mean**2], np.interp(_QUANTILES, _distribution(sums), grid)])


def _distance(one: np.ndarray, two: np.ndarray) -> float:
    one, two = np.sort(one), np.sort(two)
    every = np.concatenate([one, two])
    first = np.searchsorted(one, every, side="right") / len(one)
    second = np.searchsorted(two, every, side="right") / len(two)
    return float(np.max(np.abs(first - second)))
