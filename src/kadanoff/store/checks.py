"""Is a run sound? Read-only answers, shared by opening, verifying and repairing."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kadanoff.errors import StoreError
from kadanoff.store.arrays import DrawArray, create_arrays
from kadanoff.store.durable import checksum
from kadanoff.store.layout import Layout, read_layout
from kadanoff.store.manifest import Block, read_manifest

__all__ = ["Contents", "block_checksum", "check_fields", "check_state", "load", "mend"]


@dataclass(frozen=True)
class Contents:
    """What a run folder holds: its description, its arrays and its committed blocks."""

    path: Path
    layout: Layout
    field: DrawArray
    log_weight: DrawArray | None
    blocks: tuple[Block, ...]

    @property
    def draws(self) -> int:
        """Number of committed draws of each chain."""
        return self.blocks[-1].stop if self.blocks else 0

    @property
    def arrays(self) -> tuple[DrawArray, ...]:
        """The arrays that grow together."""
        return (self.field,) if self.log_weight is None else (self.field, self.log_weight)


def block_checksum(values: Sequence[np.ndarray | None]) -> str:
    """Checksum of a block: fields, then log-weights, as C-ordered little-endian bytes."""
    parts = (v for v in values if v is not None)
    return checksum(
        *(np.ascontiguousarray(v, dtype=v.dtype.newbyteorder("<")).reshape(-1).view("u1").data for v in parts)
    )


def mend(path: Path, flaw: object) -> StoreError:
    """One line for a damaged run: the flaw, and the two ways on."""
    return StoreError(
        f"{flaw}: restore it from a copy, or keep the blocks before the damage with "
        f"kadanoff.store.repair({str(path)!r})"
    )


def load(path: Path) -> Contents:
    """Read and check everything but the data themselves; writes nothing.

    Raises `StoreError` for a missing, empty, foreign, newer or damaged folder.
    """
    layout = read_layout(path)
    field, log_weight = create_arrays(path / "fields.zarr", layout)
    arrays = [a for a in (field, log_weight) if a is not None]
    try:
        # Lengths before records: a writer at work advances them in the opposite order.
        declared = max(array.declared_draws() for array in arrays)
        json.loads((path / "fields.zarr" / "zarr.json").read_bytes())
    except StoreError as flaw:
        raise mend(path, flaw) from flaw
    except (OSError, ValueError) as error:
        raise mend(path, f"{path / 'fields.zarr' / 'zarr.json'} is missing or damaged") from error
    blocks, flaw = read_manifest(path / "manifest")
    contents = Contents(path, layout, field, log_weight, tuple(blocks))
    if flaw is None and declared > contents.draws:
        flaw = (
            f"{path / 'manifest'} lacks records: it ends at draw {contents.draws}, {declared} were committed"
        )
    for array in arrays:
        absent = array.missing(0, contents.draws)
        if flaw is None and absent is not None:
            flaw = f"{array.folder / absent} is missing"
    last = blocks[-1].state if blocks else None
    if flaw is None and last is not None and not (path / "state" / last).is_file():
        flaw = f"{path / 'state' / last} is missing"
    if flaw is not None:
        raise mend(path, flaw)
    return contents


def check_fields(contents: Contents, block: Block) -> None:
    """Compare the fields and log-weights of a block with its checksum; raises `StoreError` on a mismatch."""
    values = [array.read(block.start, block.stop) for array in contents.arrays]
    if block_checksum(values) != block.checksum:
        raise StoreError(
            f"block {block.index} of {contents.path} (draws {block.start} to {block.stop}) "
            "does not match its checksum"
        )


def check_state(contents: Contents, block: Block) -> None:
    """Compare the restart state of a block with its checksum; raises `StoreError` on a mismatch.

    A state that is absent is damage in the last block only: nothing resumes from the others.
    """
    if block.state is None:
        return
    file = contents.path / "state" / block.state
    if not file.is_file():
        if block == contents.blocks[-1]:
            raise StoreError(f"{file} is missing")
    elif checksum(file.read_bytes()) != block.state_checksum:
        raise StoreError(f"{file} does not match its checksum")
