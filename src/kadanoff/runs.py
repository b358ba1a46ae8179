"""Run folders as ensembles: open one with its action and ancestors, keep one made from another."""

import importlib.util
import json
import os
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kadanoff.action_records import as_recorded, library_action
from kadanoff.actions import as_action
from kadanoff.ensemble import Ensemble
from kadanoff.errors import InputError, KadanoffError, StoreError
from kadanoff.graph_models import MODEL_FILE, MODELS, load_graph_model
from kadanoff.store import Store
from kadanoff.store.durable import atomic_write
from kadanoff.store.layout import jsonable

__all__ = [
    "action_from_file",
    "fingerprint",
    "keep_action",
    "open_ensemble",
    "save_ensemble",
    "stored_action",
]

#: Copy of the source of a user's action, and how it was made from it.
ACTION_FILE, ACTION_RECORD = "action.py", "action.json"


def action_from_file(file: Path, name: str) -> Any:
    """Import a Python file and give what it calls `name`.

    Raises `InputError` in one line when there is no such file or name, or the file itself fails.
    """
    if not file.is_file():
        raise InputError(f"{file} is not a file: give FILE.py:NAME with the path of a Python file")
    module_name = f"kadanoff_user_{file.stem}"
    spec = importlib.util.spec_from_file_location(module_name, file)
    if spec is None or spec.loader is None:
        raise InputError(f"{file} is not a Python file: give FILE.py:NAME")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        places = [
            entry.lineno for entry in traceback.extract_tb(error.__traceback__) if entry.filename == str(file)
        ]
        where = f" in line {places[-1]}" if places else ""
        raise InputError(f"{file} cannot be imported: {type(error).__name__}{where}: {error}") from error
    if not hasattr(module, name):
        public = [entry for entry in vars(module) if not entry.startswith("_")]
        raise InputError(f"{file} defines no {name!r}; it has: {', '.join(public) or 'nothing'}")
    return getattr(module, name)


def keep_action(folder: Path, file: Path, name: str, couplings: Mapping[str, float]) -> None:
    """Keep a user's action with the run that samples it, so that the folder alone can be read again.

    Raises `StoreError` when the run was started with another source.
    """
    source, kept, record = file.read_bytes(), folder / ACTION_FILE, folder / ACTION_RECORD
    if kept.exists() and kept.read_bytes() != source:
        raise StoreError(
            f"{folder} was started with another version of {file.name} (kept as {kept}): "
            "give another folder, or that version to go on with it"
        )
    if not record.exists():
        atomic_write(kept, source)
        atomic_write(record, json.dumps({"name": name, "couplings": dict(couplings)}).encode() + b"\n")


def stored_action(store: Store) -> Any:
    """The action of a simulated run: ours from its couplings, another from the source kept with the run.

    Raises `StoreError` when neither is there.
    """
    record = store.path / ACTION_RECORD
    if record.exists():
        try:
            content = json.loads(record.read_text())
            found = action_from_file(store.path / ACTION_FILE, content["name"])
            return found(**content["couplings"]) if isinstance(found, type) else found
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(f"{record} is damaged ({error}): restore it from a copy") from error
    if store.config.get("action") in MODELS:
        return load_graph_model(store.path / MODEL_FILE)
    try:
        made = library_action(store.config)
    except (KeyError, TypeError) as error:
        raise StoreError(
            f"{store.path / 'run.json'} is damaged (couplings): restore it from a copy"
        ) from error
    if made is None:
        raise StoreError(
            f"{store.path} samples the action {store.config.get('action')!r}, whose source is not with it: "
            "simulate it by `kadanoff simulate --action FILE.py:NAME`, or give the action in Python, "
            "kd.open_ensemble(path, action)"
        )
    return made


def fingerprint(folder: str | Path) -> str:
    """Digest of the last record of a run: the same for the same draws, whenever they were made."""
    records = Store.open(folder).records
    return records[-1].digest if records else ""


