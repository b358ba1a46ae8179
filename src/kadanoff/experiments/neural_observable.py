"""Neural networks as observables: P(ordered), learnt far from the transition, finds beta_c, nu and the exponent of Y.

Small networks learn to tell ordered from disordered Ising fields, plain and blocked once, at couplings far from the
transition. Their probability P is then reweighted through it, measured on blocked and direct fields of one lattice,
and matched after n further steps: critical coupling and nu. Coupled to a field Y, S - V Y P, it is matched in Y:
dY'/dY = b^y, where y is that of |m| for a nonlinearity after the mean over all sites ('global'), and y_T for the mean
of a local even density ('local'). At last the networks, unchanged, see the signs of phi^4 fields. Simulations are at
round numbers near the transitions; no known coupling or exponent enters. Errors add those of the configurations,
which all networks share, and the spread over training seeds.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kadanoff.actions import Ising, Phi4
from kadanoff.ensemble import Ensemble
from kadanoff.experiments.result import Result
from kadanoff.lattice import Lattice
from kadanoff.renormalization.blocking import BlockingRule, Majority, MajorityMean, block
from kadanoff.renormalization.matching import Matching, match
from kadanoff.renormalization.neural import KINDS, NeuralObservable, learn_phase
from kadanoff.reweighting.curves import reweighted_curve
from kadanoff.reweighting.target import reweight
from kadanoff.sampling import SwendsenWang, sample
from kadanoff.sampling.run import Progress
from kadanoff.statistics import Estimate

__all__ = ["run"]

_EXACT_BETA, _MASS2 = float(np.log(1 + np.sqrt(2)) / 2), -0.9515
_EXPONENT = {"global": 15 / 8, "local": 1.0}
_NEAR = 0.44  # where spins are simulated near the transition
_NEAR_MASS2 = -0.95  # and phi^4 fields
_TRAINED = {"ordered": (0.48, 0.52, 0.56, 0.60), "disordered": (0.28, 0.32, 0.36, 0.40)}
_SIDE = 32
_CHECKS = (0.432, 0.448)  # where the reweighted curve is checked by simulation

Pair = tuple[Ensemble, Ensemble]


@dataclass(frozen=True)
class _Effort:
    """How much is simulated and trained."""

    chains: int
    draws: int  # of the larger Ising lattice; the smaller has twice as many
    steps: int  # matchings
    phi4_draws: int
    training_draws: int
    seeds: int = 3


_QUICK, _FULL = _Effort(128, 24, 2, 40, 4), _Effort(256, 60, 3, 100, 8)


def run(out: Path, *, quick: bool, seed: int, progress: Progress | None = None) -> Result:
    """Simulate, train, match in beta and in Y, apply to phi^4, draw the figure and save the result in `out`."""
    begun = time.perf_counter()
    effort = _QUICK if quick else _FULL

    def spins(beta: float, side: int, chains: int, draws: int, stream: int) -> Ensemble:
        def report(done: float, total: float | None, message: str) -> None:
            if progress is not None:
                progress(done, total, f"{message.split(',')[0]} {side}x{side} at {beta}")

        return sample(
            Ising(beta),
            Lattice((side, side)),
            chains=chains,
            draws=draws,
            thermalize=100,
            sampler=SwendsenWang(),
            seed=64 * seed + stream,
            out=Path(out) / "simulations" / f"ising-{side}-{beta}",
            progress=report,
        )

    phases = {name: _phase(spins, name, effort) for name in _TRAINED}
    networks = {
        kind: [
            learn_phase(phases["ordered"], phases["disordered"], kind=kind, seed=effort.seeds * seed + i)
            for i in range(effort.seeds)
        ]
        for kind in KINDS
    }
    for found in networks.values():
        for number, network in enumerate(found):
            network.save(Path(out) / f"{network.name}-{number}")
    fine = spins(_NEAR, 2 * _SIDE, effort.chains, effort.draws, 0)
    direct = spins(_NEAR, _SIDE, effort.chains, 2 * effort.draws, 1)
    pairs = _pairs(fine, direct, Majority(b=2), effort.steps, seed)
    matched = {k: [[match(a, b, P, seed=seed) for P in networks[k]] for a, b in pairs] for k in KINDS}
    rows = [
        _beta_row(kind, n, each, networks[kind]) for kind in KINDS for n, each in enumerate(matched[kind])
    ]
    # The fixed point for Y: where P itself found the transition, not where it is known to be.
    critical = _over_seeds([m.critical for m in matched["global"][-1]])
    mapped: dict[str, list[list[Matching]]] = {}
    if critical is not None:
        target = Ising(critical.value)
        there = [(reweight(blocked, target), reweight(smaller, target)) for blocked, smaller in pairs]
        mapped = {k: [[match(a, b, P, P, seed=seed) for P in networks[k]] for a, b in there] for k in KINDS}
    rows += [_y_row(kind, n, each) for kind in mapped for n, each in enumerate(mapped[kind])]
    rows += _phi4_rows(networks, effort, seed, Path(out), progress)
    shown = networks["global"][0]
    checks = [
        (beta, spins(beta, _SIDE, effort.chains, effort.draws // 2, 2 + i)) for i, beta in enumerate(_CHECKS)
    ]
    rows += [_check_row(beta, there, direct, shown) for beta, there in checks]
    figure = _draw(shown, phases, (fine, direct), checks, matched["global"][-1][0], mapped, out)
    notes = [network.describe() for found in networks.values() for network in found]
    notes += [
        "kind 'global': P is a function of |mean over sites|, so Y scales as a field: y = 15/8",
        "P saturates as |mean| grows, the more so the steeper the network: its y is an effective exponent at finite n",
        "kind 'local': P is a mean over sites of an even density, so Y scales as the temperature: y_T = 1",
        "n counts the steps that both lattices are blocked beyond the comparison of 64 blocked once with 32 direct; "
        "n = 0 is biased by what one step leaves of irrelevant couplings, local networks and phi^4 the most",
        "phi^4: the networks see sign(phi) of fields blocked by majority-mean n + 1 times (64) and n times (32)",
    ]
    result = Result("neural-observable", rows, [figure], time.perf_counter() - begun, notes)
    result.save(out)
    return result


def _phase(spins: Any, name: str, effort: _Effort) -> list[Ensemble]:
    """Plain fields of one phase, and fields of a lattice twice as large blocked once."""
    first = 8 + 16 * list(_TRAINED).index(name)
    found = []
    for number, beta in enumerate(_TRAINED[name]):
        found.append(spins(beta, _SIDE, 64, effort.training_draws, first + 2 * number))
        fine = spins(beta, 2 * _SIDE, 64, effort.training_draws, first + 2 * number + 1)
        found.append(block(fine, Majority(b=2), seed=number))
    return found


def _pairs(fine: Ensemble, direct: Ensemble, rule: BlockingRule, steps: int, seed: int) -> list[Pair]:
    """The larger lattice blocked n + 1 times with the smaller one blocked n times."""
    pairs = [(block(fine, rule, seed=seed), direct)]
    for _ in range(steps - 1):
        blocked, smaller = pairs[-1]
        pairs.append((block(blocked, rule, seed=seed), block(smaller, rule, seed=seed + 1)))
    return pairs


def _over_seeds(estimates: Sequence[Estimate | None]) -> Estimate | None:
    """Mean over training seeds, None if one has no value.

    The configurations are the same for all, so their error does not fall with the number of seeds; that of the mean
    over seeds is added.
    """
    found = [estimate for estimate in estimates if estimate is not None]
    if len(found) < len(estimates):
        return None
    values = np.array([estimate.value for estimate in found])
    spread = values.std(ddof=1) / np.sqrt(len(values))
    return Estimate(values.mean(), np.hypot(np.mean([estimate.error for estimate in found]), spread))


def _exponent(found: Matching) -> Estimate | None:
    """Exponent y of b^y = dY'/dY."""
    if found.slope is None:
        return None
    scale = np.log(found.b)
    return Estimate(np.log(found.slope.value) / scale, found.slope.error / found.slope.value / scale)


