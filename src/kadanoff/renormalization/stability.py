"""The stability matrix: the renormalization group linearised at its fixed point, from covariances of operators.

A blocked field follows exp(sum_a K_a S_a) with couplings of its own. How those answer to the couplings before the
step, T_ab = dK'_a/dK_b, follows from two covariances that one set of configurations gives: Cov(S', S) = Cov(S', S') T,
where S' and S are operators of the field after and before the step. Eigenvalues of T are powers of b: b^{y_T} with
even operators, b^{y_H} with odd ones. Cutting the family of operators short and starting off the fixed point both bias
them, so the family grows and the step is repeated.

Source: R. H. Swendsen, PRL 42 (1979) 859; in Real-Space Renormalization, ed. Th. W. Burkhardt and J. M. J. van Leeuwen
(Springer 1982), ch. 3.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from kadanoff.arguments import require_ensembles
from kadanoff.ensemble import Ensemble
from kadanoff.errors import InputError
from kadanoff.renormalization.blocking import BlockingRule, block
from kadanoff.renormalization.blocking_rule import require_rule
from kadanoff.renormalization.operators import Operator, default_operators, fitting
from kadanoff.statistics import Estimate, autocorrelation, bootstrap
from kadanoff.whole import whole

__all__ = ["StabilityRow", "StabilityTable", "stability_matrix"]

_FEWEST = 50  # effective configurations an operator: a covariance of theirs is then known to 14 %
_SINGULAR = 1e10  # condition of the correlations; double precision has lost 10 of its 16 digits there


@dataclass(frozen=True)
class StabilityRow:
    """The leading eigenvalue of one step and one family.

    - `step`: the step from `before` to `after`, the sides of the lattices; steps count from 1.
    - `sector`: "even" or "odd"; `operators` are the names of the family.
    - `eigenvalue`, `exponent`: the largest real part, and y = ln(eigenvalue)/ln b, with bootstrap errors.
    - `eigenvalues`: all of them, the largest modulus first.
    - `condition`: of the correlations of the operators after the step: what it multiplies rounding and noise by.
    """

    step: int
    before: tuple[int, ...]
    after: tuple[int, ...]
    sector: str
    operators: tuple[str, ...]
    eigenvalue: Estimate
    exponent: Estimate
    eigenvalues: tuple[complex, ...]
    condition: float

    def row(self) -> dict[str, Any]:
        """What tables and JSON show."""
        return {
            "label": f"{'x'.join(map(str, self.before))}->{'x'.join(map(str, self.after))}",
            "step": self.step,
            "sector": self.sector,
            "operators": len(self.operators),
            "eigenvalue": self.eigenvalue,
            "y": self.exponent,
            "condition": self.condition,
        }


@dataclass(frozen=True)
class StabilityTable:
    """Leading eigenvalues by step, sector and size of the family."""

    b: int
    rows: tuple[StabilityRow, ...]

    def select(self, sector: str, step: int | None = None, size: int | None = None) -> list[StabilityRow]:
        """The rows of a sector, of one step and of one size of the family where they are given."""
        return [
            row
            for row in self.rows
            if row.sector == sector and step in (None, row.step) and size in (None, len(row.operators))
        ]

    def __str__(self) -> str:
        """One row a line."""
        lines = [f"{'step':<14}{'sector':<8}{'operators':>9}  {'y':<12}{'condition':>10}"]
        for row in self.rows:
            label = row.row()["label"]
            lines.append(
                f"{label:<14}{row.sector:<8}{len(row.operators):>9}  {row.exponent!s:<12}{row.condition:>10.3g}"
            )
        return "\n".join(lines)


def stability_matrix(
    ensemble: Ensemble,
    rule: BlockingRule,
    steps: int = 3,
    operators: Sequence[Operator] | None = None,
    *,
    samples: int = 400,
    seed: int = 0,
) -> StabilityTable:
    """Eigenvalues of the linearised renormalization group, step by step and for families of growing size.

    The ensemble is blocked `steps` times, once and for all: both sides of every covariance come from the same blocked
    configurations, ties of the rule included. `operators` are taken in their order, even and odd ones apart; the
    default are patterns of spins, or of the signs of real fields, that fit into the dimension (a homogeneous rule
    leaves the amplitude of a real field free, a redundant direction that signs do not see). Weights are honoured;
    errors are from a bootstrap over chains, or over blocks of draws where chains are few.

    Raises `InputError` when the lattice cannot be blocked that often, for operators that need more dimensions, and for
    too few configurations or operators that depend on each other: no eigenvalue of the family means anything then.

    >>> import kadanoff as kd
    >>> ensemble = kd.sample(kd.Ising(0.4407), kd.Lattice((16, 16)), chains=64, draws=32, seed=1)
    >>> table = stability_matrix(ensemble, kd.Majority(b=2), steps=1)
    >>> 0.8 < table.select("even", size=2)[0].exponent.value < 1.1
    True
    """
    require_ensembles(ensemble)
    require_rule(rule)
    steps = whole("the number of blocking steps", steps, least=1)
    operators = fitting(operators, default_operators(ensemble.spins), ensemble.lattice.dimension)
    if not operators:
        raise InputError("no operators were given: name at least one even or odd one")
    sectors = {
        name: tuple(operator for operator in operators if operator.odd == odd)
        for name, odd in (("even", False), ("odd", True))
    }
    if ensemble.log_weight is not None and np.iscomplexobj(ensemble.log_weight):
        raise InputError("a stability matrix needs real weights: start from an ensemble without complex ones")
    rows: list[StabilityRow] = []
    for step in range(1, steps + 1):
        coarse = block(ensemble, rule, seed=seed)
        for sector, family in sectors.items():
            if family:
                rows += _step(ensemble, coarse, rule.b, sector, family, step, samples, seed)
        ensemble = coarse
    return StabilityTable(rule.b, tuple(rows))


def _step(
    fine: Ensemble,
    coarse: Ensemble,
    b: int,
    sector: str,
    family: tuple[Operator, ...],
    step: int,
    samples: int,
    seed: int,
) -> list[StabilityRow]:
    """Rows of one step and sector, one for every size of the family, from one bootstrap."""
    before, after = (_sums(ensemble, family) for ensemble in (fine, coarse))
    _require_enough(after, fine, sector, step)
    count, sizes = len(family), range(1, len(family) + 1)
    products = [after[:, None] * after, after[:, None] * before]
    stacked = np.concatenate(
        [after, before, *(each.reshape(-1, *each.shape[2:]) for each in products)], dtype=np.float64
    )

    def matrices(means: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        up, down = means[:count], means[count : 2 * count]
        same, across = means[2 * count :].reshape(2, count, count)
        return same - np.outer(up, up), across - np.outer(up, down)

    def leading(means: np.ndarray) -> np.ndarray:
        same, across = matrices(means)
        return np.array([np.real(_eigenvalues(same[:n, :n], across[:n, :n])).max() for n in sizes])

    weights = fine.log_weight
    same, across = matrices(_means(stacked, weights))
    conditions = [_condition(same[:n, :n]) for n in sizes]
    if not conditions[-1] < _SINGULAR:
        bad = next(n for n in sizes if not conditions[n - 1] < _SINGULAR)
        raise InputError(
            f"the {sector} operators up to {family[bad - 1].name!r} depend on each other on {coarse.lattice.shape} "
            f"(condition {conditions[bad - 1]:.1g}): take fewer or other operators, fewer steps, or a larger lattice"
        )
    result = bootstrap(leading, stacked, seed, samples, weights)
    if not (np.all(result.values > 0) and np.all(result.samples > 0)):
        raise InputError(
            f"too few configurations for the operator family: a leading {sector} eigenvalue of step {step} is not "
            "positive within its error; take more configurations or fewer operators"
        )
    exponents = np.log(result.samples) / np.log(b)
    found = []
    for n in sizes:
        value, error = result.values[n - 1], result.errors[n - 1]
        exponent = Estimate(np.log(value) / np.log(b), float(exponents[:, n - 1].std(ddof=1)))
        spectrum = _eigenvalues(same[:n, :n], across[:n, :n])
        found.append(
            StabilityRow(
                step,
                fine.lattice.shape,
                coarse.lattice.shape,
                sector,
                tuple(operator.name for operator in family[:n]),
                Estimate(value, error),
                exponent,
                tuple(complex(x) for x in spectrum[np.argsort(-np.abs(spectrum), kind="stable")]),
                conditions[n - 1],
            )
        )
    return found


def _sums(ensemble: Ensemble, family: tuple[Operator, ...]) -> Float[np.ndarray, "k chain draw"]:
    """Operators summed over the lattice, about their mean: fewer digits are lost in the covariances."""
    series = ensemble.raw(family)
    sums = np.stack([series[operator] for operator in family]) * ensemble.lattice.volume
    return sums - sums.mean(axis=(1, 2), keepdims=True)


def _means(stacked: np.ndarray, log_weight: np.ndarray | None) -> np.ndarray:
    if log_weight is None:
        return stacked.mean(axis=(1, 2))
    weights = np.exp(log_weight - log_weight.max())
    return np.sum(weights * stacked, axis=(1, 2)) / weights.sum()


def _require_enough(sums: np.ndarray, ensemble: Ensemble, sector: str, step: int) -> None:
    """Refuse a family whose covariances the configurations cannot tell."""
    if ensemble.chains * ensemble.draws > 1:
        slowest = max(autocorrelation(series).tau_int for series in sums)
        effective = ensemble.effective_sample_size / max(1.0, 2 * slowest)
    else:
        effective = 1.0
    needed = _FEWEST * len(sums)
    if effective < needed:
        raise InputError(
            f"too few configurations for the operator family: {effective:.0f} independent ones for {len(sums)} "
            f"{sector} operators at step {step}, and {needed} are needed; take more configurations or fewer operators"
        )


def _eigenvalues(same: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Eigenvalues of T = Cov(S', S')^-1 Cov(S', S), in units where every S' has variance one."""
    scale = 1 / np.sqrt(np.diag(same))
    correlation = same * np.outer(scale, scale)
    response = np.linalg.solve(correlation, across * np.outer(scale, scale))
    return np.linalg.eigvals(response)


def _condition(same: np.ndarray) -> float:
    """Condition number of the correlations; infinite when an operator does not fluctuate."""
    variance = np.diag(same)
    if not np.all(variance > 0):
        return float("inf")
    scale = 1 / np.sqrt(variance)
    return float(np.linalg.cond(same * np.outer(scale, scale)))
