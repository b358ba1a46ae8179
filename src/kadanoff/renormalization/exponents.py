"""Critical exponents from the levels of a growth: gamma/nu and beta/nu of every pair, by two estimators."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from kadanoff.ensemble import Ensemble
from kadanoff.errors import InputError
from kadanoff.names import several
from kadanoff.renormalization.inverse.levels import Levels, require_levels
from kadanoff.renormalization.weights import require_real_weights
from kadanoff.reweighting.response import RELAXED, conjugate_series
from kadanoff.statistics import Estimate, bootstrap

__all__ = ["ESTIMATORS", "ExponentRow", "ExponentTable", "combine_seeds", "critical_exponents"]

#: 'ratio' compares means of two levels, 'derivative' their responses to the simulated coupling.
ESTIMATORS = ("ratio", "derivative")


@dataclass(frozen=True)
class ExponentRow:
    """Exponents of one pair of levels (i, j); `covariance` is that of (gamma/nu, beta/nu)."""

    label: str
    i: int
    j: int
    estimator: str
    gamma_over_nu: Estimate
    beta_over_nu: Estimate
    covariance: list[list[float]]


@dataclass(frozen=True, eq=False)
class ExponentTable:
    """Exponents of all pairs of levels by every estimator, with the resamples that their errors come from.

    - `sides`: L of each level.
    - `values`: by estimator (pair, 2), gamma/nu and beta/nu; pairs as in `pairs`.
    - `samples`: by estimator (resample, pair, 2), bootstrap replicas; all pairs of a replica share configurations.
    - `spread`: by estimator (pair, 2, 2), covariance beyond the replicas': of the mean over training seeds, and of
        systematic errors; None where there is neither.
    """

    sides: tuple[int, ...]
    values: dict[str, np.ndarray]
    samples: dict[str, np.ndarray]
    spread: dict[str, np.ndarray] | None = None

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Pairs of levels, the smaller first."""
        return list(combinations(range(len(self.sides)), 2))

    def covariance(self, estimator: str) -> np.ndarray:
        """Covariance of (gamma/nu, beta/nu) of each pair, (pair, 2, 2): resampling plus training seeds."""
        samples = self.samples[estimator]
        deviations = samples - samples.mean(axis=0)
        found = np.einsum("rpi,rpj->pij", deviations, deviations) / (len(samples) - 1)
        return found if self.spread is None else found + self.spread[estimator]

    def with_systematic(self, estimator: str, gamma_over_nu: float, beta_over_nu: float) -> "ExponentTable":
        """The table with a systematic error common to all pairs, fully correlated between the two exponents.

        Signs matter: an amplitude that is too large makes gamma/nu larger and beta/nu smaller. `InputError` for an
        estimator that was not computed.
        """
        self._require(estimator)
        shift = np.array([gamma_over_nu, beta_over_nu])
        known = dict(self.spread or {})
        old = known.get(estimator, np.zeros((len(self.pairs), 2, 2)))
        spread = {name: known.get(name, np.zeros((len(self.pairs), 2, 2))) for name in self.values}
        return replace(self, spread={**spread, estimator: old + np.outer(shift, shift)})

    def _require(self, estimator: str) -> None:
        if estimator not in self.values:
            raise InputError(
                f"the table has no estimator {estimator!r}; choose from {', '.join(self.values)}"
            )

    def rows(self, estimator: str | None = None) -> list[ExponentRow]:
        """One row a pair and estimator; `InputError` for an estimator that was not computed."""
        if estimator is not None:
            self._require(estimator)
        chosen = [estimator] if estimator is not None else list(self.values)
        found: list[ExponentRow] = []
        for name in chosen:
            for (i, j), value, matrix in zip(
                self.pairs, self.values[name], self.covariance(name), strict=True
            ):
                gamma, beta = (Estimate(value[k], np.sqrt(matrix[k, k])) for k in (0, 1))
                label = f"{self.sides[i]}/{self.sides[j]}"
                found.append(ExponentRow(label, i, j, name, gamma, beta, matrix.tolist()))
        return found

    def row(self, label: str, estimator: str = "ratio") -> ExponentRow:
        """The row of one pair, such as '32/512'; `InputError` when there is none."""
        for row in self.rows(estimator) if estimator in self.values else ():
            if row.label == label:
                return row
        raise InputError(
            f"no row {label} by the {estimator} estimator; there are "
            + ", ".join(f"{row.label} ({row.estimator})" for row in self.rows())
        )

    def slope(self, first: int, last: int, estimator: str = "ratio") -> ExponentRow:
        """Exponents by straight lines through all levels of sides `first` to `last`, log against log.

        The lines are least squares with equal weights: the errors of levels are mostly what they share, and weights
        by the rest would favour pairs where corrections to scaling are large. Such a slope is the mean of the slopes
        of its pairs, each weighted by the square of its length, so that replicas carry over and shared configurations
        count as shared. `InputError` for a side that is not there, or an estimator that was not computed.

        >>> import numpy as np, kadanoff as kd
        >>> small = np.random.default_rng(0).normal(size=(32, 4, 4, 4)).astype(np.float32)
        >>> levels = kd.Levels((kd.Ensemble(small), kd.Ensemble(small.repeat(2, 2).repeat(2, 3))), b=2)
        >>> round(kd.critical_exponents(levels).slope(4, 8).gamma_over_nu.value, 6)
        2.0
        """
        if estimator not in self.values or not {first, last} <= set(self.sides) or first >= last:
            raise InputError(
                f"no slope from {first} to {last} by the {estimator} estimator: the levels are "
                f"{', '.join(map(str, self.sides))}, the estimators {', '.join(self.values)}"
            )
        i, j = self.sides.index(first), self.sides.index(last)
        weights = np.array([(k - h) ** 2 if i <= h < k <= j else 0 for h, k in self.pairs], dtype=np.float64)
        weights /= weights.sum()
        value, samples = weights @ self.values[estimator], weights @ self.samples[estimator]
        matrix = np.cov(samples, rowvar=False)
        if self.spread is not None:  # fully correlated between pairs: on the safe side
            matrix = matrix + np.einsum("p,pkl->kl", weights, self.spread[estimator])
        gamma, beta = (Estimate(value[k], np.sqrt(matrix[k, k])) for k in (0, 1))
        return ExponentRow(f"{first}..{last}", i, j, estimator, gamma, beta, matrix.tolist())

    def __str__(self) -> str:
        """A table, one pair a line."""
        lines = [f"{'L_i/L_j':<10}  {'estimator':<10}  {'gamma/nu':>12}  {'beta/nu':>12}"]
        lines += [
            f"{row.label:<10}  {row.estimator:<10}  {row.gamma_over_nu:>12}  {row.beta_over_nu:>12}"
            for row in self.rows()
        ]
        return "\n".join(lines)

    __repr__ = __str__


