"""`Store`: a run as a folder that is appended to block by block and survives a kill at any moment."""

import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from kadanoff.errors import InputError, StoreError
from kadanoff.store.arrays import declare, is_declared
from kadanoff.store.checks import Contents, block_checksum, check_fields, check_state, load, mend
from kadanoff.store.durable import WriterLock, atomic_write, checksum, deferred_interrupt
from kadanoff.store.layout import Layout, jsonable, read_layout
from kadanoff.store.manifest import Block, commit_record, read_manifest
from kadanoff.store.prepare import create_folder, prepare_fields, prepare_log_weight
from kadanoff.store.reader import RunReader
from kadanoff.store.state import pack_state

__all__ = ["Store"]

PathLike = str | os.PathLike[str]


def _check_last(contents: Contents) -> None:
    """Check the block from which a run goes on."""
    for block in contents.blocks[-1:]:
        try:
            check_fields(contents, block)
            check_state(contents, block)
        except StoreError as flaw:
            raise mend(contents.path, flaw) from flaw


class Store(RunReader):
    """A run as a folder: `run.json`, fields in `fields.zarr`, `manifest/`, restart states in `state/`.

    Made by `create`, `open` or `open_or_create`. A writer holds the folder's lock until `close` (or the end
    of a `with` block) and appends from one thread; readers need no lock and see the blocks that were
    committed when they opened.

    >>> import numpy as np, tempfile
    >>> with Store.create(tempfile.mkdtemp() + "/run", "simulate", {"seed": 0}, 2, (4, 4)) as store:
    ...     _ = store.append(np.zeros((2, 3, 4, 4), "float32"), state={"sweep": np.int64(3)})
    ...     store.draws, store.field(1, 3).shape, int(store.state()["sweep"])
    (3, (2, 2, 4, 4), 3)
    """

    def __init__(self, contents: Contents, lock: WriterLock | None = None) -> None:
        """Use the class methods; a store without a lock is read-only."""
        super().__init__(contents)
        self._lock = lock
        self._in_flight = False

    # -- making and opening ------------------------------------------------------------

    @classmethod
    def create(
        cls,
        path: PathLike,
        kind: str,
        config: Mapping[str, Any],
        chains: int,
        lattice_shape: Sequence[int],
        dtype: str = "float32",
        weights: bool | str = False,
        attributes: Mapping[str, Any] | None = None,
        block: int | None = None,
    ) -> "Store":
        """Start a run in a new or empty folder, and hold it for writing.

        `config` decides the numbers (a resumed run must repeat it); `attributes` describe them (depth,
        couplings). `weights`: False, True or "real" (float64), "complex" (complex128). `block`: draws in a
        chunk of the arrays, by default as many as make 8 MiB; appends may have any length, multiples of
        `block` are the fastest.

        Raises `InputError` for arguments that cannot be used, `StoreError` for a folder in use.
        """
        layout = Layout.build(kind, config, chains, lattice_shape, dtype, weights, attributes, block)
        lock = create_folder(Path(path), layout)
        return cls(load(Path(path)), lock)

    @classmethod
    def open(cls, path: PathLike, mode: str = "r") -> "Store":
        """Open a run for reading ("r") or for going on ("a").

        Going on checks the last block and its state against their checksums. Raises `StoreError` for a folder
        that is missing, empty, foreign, newer, damaged or (for "a") being written; such a folder is left as
        it is.
        """
        if mode not in ("r", "a"):
            raise InputError(f"mode is {mode!r}: use 'r' to read or 'a' to append")
        contents = load(Path(path))
        if mode == "r":
            return cls(contents)
        _check_last(contents)
        lock = WriterLock(Path(path) / "lock")
        try:
            contents = load(Path(path))  # another writer may have finished between the check and the lock
            _check_last(contents)
            if not is_declared(contents.path / "fields.zarr", contents.layout, contents.draws):
                declare(contents.path / "fields.zarr", contents.layout, contents.draws)
        except BaseException:
            lock.release()
            raise
        return cls(contents, lock)

    @classmethod
    def open_or_create(
        cls,
        path: PathLike,
        kind: str,
        config: Mapping[str, Any],
        chains: int,
        lattice_shape: Sequence[int],
        dtype: str = "float32",
        weights: bool | str = False,
        attributes: Mapping[str, Any] | None = None,
        block: int | None = None,
    ) -> "Store":
        """Go on with the run in `path` when it is the one described, start it when there is none.

        Attributes and `block` of an existing run are kept. Raises `StoreError` naming the first entry that
        differs.
        """
        asked = Layout.build(kind, config, chains, lattice_shape, dtype, weights, attributes, block)
        if not (Path(path) / "run.json").exists():
            return cls.create(path, kind, config, chains, lattice_shape, dtype, weights, attributes, block)
        difference = read_layout(Path(path)).first_difference(asked)
        if difference is not None:
            name, here, there = difference
            raise StoreError(
                f"{path} holds another run: its {name} is {here!r}, {there!r} was asked for; "
                "give another folder, or the same value to go on with it"
            )
        return cls.open(path, mode="a")

    # -- writing ------------------------------------------------------------

    def append(
        self,
        fields: Any,
        state: Mapping[str, Any] | None = None,
        log_weight: Any = None,
        info: Mapping[str, Any] | None = None,
    ) -> Block:
        """Commit a block: fields (chain, n, *lattice) and the state from which the next block continues.

        Data first, then the state, then the record that makes them count, each synced to disk: when this
        returns, the block survives a power cut; when it does not return, the run is as it was before. A
        Ctrl-C meanwhile takes effect after the commit. `info` is any JSON-like mapping, kept in the record.

        Raises `InputError` for arrays that do not fit the run or are not finite (nothing is written),
        `StoreError` for a read-only or closed store and when the disk refuses.
        """
        if self._lock is None:
            raise StoreError(f"{self.path} is not open for writing: open it with Store.open(path, mode='a')")
        layout = self.layout
        values = prepare_fields(fields, layout)
        weights = prepare_log_weight(log_weight, layout, values.shape[1])
        packed = None if state is None else pack_state(state)
        notes = jsonable(dict(info or {}), "info")
        try:
            with deferred_interrupt():
                return self._commit(values, weights, packed, notes)
        except OSError as error:
            raise StoreError(
                f"cannot write to {self.path} ({error.strerror or error}): "
                f"the {self.draws} draws before are safe; mend the disk and run again to go on from there"
            ) from error

    def _commit(
        self, values: np.ndarray, weights: np.ndarray | None, packed: bytes | None, notes: dict[str, Any]
    ) -> Block:
        contents = self._contents
        if self._in_flight:  # an earlier append was cut short, before or after its record: ask the disk
            blocks, flaw = read_manifest(self.path / "manifest", contents.blocks)
            if flaw is not None:
                raise mend(self.path, flaw)
            contents = self._adopt(contents, blocks)
        self._in_flight = True
        start, index = contents.draws, len(contents.blocks)
        contents.field.write(start, values)
        if contents.log_weight is not None and weights is not None:
            contents.log_weight.write(start, weights)
        name = None if packed is None else f"{index:08d}.npz"
        if packed is not None and name is not None:
            atomic_write(self.path / "state" / name, packed)
        block = Block(
            index=index,
            start=start,
            stop=start + values.shape[1],
            checksum=block_checksum([values, weights]),
            previous=contents.blocks[-1].digest if contents.blocks else None,
            state=name,
            state_checksum=None if packed is None else checksum(packed),
            info=notes,
        )
        block = commit_record(self.path / "manifest", block)
        contents = self._adopt(contents, [*contents.blocks, block])
        self._in_flight = False
        with contextlib.suppress(OSError):  # the block counts already; the next writer repeats this step
            declare(self.path / "fields.zarr", self.layout, block.stop)
        return block

    def _adopt(self, contents: Contents, blocks: Sequence[Block]) -> Contents:
        self._contents = Contents(
            contents.path, contents.layout, contents.field, contents.log_weight, tuple(blocks)
        )
        return self._contents

    def close(self) -> None:
        """Release the folder for other writers; reading stays possible. Calling it twice is harmless."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> "Store":
        """Use as `with Store.open(path, "a") as store:`."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close; committed blocks stay whatever happened inside."""
        self.close()