def _against(found: Estimate | None, reference: float) -> float | None:
    return None if found is None else found.pull(reference)


def _beta_row(kind: str, n: int, each: list[Matching], networks: list[NeuralObservable]) -> dict[str, Any]:
    beta, nu = _over_seeds([m.critical for m in each]), _over_seeds([m.nu for m in each])
    return {
        "label": f"match in beta, n={n}",
        "estimator": kind,
        "beta_c": beta,
        "nu": nu,
        "accuracy": min(network.record.accuracy for network in networks),
        "range": list(each[0].range),
        "effective_sample_size": min(m.effective_sample_size for m in each),
        "pull": {"beta_c": _against(beta, _EXACT_BETA), "nu": _against(nu, 1.0)},
        "reference": {"beta_c": _EXACT_BETA, "nu": 1.0},
    }


def _y_row(kind: str, n: int, each: list[Matching]) -> dict[str, Any]:
    y = _over_seeds([_exponent(m) for m in each])
    return {
        "label": f"match in Y, n={n}",
        "estimator": kind,
        "Y_fixed": _over_seeds([m.critical for m in each]),
        "slope": _over_seeds([m.slope for m in each]),
        "y": y,
        "pull": {"y": _against(y, _EXPONENT[kind])},
        "reference": {"y": _EXPONENT[kind]},
    }


