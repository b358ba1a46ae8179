"""Newton's method for couplings that blocking leaves as they are: one step from means of operators."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from kadanoff.ensemble import Ensemble
from kadanoff.errors import InputError
from kadanoff.lattice import Lattice
from kadanoff.observables import Observable, evaluate
from kadanoff.reweighting.response import conjugate_series
from kadanoff.statistics import Resampled, bootstrap

__all__ = ["newton", "newton_step"]


def newton(
    fine: Ensemble,
    blocked: Ensemble,
    direct: Ensemble,
    names: tuple[str, ...],
    entries: tuple[Observable, ...],
    seed: int,
    samples: int,
) -> tuple[Resampled, float]:
    """Give Newton's step with the held-out observables after it (blocked, direct, their difference), and its length.

    Raises `InputError` where the fields do not fluctuate in what a coupling couples.
    """
    action = direct.action
    before, after, plain = (
        np.stack([each[name] for name in names])
        for each in map(conjugate_series, (fine, Ensemble(blocked.fields, action), direct))
    )
    for space, series in ((fine.lattice, before), (direct.lattice, plain)):
        _require_fluctuations(space, series, names)
    others = [
        [each.primaries(entry) for entry in entries] for each in (blocked, direct)
    ]  # of the same observables in the same order
    sizes = [len(part) for part in others[0]]
    observed, expected = (
        np.concatenate([own, *parts]) for own, parts in zip((after, plain), others, strict=True)
    )
    origin = np.array([part.mean(axis=(1, 2)) for part in (observed, expected)])
    observed, expected = (part - part.mean(axis=(1, 2), keepdims=True) for part in (observed, expected))
    before = before - before.mean(axis=(1, 2), keepdims=True)
    own = expected[: len(names)]
    products = [_products(observed, before), _products(expected, own), _products(before, before)]
    stacked = np.concatenate([observed, expected, before, *products])

    def function(means: np.ndarray) -> np.ndarray:
        step, shifted = newton_step(means, len(names), origin)
        held = [
            [
                evaluate(entry, direct.lattice)(part)
                for entry, part in zip(entries, _cut(row, sizes), strict=True)
            ]
            for row in shifted
        ]
        values = np.reshape(np.array(held, dtype=np.float64), (2, -1))
        return np.concatenate([step, *values, values[0] - values[1]])

    result = bootstrap(function, stacked, seed, samples)
    step = result.values[: len(names)]
    variance = np.cov(before.reshape(len(names), -1)).reshape(len(names), len(names))
    return result, float(np.sqrt(step @ variance @ step))


def newton_step(
    means: Float[np.ndarray, " m"], count: int, origin: Float[np.ndarray, "2 n"]
) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, "2 rest"]]:
    """Newton's step of k = `count` couplings, and what the means besides the first k become after it.

    `means` are, in this order, those of n blocked and n direct observables less their `origin`, of the k operators of
    fine fields, and of their products: blocked with fine operators (n, k), direct with direct ones (n, k). The first k
    observables are the operators themselves. More means may follow.

    Raises `InputError` where the means do not tell the couplings apart.
    """
    size = origin.shape[1]
    parts = _cut(means, [size, size, count, size * count, size * count])
    blocked, direct, before = parts[:3]
    of_blocked = np.outer(blocked, before) - parts[3].reshape(size, count)
    of_direct = np.outer(direct, direct[:count]) - parts[4].reshape(size, count)
    gap = blocked + origin[0] - direct - origin[1]
    try:
        step = -np.linalg.solve((of_blocked - of_direct)[:count], gap[:count])
    except np.linalg.LinAlgError:
        raise InputError(
            f"these configurations do not tell {count} couplings apart: take more chains or draws, or fewer couplings"
        ) from None
    after = (blocked + origin[0] + of_blocked @ step, direct + origin[1] + of_direct @ step)
    return step, np.array([part[count:] for part in after])


def _require_fluctuations(space: Lattice, series: np.ndarray, names: tuple[str, ...]) -> None:
    """`InputError` for a coupling whose operator (k, chain, draw) is the same in all configurations."""
    for name, values in zip(names, series, strict=True):
        if not values.any():
            raise InputError(
                f"the coupling {name!r} couples nothing on {space.shape}: leave it out of `names`"
            )
        if values.min() == values.max():
            raise InputError(
                f"what the coupling {name!r} couples is alike in all configurations of {space.shape}: start nearer "
                "criticality, or take more chains or draws"
            )


def _products(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return (first[:, None] * second).reshape(-1, *first.shape[1:])


def _cut(vector: np.ndarray, sizes: Sequence[int]) -> list[np.ndarray]:
    return np.split(vector, np.cumsum(sizes))[: len(sizes)]
