"""A learnt inverse with all that is known of its training, and how it is kept on disk."""

from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from kadanoff.errors import InputError, StoreError
from kadanoff.random import key as make_key
from kadanoff.renormalization.blocking import BLOCKING_RULES, BlockingRule
from kadanoff.renormalization.inverse.base import Inverse
from kadanoff.renormalization.inverse.consistent import ConsistentInverse
from kadanoff.renormalization.inverse.network import OddNetwork
from kadanoff.renormalization.inverse.stochastic import StochasticInverse
from kadanoff.renormalization.inverse.sublattice_density import SublatticeDensity
from kadanoff.renormalization.inverse.untrained import untrained_inverse
from kadanoff.store.durable import checksum
from kadanoff.store.weights_folder import read_header, read_weights, write_weights

__all__ = ["LearntInverse", "TrainingRecord", "require_fit", "require_temperature"]


@dataclass(frozen=True)
class TrainingRecord:
    """How an inverse was trained and how well it does on pairs it never saw."""

    kind: str
    seed: int
    parameters: int
    receptive_field: int
    steps: int
    history: tuple[tuple[int, float, float], ...]
    held_out: float
    linear: float
    advantage_sigma: float
    relaxed_pairs: int
    consistent: bool
    width: int
    kernels: tuple[int, ...]
    noise: int
    components: int
    seconds: float


@dataclass(frozen=True, eq=False)
class LearntInverse:
    """An inverse, the rule it inverts, the depth of the fields it makes, and the record of its training.

    It expects coarse fields of depth `input_depth`: blocked once more than the fine ones it was trained on; trained
    on relaxed pairs, it expects what relaxation returns, fields of the same depth as its output.
    """

    map: Inverse
    rule: BlockingRule
    depth: int
    record: TrainingRecord

    @property
    def b(self) -> int:
        """Rescaling factor."""
        return self.rule.b

    @property
    def kind(self) -> str:
        """What was learnt, in a word."""
        return self.record.kind

    @property
    def relaxed_pairs(self) -> int:
        """Sweeps that the coarse training fields were relaxed by."""
        return self.record.relaxed_pairs

    @property
    def input_depth(self) -> int:
        """Blocking depth of the coarse fields that the training pairs had."""
        return self.depth if self.record.relaxed_pairs else self.depth + 1

    @property
    def temperature(self) -> float:
        """Factor on the spread of what the map draws."""
        inner = self.map.inner if isinstance(self.map, ConsistentInverse) else self.map
        return inner.temperature if isinstance(inner, SublatticeDensity | StochasticInverse) else 1.0

    def at_temperature(self, temperature: float) -> "LearntInverse":
        """The same map with the spread of its draws multiplied by another factor.

        Below 1, drawn blocks follow the coarse field more closely. Raises `InputError` unless it is positive.
        """
        require_temperature(temperature)
        return replace(self, map=_tempered(self.map, float(temperature)))

    def describe(self) -> str:
        """One line for tables and pages."""
        r = self.record
        how = ", consistent" if r.consistent else ""
        how += f", temperature {self.temperature:g}" if self.temperature != 1.0 else ""
        how += f", coarse pairs relaxed {r.relaxed_pairs} sweeps" if r.relaxed_pairs else ""
        yardstick = "block by block" if self.map.spins else "best linear"
        return (
            f"{r.kind} inverse of {type(self.rule).__name__}(b={self.b}), depth {self.depth}{how}: "
            f"{r.parameters} parameters, receptive field {r.receptive_field}, held-out loss {r.held_out:.4f} "
            f"({yardstick} {r.linear:.4f}, better by {r.advantage_sigma:.0f} sigma), {r.seconds:.0f} s"
        )

    def header(self) -> dict[str, Any]:
        """What is kept beside the weights; `InputError` for a rule that only its author can make."""
        names = {cls: name for name, cls in BLOCKING_RULES.items()}
        if type(self.rule) not in names:
            raise InputError(
                f"an inverse of {self.rule!r} cannot be kept in a folder, which knows the rules of the library alone: "
                "keep it in memory, and grow with out=None"
            )
        return {
            "rule": names[type(self.rule)],
            "b": self.b,
            "factor": None,
            "weight": None,
            **{field.name: getattr(self.rule, field.name) for field in fields(self.rule)},
            "dimension": self.map.dimension,
            "depth": self.depth,
            "temperature": self.temperature,
            "record": asdict(self.record),
        }

    def save(self, path: str | Path) -> Path:
        """Write the weights and the record into a folder.

        Raises `StoreError` when the path is a file, `InputError` for a rule of one's own.
        """
        return write_weights(path, "inverse", self.map, self.header())

    @property
    def digest(self) -> str:
        """Checksum of the weights and of what they mean: the same for maps that do the same."""
        leaves = [np.asarray(leaf).tobytes() for leaf in jax.tree_util.tree_leaves(self.map)]
        return checksum(repr((self.rule, self.depth, self.temperature)).encode(), *leaves)

    @classmethod
    def load(cls, path: str | Path) -> "LearntInverse":
        """Read a folder written by `save`; `StoreError` when it is missing, damaged or newer."""
        folder = Path(path)
        header = read_header(folder, "inverse", "`kadanoff learn`")
        try:
            record = header["record"]
            record["history"] = tuple(tuple(entry) for entry in record["history"])
            record["kernels"] = tuple(record["kernels"])
            rule = _rule(header)
            record = TrainingRecord(**record)
            dimension, temperature = header["dimension"], float(header["temperature"])
            # Shapes alone: nothing random is drawn, nor compiled, only to be overwritten.
            skeleton = eqx.filter_eval_shape(
                lambda: _tempered(_skeleton(record, rule, dimension), temperature)
            )
            learnt = read_weights(folder, header, skeleton)
            depth = int(header["depth"])
        except (InputError, KeyError, TypeError, OSError, RuntimeError, ValueError, EOFError) as error:
            raise StoreError(
                f"{folder} holds a damaged inverse ({type(error).__name__}); learn it again"
            ) from None
        return cls(learnt, rule, depth, record)

    def check(self, dimension: int, b: int | None = None) -> None:
        """`InputError` unless the inverse was made for this dimension (and this b)."""
        require_fit(self.map.dimension, self.b, dimension, b)


