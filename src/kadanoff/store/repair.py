"""Salvage of a damaged run: keep its longest sound beginning, set the rest aside."""

import os
from dataclasses import replace
from pathlib import Path

from kadanoff.errors import StoreError
from kadanoff.store.arrays import create_arrays, declare, is_declared
from kadanoff.store.checks import Contents, check_fields, check_state
from kadanoff.store.durable import WriterLock, sync_folder
from kadanoff.store.layout import read_layout
from kadanoff.store.manifest import Block, read_manifest

__all__ = ["repair"]


def repair(path: str | os.PathLike[str]) -> int:
    """Shorten a damaged run to the blocks before the damage, so that it opens; return the draws kept.

    Every block is read and compared with its checksum, and the last one kept is one whose restart state is
    sound. A sound run is left as it is. Records and states of the other blocks are moved to a folder
    `damaged-0`, `damaged-1`, ...; their fields stay until later appends replace them, so copy the folder
    first if they matter.

    Raises `StoreError`, having changed nothing, when no block survives, when `run.json` itself is unusable
    and when the run is being written.
    """
    root = Path(path)
    layout = read_layout(root)
    lock = WriterLock(root / "lock")
    try:
        records, _ = read_manifest(root / "manifest")
        field, log_weight = create_arrays(root / "fields.zarr", layout)
        contents = _sound(Contents(root, layout, field, log_weight, tuple(records)))
        if not contents.blocks:
            raise StoreError(
                f"no block of {root} is sound: restore it from a copy, or delete the folder and start again"
            )
        if not _intact(contents):
            # Before the records go, so that the declared length is never ahead of the manifest.
            declare(root / "fields.zarr", layout, contents.draws)
        _set_aside(root, len(contents.blocks))
    finally:
        lock.release()
    return contents.draws


def _sound(contents: Contents) -> Contents:
    """Longest beginning of the run that can be read and resumed."""
    blocks: list[Block] = []
    for block in contents.blocks:
        try:
            check_fields(contents, block)
        except StoreError:
            break
        blocks.append(block)
    while blocks:
        kept = replace(contents, blocks=tuple(blocks))
        try:
            check_state(kept, blocks[-1])
            return kept
        except StoreError:
            blocks.pop()
    return replace(contents, blocks=())


def _intact(contents: Contents) -> bool:
    """Whether the Zarr metadata already say what the run holds."""
    try:
        return is_declared(contents.path / "fields.zarr", contents.layout, contents.draws)
    except (StoreError, OSError):
        return False


def _set_aside(root: Path, sound: int) -> None:
    """Move the records from block `sound` on, the last first (no gap in the chain), then the states."""
    kept = {f"{index:08d}" for index in range(sound)}
    records, states = (
        [
            file
            for file in sorted((root / name).glob(f"*{suffix}"), reverse=True)
            if not file.name.startswith(".") and file.stem not in kept
        ]
        for name, suffix in (("manifest", ".json"), ("state", ".npz"))
    )
    if not records:  # a state alone is a leftover of a killed write, which the next append replaces
        return
    number = next(n for n in range(10**6) if not (root / f"damaged-{n}").exists())
    folder = root / f"damaged-{number}"
    folder.mkdir()
    for file in (*records, *states):
        os.replace(file, folder / file.name)
    for changed in (root / "manifest", root / "state", folder, root):
        if changed.is_dir():
            sync_folder(changed)
