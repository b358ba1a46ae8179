"""A learnt inverse with all that is known of its training, and how it is kept on disk."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import equinox as eqx
import jax.numpy as jnp

from kadanoff.errors import InputError, StoreError
from kadanoff.random import key as make_key
from kadanoff.renormalization.blocking import BLOCKING_RULES, BlockingRule, BlockSum
from kadanoff.renormalization.inverse.base import Inverse
from kadanoff.renormalization.inverse.consistent import ConsistentInverse
from kadanoff.renormalization.inverse.density import ConditionalDensity
from kadanoff.renormalization.inverse.network import OddNetwork
from kadanoff.renormalization.inverse.stochastic import StochasticInverse

__all__ = ["LearntInverse", "TrainingRecord"]

_FORMAT = 1


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
    def input_depth(self) -> int:
        """Blocking depth of the coarse fields that the training pairs had."""
        return self.depth if self.record.relaxed_pairs else self.depth + 1

    def describe(self) -> str:
        """One line for tables and pages."""
        r = self.record
        how = ", consistent" if r.consistent else ""
        how += f", coarse pairs relaxed {r.relaxed_pairs} sweeps" if r.relaxed_pairs else ""
        return (
            f"{r.kind} inverse of {type(self.rule).__name__}(b={self.b}), depth {self.depth}{how}: "
            f"{r.parameters} parameters, receptive field {r.receptive_field}, held-out loss {r.held_out:.4f} "
            f"(best linear {r.linear:.4f}, better by {r.advantage_sigma:.0f} sigma), {r.seconds:.0f} s"
        )

    def save(self, path: str | Path) -> Path:
        """Write the weights and the record into a folder."""
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        eqx.tree_serialise_leaves(folder / "weights.eqx", self.map)
        names = {cls: name for name, cls in BLOCKING_RULES.items()}
        header = {
            "format": _FORMAT,
            "kind": "inverse",
            "rule": names[type(self.rule)],
            "b": self.b,
            "factor": getattr(self.rule, "factor", None),
            "dimension": self.map.dimension,
            "depth": self.depth,
            "record": asdict(self.record),
        }
        (folder / "inverse.json").write_text(json.dumps(header, indent=1))
        return folder

    @classmethod
    def load(cls, path: str | Path) -> "LearntInverse":
        """Read a folder written by `save`; `StoreError` when it is missing, damaged or newer."""
        folder = Path(path)
        try:
            header = json.loads((folder / "inverse.json").read_text())
        except FileNotFoundError:
            raise StoreError(
                f"{folder} holds no inverse (no inverse.json); make one with `kadanoff learn`"
            ) from None
        except (json.JSONDecodeError, UnicodeDecodeError):
            raise StoreError(f"{folder}/inverse.json is damaged; learn the inverse again") from None
        if header.get("format", 0) > _FORMAT:
            raise StoreError(
                f"{folder} was written by a newer version of kadanoff (format {header['format']})"
            )
        try:
            record = header["record"]
            record["history"] = tuple(tuple(entry) for entry in record["history"])
            record["kernels"] = tuple(record["kernels"])
            rule = _rule(header)
            record = TrainingRecord(**record)
            skeleton = _skeleton(record, rule, header["dimension"])
            learnt = eqx.tree_deserialise_leaves(folder / "weights.eqx", skeleton)
        except (KeyError, TypeError, OSError, RuntimeError, ValueError, EOFError) as error:
            raise StoreError(
                f"{folder} holds a damaged inverse ({type(error).__name__}); learn it again"
            ) from None
        return cls(learnt, rule, header["depth"], record)

    def check(self, dimension: int, b: int | None = None) -> None:
        """`InputError` unless the inverse was made for this dimension (and this b)."""
        if self.map.dimension != dimension:
            raise InputError(
                f"the inverse was trained in dimension {self.map.dimension}, the ensemble has dimension {dimension}; "
                "learn one on an ensemble of that dimension"
            )
        if b is not None and b != self.b:
            raise InputError(f"the inverse was trained for b={self.b}, not b={b}")


def _rule(header: dict[str, Any]) -> BlockingRule:
    cls = BLOCKING_RULES[header["rule"]]
    return BlockSum(b=header["b"], factor=header["factor"]) if cls is BlockSum else cls(b=header["b"])


def _skeleton(record: TrainingRecord, rule: BlockingRule, dimension: int) -> Inverse:
    """An inverse of the recorded shape, to be filled with the saved weights."""
    key, sites = make_key(0), rule.b**dimension
    if record.kind == "density":
        inside = rule if record.consistent else None
        return ConditionalDensity.random(
            key, dimension, rule.b, record.width, record.kernels, record.components, inside
        )
    if record.kind == "linear":
        side = round((record.parameters / sites - 1) ** (1 / dimension))
        return StochasticInverse(
            OddNetwork((jnp.zeros((*[side] * dimension, 1, sites)),), jnp.zeros((1, sites))),
            b=rule.b,
            noise=0,
        )
    channels = record.noise if record.kind == "stochastic" else 0
    network = OddNetwork.random(key, dimension, 1 + channels, record.width, sites, record.kernels)
    plain = StochasticInverse(network, b=rule.b, noise=channels)
    return ConsistentInverse(plain, rule) if record.consistent else plain
