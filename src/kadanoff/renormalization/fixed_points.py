"""The fixed point of a blocking rule within a family of actions, by Newton's method on means of operators.

Fields of side b L, blocked once, and fields of side L, both simulated with couplings K, agree in all means where K is
a fixed point; the lattices that are compared have one size, so that finite size is the same in both. How the
difference answers to K follows from covariances with the operators S_a = dS/dK_a that one simulation of each size
gives, d<O>/dK_a = -Cov(O, S_a), where S_a is that of the fields before blocking: Newton's method solves
<S_a>_blocked = <S_a>_direct. A family of few couplings holds a fixed point only approximately, and how far other
observables agree, which were not solved for, tells how nearly.

Source: R. H. Swendsen, PRL 42 (1979) 859 and PRL 52 (1984) 1165.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from kadanoff.actions.base import couplings, has_spins
from kadanoff.errors import InputError
from kadanoff.lattice import Lattice
from kadanoff.names import several
from kadanoff.observables import Observable, observable
from kadanoff.random import key
from kadanoff.renormalization.blocking import BlockingRule, block
from kadanoff.renormalization.blocking_rule import require_rule
from kadanoff.renormalization.newton import newton
from kadanoff.renormalization.operators import Operator, fitting, pattern
from kadanoff.reweighting.response import with_coupling
from kadanoff.sampling.run import Progress, sample
from kadanoff.sampling.state import Sampler
from kadanoff.statistics import Estimate, Resampled
from kadanoff.whole import whole

__all__ = ["Agreement", "FixedPoint", "fixed_point"]

_FARTHEST = (
    2.0  # of a step, in standard deviations of the action of a fine field: reweighting still overlaps there
)
_NEAR = 0.5  # of the step that ends the search
_ROUGH = 8  # times fewer draws while searching
_SAMPLES = 400

#: What is compared unless told: none of these is solved for.
_HELD_OUT: tuple[str | Operator, ...] = (
    "abs_magnetization",
    "magnetization_squared",
    "binder",
    pattern("third", (2,)),
    pattern("plaquette", (1, 0), (0, 1), (1, 1)),
)


@dataclass(frozen=True)
class Agreement:
    """An observable that was not solved for, of blocked and of direct fields at the fixed point.

    Their `difference` has an error of its own, since both answer to the same couplings.
    """

    name: str
    blocked: Estimate
    direct: Estimate
    difference: Estimate


@dataclass(frozen=True)
class FixedPoint:
    """Couplings that a blocking rule leaves as they are, as far as their family goes.

    - `action` has the couplings; `couplings` are those solved for, with errors, `covariance` theirs.
    - `agreement` compares what was not solved for: a family that holds the fixed point shows no difference.
    - `samples`: (resample, coupling), couplings by bootstrap, to see how results depend on their error.
    - `history`: the couplings of every step of the search, and the length of the step that followed.
    """

    action: Any
    couplings: dict[str, Estimate]
    covariance: Float[np.ndarray, "k k"]
    agreement: tuple[Agreement, ...]
    samples: Float[np.ndarray, "resample k"]
    history: tuple[tuple[dict[str, float], float], ...]

    def __str__(self) -> str:
        """Couplings, and one line for every observable compared."""
        lines = [f"{name:<24}{value}" for name, value in self.couplings.items()]
        lines.append(f"{'not solved for':<24}{'blocked':<14}{'direct':<14}{'pull':>6}")
        for row in self.agreement:
            pull = row.difference.pull(0.0)
            lines.append(f"{row.name:<24}{row.blocked!s:<14}{row.direct!s:<14}{pull:>6.1f}")
        return "\n".join(lines)

    def at(self, values: Float[np.ndarray, " k"]) -> Any:
        """The action with other values of the couplings that were solved for, such as a row of `samples`."""
        return _at(self.action, tuple(self.couplings), values)


def fixed_point(
    rule: BlockingRule,
    start: Any,
    lattice: Lattice,
    names: Sequence[str] | None = None,
    *,
    held_out: Sequence[str | Observable | Operator] | None = None,
    chains: int = 64,
    draws: int = 256,
    thin: int = 16,
    thermalize: int = 300,
    steps: int = 12,
    sampler: Sampler | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> FixedPoint:
    """Find the couplings of an action that a blocking rule leaves as they are.

    `lattice` is the one that is blocked once; direct fields are simulated on what it is blocked to. The search begins
    at the couplings of `start` and solves for those in `names`, or for all scalar ones; the rest stay. Steps are
    shortened to where reweighting still overlaps, and take an eighth of the draws until they are short; then both
    lattices are simulated with all draws, and the last step from there gives the couplings. Errors are a bootstrap
    over the chains of both. `held_out` are observables or operators that are compared beside; of the default, what
    fits into the dimension. Begin near criticality: deep in a phase the search wanders, or ends in no order or in full
    one, which are fixed points, too.

    Raises `InputError` for a coupling that the action does not have, that is named twice or that couples nothing on
    the lattice, a rule that makes no fields of the action's kind (spins or real numbers), an operator that needs more
    dimensions, fields that do not fluctuate, and when no fixed point is found in so many steps.

    >>> import kadanoff as kd
    >>> ring = kd.fixed_point(kd.Decimation(b=2), kd.LongerRangeIsing(0.3), kd.Lattice(8), ["nearest"], held_out=())
    >>> abs(ring.couplings["nearest"].value) < 0.1  # K' = ln(cosh 2K)/2 ends in no coupling
    True
    """
    require_rule(rule)
    steps = whole("the number of steps", steps, least=1)
    scalars = [name for name, value in couplings(start).items() if not isinstance(value, list)]
    asked = tuple(scalars if names is None else several("names", names))
    unknown = [name for name in asked if name not in scalars]
    if unknown or not asked:
        raise InputError(
            f"{type(start).__name__} has no scalar coupling {unknown[0] if unknown else ''!r}; choose from "
            f"{', '.join(scalars) or 'none'}"
        )
    if len(set(asked)) < len(asked):
        raise InputError(f"a coupling is solved for once, and {asked} names one twice: leave it out")
    _require_kind(rule, start, lattice.dimension)
    compared = None if held_out is None else several("held_out", held_out)
    entries = tuple(map(_observable, fitting(compared, _HELD_OUT, lattice.dimension)))
    coarse = lattice.blocked(rule.b)
    values = np.array([float(couplings(start)[name]) for name in asked])  # pyright: ignore[reportArgumentType]
    history: list[tuple[dict[str, float], float]] = []
    report = progress or (lambda done, total, message: None)

    def solve(
        step: int, draws: int, entries: tuple[Observable, ...], samples: int
    ) -> tuple[Resampled, float]:
        action = _at(start, asked, values)
        fine, direct = (
            sample(
                action,
                space,
                chains=chains,
                draws=draws,
                thin=thin,
                thermalize=thermalize,
                sampler=sampler,
                seed=2 * (1000 * seed + step) + number,
            )
            for number, space in enumerate((lattice, coarse))
        )
        blocked = block(fine, rule, seed=seed + step)
        return newton(fine, blocked, direct, asked, entries, seed, samples)

    for step in range(steps):
        report(step, steps, "searching the fixed point")
        found, length = solve(step, max(8, draws // _ROUGH), (), 2)
        history.append((dict(zip(asked, map(float, values), strict=True)), length))
        values = values + found.values[: len(asked)] * (1.0 if length <= _FARTHEST else _FARTHEST / length)
        if length < _NEAR:
            break
    else:
        raise InputError(
            f"no fixed point of {rule!r} was found within {steps} steps: the last was {history[-1][1]:.2g} standard "
            "deviations of the action long; start nearer, take more draws, or another family"
        )
    report(steps - 1, steps, "solving for the fixed point")
    found, length = solve(steps, draws, entries, _SAMPLES)
    history.append((dict(zip(asked, map(float, values), strict=True)), length))
    return _result(start, asked, values, found, entries, tuple(history))


def _result(
    start: Any,
    names: tuple[str, ...],
    values: np.ndarray,
    found: Resampled,
    entries: tuple[Observable, ...],
    history: tuple[tuple[dict[str, float], float], ...],
) -> FixedPoint:
    count = len(names)
    estimates = found.estimates()
    solved = values + found.values[:count]
    rows = np.reshape(np.array(estimates[count:], dtype=object), (3, len(entries)))
    return FixedPoint(
        _at(start, names, solved),
        {name: Estimate(x, one.error) for name, x, one in zip(names, solved, estimates, strict=False)},
        found.covariance[:count, :count],
        tuple(Agreement(entry.name, *rows[:, i]) for i, entry in enumerate(entries)),
        values + found.samples[:, :count],
        history,
    )


def _require_kind(rule: BlockingRule, action: Any, dimension: int) -> None:
    """`InputError` unless the rule makes spins of spins, or real numbers of real numbers."""
    blocks = jax.random.normal(key(0), (64, *[1] * (dimension - 1), rule.b**dimension))
    spins = has_spins(action)
    made = rule.reduce(key(1), jnp.where(blocks > 0, 1, -1).astype(jnp.int8) if spins else blocks)
    if bool(jnp.all(jnp.abs(made) == 1)) != spins:
        kinds = ("real numbers", "spins")
        raise InputError(
            f"{type(action).__name__} is an action of {kinds[spins]}, and {type(rule).__name__} makes "
            f"{kinds[not spins]} of them: give a rule that keeps their kind, such as "
            f"{'kd.Majority' if spins else 'kd.MajorityMean'}"
        )


def _observable(entry: str | Observable | Operator) -> Observable:
    if isinstance(entry, Operator):
        first: Callable[[Any, Lattice], Any] = lambda means, lattice: means[0]  # noqa: E731
        return Observable(entry.name, (entry,), first, entry.name)
    return observable(entry)


def _at(action: Any, names: Sequence[str], values: np.ndarray) -> Any:
    """The action with some couplings set."""
    for name, value in zip(names, values, strict=True):
        action = with_coupling(action, name, float(value))
    return action
