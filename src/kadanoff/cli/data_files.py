"""Fields to learn from, by file: a run's folder, `.npy`, `.npz`; and which files are images."""

from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from kadanoff.errors import InputError

__all__ = ["IMAGES", "digest", "is_data", "read_fields"]

#: Suffixes of image files.
IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif", ".webp", ".pgm", ".ppm")
_ARRAYS = (".npy", ".npz")


def is_data(text: str) -> bool:
    """Whether a target names data, not an action: a folder or file, or a name that ends like one."""
    path = Path(text)
    return ".py:" not in text and (path.exists() or path.suffix.lower() in (*_ARRAYS, *IMAGES))


def digest(text: str) -> str | None:
    """What tells data from others: the last record of a run, a checksum of a file; None of an action."""
    from kadanoff.store.durable import checksum_of_file

    if not is_data(text):
        return None
    path = Path(text)
    if path.is_dir():
        from kadanoff.runs import fingerprint

        return fingerprint(path)
    return checksum_of_file(path) if path.is_file() else None


def read_fields(path: Path, chains: bool, entry: str | None = None) -> Any:
    """The ensemble of a run, or the array of a file: fields (n, *shape), or (chain, draw, *shape) if `chains`.

    `entry` names the array of a `.npz` file that holds several. Raises `InputError` for what holds no fields.
    """
    import numpy as np

    from kadanoff.ensemble import Ensemble

    if path.is_dir():
        from kadanoff.runs import open_ensemble

        return open_ensemble(path)
    if path.suffix.lower() not in _ARRAYS:
        raise InputError(f"{path} is no data: give the folder of a run, a .npy or .npz file, or an image")
    if not path.is_file():
        raise InputError(f"{path} is not a file: give the path of fields, (n, *sides)")
    try:
        loaded = np.load(path, mmap_mode="r", allow_pickle=False)
        array = loaded if isinstance(loaded, np.ndarray) else _entry(loaded, path, entry)
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} cannot be read as an array of numbers: {error}") from error
    if not chains:
        return array
    if array.ndim < 3:
        raise InputError(f"{path} holds the shape {array.shape}, and --chains wants (chain, draw, *sides)")
    return Ensemble(array)


def _entry(loaded: Any, path: Path, entry: str | None) -> Any:
    names = list(loaded.files)
    if entry is None and len(names) != 1:
        raise InputError(f"{path} holds {', '.join(names) or 'nothing'}: name one by --array")
    if entry is not None and entry not in names:
        raise InputError(f"{path} holds no {entry!r}, but {', '.join(names) or 'nothing'}")
    return loaded[names[0] if entry is None else entry]
