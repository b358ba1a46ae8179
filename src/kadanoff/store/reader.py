"""Reading a run: what it is, its fields as numpy arrays, its restart state, and whether it is intact."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from kadanoff.errors import InputError, StoreError
from kadanoff.store.checks import Contents, check_fields, check_state, mend
from kadanoff.store.durable import checksum
from kadanoff.store.layout import Layout
from kadanoff.store.manifest import Block
from kadanoff.store.state import unpack_state
from kadanoff.store.view import StoredFields

__all__ = ["RunReader"]


class RunReader:
    """The reading half of `Store`; holds no lock and changes no file."""

    def __init__(self, contents: Contents) -> None:
        """Wrap what `load` found."""
        self._contents = contents

    # -- what it is ------------------------------------------------------------

    @property
    def path(self) -> Path:
        """The folder."""
        return self._contents.path

    @property
    def layout(self) -> Layout:
        """The content of `run.json`: kind, config, attributes, sizes, dtype, versions, creation time."""
        return self._contents.layout

    @property
    def kind(self) -> str:
        """What made the run, such as "simulate" or "grow"."""
        return self.layout.kind

    @property
    def config(self) -> dict[str, Any]:
        """What decides the numbers, in JSON form (tuples are lists)."""
        return self.layout.config

    @property
    def attributes(self) -> dict[str, Any]:
        """What describes them, in JSON form."""
        return self.layout.attributes

    @property
    def chains(self) -> int:
        """Number of chains."""
        return self.layout.chains

    @property
    def lattice_shape(self) -> tuple[int, ...]:
        """Shape of one field."""
        return self.layout.lattice_shape

    @property
    def draws(self) -> int:
        """Number of committed draws of each chain."""
        return self._contents.draws

    @property
    def records(self) -> tuple[Block, ...]:
        """The committed blocks, with the `info` given to each append."""
        return self._contents.blocks

    @property
    def size_bytes(self) -> int:
        """Bytes of all files in the folder."""
        return sum(file.stat().st_size for file in self.path.rglob("*") if file.is_file())

    def __repr__(self) -> str:
        """One line for people."""
        return (
            f"{type(self).__name__}({str(self.path)!r}, {self.kind}: "
            f"{self.chains} chains x {self.draws} draws x {self.lattice_shape})"
        )

    # -- reading ------------------------------------------------------------

    def _range(self, start: int, stop: int | None) -> tuple[int, int]:
        stop = self.draws if stop is None else stop
        if not 0 <= start <= stop <= self.draws:
            raise InputError(
                f"draws {start} to {stop} were asked for, but {self.path} holds draws 0 to {self.draws}"
            )
        return start, stop

    def field(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Fields (chain, stop - start, *lattice) of the committed draws [start, stop), by default all.

        Raises `InputError` for draws that do not exist, `StoreError` for chunks that are damaged.
        """
        start, stop = self._range(start, stop)
        try:
            return self._contents.field.read(start, stop)
        except StoreError as flaw:
            raise mend(self.path, flaw) from flaw

    @property
    def fields(self) -> StoredFields:
        """All fields as a lazy array: `fields[:, a:b]` reads those draws."""
        return StoredFields(self)

    def log_weight(self, start: int = 0, stop: int | None = None) -> np.ndarray | None:
        """Log-weights (chain, stop - start), None for a run without weights; raises like `field`."""
        start, stop = self._range(start, stop)
        if self._contents.log_weight is None:
            return None
        try:
            return self._contents.log_weight.read(start, stop)
        except StoreError as flaw:
            raise mend(self.path, flaw) from flaw

    def blocks(self, max_bytes: int = 64 * 2**20) -> Iterator[tuple[int, int, np.ndarray, np.ndarray | None]]:
        """Stream (start, stop, fields, log_weight or None), each at most `max_bytes` but at least one draw.

        Where they fit, the pieces end with the chunks on disk, so that none is decoded twice.
        """
        step = max(1, max_bytes // sum(array.draw_bytes for array in self._contents.arrays))
        length = self.layout.block
        if step >= length:
            step -= step % length
        start = 0
        while start < self.draws:
            stop = min(start + step, self.draws)
            if step < length:  # never straddle two chunks
                stop = min(stop, start - start % length + length)
            yield start, stop, self.field(start, stop), self.log_weight(start, stop)
            start = stop

    def state(self) -> dict[str, np.ndarray] | None:
        """Restart state given with the last committed block; None before the first, or when none was given.

        Raises `StoreError` when the file does not match its checksum.
        """
        if not self.records or self.records[-1].state is None:
            return None
        last = self.records[-1]
        file = self.path / "state" / str(last.state)
        data = file.read_bytes() if file.is_file() else b""
        if checksum(data) != last.state_checksum:
            raise mend(self.path, f"{file} is missing or does not match its checksum")
        return unpack_state(data)

    def verify(self) -> int:
        """Compare every block and state with its checksum, a block at a time; return how many blocks.

        Raises `StoreError` naming the first that does not match.
        """
        for block in self.records:
            try:
                check_fields(self._contents, block)
                check_state(self._contents, block)
            except StoreError as flaw:
                raise mend(self.path, flaw) from flaw
        return len(self.records)
