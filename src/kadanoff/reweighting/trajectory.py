"""Reweighting along a coupling: what one sample says of many actions, and how far it can be trusted."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from kadanoff.actions.base import Action
from kadanoff.arguments import require_ensembles
from kadanoff.ensemble import Ensemble, ObservableTable
from kadanoff.errors import InputError, OverlapError, OverlapWarning
from kadanoff.observables import Observable
from kadanoff.reweighting.response import simulated_action, with_coupling
from kadanoff.reweighting.target import reweight
from kadanoff.statistics import tail_shape

__all__ = ["FEWEST", "PHASE", "TAIL", "Point", "Trajectory", "reweight_along"]

#: A point is trusted with at least so many effective configurations, a tail of the weights of no larger shape, and an
#: average phase so many times its noise, 1 / sqrt(effective configurations).
FEWEST, TAIL, PHASE = 200, 0.5, 5.0


@dataclass(frozen=True)
class Point:
    """A sample reweighted to one action, at `value` of the coupling.

    - `observables`: estimates by name; empty where the overlap is lost.
    - `effective`, `configurations`: the effective size of the sample, 0 where the overlap is lost, and the whole one.
    - `phase`: the average phase of complex weights, 1 for real ones.
    - `tail`: the shape of the tail of the weights, see `kadanoff.statistics.tail_shape`.
    """

    value: float
    observables: ObservableTable
    effective: float
    configurations: int
    phase: float
    tail: float

    @property
    def trusted(self) -> bool:
        """Whether estimate and error can be relied on: see `FEWEST`, `TAIL` and `PHASE`."""
        enough = self.effective >= FEWEST and self.tail <= TAIL
        return bool(enough and self.phase >= PHASE / np.sqrt(self.effective))

    def row(self) -> dict[str, Any]:
        """The point as a row of a table; None for what is not known where the overlap is lost."""
        lost = not self.observables
        return {
            **self.observables,
            "effective_fraction": self.effective / self.configurations,
            "tail_shape": None if lost else self.tail,
            "average_phase": None if lost else self.phase,
            "trusted": self.trusted,
        }


@dataclass(frozen=True)
class Trajectory:
    """Points along a coupling, in the order of its values; iterates over them and prints as a table.

    `spins` says whether the sites are spins.
    """

    coupling: str
    points: tuple[Point, ...]
    spins: bool = False

    def __iter__(self) -> Iterator[Point]:
        """The points."""
        return iter(self.points)

    def at(self, value: float) -> Point:
        """The point at a value of the coupling, the nearest to it; `InputError` where there is none."""
        nearest = min(self.points, key=lambda point: abs(point.value - value))
        if np.isclose(nearest.value, value):
            return nearest
        raise InputError(f"no point at {self.coupling} = {value}: reweight there too")

    def trusted(self) -> tuple[float, float] | None:
        """The longest run of trusted points, by its first and last value; None where there is none."""
        best: tuple[Point, ...] = ()
        run: tuple[Point, ...] = ()
        for point in self.points:
            run = (*run, point) if point.trusted else ()
            best = max(best, run, key=len)
        return (best[0].value, best[-1].value) if best else None

    def doubt(self) -> str | None:
        """Why no point is to be trusted: what is wrong with the one that has most of the sample left; else None."""
        if self.trusted() is not None:
            return None
        best = max(self.points, key=lambda point: point.effective)
        if best.effective < FEWEST:
            left = f"at most {best.effective:.0f} effective configurations of {best.configurations} are left"
            return f"{left}, and it takes {FEWEST}: take more, or simulate nearer"
        if best.tail > TAIL:
            shape = f"the shape of their tail is {best.tail:.2g} and above {TAIL:g}"
            return f"a few weights decide, {shape}: simulate nearer"
        return f"the average phase, at most {best.phase:.2g}, is lost in its noise: take more configurations"

    def rows(self) -> list[dict[str, Any]]:
        """One row a point, all with the same names."""
        blank = {name: None for point in self.points for name in point.observables}
        return [
            {"label": f"{self.coupling} = {point.value:g}", **blank, **point.row()} for point in self.points
        ]

    def __str__(self) -> str:
        """One line a point."""
        lines = []
        for point in self.points:
            found = "  ".join(f"{name} {estimate}" for name, estimate in point.observables.items())
            doubt = "" if point.trusted else "  (not to be trusted)"
            left = f"effective {point.effective:.0f} of {point.configurations}, phase {point.phase:.3f}"
            lines.append(f"{self.coupling} = {point.value:g}: {found or 'no overlap'}  {left}{doubt}")
        return "\n".join(lines)


def reweight_along(
    ensemble: Ensemble,
    target: Callable[[float], Any] | str,
    values: Sequence[float] | np.ndarray,
    observables: Sequence[str | Observable] | None = None,
    coupling: str = "g",
) -> Trajectory:
    """Reweight a sample to target(g), any action or bare function S(field), real or complex, for many values of g.

    The name of a coupling as `target` stands for the simulated action with that coupling at g. `observables` are all
    that are defined for the ensemble by default; `coupling` is what g is called. Lost overlap is no error here: every
    point tells what is left of the sample, and whether it can be trusted.

    Raises `InputError` for values that are not finite, or none, and as `reweight` does.

    >>> import kadanoff as kd
    >>> noise = np.random.default_rng(0).normal(size=(32, 16, 2, 2)).astype(np.float32)
    >>> sample = kd.Ensemble(noise, kd.Phi4(1.0, 0.0, kappa=0.0))
    >>> found = reweight_along(sample, lambda m: kd.Phi4(m, 0.0, kappa=0.0), (0.9, 1.0, 9.0), ["phi2"], "mass2")
    >>> [point.trusted for point in found], found.trusted()
    ([True, True, False], (0.9, 1.0))
    """
    require_ensembles(ensemble)
    if isinstance(target, str):
        simulated, coupling = simulated_action(ensemble), target
        target = partial(with_coupling, simulated, coupling)
    elif isinstance(target, Action) or not callable(target):
        raise InputError(
            f"reweighting along a coupling takes a function that gives the action at a value, or the name of a "
            f"coupling, got {target!r}; one action alone is for kd.reweight"
        )
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        numbers = np.array(np.nan)
    if numbers.ndim != 1 or not len(numbers) or not np.all(np.isfinite(numbers)):
        raise InputError(
            f"reweighting along {coupling} needs a sequence of finite values, one or more, got {values!r}"
        )
    return Trajectory(
        coupling,
        tuple(_point(ensemble, target(value), value, observables) for value in sorted(numbers.tolist())),
        ensemble.spins,
    )


def _point(
    ensemble: Ensemble, target: Any, value: float, observables: Sequence[str | Observable] | None
) -> Point:
    configurations = ensemble.chains * ensemble.draws
    with warnings.catch_warnings():  # the point says what can be trusted
        warnings.simplefilter("ignore", OverlapWarning)
        try:
            there = reweight(ensemble, target)
        except OverlapError:
            return Point(value, ObservableTable(), 0.0, configurations, 0.0, float("inf"))
    return Point(
        value,
        there.observables(observables),
        there.effective_sample_size,
        configurations,
        there.average_phase,
        tail_shape(np.asarray(there.log_weight)),
    )