def critical_exponents(
    levels: Sequence[Ensemble],
    estimators: Sequence[str] | None = None,
    *,
    coupling: str | None = None,
    samples: int = 400,
    seed: int = 0,
) -> ExponentTable:
    """Exponents gamma/nu and beta/nu of every pair of levels, with errors and their covariance.

    'ratio' is gamma/nu = ln(chi_j/chi_i) / ((j-i) ln b) and beta/nu = -ln(m_j/m_i) / ((j-i) ln b), m = <|m|>.
    'derivative' has dm/dg and dchi/dg instead, -Cov with the operator conjugate to a coupling of the simulated
    action (`coupling`, by default the first): the talk's form, for pure maps, since relaxation at a fixed coupling
    erases the response. Errors are a bootstrap over simulated configurations, which all levels
    share; real log-weights are honoured.

    Raises `InputError` for what are no levels, an unknown estimator, complex log-weights, fewer than two levels,
    levels whose <|m|> is zero, and for 'derivative' on relaxed levels, those of different simulations, or without a
    simulated ancestor. By default 'derivative' is left out of these.

    >>> import numpy as np, kadanoff as kd
    >>> rng = np.random.default_rng(0)
    >>> small = rng.normal(size=(32, 4, 4, 4)).astype(np.float32)
    >>> levels = kd.Levels((kd.Ensemble(small), kd.Ensemble(small.repeat(2, 2).repeat(2, 3))), b=2)
    >>> round(kd.critical_exponents(levels).row("4/8").gamma_over_nu.value, 6)
    2.0

    Source: D. Bachtis et al., PRL 128 (2022) 081603, eqs. 9 and 10.
    """
    levels = require_levels(levels, "`critical_exponents`")
    if len(levels) < 2:
        raise InputError("exponents compare levels, and there is only one: grow at least once")
    require_real_weights(levels[0], "`critical_exponents`")
    if estimators is None:
        known = not levels.relaxed and levels[0].simulated.action is not None and _related(levels)
        estimators = ESTIMATORS if known else ("ratio",)
    estimators = several("estimators", estimators)
    for name in estimators:
        if name not in ESTIMATORS:
            raise InputError(f"unknown estimator {name!r}; choose from {', '.join(ESTIMATORS)}")
    if "derivative" in estimators and levels.relaxed:
        raise InputError(
            f"the levels were {RELAXED}, which erases their response to it: use the 'ratio' estimator, or grow by the "
            "pure map (relax=None)"
        )
    if "derivative" in estimators and not _related(levels):
        raise InputError(
            "the levels come of different simulations, and only what was made from one responds to its coupling: use "
            "the 'ratio' estimator, or make each level from the one before, as `kd.grow` does"
        )
    primaries = np.stack([level.series(name) for level in levels for name in ("abs_m", "m2")])
    for level, series in zip(levels, primaries[0::2], strict=True):
        if not np.any(series):
            raise InputError(
                f"every field of {level.lattice.shape} has magnetisation zero, which has no logarithm: give "
                "fields that fluctuate, such as those of a simulation near its critical point"
            )
    values: dict[str, np.ndarray] = {}
    replicas: dict[str, np.ndarray] = {}
    for name in estimators:
        if name == "ratio":
            stacked, function = _ratio(levels, primaries)
        else:
            stacked, function = _derivative(levels, primaries, coupling)
        result = bootstrap(function, stacked, seed, samples, levels[0].log_weight)
        values[name] = result.values.reshape(-1, 2)
        replicas[name] = result.samples.reshape(samples, -1, 2)
    return ExponentTable(tuple(level.lattice.longest for level in levels), values, replicas)


