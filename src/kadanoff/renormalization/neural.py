"""Neural networks as physical observables: a classifier of phases whose output is an observable like any other.

The network sees configurations of two phases far from the transition only. Its probability P of the ordered one is
a function of the field, so that it can be averaged, reweighted, followed under blocking and matched between lattices,
and be coupled to a field Y of its own, S - V Y P. What P measures follows from where its nonlinearity stands:

- 'global': P is a function of the modulus of a mean over all sites of an odd local feature, so it scales as |m|, and
    Y as a magnetic field: y = d - beta/nu = 15/8 in the 2D Ising model.
- 'local': P is the mean over all sites of an even local function, an energy-like density, and Y has y = y_T = 1/nu.

Source: D. Bachtis, G. Aarts, B. Lucini, PRE 102 (2020) 053306 and Phys. Rev. Research 3 (2021) 013134.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Num, PRNGKeyArray

from kadanoff.actions.base import couplings
from kadanoff.arguments import require_ensembles
from kadanoff.ensemble import Ensemble
from kadanoff.errors import InputError, StoreError
from kadanoff.observables import Observable
from kadanoff.products import linear, matmul
from kadanoff.random import key as make_key
from kadanoff.random import split
from kadanoff.renormalization.classifier import OddFeatures, fit_classifier, log_odds
from kadanoff.renormalization.weights import require_equal_weights
from kadanoff.store.weights_folder import read_header, read_weights, write_weights
from kadanoff.whole import whole

__all__ = ["NeuralObservable", "PhaseNetwork", "PhaseRecord", "learn_phase"]

KINDS = ("global", "local")

_BATCH = 16  # fields of each phase in a training step
_EDGE = 1e-6  # probabilities are kept this far from 0 and 1, so that their logarithms stay finite


class PhaseNetwork(eqx.Module):
    """Log-odds of the ordered phase for fields (n, *lattice) of any size, even under phi -> -phi.

    With `signs` the network sees the signs of a field: those of real fields, for one that was trained on spins.
    """

    features: OddFeatures
    out: eqx.nn.Linear
    kind: str = eqx.field(static=True)
    signs: bool = eqx.field(static=True)

    @classmethod
    def random(
        cls, key: PRNGKeyArray, dimension: int, kind: str, width: int, kernels: Sequence[int], signs: bool
    ) -> "PhaseNetwork":
        """Random weights."""
        one, two = jax.random.split(key)
        features = OddFeatures.random(one, dimension, width, kernels)
        return cls(features, eqx.nn.Linear(width, 1, dtype=jnp.float32, key=two), kind, signs)

    def __call__(self, fields: Num[Array, "n ..."]) -> Float[Array, " n"]:
        """Log-odds of each field; `InputError` for a lattice of another dimension."""
        dimension = self.features.network.dimension
        if fields.ndim - 1 != dimension:
            raise InputError(
                f"the network was trained in dimension {dimension}, and the fields have dimension {fields.ndim - 1}"
            )
        local = self.features(jnp.sign(fields) if self.signs else fields)
        axes = tuple(range(1, fields.ndim))
        if self.kind == "global":
            return linear(self.out, jnp.abs(jnp.mean(local, axis=axes)))[:, 0]
        density = jax.nn.sigmoid(matmul(local**2, self.out.weight[0]) + self.out.bias)  # pyright: ignore[reportOperatorIssue]
        share = jnp.clip(jnp.mean(density, axis=axes), _EDGE, 1 - _EDGE)
        return jnp.log(share) - jnp.log1p(-share)


class _Probability(eqx.Module):
    """The probability of the ordered phase for one field: known by its identity, so that its series are kept."""

    network: PhaseNetwork

    def __call__(self, field: Num[Array, "..."]) -> Float[Array, ""]:
        return jax.nn.sigmoid(self.network(field[None])[0])

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self is other


@dataclass(frozen=True)
class PhaseRecord:
    """How a network was trained, and how well it does on configurations it never saw.

    - `ordered`, `disordered`: the range of every coupling of the simulated actions, by name; empty without actions.
    - `shape`, `depths`: the training lattice, and how often its fields had been blocked.
    - `configurations`: how many it was trained on; `held_out`: on how many it was judged.
    - `accuracy`, `loss`: fraction classified rightly, and cross entropy, of those held out.
    """

    kind: str
    seed: int
    steps: int
    width: int
    kernels: tuple[int, ...]
    signs: bool
    parameters: int
    ordered: dict[str, tuple[float, float]]
    disordered: dict[str, tuple[float, float]]
    shape: tuple[int, ...]
    depths: tuple[int, ...]
    configurations: int
    held_out: int
    accuracy: float
    loss: float
    seconds: float


@dataclass(frozen=True, eq=False)
class NeuralObservable(Observable):
    """The mean probability of the ordered phase, as an observable; `network` and `record` tell where it comes from.

    Made by `learn_phase` or `load`.
    """

    network: PhaseNetwork = field(kw_only=True)
    record: PhaseRecord = field(kw_only=True)

    @classmethod
    def of(cls, network: PhaseNetwork, record: PhaseRecord) -> "NeuralObservable":
        """The observable of a network."""
        name = f"ordered_{record.kind}"
        return cls(
            name, (_Probability(network),), _mean, r"$\langle P\rangle$", network=network, record=record
        )

    def probability(self, fields: Num[np.ndarray, "n ..."]) -> Float[np.ndarray, " n"]:
        """Probability of the ordered phase of each of (n, *lattice), on a lattice of any size."""
        return 1 / (1 + np.exp(-log_odds(self.network, fields)))

    def describe(self) -> str:
        """One line for tables and pages."""
        r = self.record
        return (
            f"{r.kind} network of {r.parameters} parameters, seed {r.seed}, trained on {r.configurations} "
            f"configurations of {'x'.join(map(str, r.shape))} blocked {', '.join(map(str, r.depths))} times, ordered "
            f"{_ranges(r.ordered)}, disordered {_ranges(r.disordered)}: held-out accuracy {r.accuracy:.4f}, loss "
            f"{r.loss:.2g} of {r.held_out}, {r.seconds:.0f} s"
        )

    def save(self, path: str | Path) -> Path:
        """Write the weights and the record into a folder; `StoreError` when the path is a file."""
        return write_weights(path, "phase", self.network, {"record": asdict(self.record)})

    @classmethod
    def load(cls, path: str | Path) -> "NeuralObservable":
        """Read a folder written by `save`; `StoreError` when it is missing, damaged, foreign or newer."""
        header = read_header(path, "phase", "`kadanoff.learn_phase`")
        try:
            content = dict(header["record"])
            content |= {name: tuple(content[name]) for name in ("kernels", "shape", "depths")}
            for name in ("ordered", "disordered"):
                content[name] = {key: (float(low), float(high)) for key, (low, high) in content[name].items()}
            record = PhaseRecord(**content)
            network = read_weights(path, header, _untrained(record))
        except (InputError, KeyError, TypeError, OSError, RuntimeError, ValueError, EOFError) as error:
            raise StoreError(
                f"{path} holds a damaged phase network ({type(error).__name__}); learn it again"
            ) from None
        return cls.of(network, record)


def learn_phase(
    ordered: Sequence[Ensemble],
    disordered: Sequence[Ensemble],
    *,
    kind: str = "global",
    steps: int = 200,
    width: int = 4,
    kernels: Sequence[int] = (3,),
    seed: int = 0,
) -> NeuralObservable:
    """Train a network to tell an ordered phase from a disordered one; its probability is an observable.

    The ensembles share one lattice, and should lie far from the transition: their couplings are recorded. Give blocked
    ensembles beside plain ones where it will be used on blocked fields. `kind` is 'global' or 'local' (see
    `kadanoff.renormalization.neural`); `kernels` are the sides of the convolutions, `width` their channels. The last
    quarter of the chains of every ensemble is held out and judged. Where all ensembles have spins, the network sees
    only the signs of whatever it is given later.

    Raises `InputError` for an unknown kind, no ensemble of a phase, different lattices, a single chain, or log-weights
    that differ.

    >>> import kadanoff as kd
    >>> cold, hot = ([kd.sample(kd.Ising(b), kd.Lattice((8, 8)), chains=16, draws=16, seed=1)] for b in (0.6, 0.2))
    >>> P = learn_phase(cold, hot)
    >>> P.record.ordered["beta"], P.record.accuracy > 0.9, cold[0].observe(P).value > 0.6
    ((0.6, 0.6), True, True)

    Source: J. Carrasquilla, R. G. Melko, Nature Physics 13 (2017) 431.
    """
    begun = time.perf_counter()
    if any(isinstance(phase, Ensemble) for phase in (ordered, disordered)):
        raise InputError("a phase is a list of ensembles, at one coupling or several: give [ensemble]")
    both = [*ordered, *disordered]
    require_ensembles(*both)
    _check(ordered, disordered, kind)
    steps, width = whole("steps", steps, least=1), whole("width", width, least=1)
    signs = all(ensemble.spins for ensemble in both)
    train, held = zip(*(_split(phase) for phase in (disordered, ordered)), strict=True)
    start, draw = split(make_key(seed, 47))
    lattice = both[0].lattice
    network = PhaseNetwork.random(start, lattice.dimension, kind, width, kernels, signs)
    network = fit_classifier(draw, network, train, steps, _BATCH)
    right = np.concatenate([(2 * label - 1) * log_odds(network, held[label]) for label in (0, 1)])
    record = PhaseRecord(
        kind=kind,
        seed=seed,
        steps=steps,
        width=width,
        kernels=tuple(kernels),
        signs=signs,
        parameters=network.features.network.parameters + width + 1,
        ordered=_covered(ordered),
        disordered=_covered(disordered),
        shape=lattice.shape,
        depths=tuple(sorted({ensemble.depth for ensemble in both})),
        configurations=sum(map(len, train)),
        held_out=len(right),
        accuracy=float(np.mean(right > 0)),
        loss=float(np.mean(np.logaddexp(0, -right))),
        seconds=time.perf_counter() - begun,
    )
    return NeuralObservable.of(network, record)


def _check(ordered: Sequence[Ensemble], disordered: Sequence[Ensemble], kind: str) -> None:
    if kind not in KINDS:
        raise InputError(f"unknown kind of network {kind!r}; choose from {', '.join(KINDS)}")
    if not ordered or not disordered:
        raise InputError("a classifier needs both phases: give ordered and disordered ensembles")
    for ensemble in (*ordered, *disordered):
        require_equal_weights(ensemble, "learning a phase")
    shapes = {ensemble.lattice.shape for ensemble in (*ordered, *disordered)}
    if len(shapes) > 1:
        raise InputError(f"the lattices {', '.join(map(str, sorted(shapes)))} differ: train on one size")
    if min(ensemble.chains for ensemble in (*ordered, *disordered)) < 2:
        raise InputError("held-out configurations need a chain of their own: give two chains or more")


def _split(phase: Sequence[Ensemble]) -> tuple[np.ndarray, np.ndarray]:
    """Configurations (n, *lattice) to train on, and those held out."""
    parts: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for ensemble in phase:
        fields = np.asarray(ensemble.fields)
        kept = ensemble.chains - max(1, ensemble.chains // 4)
        for part, chosen in zip(parts, (fields[:kept], fields[kept:]), strict=True):
            part.append(chosen.reshape(-1, *ensemble.lattice.shape))
    return np.concatenate(parts[0]), np.concatenate(parts[1])


def _covered(phase: Sequence[Ensemble]) -> dict[str, tuple[float, float]]:
    """The range of every scalar coupling of the simulations."""
    values: dict[str, list[float]] = {}
    for ensemble in phase:
        if ensemble.simulated.action is not None:
            for name, value in couplings(ensemble.simulated.action).items():
                if isinstance(value, float):
                    values.setdefault(name, []).append(round(value, 7))
    return {name: (min(found), max(found)) for name, found in values.items()}


def _ranges(covered: dict[str, tuple[float, float]]) -> str:
    return ", ".join(f"{name} {low:g} to {high:g}" for name, (low, high) in covered.items()) or "at will"


def _untrained(record: PhaseRecord) -> PhaseNetwork:
    """A network of the recorded shape, to be filled with the saved weights."""
    return PhaseNetwork.random(
        make_key(0), len(record.shape), record.kind, record.width, record.kernels, record.signs
    )


def _mean(means: Any, lattice: Any) -> Any:
    return means[0]
