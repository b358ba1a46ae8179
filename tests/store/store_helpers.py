"""A tiny deterministic run: a block depends on the state alone, so resumed runs compare bit by bit."""

import hashlib
import os
from pathlib import Path

import numpy as np

from kadanoff.store import Store

SHAPE = (4, 6)
CHAINS = 3
CONFIG = {"mass2": -0.9515, "seed": 7, "sampler": {"name": "hmc", "steps": 8}}


def start(path, weights=False, block=4, **changes):
    config = {**CONFIG, **changes}
    return Store.open_or_create(path, "simulate", config, CHAINS, SHAPE, weights=weights, block=block)


def next_block(state, draws):
    """Fields, log-weights and the new state of a chaotic map in full precision."""
    phi = state["phi"]
    out = []
    for _ in range(draws):
        phi = np.sin(3.0 * phi + 1.0)
        out.append(phi)
    fields = np.stack(out, axis=1)
    return fields.astype("float32"), fields.sum(axis=(2, 3)), {"phi": phi, "sweep": state["sweep"] + draws}


def first_state():
    return {"phi": np.linspace(-1, 1, CHAINS * 24).reshape(CHAINS, *SHAPE), "sweep": np.int64(0)}


def run(path, draws, weights=False, sizes=(3,)):
    """Append blocks of the given sizes in turn until there are `draws`, from wherever the folder stands."""
    with start(path, weights) as store:
        while store.draws < draws:
            state = store.state() or first_state()
            n = sizes[len(store.records) % len(sizes)]
            fields, log_weight, state = next_block(state, n)
            info = {"acceptance": np.float32(0.5), "n": n}
            store.append(fields, state, log_weight if weights else None, info)


def digest_tree(path, skip=("lock", "run.json")):
    """Names and contents of every file; the lock and the creation time are the two things that may differ."""
    root = Path(path)
    return {
        str(file.relative_to(root)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(root.rglob("*"))
        if file.is_file() and file.name not in skip and not file.name.endswith(".tmp")
    }


def snapshot(path):
    """Everything on disk, with times: equal before and after means that nothing was touched."""
    root = Path(path)
    return {
        str(file.relative_to(root)): (file.stat().st_mtime_ns, file.read_bytes() if file.is_file() else b"")
        for file in sorted(root.rglob("*"))
    } | {".": sorted(os.listdir(root)) if root.is_dir() else None}


def fields_of(draws, seed=0):
    return np.random.default_rng(seed).normal(size=(CHAINS, draws, *SHAPE)).astype("float32")
