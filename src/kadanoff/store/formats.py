"""Fields in and out of `.npy` and HDF5 files; whole runs are streamed, nothing is overwritten unasked."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kadanoff.errors import InputError
from kadanoff.store.external import Imported, arrange, describe_source, new_file

__all__ = ["export_hdf5", "export_npy", "import_hdf5", "import_npy", "load_npy"]

PathLike = str | os.PathLike[str]


def _beside(path: Path) -> tuple[Path, Path]:
    """Companions of `name.npy`, which holds one array only: its log-weights and its metadata."""
    return path.with_suffix(".log_weight.npy"), path.with_suffix(".metadata.json")


def export_npy(
    store_or_array: Any,
    path: PathLike,
    log_weight: Any = None,
    metadata: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a run or an array (chain, draw, *lattice) as `name.npy`; return its path.

    Log-weights, where there are any, go to `name.log_weight.npy`, and the run's configuration (or `metadata`)
    to `name.metadata.json`; `import_npy` finds both.

    Raises `InputError` for another suffix, a file that exists, or an array that does not fit.

    >>> import tempfile
    >>> target = export_npy(np.zeros((2, 3, 4, 4), "float32"), tempfile.mkdtemp() + "/fields.npy")
    >>> import_npy(target)[0].shape
    (2, 3, 4, 4)
    """
    target = Path(path)
    if target.suffix != ".npy":
        raise InputError(f"{target} does not end in .npy: name it {target.with_suffix('.npy')}")
    source = describe_source(store_or_array, log_weight, metadata)
    weight_file, notes_file = _beside(target)
    for file in (weight_file, notes_file):
        if file.exists() and not overwrite:
            raise InputError(f"{file} exists: give another name, or overwrite=True to replace it")
    weights = np.zeros(source.shape[:2], source.weight_dtype or "float64")
    with new_file(target, overwrite) as temporary:
        array = np.lib.format.open_memmap(temporary, mode="w+", dtype=source.dtype, shape=source.shape)
        for start, stop, fields, part in source.pieces:
            array[:, start:stop] = fields
            if part is not None:
                weights[:, start:stop] = part
        array.flush()
        del array
        # The companions first: fields without their weights would be taken for unweighted ones.
        with new_file(notes_file, overwrite) as notes:
            notes.write_text(json.dumps(source.metadata, indent=1, allow_nan=False) + "\n")
        if source.weight_dtype is not None:
            with new_file(weight_file, overwrite) as file, open(file, "wb") as stream:
                np.save(stream, weights)
        else:
            weight_file.unlink(missing_ok=True)
    return target


def load_npy(path: Path) -> np.ndarray:
    """Read one `.npy` file, mapped into memory: what is used of it is read; `InputError` when it is missing or is no
    such file.
    """
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist: check the path") from error
    except (OSError, ValueError, EOFError) as error:
        raise InputError(
            f"{path} is not a readable .npy file of numbers: it is damaged, or of another kind"
        ) from error


def import_npy(path: PathLike, one_chain: bool | None = None) -> Imported:
    """Read `.npy` fields: ((chain, draw, *lattice), log-weights (chain, draw) or None, metadata).

    A three-dimensional array that we did not export is one chain, (draw, x, y); `one_chain=False` reads it as
    (chain, draw, x), and `one_chain=True` reads a larger one as (draw, *lattice). Companions written by
    `export_npy` are used when present. The fields are mapped from the file, to be read only: an ensemble of them may
    be larger than memory.

    Raises `InputError` for files, shapes and values (NaN, infinite) that cannot be fields.
    """
    target = Path(path)
    values = load_npy(target)
    if not isinstance(values, np.ndarray):
        raise InputError(f"{target} holds several arrays: save the fields alone with numpy.save")
    weight_file, notes_file = _beside(target)
    weights = load_npy(weight_file) if weight_file.exists() else None
    notes = _parse_notes(notes_file.read_text(), notes_file) if notes_file.exists() else {}
    return arrange(values, weights, notes, str(target), one_chain)