def _phi4_rows(
    networks: dict[str, list[NeuralObservable]],
    effort: _Effort,
    seed: int,
    out: Path,
    progress: Progress | None,
) -> list[dict[str, Any]]:
    """Where the Ising networks find the transition of phi^4 at quartic 0.7."""
    fine, direct = (
        sample(
            Phi4(_NEAR_MASS2, 0.7),
            Lattice((side, side)),
            chains=64,
            draws=draws,
            thin=8,
            seed=64 * seed + stream,
            out=out / "simulations" / f"phi4-{side}",
            progress=progress,
        )
        for side, draws, stream in ((2 * _SIDE, effort.phi4_draws, 4), (_SIDE, 2 * effort.phi4_draws, 5))
    )
    pairs = _pairs(fine, direct, MajorityMean(b=2), effort.steps, seed)
    rows = []
    for kind, found in networks.items():
        for n, (blocked, smaller) in enumerate(pairs):
            each = [match(blocked, smaller, P, "mass2", seed=seed) for P in found]
            mass2, nu = _over_seeds([m.critical for m in each]), _over_seeds([m.nu for m in each])
            rows.append(
                {
                    "label": f"phi^4, n={n}",
                    "estimator": kind,
                    "critical_mass2": mass2,
                    "nu": nu,
                    "reason": next((m.reason for m in each if m.reason), ""),
                    "pull": {"critical_mass2": _against(mass2, _MASS2), "nu": _against(nu, 1.0)},
                    "reference": {"critical_mass2": _MASS2, "nu": 1.0},
                }
            )
    return rows


def _check_row(beta: float, there: Ensemble, direct: Ensemble, network: NeuralObservable) -> dict[str, Any]:
    """The reweighted P beside a simulation at the same coupling."""
    reweighted, simulated = reweight(direct, Ising(beta)).observe(network), there.observe(network)
    return {
        "label": f"direct at {beta}",
        "variant": "reweighted",
        "P": reweighted,
        "pull": {"P": reweighted.pull(simulated)},
        "reference": {"P": simulated},
    }


def _draw(
    network: NeuralObservable,
    phases: dict[str, list[Ensemble]],
    simulated: Pair,
    checks: list[tuple[float, Ensemble]],
    matched: Matching,
    mapped: dict[str, list[list[Matching]]],
    out: Path,
) -> Path:
    """Draw P against beta, the crossing, and the mapping of Y."""
    from kadanoff.plots.neural_observable import plot_neural_observable

    fine, direct = simulated
    curves = {
        2 * _SIDE: reweighted_curve(fine, network, np.linspace(0.434, 0.446, 25), "beta", samples=100),
        _SIDE: reweighted_curve(direct, network, np.linspace(0.43, 0.45, 25), "beta", samples=100),
    }
    plain = [e for phase in phases.values() for e in phase if e.depth == 0]
    points = [(float(e.action.beta), e.observe(network)) for e in plain] + [
        (b, e.observe(network)) for b, e in checks
    ]
    return plot_neural_observable(
        curves,
        points,
        network.record,
        matched,
        {kind: found[-1][0] for kind, found in mapped.items()},
        Path(out) / "neural_observable.png",
        critical=_EXACT_BETA,
        exponents=_EXPONENT,
    )
