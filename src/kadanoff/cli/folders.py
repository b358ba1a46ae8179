"""What a folder of --out holds already: the same request, which goes on, another one, or something else."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kadanoff.errors import StoreError

__all__ = ["require_own_kind", "require_same"]

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
}


def require_own_kind(folder: Path, own: str = "") -> None:
    """Raise `StoreError` for a folder of another kind than `own`, one of the `KINDS`."""
    for name, kind in KINDS.items():
        if kind != own and (folder / name).exists():
            raise StoreError(f"{folder} holds {kind} ({name}): give a new or empty folder")


def require_same(folder: Path, what: str, there: Mapping[str, Any], request: Mapping[str, Any]) -> None:
    """Raise `StoreError`, which names the first difference, where a folder answers another request than this one."""
    for name, value in request.items():
        if there.get(name) != value:
            raise StoreError(
                f"{folder} holds another {what}: its {name} is {there.get(name)!r}, {value!r} was asked for; "
                "give another folder"
            )
