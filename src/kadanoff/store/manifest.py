"""The manifest: one record per block, chained by digests; a block exists when its record is in place."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kadanoff.errors import StoreError
from kadanoff.store.durable import atomic_write, checksum

__all__ = ["Block", "commit_record", "read_manifest", "record_name"]


@dataclass(frozen=True)
class Block:
    """One committed block: draws [start, stop) of every chain.

    `checksum` is the blake2b of the C-ordered little-endian bytes of the fields (chain, draw, *lattice) and,
    where there are any, of the log-weights (chain, draw) after them. `previous` is the digest of the record
    before, `digest` that of this record. No clock enters: the same run written twice has the same records.
    """

    index: int
    start: int
    stop: int
    checksum: str
    previous: str | None
    state: str | None
    state_checksum: str | None
    info: dict[str, Any]
    digest: str = ""

    def sealed(self) -> "Block":
        """Return the same record with its digest filled in."""
        body = {name: value for name, value in asdict(self).items() if name != "digest"}
        digest = checksum(json.dumps(body, sort_keys=True, allow_nan=False).encode())
        return Block(**body, digest=digest)


def record_name(index: int) -> str:
    """File name of the record of a block.

    >>> record_name(7)
    '00000007.json'
    """
    return f"{index:08d}.json"


def commit_record(folder: Path, block: Block) -> Block:
    """Rename the sealed record into place: from here on the block exists."""
    block = block.sealed()
    content = json.dumps(asdict(block), indent=1, allow_nan=False) + "\n"
    atomic_write(folder / record_name(block.index), content.encode())
    return block


def _read_record(path: Path, previous: Block | None) -> Block:
    """Read one record and check that it follows `previous`; raises `StoreError` with the reason."""
    index = 0 if previous is None else previous.index + 1
    try:
        block = Block(**json.loads(path.read_bytes()))
        intact = block.sealed().digest == block.digest
    except FileNotFoundError as error:
        raise StoreError(f"{path} is missing although later blocks exist") from error
    except (ValueError, TypeError) as error:
        raise StoreError(f"{path} is damaged (truncated or not a record)") from error
    if not intact:
        raise StoreError(f"{path} is damaged (its digest does not match its content)")
    follows = (
        block.index == index
        and block.start == (0 if previous is None else previous.stop)
        and block.stop > block.start
        and block.previous == (None if previous is None else previous.digest)
    )
    if not follows:
        raise StoreError(f"{path} breaks the chain of records: it does not follow block {index - 1}")
    return block


def read_manifest(folder: Path, known: Sequence[Block] = ()) -> tuple[list[Block], StoreError | None]:
    """Longest sound chain of records in a folder, and the reason why it ends early, None when it is whole.

    Records in `known` are taken as read. Leftovers of interrupted writes (dot files) are not records.
    """
    if not folder.is_dir():
        return [], StoreError(f"{folder} is missing")
    count = sum(1 for file in folder.iterdir() if file.suffix == ".json" and not file.name.startswith("."))
    blocks = list(known)
    while len(blocks) < count:
        try:
            blocks.append(_read_record(folder / record_name(len(blocks)), blocks[-1] if blocks else None))
        except StoreError as error:
            return blocks, error
    return blocks, None
