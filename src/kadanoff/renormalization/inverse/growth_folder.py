"""The folder of a growth: its record, the inverse, and a store for each level, so that it can be continued."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kadanoff.action_records import action_record, as_recorded
from kadanoff.ensemble import Ensemble
from kadanoff.errors import StoreError
from kadanoff.renormalization.inverse.given import GivenInverse
from kadanoff.renormalization.inverse.learnt import LearntInverse
from kadanoff.renormalization.inverse.levels import FORMAT, level_folder, read_record
from kadanoff.renormalization.inverse.relaxation import Relaxation
from kadanoff.store import Store
from kadanoff.store.durable import atomic_write, checksum, held, visible_names
from kadanoff.store.view import StoredFields

__all__ = ["Request", "block_draws", "growth_folder", "open_level"]

_BLOCK_SITES = 1 << 25  # sites that are made between two commits
#: What may change between two calls for the same growth: where things lie, and how long training took.
_FREE = ("source", "source_draws", "description")


class Request(NamedTuple):
    """What was asked of `grow`."""

    ensemble: Ensemble
    inverse: LearntInverse | GivenInverse
    steps: int
    relax: Relaxation | None
    seed: int
    configurations: int | None
    amplitude: float
    depths: tuple[int, ...]


def block_draws(ensemble: Ensemble, volume: int) -> int:
    """Draws of every chain that are made and committed at once."""
    return max(1, min(ensemble.draws, _BLOCK_SITES // (ensemble.chains * volume)))


def open_level(
    out: Path, level: int, below: Ensemble, shape: tuple[int, ...], depth: int, history: tuple[str, ...]
) -> Store:
    """Go on with the store of a level, or start it; chunks are blocks of `block_draws`."""
    weights: bool | str = False
    if below.log_weight is not None:
        weights = "complex" if np.iscomplexobj(below.log_weight) else "real"
    config = {"level": level, "growth": checksum((out / "levels.json").read_bytes())}
    block = block_draws(below, int(np.prod(shape)))
    dtype = "int8" if below.spins else "float32"
    told = {"depth": depth, "history": list(history)}
    return Store.open_or_create(
        level_folder(out, level), "grow", config, below.chains, shape, dtype, weights, told, block
    )


@contextmanager
def growth_folder(out: Path | None, start: Ensemble, asked: Request) -> Iterator[None]:
    """Hold the folder of a growth, with its record, the inverse and level 0 in it; None holds nothing.

    Raises `StoreError` when the folder holds another growth or something else, or another process writes it, and
    `InputError` for an inverse that no folder keeps, before anything is written.
    """
    if out is not None:
        asked.inverse.header()
    if out is not None and out.exists() and not out.is_dir():
        raise StoreError(f"{out} is a file, but a growth is a folder: give another path")
    if out is not None and visible_names(out) and not (out / "levels.json").exists():
        raise StoreError(f"{out} is not empty and holds no growth: give a new or empty folder")
    with held(out):
        if out is not None:
            _keep_start(out, start, asked)
        yield


def _keep_start(out: Path, start: Ensemble, asked: Request) -> None:
    """Write the record of a growth, or compare it with the one that is there; keep the inverse and level 0."""
    there = read_record(out) if (out / "levels.json").exists() else None
    record = _record(out, start, asked, (there or {}).get("relaxation"))
    if there is not None:
        for name, value in json.loads(json.dumps(record)).items():
            if name not in _FREE and there.get(name) != value:
                raise StoreError(
                    f"{out} holds another growth: its {name} is {there.get(name)!r}, {value!r} was asked for; "
                    "give another folder, or the same value to go on with it"
                )
    else:
        atomic_write(out / "levels.json", (json.dumps(record, indent=1) + "\n").encode())
    if not (out / "inverse" / "inverse.json").exists():
        asked.inverse.save(out / "inverse")
    with open_level(out, 0, start, start.lattice.shape, start.depth, start.history) as store:
        while store.draws < start.draws:
            begin, stop = store.draws, min(store.draws + store.layout.block, start.draws)
            weights = None if start.log_weight is None else start.log_weight[:, begin:stop]
            store.append(np.asarray(start.fields[:, begin:stop]), log_weight=weights)


def _record(out: Path, start: Ensemble, asked: Request, kept: Mapping[str, Any] | None) -> dict[str, Any]:
    """What is asked for; its relaxation in the words of the one that is kept, where one is."""
    relax, relaxation, shape = asked.relax, None, start.lattice.shape
    if relax is not None:
        action = relax.action
        relaxation = {
            **(action_record(action, shape) if kept is None else as_recorded(action, shape, kept, out)),
            "sweeps": relax.sweeps,
            "width": relax.width,
        }
    weights = b"" if start.log_weight is None else np.ascontiguousarray(start.log_weight).tobytes()
    source, digest = _origin(asked.ensemble, out)
    return {
        "format": FORMAT,
        "steps": asked.steps,
        "b": asked.inverse.b,
        "seed": asked.seed,
        "amplitude": asked.amplitude,
        "configurations": asked.configurations,
        "chains": start.chains,
        "draws": start.draws,
        "depths": list(asked.depths),
        "inverse": asked.inverse.digest,
        "description": asked.inverse.describe(),
        "relaxation": relaxation,
        "start": checksum(np.ascontiguousarray(start.fields[:, :]).tobytes(), weights),
        "source": source,
        "source_digest": digest,
        "source_draws": asked.ensemble.draws,
    }


def _origin(ensemble: Ensemble, out: Path) -> tuple[str | None, str | None]:
    """Where the ensemble's own folder is, seen from `out`, and what its first block is."""
    if not isinstance(ensemble.fields, StoredFields):
        return None, None
    run = ensemble.fields.run
    return os.path.relpath(run.path.resolve(), out.resolve()), run.records[0].digest if run.records else None