def require_fit(made: int, factor: int, dimension: int, b: int | None, learnt: bool = True) -> None:
    """`InputError` unless an inverse of one dimension and factor serves an ensemble of another."""
    if made != dimension:
        raise InputError(
            f"the inverse was made for dimension {made}, the ensemble has dimension {dimension}; "
            + (
                "learn one on an ensemble of that dimension"
                if learnt
                else f"make it with dimension={dimension}"
            )
        )
    if b is not None and b != factor:
        raise InputError(
            f"the inverse was made for b={factor}, not b={b}: {'learn' if learnt else 'make'} one for that b"
        )


def require_temperature(temperature: float) -> None:
    """`InputError` unless a factor on the spread of draws is one."""
    if not (np.isfinite(temperature) and temperature > 0):
        raise InputError(f"the temperature must be positive and finite, got {temperature}")


def _tempered(inverse: Inverse, temperature: float) -> Inverse:
    if isinstance(inverse, ConsistentInverse):
        return eqx.tree_at(lambda i: i.inner, inverse, _tempered(inverse.inner, temperature))
    if isinstance(inverse, SublatticeDensity | StochasticInverse):
        return replace(inverse, temperature=temperature)
    return inverse


def _rule(header: dict[str, Any]) -> BlockingRule:
    cls = BLOCKING_RULES[header["rule"]]
    return cls(**{field.name: header[field.name] for field in fields(cls)})


def _skeleton(record: TrainingRecord, rule: BlockingRule, dimension: int) -> Inverse:
    """An inverse of the recorded shape, to be filled with the saved weights."""
    if record.kind == "linear":
        sites = rule.b**dimension
        side = round((record.parameters / sites - 1) ** (1 / dimension))
        network = OddNetwork(
            (jnp.zeros((*[side] * dimension, 1, sites), jnp.float32),), jnp.zeros((1, sites), jnp.float32)
        )
        linear = StochasticInverse(network=network, noise=0)
        return ConsistentInverse(inner=linear, rule=rule) if record.consistent else linear
    return untrained_inverse(
        make_key(0),
        record.kind,
        dimension,
        rule,
        consistent=record.consistent,
        width=record.width,
        kernels=record.kernels,
        noise=record.noise,
        components=record.components,
    )