def _parse_notes(text: str, where: Path) -> dict[str, Any]:
    try:
        notes = json.loads(text)
    except ValueError as error:
        raise InputError(f"{where} holds metadata that are not valid JSON: restore or remove them") from error
    return notes if isinstance(notes, dict) else {"metadata": notes}


def export_hdf5(
    store_or_array: Any,
    path: PathLike,
    log_weight: Any = None,
    metadata: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a run or an array as HDF5; return its path.

    Datasets "field" (labelled axes) and "log_weight", attribute "metadata" (JSON).

    Needs h5py, an extra. Raises `InputError` like `export_npy`.
    """
    h5py = _h5py()
    target = Path(path)
    source = describe_source(store_or_array, log_weight, metadata)
    with new_file(target, overwrite) as temporary, h5py.File(temporary, "w") as file:
        field = file.create_dataset("field", shape=source.shape, dtype=source.dtype)
        for dimension, label in zip(field.dims, source.metadata["dimensions"], strict=True):
            dimension.label = label
        weights = None
        if source.weight_dtype is not None:
            weights = file.create_dataset("log_weight", shape=source.shape[:2], dtype=source.weight_dtype)
        for start, stop, fields, part in source.pieces:
            field[:, start:stop] = fields
            if weights is not None:
                weights[:, start:stop] = part
        file.attrs["metadata"] = json.dumps(source.metadata, allow_nan=False)
    return target


def import_hdf5(path: PathLike, dataset: str | None = None, one_chain: bool | None = None) -> Imported:
    """Read HDF5 fields: ((chain, draw, *lattice), log-weights (chain, draw) or None, metadata).

    `dataset` names the fields, by default "field", or the only array of three or more dimensions at the top
    level. Fields that lie in one piece, as `export_hdf5` writes them, are mapped from the file, to be read only, and
    may be larger than memory; those in chunks, compressed perhaps, are read whole.

    Needs h5py, an extra. Raises `InputError` like `import_npy`, and when the fields cannot be told from other arrays.
    """
    h5py = _h5py()
    target = Path(path)
    if not target.is_file():
        raise InputError(f"{target} does not exist: check the path")
    try:
        file = h5py.File(target, "r")
    except OSError as error:
        raise InputError(
            f"{target} is not a readable HDF5 file: it is damaged, or of another kind"
        ) from error
    with file:
        arrays = {name: item for name, item in file.items() if isinstance(item, h5py.Dataset)}
        large = [name for name, item in arrays.items() if item.ndim >= 3]
        if dataset is None:
            dataset = "field" if "field" in arrays or len(large) != 1 else large[0]
        item = file.get(dataset)
        if not isinstance(item, h5py.Dataset):
            raise InputError(
                f"{target} has no dataset {dataset!r}: name the fields with dataset= or --array, "
                f"candidates are {', '.join(large) or 'absent'}"
            )
        notes = _parse_notes(str(file.attrs.get("metadata", "{}")), target)
        try:
            weights = arrays["log_weight"][()] if "log_weight" in arrays else None
            return arrange(_mapped(item, target), weights, notes, str(target), one_chain)
        except OSError as error:
            raise InputError(f"{target} is damaged ({error}): restore it from a copy") from error


def _mapped(item: Any, path: Path) -> np.ndarray:
    """The numbers of a dataset, mapped into memory where the file holds them in one piece and as they are."""
    place = None if item.external or item.dtype.kind not in "iuf" else item.id.get_offset()
    if place is None:
        return np.asarray(item[()])
    return np.memmap(path, item.dtype, "r", place, item.shape)


def _h5py() -> Any:
    try:
        import h5py
    except ImportError as error:
        raise InputError(
            "HDF5 files need h5py, which is not installed: pip install h5py, or use .npy"
        ) from error
    return h5py