def open_ensemble(folder: str | Path, action: Any = None) -> Ensemble:
    """Open the folder of a simulated or derived run as an ensemble; its fields stay on disk.

    A derived run (blocked) comes with the ensembles that it was made from, as long as their folders are where
    they were relative to it. The action of the simulated run is made anew from its record; `action` gives one of your
    own that was sampled in Python, whose record tells only whether it is the same.

    Raises `StoreError` for folders that hold no such run, and for another action than that of the run.

    >>> import tempfile, kadanoff as kd
    >>> folder = tempfile.mkdtemp() + "/run"
    >>> sampled = kd.sample(kd.Ising(0.3), kd.Lattice((4, 4)), chains=8, draws=4, thermalize=10, out=folder)
    >>> kd.open_ensemble(folder)
    Ensemble(4x4, 8 chains of 4 draws, action=Ising(beta=0.3), depth=0)
    """
    store = Store.open(folder)
    if store.draws == 0:
        raise StoreError(f"{folder} holds no draws yet: give the command that started it again")
    weights = store.log_weight()
    if store.kind == "simulate":
        made = stored_action(store) if action is None else _recorded(action, store)
        return Ensemble(store.fields, made, weights, history=(f"simulated, {store.path}",))
    attributes = store.attributes
    parent = None
    if attributes.get("source") is not None:
        parent = _parent((store.path / attributes["source"]).resolve(), store, action)
    if action is not None and parent is None:
        raise StoreError(
            f"the run that {folder} was made from is not beside it any more: leave the action out"
        )
    depth, history = int(attributes.get("depth", 0)), tuple(attributes.get("history", ()))
    return Ensemble(store.fields, None, weights, depth, parent, history)


def _recorded(action: Any, store: Store) -> Any:
    """The action that a user gives for a run, if it is the one of its record."""
    action = as_action(action)
    record = jsonable(as_recorded(action, store.lattice_shape, store.config, store.path), "config")
    for name in ("action", "couplings"):
        if record[name] != store.config.get(name):
            raise StoreError(
                f"{store.path} samples another action: its {name} is {store.config.get(name)!r}, {record[name]!r} "
                "was given; give the one that was sampled"
            )
    return action


def _parent(path: Path, child: Store, action: Any) -> Ensemble | None:
    """The run that `child` was made from, None where it has gone, been moved or been replaced."""
    try:
        if Store.open(path).records[0].digest != child.config.get("source"):
            return None
        parent = open_ensemble(path, action)
    except (KadanoffError, IndexError):
        if action is not None:
            raise
        return None
    if (parent.chains, parent.draws) == (child.chains, child.draws):
        return parent
    return parent.select(draws=slice(0, child.draws)) if parent.draws > child.draws else None


def save_ensemble(
    ensemble: Ensemble, folder: str | Path, kind: str, config: Mapping[str, Any], source: str | Path
) -> Path:
    """Keep an ensemble that was made from the run in `source`; an interrupted call is continued.

    `config` says how it was made. Raises `StoreError` when the folder holds another run.
    """
    import numpy as np

    folder, parent = Path(folder), Store.open(source)
    weights: bool | str = False
    if ensemble.log_weight is not None:
        weights = "complex" if np.iscomplexobj(ensemble.log_weight) else "real"
    attributes = {
        "depth": ensemble.depth,
        "history": list(ensemble.history),
        "source": os.path.relpath(Path(source).resolve(), folder.resolve()),
    }
    config = {**config, "source": parent.records[0].digest, "source_draws": parent.draws}
    shape = ensemble.lattice.shape
    dtype = np.dtype(ensemble.fields.dtype).name
    with Store.open_or_create(
        folder, kind, config, ensemble.chains, shape, dtype, weights=weights, attributes=attributes
    ) as store:
        while store.draws < ensemble.draws:
            start, stop = store.draws, min(store.draws + store.layout.block, ensemble.draws)
            part = None if ensemble.log_weight is None else ensemble.log_weight[:, start:stop]
            store.append(np.asarray(ensemble.fields[:, start:stop]), log_weight=part)
    return folder
