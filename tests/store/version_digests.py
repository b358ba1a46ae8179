"""What the folders of a version hold, as checksums: every bit that was kept, read by the version that runs."""

from pathlib import Path
from typing import Any

import jax
import numpy as np

import kadanoff as kd
from kadanoff.network.saved import load_rbm
from kadanoff.renormalization import Levels
from kadanoff.renormalization.inverse.learnt import LearntInverse
from kadanoff.runs import open_ensemble
from kadanoff.store.durable import checksum


def digests(home: Path) -> dict[str, Any]:
    """By folder, checksums of the arrays that are read from it."""
    found: dict[str, Any] = {}
    for name in ("run", "spins", "graph"):
        ensemble = open_ensemble(home / name)
        found[name] = [of(ensemble.fields), of(*leaves(ensemble.action))]
    found["inverse"] = of(*leaves(LearntInverse.load(home / "inverse").map))
    levels = Levels.open(home / "grown")
    found["grown"] = [of(level.fields) for level in levels]
    found["before"] = {name: of(series) for name, series in levels.before[1].items()}
    found["model"] = of(*leaves(kd.load_model(home / "model")))
    network = load_rbm(home / "network")
    found["network"] = [of(*leaves(network.state_)), len(network.history_)]
    return found


def leaves(tree: Any) -> list[Any]:
    return jax.tree_util.tree_leaves(tree)


def of(*arrays: Any) -> str:
    """Checksum of shapes, types and bits."""
    values = [np.ascontiguousarray(array) for array in arrays]
    return checksum(*(repr((v.shape, v.dtype.str)).encode() + v.tobytes() for v in values))
