"""Multiple-histogram reweighting: simulations at several couplings, joined to answer for all between them.

Every simulation contributes to every point as much as it knows there. That gives curves through a whole range, where
one simulation would lose its overlap, and differences of free energies, which no single one has.

Source: A. M. Ferrenberg, R. H. Swendsen, PRL 63 (1989) 1195; M. R. Shirts, J. D. Chodera, J. Chem. Phys. 129 (2008)
124105.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from kadanoff.action_records import differences
from kadanoff.actions.base import couplings
from kadanoff.actions.coupling import coupling_of
from kadanoff.arguments import require_ensembles
from kadanoff.ensemble import Ensemble
from kadanoff.errors import InputError, OverlapError
from kadanoff.names import several
from kadanoff.observables import Observable, evaluate
from kadanoff.reweighting.curves import Curve, curve_observable, log_weights_along
from kadanoff.reweighting.response import simulated_action
from kadanoff.reweighting.target import log_ratio
from kadanoff.statistics import (
    Estimate,
    Mbar,
    effective_sample_size,
    integrated_autocorrelation_time,
    multiplicities,
    solve_mbar,
)
from kadanoff.whole import whole

__all__ = ["MultiHistogram"]

_LEAST_OVERLAP = (
    0.03  # below which two simulations do not tell their difference (Klimovich, Shirts, Mobley 2015)
)
_FEWEST = 10  # effective configurations, below which no error bar can be believed


@dataclass(frozen=True, init=False, eq=False)
class MultiHistogram:
    """Simulations of one lattice under several actions, joined by their overlap (MBAR).

    - `ensembles`: two or more, each with an action; blocked ones count with the weights of their originals.
    - `autocorrelation`: count every configuration as 1 / (2 tau_int) independent ones, tau_int the longest of its
        simulation's log-weights towards the others, as far as they differ by more than their noise; False counts all
        alike.
    - `samples`, `seed`: of the bootstrap, which resamples every simulation by itself (chains, or blocks of draws where
        chains are few) and solves anew.

    `solution` holds the free energies and weights, `varied` what the actions differ in, couplings or more.

    Raises `InputError` for fewer than two ensembles, different lattices or depths, log-weights, complex actions, and
    two ensembles of one simulation; `OverlapError` where the simulations fall into groups without overlap.

    >>> import kadanoff as kd
    >>> def run(beta, seed):
    ...     return kd.sample(kd.Ising(beta), kd.Lattice((4, 4)), chains=32, draws=16, seed=seed)
    >>> joined = kd.MultiHistogram([run(0.40, 1), run(0.44, 2)], samples=50)
    >>> exact = kd.exact.kaufman(0.40, 4).log_partition - kd.exact.kaufman(0.44, 4).log_partition
    >>> abs(joined.free_energies[1].pull(exact)) < 4
    True
    >>> curve = joined.curve("energy", np.linspace(0.39, 0.45, 3))
    >>> curve.values.shape, curve.least_effective > 300
    ((3,), True)
    """

    ensembles: tuple[Ensemble, ...]
    solution: Mbar
    varied: tuple[str, ...]
    _owner: Int[np.ndarray, " config"]
    _units: tuple[tuple[Float[np.ndarray, "resample unit"], Int[np.ndarray, "chain draw"]], ...]
    _replicas: Float[np.ndarray, "resample state"]

    def __init__(
        self,
        ensembles: Sequence[Ensemble],
        *,
        autocorrelation: bool = True,
        samples: int = 200,
        seed: int = 0,
    ) -> None:
        ensembles, samples = several("ensembles", ensembles), whole("samples", samples, least=2)
        _require_joinable(ensembles)
        actions = [simulated_action(each) for each in ensembles]
        varied = _varied(actions, ensembles[0].simulated.lattice.shape)
        scalar = len(varied) == 1 and np.ndim(couplings(actions[0]).get(varied[0], [])) == 0
        coupling = varied[0] if scalar else None
        states = actions if coupling is None else [coupling_of(action, coupling) for action in actions]
        densities = [_towards(each, states, coupling) for each in ensembles]
        # Relative to the simulation's own action: differences are what autocorrelates, and what the weights are.
        shifts = [np.delete(each, own, axis=0) for own, each in enumerate(densities)]
        independent = _independent(shifts) if autocorrelation else np.ones(len(shifts))
        counts = [np.full(each[0].size, one) for each, one in zip(shifts, independent, strict=True)]
        owner = np.repeat(np.arange(len(ensembles)), [len(each) for each in counts])
        stacked = np.concatenate([each.reshape(len(ensembles), -1) for each in densities], axis=1)
        solution = solve_mbar(stacked, owner, np.concatenate(counts))
        _require_overlap(solution.overlap, ensembles)
        units = tuple(
            multiplicities(
                np.concatenate([shift, each.series("m2")[None]]), np.array([seed, number]), samples
            )
            for number, (shift, each) in enumerate(zip(shifts, ensembles, strict=True))
        )
        for name, value in {
            "ensembles": ensembles,
            "solution": solution,
            "varied": varied,
            "_owner": owner,
            "_units": units,
        }.items():
            object.__setattr__(self, name, value)
        found = [
            solution.resampled(self._multiplicity(index), owner).free_energies for index in range(samples)
        ]
        object.__setattr__(self, "_replicas", np.array(found))

    @property
    def free_energies(self) -> list[Estimate]:
        """-ln(Z_k / Z_0) of every simulated action against that of the first, (state,)."""
        errors = self._replicas.std(axis=0, ddof=1)
        return [Estimate(*pair) for pair in zip(self.solution.free_energies, errors, strict=True)]

    @property
    def overlap(self) -> Float[np.ndarray, "state state"]:
        """Element (i, j): the chance that a configuration of simulation i might as well be one of j."""
        return self.solution.overlap

    def curve(
        self, name: str | Observable, targets: Sequence[Any] | np.ndarray, coupling: str | None = None
    ) -> Curve:
        """An observable at many targets, with error bands and the effective fraction of all configurations.

        `targets` are values of the coupling in which the simulations differ (or of `coupling`, where all have the same
        action), or actions: for several couplings at once, or another coupling. The `couplings` of the curve are those
        values, and the places in the list for actions.

        Raises `InputError` for an observable that contains the action, and for values where the simulations differ in
        more than one coupling; `OverlapError` at a target beyond the reach of all simulations.
        """
        entry = curve_observable(name)
        grid, towards = self._targets(targets, coupling)
        log_weights = self.solution.log_weights(towards)
        effective = np.array([effective_sample_size(each) for each in log_weights])
        if effective.min() < min(_FEWEST, len(self._owner) / 2):
            worst = int(effective.argmin())
            raise OverlapError(
                f"{effective[worst]:.1f} effective configurations are left at {targets[worst]}: it is beyond what the "
                "simulations cover; add one there, or narrow the range"
            )
        weights = np.exp(log_weights - log_weights.max(axis=1, keepdims=True))
        primaries = [each.primaries(entry) for each in self.ensembles]
        joined = np.concatenate([each.reshape(len(each), -1) for each in primaries], axis=1)
        stacked = np.concatenate([weights[:, None], weights[:, None] * joined], axis=1)
        function = evaluate(entry, self.ensembles[0].lattice)

        def values(factor: np.ndarray) -> np.ndarray:
            return np.array([function(sums[1:] / sums[0]) for sums in stacked @ factor])

        samples = np.array([values(self._factor(index)) for index in range(len(self._replicas))])
        whole, count = values(np.ones(len(self._owner))), len(self._owner)
        return Curve(grid, whole, samples.std(axis=0, ddof=1), effective / count, samples, count)

    def _targets(self, targets: Any, coupling: str | None) -> tuple[np.ndarray, np.ndarray]:
        """Where the points of a curve lie, and their log-densities (point, config)."""
        if np.ndim(targets) == 0 or len(targets) == 0:
            raise InputError("a curve has a list of targets, one or more: values of a coupling, or actions")
        if hasattr(targets[0], "density"):
            grid, coupling = np.arange(len(targets), dtype=np.float64), None
        else:
            grid = np.asarray(targets, dtype=np.float64)
            coupling = coupling or (self.varied[0] if len(self.varied) == 1 else None)
            if coupling is None or self.varied not in ((), (coupling,)):
                raise InputError(
                    f"the simulations differ in {', '.join(self.varied) or 'nothing'}, so values of "
                    f"{coupling or 'a coupling'} do not say where the points lie; give actions"
                )
        parts = [_towards(each, targets, coupling) for each in self.ensembles]
        return grid, np.concatenate([part.reshape(len(grid), -1) for part in parts], axis=1)

    def _multiplicity(self, index: int) -> np.ndarray:
        """How often every configuration counts in a resample, (config,)."""
        return np.concatenate([counts[index][unit].ravel() for counts, unit in self._units])

    def _factor(self, index: int) -> np.ndarray:
        """What a resample multiplies the weight of every configuration by, (config,)."""
        multiplicity, here = self._multiplicity(index), self.solution
        counts = here.counts * multiplicity
        sizes = np.bincount(self._owner, counts, len(here.sizes))
        there = replace(here, counts=counts, sizes=sizes, free_energies=self._replicas[index])
        return multiplicity * np.exp(here.log_mixture - there.log_mixture)


def _require_joinable(ensembles: tuple[Ensemble, ...]) -> None:
    """Refuse what is no set of independent simulations of one system."""
    if len(ensembles) < 2:
        raise InputError(
            f"joining needs two simulations or more, and {len(ensembles)} is given; use kd.reweight for one"
        )
    require_ensembles(*ensembles)
    first = ensembles[0]
    for each in ensembles[1:]:
        if each.lattice != first.lattice or each.simulated.lattice != first.simulated.lattice:
            raise InputError(
                f"lattices {first.lattice.shape} and {each.lattice.shape} (simulated {first.simulated.lattice.shape} "
                f"and {each.simulated.lattice.shape}) cannot be joined; simulate one lattice at all couplings"
            )
        if each.depth != first.depth or each.simulated.spins != first.simulated.spins:
            raise InputError(
                f"fields that were blocked {first.depth} and {each.depth} times, or spins and real fields, cannot be "
                "joined; treat all simulations alike"
            )
    if any(each.chains * each.draws == 1 for each in ensembles):
        raise InputError(
            "an ensemble of one draw does not tell its fluctuations; give every simulation more draws"
        )
    if any(each.log_weight is not None for each in ensembles):
        raise InputError(
            "an ensemble with log-weights follows no action that was simulated; join the simulations themselves"
        )
    if len({id(each.simulated) for each in ensembles}) < len(ensembles):
        raise InputError("two of the ensembles come from one simulation; give every simulation once")


def _varied(actions: list[Any], shape: tuple[int, ...]) -> tuple[str, ...]:
    """What the actions differ in, couplings or more; of different kinds of actions their names."""
    return tuple(dict.fromkeys(name for each in actions[1:] for name in differences(actions[0], each, shape)))


def _towards(ensemble: Ensemble, targets: Any, coupling: str | None) -> np.ndarray:
    """-(A - S) of every configuration and target, (target, chain, draw), S the action of its own simulation."""
    if coupling is not None:
        return log_weights_along(ensemble, coupling, np.asarray(targets, dtype=np.float64))
    found = np.stack([log_ratio(ensemble, target) for target in targets])
    if np.iscomplexobj(found):
        raise InputError("joining simulations needs real actions, and one is complex; use kd.reweight for it")
    return found


def _independent(shifts: list[np.ndarray]) -> np.ndarray:
    """How many independent configurations one stands for: 1 / (2 tau_int) of the slowest log-weight, by simulation.

    Noise of tau_int would give most weight to the simulations that happen to fluctuate least, whose errors are too
    small as well: ln tau_int are drawn to their mean by the part of their variance that is noise (random effects).
    """
    slowest = [
        max((integrated_autocorrelation_time(series) for series in each), key=float) for each in shifts
    ]
    logs = np.log([tau.value for tau in slowest])
    noise = np.array([(tau.error / tau.value) ** 2 for tau in slowest])
    real = max(0.0, logs.var(ddof=1) - noise.mean())
    known = real / (real + noise) if real > 0 else np.zeros(len(logs))
    return 0.5 * np.exp(-(logs.mean() + known * (logs - logs.mean())))


def _require_overlap(overlap: np.ndarray, ensembles: tuple[Ensemble, ...]) -> None:
    """Refuse simulations that fall into groups between which nothing tells the difference of free energies."""
    from scipy.sparse.csgraph import connected_components

    groups, label = connected_components((overlap + overlap.T) / 2 >= _LEAST_OVERLAP, directed=False)
    if groups > 1:
        apart = int(np.flatnonzero(label != label[0])[0])
        raise OverlapError(
            f"the simulations fall into {groups} groups that do not overlap (elements below {_LEAST_OVERLAP}): "
            f"{simulated_action(ensembles[0])!r} and {simulated_action(ensembles[apart])!r} are in two; add "
            "simulations between them"
        )
