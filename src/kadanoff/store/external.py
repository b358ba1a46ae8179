"""What the file formats share: a streamed source, a target that appears whole, checks of foreign arrays."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kadanoff.errors import InputError
from kadanoff.store.arrays import dimension_names
from kadanoff.store.durable import sync_folder
from kadanoff.store.layout import DTYPES, jsonable
from kadanoff.store.reader import RunReader

__all__ = ["Imported", "Source", "arrange", "describe_source", "new_file"]

Imported = tuple[np.ndarray, np.ndarray | None, dict[str, Any]]
Piece = tuple[int, int, np.ndarray, np.ndarray | None]


@dataclass(frozen=True)
class Source:
    """What an export writes: shape (chain, draw, *lattice), dtypes, JSON metadata, pieces to stream."""

    shape: tuple[int, ...]
    dtype: np.dtype
    weight_dtype: np.dtype | None
    metadata: dict[str, Any]
    pieces: Iterator[Piece]


def describe_source(
    store_or_array: Any, log_weight: Any = None, metadata: Mapping[str, Any] | None = None
) -> Source:
    """Describe a run, or an array (chain, draw, *lattice) with optional log-weights (chain, draw).

    Raises `InputError` for an array that does not fit, or weights given beside a run.
    """
    notes = jsonable(dict(metadata or {}), "metadata")
    if isinstance(store_or_array, RunReader):
        run = store_or_array
        if log_weight is not None:
            raise InputError(
                "a run brings its own log-weights: leave log_weight out, or give arrays for both"
            )
        layout = run.layout
        own = {n: getattr(layout, n) for n in ("kind", "config", "attributes", "versions", "created")}
        notes = {**own, **notes, "dimensions": dimension_names(run.lattice_shape)}
        weights = run.log_weight(0, 0)
        shape = (run.chains, run.draws, *run.lattice_shape)
        dtype, weight_dtype = np.dtype(layout.dtype), None if weights is None else weights.dtype
        return Source(shape, dtype, weight_dtype, notes, run.blocks())
    values = np.asarray(store_or_array)
    if values.ndim < 3:
        raise InputError(
            f"the array has shape {values.shape}: exports take (chain, draw, *lattice); add the axes"
        )
    values = _checked(values, "the array")
    weights = None if log_weight is None else _checked_weights(np.asarray(log_weight), values.shape[:2])
    notes = {**notes, "dimensions": dimension_names(values.shape[2:])}
    pieces = iter([(0, values.shape[1], values, weights)])
    return Source(values.shape, values.dtype, None if weights is None else weights.dtype, notes, pieces)


@contextmanager
def new_file(path: Path, overwrite: bool) -> Iterator[Path]:
    """Give a temporary name beside `path`, renamed onto it if the body succeeds, else removed.

    Raises `InputError` when the file exists and may not be replaced, or its folder does not exist.
    """
    if path.exists() and not overwrite:
        raise InputError(f"{path} exists: give another name, or overwrite=True to replace it")
    if not path.parent.is_dir():
        raise InputError(f"{path.parent} is not a folder: create it first, or give another path")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def arrange(
    values: np.ndarray,
    log_weight: np.ndarray | None,
    metadata: dict[str, Any],
    name: str,
    one_chain: bool | None,
) -> Imported:
    """Bring foreign arrays into the form (chain, draw, *lattice), (chain, draw), metadata.

    `one_chain` says whether the chain axis is absent; None: trust the dimensions our exports record, else
    take a three-dimensional array as (draw, x, y) and a larger one as (chain, draw, *lattice).
    Raises `InputError` naming the file for shapes, types and values that cannot be fields.
    """
    metadata = dict(metadata)
    dimensions = metadata.pop("dimensions", None)
    if one_chain is None:
        labelled = (
            isinstance(dimensions, list) and len(dimensions) == values.ndim and dimensions[:1] == ["chain"]
        )
        one_chain = values.ndim == 3 and not labelled
    if one_chain:
        values = values[None]
        log_weight = None if log_weight is None else np.atleast_2d(log_weight)
    if values.ndim < 3 or 0 in values.shape:
        raise InputError(
            f"{name} has an array of shape {values.shape}: fields are (chain, draw, *lattice), "
            "or (draw, x, y) for one chain, none of them empty"
        )
    values = _checked(values, name)
    if log_weight is not None:
        log_weight = _checked_weights(log_weight, values.shape[:2])
    return values, log_weight, metadata


def _checked(values: np.ndarray, name: str) -> np.ndarray:
    """Native, finite fields in a dtype that a run can hold; nothing is rounded."""
    if values.dtype.kind not in "biuf":
        raise InputError(f"{name} has dtype {values.dtype}: fields are real or integer numbers")
    if values.dtype.kind == "f":
        # In pieces along draws, so that a file larger than memory may be looked at.
        pieces = np.array_split(values, 1 + (values.nbytes >> 26), axis=1)
        bad = sum(int(np.count_nonzero(~np.isfinite(piece))) for piece in pieces)
        if bad:
            raise InputError(
                f"{name} has {bad} of {values.size} values that are NaN or infinite: remove those draws"
            )
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    if values.dtype.name in DTYPES:
        return values
    for candidate in ("int8", "int16", "int32", "float32", "float64"):
        target = np.dtype(candidate)
        if np.can_cast(values.dtype, target, "safe"):
            return values.astype(target)
        if values.dtype.kind in "iu" and target.kind == "i" and values.size:
            bounds = np.iinfo(target)
            if bounds.min <= values.min() and values.max() <= bounds.max:
                return values.astype(target)
    raise InputError(f"{name} has dtype {values.dtype}, wider than a run can hold: convert it to float64")


def _checked_weights(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Log-weights (chain, draw) as float64 or complex128, without NaN or +inf."""
    if values.shape != tuple(shape):
        raise InputError(
            f"log_weight has shape {values.shape}, but the fields have (chain, draw) = {tuple(shape)}"
        )
    if values.dtype.kind not in "iufc":
        raise InputError(f"log_weight has dtype {values.dtype}: give real or complex numbers")
    values = values.astype(np.complex128 if values.dtype.kind == "c" else np.float64)
    bad = int(np.count_nonzero(np.isnan(values) | (np.real(values) == np.inf)))
    if bad:
        raise InputError(f"log_weight has {bad} values that are NaN or +inf: remove those draws")
    return values
