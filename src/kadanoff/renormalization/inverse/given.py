"""Inverses that nobody trained, with the face of a learnt one: grown by, kept in a folder and read back alike."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import numpy as np

from kadanoff.actions import ACTIONS
from kadanoff.actions.base import couplings
from kadanoff.errors import InputError, StoreError
from kadanoff.renormalization.blocking import BlockingRule, Majority, SoftMajority
from kadanoff.renormalization.inverse.base import Inverse
from kadanoff.renormalization.inverse.compatible import CompatibleMonteCarlo
from kadanoff.renormalization.inverse.learnt import LearntInverse, require_fit
from kadanoff.store.durable import atomic_write, checksum

__all__ = ["GivenInverse", "as_grower", "load_inverse"]

_FORMAT = 1


@dataclass(frozen=True, eq=False)
class GivenInverse:
    """An inverse that was given, not learnt: it turns fields blocked once into fields that were not blocked."""

    map: Inverse
    depth: int = 0
    input_depth: int = 1
    relaxed_pairs: int = 0

    @property
    def b(self) -> int:
        """Rescaling factor."""
        return self.map.b

    @property
    def rule(self) -> BlockingRule | None:
        """The rule it inverts, where it says so."""
        return getattr(self.map, "rule", None)

    @property
    def kind(self) -> str:
        """What it is, in a word."""
        return "compatible" if isinstance(self.map, CompatibleMonteCarlo) else type(self.map).__name__

    @property
    def digest(self) -> str:
        """Checksum of all that the map is made of, couplings in single precision."""
        single: Any = jax.tree_util.tree_map(
            lambda n: n.astype(np.float32) if eqx.is_inexact_array(n) else n, self.map
        )
        leaves = [np.asarray(leaf).tobytes() for leaf in jax.tree_util.tree_leaves(single)]
        return checksum(repr(single).encode(), *leaves)

    def describe(self) -> str:
        """One line for tables and pages."""
        if isinstance(self.map, CompatibleMonteCarlo):
            rule = self.map.rule
            weight = f", weight={rule.weight}" if isinstance(rule, SoftMajority) else ""
            return (
                f"compatible Monte Carlo of {self.map.action!r}, {int(self.map.sweeps)} sweeps, "
                f"{type(rule).__name__}(b={self.b}{weight})"
            )
        return f"{self.kind} of b={self.b}, {self.map.parameters} parameters, as given"

    def check(self, dimension: int, b: int | None = None) -> None:
        """`InputError` unless the inverse was made for this dimension (and this b)."""
        require_fit(self.map.dimension, self.b, dimension, b, learnt=False)

    def header(self) -> dict[str, Any]:
        """What it takes to make it again; `InputError` for a map that only its author can make."""
        inverse = self.map
        if not (
            isinstance(inverse, CompatibleMonteCarlo)
            and type(inverse.action) in ACTIONS.values()
            and type(inverse.rule) in (Majority, SoftMajority)
        ):
            raise InputError(
                f"{self.describe()} cannot be kept in a folder: grow with out=None, or by a learnt inverse or "
                "compatible Monte Carlo of an action and a rule of the library"
            )
        return {
            "format": _FORMAT,
            "kind": "compatible",
            "action": type(inverse.action).__name__,
            "couplings": couplings(inverse.action),
            "b": inverse.b,
            "weight": getattr(inverse.rule, "weight", None),
            "dimension": inverse.dimension,
            "sweeps": int(inverse.sweeps),
        }

    def save(self, path: str | Path) -> Path:
        """Write what it takes to make it again; `InputError` for a map that only its author can make."""
        header = self.header()
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        atomic_write(folder / "inverse.json", (json.dumps(header, indent=1) + "\n").encode())
        return folder


def as_grower(inverse: "Inverse | LearntInverse | GivenInverse") -> "LearntInverse | GivenInverse":
    """Give an inverse the face that growth asks for; `InputError` for what is none.

    >>> import kadanoff as kd
    >>> as_grower(kd.CompatibleMonteCarlo(kd.Ising(0.5), sweeps=4)).describe()
    'compatible Monte Carlo of Ising(beta=0.5), 4 sweeps, Majority(b=2)'
    """
    if not isinstance(inverse, Inverse | LearntInverse | GivenInverse):
        raise InputError(
            f"{inverse!r} is no inverse: give what `kd.learn_inverse` returns, or one such as kd.CompatibleMonteCarlo"
        )
    return GivenInverse(inverse) if isinstance(inverse, Inverse) else inverse


def load_inverse(path: str | Path) -> "LearntInverse | GivenInverse":
    """Read a learnt or a given inverse from its folder; `StoreError` when it is missing, damaged or newer."""
    try:
        header: Any = json.loads((Path(path) / "inverse.json").read_text())
        if header["kind"] != "compatible" or header["format"] > _FORMAT:
            return LearntInverse.load(path)
    except (OSError, ValueError, KeyError, TypeError):
        return LearntInverse.load(path)  # says what is wrong with it
    try:
        action = ACTIONS[header["action"]](**header["couplings"])
        b, weight, sweeps, dimension = (header.get(name) for name in ("b", "weight", "sweeps", "dimension"))
        rule = Majority(b=b) if weight is None else SoftMajority(b=b, weight=weight)
        return GivenInverse(CompatibleMonteCarlo(action, rule, sweeps, dimension))  # type: ignore[arg-type]
    except (InputError, KeyError, TypeError) as error:
        raise StoreError(
            f"{path} holds a damaged inverse ({type(error).__name__}); grow again in another folder"
        ) from None