def combine_seeds(tables: Sequence[ExponentTable]) -> ExponentTable:
    """Mean of tables that differ by the training seed of their inverse; the spread between seeds joins the error.

    Replicas are averaged one by one: tables of the same configurations, resampled with the same seed, keep the
    correlation between them; give tables of different configurations different seeds. The variance of the mean over
    training seeds is added. Where configurations differ it counts their noise again, on the safe side. Errors that
    the tables already have beside their replicas', such as systematic ones, count as common to all: their covariances
    are averaged.

    Raises `InputError` for no tables, and for tables of other levels or estimators.
    """
    if not tables:
        raise InputError("there are no tables to combine: give one a training seed")
    first = tables[0]
    for table in tables[1:]:
        if table.sides != first.sides or set(table.values) != set(first.values):
            raise InputError(
                f"tables of {first.sides} by {', '.join(first.values)} and of {table.sides} by "
                f"{', '.join(table.values)} cannot be combined: grow by the same steps and kind of map"
            )
    count = min(len(s) for table in tables for s in table.samples.values())
    values = {name: np.mean([table.values[name] for table in tables], axis=0) for name in first.values}
    samples = {
        name: np.mean([table.samples[name][:count] for table in tables], axis=0) for name in first.values
    }
    spread: dict[str, np.ndarray] = {}
    known = [table.spread for table in tables if table.spread is not None]
    if known:
        spread = {
            name: np.sum([found[name] for found in known], axis=0) / len(tables) for name in first.values
        }
    if len(tables) > 1:
        for name in first.values:
            deviations = np.stack([table.values[name] for table in tables]) - values[name]
            between = np.einsum("spi,spj->pij", deviations, deviations) / (len(tables) * (len(tables) - 1))
            spread[name] = spread.get(name, 0.0) + between
    return ExponentTable(first.sides, values, samples, spread or None)


def _related(levels: Levels) -> bool:
    """Whether all levels descend from the simulation of the first."""
    return all(level.simulated is levels[0].simulated for level in levels)


Function = Callable[[np.ndarray], np.ndarray]


def _ratio(levels: Levels, primaries: np.ndarray) -> tuple[np.ndarray, Function]:
    volumes = np.array([level.lattice.volume for level in levels], dtype=np.float64)

    def function(means: np.ndarray) -> np.ndarray:
        return _slopes(levels.b, np.log(means[0::2]), np.log(means[1::2] * volumes))

    return primaries, function


def _derivative(levels: Levels, primaries: np.ndarray, coupling: str | None) -> tuple[np.ndarray, Function]:
    series = conjugate_series(levels[0], None if coupling is None else (coupling,))
    operator = next(iter(series.values()))
    operator = operator - operator.mean()  # centred: less rounding in the covariance
    volumes = np.array([level.lattice.volume for level in levels], dtype=np.float64)
    stacked = np.concatenate([primaries, primaries * operator, operator[None]])
    count = len(primaries)

    def function(means: np.ndarray) -> np.ndarray:
        response = means[:count] * means[-1] - means[count:-1]
        # The sign of a response cancels in a ratio; a level whose sign differs from the first one's has no logarithm.
        slope = response * np.sign(response[:2][np.arange(count) % 2])
        return _slopes(levels.b, np.log(slope[0::2]), np.log(slope[1::2] * volumes))

    return stacked, function


def _slopes(b: int, log_m: np.ndarray, log_chi: np.ndarray) -> np.ndarray:
    """gamma/nu and beta/nu of every pair, flat."""
    found = []
    for i, j in combinations(range(len(log_m)), 2):
        scale = (j - i) * np.log(b)
        found += [(log_chi[j] - log_chi[i]) / scale, -(log_m[j] - log_m[i]) / scale]
    return np.array(found)
