"""What a folder of --out holds already: the same request, which goes on, another one, or something else."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kadanoff.errors import InputError, StoreError

__all__ = ["require_own_kind", "require_same", "require_simulation"]

#: The file that tells what a folder holds, and what that is.
KINDS = {
    "run.json": "a run",
    "levels.json": "a growth",
    "learn.json": "an inverse",
    "inverse.json": "an inverse",
    "model.json": "a model",
    "rbm.json": "a network",
    "reproduce.json": "an experiment",
    "result.json": "an experiment",
    "match.json": "a matching",
}


def require_own_kind(folder: Path | None, own: str = "") -> None:
    """Raise `StoreError` for a folder of another kind than `own`, one of the `KINDS`; None is no folder."""
    for name, kind in KINDS.items():
        if folder is not None and kind != own and (folder / name).exists():
            raise StoreError(f"{folder} holds {kind} ({name}): give a new or empty folder")


def require_simulation(folder: Path) -> None:
    """Raise `InputError` for a run that was made from another one."""
    from kadanoff.store import Store

    store = Store.open(folder)
    if store.kind != "simulate":
        source = os.path.normpath(folder / store.attributes.get("source", ""))
        raise InputError(f"{folder} is a folder of {store.kind}, made from {source}; give a simulation")


def require_same(folder: Path, what: str, there: Mapping[str, Any], request: Mapping[str, Any]) -> None:
    """Raise `StoreError`, which names the first difference, where a folder answers another request than this one."""
    for name, value in request.items():
        if there.get(name) != value:
            raise StoreError(
                f"{folder} holds another {what}: its {name} is {there.get(name)!r}, {value!r} was asked for; "
                "give another folder"
            )
