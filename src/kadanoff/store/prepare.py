"""Before anything is written: the folder of a new run, and arrays that fit it."""

from pathlib import Path
from typing import Any

import numpy as np

from kadanoff.errors import InputError, StoreError
from kadanoff.store.arrays import declare
from kadanoff.store.durable import WriterLock, atomic_write, require_no_dangling
from kadanoff.store.layout import WEIGHT_DTYPES, Layout

__all__ = ["create_folder", "prepare_fields", "prepare_log_weight"]

OWN_NAMES = {"fields.zarr", "manifest", "state", "lock"}


def _check_free(path: Path) -> None:
    """Raise `StoreError` unless `path` is absent, empty, or where a creation was cut short."""
    require_no_dangling(path)
    if path.exists() and not path.is_dir():
        raise StoreError(f"{path} is a file, but a run is a folder: give another path")
    if (path / "run.json").exists():
        raise StoreError(
            f"{path} already holds a run: go on with Store.open_or_create, or give another folder"
        )
    manifest = path / "manifest"
    if manifest.is_dir() and any(file.suffix == ".json" for file in manifest.iterdir()):
        raise StoreError(
            f"{path} holds the blocks of a run whose run.json is missing: restore it, or give another folder"
        )
    names = [file.name for file in path.iterdir()] if path.exists() else []
    foreign = [name for name in sorted(names) if name not in OWN_NAMES and not name.startswith(".")]
    if foreign:
        raise StoreError(
            f"{path} is not empty (it holds {foreign[0]!r}): give a new or empty folder for the run"
        )


def create_folder(path: Path, layout: Layout) -> WriterLock:
    """Lay out an empty run and return its lock; `run.json` comes last, and makes it a run."""
    _check_free(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = WriterLock(path / "lock")
        try:
            _check_free(path)  # two processes may have passed the first check together
            for name in ("fields.zarr", "manifest", "state"):
                (path / name).mkdir(exist_ok=True)
            declare(path / "fields.zarr", layout, 0)
            atomic_write(path / "run.json", layout.to_bytes())
        except BaseException:
            lock.release()
            raise
    except OSError as error:
        raise StoreError(
            f"cannot start a run in {path} ({error.strerror or error}): give a writable folder"
        ) from error
    return lock


def prepare_fields(fields: Any, layout: Layout) -> np.ndarray:
    """Fields as the array that is stored: (chain, n, *lattice), C order, the run's dtype.

    Raises `InputError` for a wrong shape, a dtype that would lose digits, or values that are not finite.
    """
    values = np.asarray(fields)
    expected = (layout.chains, "n", *layout.lattice_shape)
    right = values.ndim == len(expected) and (values.shape[0], *values.shape[2:]) == (
        expected[0],
        *expected[2:],
    )
    if not right or values.shape[1] < 1:
        wanted = ", ".join(map(str, expected))
        raise InputError(f"fields have shape {values.shape}, but this run takes ({wanted}) with n >= 1 draws")
    if not np.can_cast(values.dtype, layout.dtype, "safe"):
        raise InputError(
            f"fields are {values.dtype}, which the {layout.dtype} of this run cannot hold exactly: "
            f"use fields.astype({layout.dtype!r}), or create the run with dtype={values.dtype.name!r}"
        )
    if values.dtype.kind == "f":
        bad = values.size - int(np.count_nonzero(np.isfinite(values)))
        if bad:
            raise InputError(
                f"fields have {bad} of {values.size} values NaN or infinite, so nothing was written: "
                "check the step size and the couplings"
            )
    return np.ascontiguousarray(values, dtype=layout.dtype)


def prepare_log_weight(log_weight: Any, layout: Layout, draws: int) -> np.ndarray | None:
    """Log-weights as the array that is stored: (chain, n); -inf (weight zero) is allowed.

    Raises `InputError` when they are absent though the run has them, or the reverse, or do not fit.
    """
    if layout.weights is None:
        if log_weight is not None:
            raise InputError(
                "this run has no log-weights, so log_weight would be lost: create it with weights=True"
            )
        return None
    if log_weight is None:
        raise InputError(
            "this run keeps log-weights: give log_weight with shape (chain, n), zeros for no weight"
        )
    dtype = WEIGHT_DTYPES[layout.weights]
    values = np.asarray(log_weight)
    if values.shape != (layout.chains, draws):
        raise InputError(f"log_weight has shape {values.shape}, but the fields need {(layout.chains, draws)}")
    if not np.can_cast(values.dtype, dtype, "safe"):
        mend = "create the run with weights='complex'" if values.dtype.kind == "c" else "give real numbers"
        raise InputError(f"log_weight is {values.dtype}, but this run keeps {dtype}: {mend}")
    bad = int(np.count_nonzero(np.isnan(values) | (np.real(values) == np.inf)))
    if bad:
        raise InputError(f"log_weight has {bad} values that are NaN or +inf: check the two actions")
    return np.ascontiguousarray(values, dtype=dtype)
