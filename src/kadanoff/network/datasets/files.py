"""Data from files: `.npy`, `.npz`, IDX (`.gz` or not), and folders of images."""

import gzip
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from kadanoff.errors import InputError
from kadanoff.network.datasets.base import Dataset
from kadanoff.network.datasets.pictures import read_picture

__all__ = ["from_idx", "from_images", "from_npz", "from_path"]

_IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".pgm", ".ppm")
_IDX_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
_DATA = ("data", "X", "x", "images", "arr_0")
_LABELS = ("labels", "target", "y")


def from_path(path: Path, array: str | None = None) -> Dataset:
    """Read a file by its ending, or a folder of images; `InputError` for any other.

    `array` names the one of an `.npz` that is the data.
    """
    if array is not None and path.suffix.lower() != ".npz":
        raise InputError(f"{path} is no .npz, whose arrays have names: leave array {array!r} out")
    if path.is_dir():
        return from_images(path)
    ending = path.suffix.lower()
    if ending == ".npy":
        return _of_array(path.name, _loaded(path), None, path)
    if ending == ".npz":
        return from_npz(path, array=array)
    if path.name.removesuffix(".gz").endswith(("-ubyte", ".idx")):
        return from_idx(path)
    raise InputError(
        f"{path} is of no kind that is read here; give .npy, .npz, an IDX file (-ubyte, .gz or not) or a folder of "
        "images"
    )


def from_npz(path: Path, part: str = "train", array: str | None = None) -> Dataset:
    """Arrays of an `.npz`: data, X, x or images with labels, target or y; or x_train, y_train, x_test, y_test.

    The data are the `array` that is named; one alone may have any name. Raises `InputError` where none is found.
    """
    held = _loaded(path)
    data_names, label_names = ((f"x_{part}", *_DATA), (f"y_{part}", *_LABELS))
    if array is not None and array not in held:
        raise InputError(f"{path} holds no {array!r}, but {', '.join(held) or 'nothing'}")
    name = array or next((name for name in data_names if name in held), None)
    if name is None and len(held) == 1:
        name = next(iter(held))
    if name is None:
        raise InputError(
            f"{path} holds {', '.join(held) or 'nothing'}, and none of them is called {', '.join(data_names)}: "
            "name one as array, --array on the command line"
        )
    label = next((name for name in label_names if name in held), None)
    return _of_array(path.name, held[name], None if label is None else held[label], path)


def from_idx(path: Path) -> Dataset:
    """An IDX file, the format of MNIST: two zero bytes, type, number of axes, their lengths, big-endian numbers.

    Raises `InputError` for a file that is damaged or of another format.
    """
    try:
        content = path.read_bytes()
        content = gzip.decompress(content) if path.suffix == ".gz" else content
        kind, axes = content[2], content[3]
        shape = np.frombuffer(content, ">u4", axes, 4).astype(int)
        values = np.frombuffer(content, _IDX_TYPES[kind], -1, 4 + 4 * axes).reshape(shape)
        if content[:2] != b"\0\0" or axes == 0:
            raise ValueError("no IDX header")
    except (OSError, EOFError, ValueError, KeyError, IndexError) as error:
        raise InputError(f"{path} is damaged, or no IDX file ({error}); fetch it again") from None
    return _of_array(path.name, values, None, path)


def from_images(folder: Path) -> Dataset:
    """All images of a folder, in grey; where it has folders of images instead, each of these is a class.

    Raises `InputError` for a folder without images, images of several sizes or with transparent pixels, and without
    pillow.
    """
    classes = sorted(entry for entry in folder.iterdir() if entry.is_dir()) or [folder]
    if _images(folder):
        classes = [folder]
    rows, labels, shape = [], [], None
    for label, entry in enumerate(classes):
        for path in _images(entry):
            pixels = np.asarray(read_picture(path).convert("L"), np.float64)
            shape = pixels.shape if shape is None else shape
            if pixels.shape != shape:
                raise InputError(
                    f"{path} has {pixels.shape[0]} x {pixels.shape[1]} pixels, those before it "
                    f"{shape[0]} x {shape[1]}; give images of one size"
                )
            rows.append(pixels.ravel())
            labels.append(label)
    if not rows:
        raise InputError(f"{folder} holds no images ({', '.join(_IMAGES)}); give the folder that does")
    classified = np.array(labels) if len(classes) > 1 else None
    return Dataset(folder.name, np.stack(rows), shape, classified, 256)


def _images(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in _IMAGES)


def _loaded(path: Path) -> Any:
    """The array of an `.npy`, or the arrays of an `.npz` by name."""
    try:
        found = np.load(path, allow_pickle=False)
        if isinstance(found, np.ndarray):
            return found
        with found:
            return {name: found[name] for name in found.files}
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path} cannot be read as an array ({error}); write it anew with numpy.save"
        ) from None


def _of_array(name: str, array: np.ndarray, labels: np.ndarray | None, path: Path) -> Dataset:
    """Rows of an array: images where each sample has two axes, grey levels where it holds bytes."""
    if array.dtype.kind not in "biuf" or array.ndim == 0 or array.size == 0:
        raise InputError(
            f"{path} holds no table of numbers (shape {array.shape}, type {array.dtype}); give (sample, feature) or "
            "(sample, height, width)"
        )
    if labels is not None and labels.shape != array.shape[:1]:
        raise InputError(
            f"{path} holds {len(array)} samples, but labels of shape {labels.shape}; give one a sample"
        )
    shape = tuple(array.shape[1:]) if array.ndim > 2 else None
    levels = {"uint8": 256, "bool": 2}.get(array.dtype.name)
    classes = None if labels is None else np.unique(labels, return_inverse=True)[1]
    return Dataset(name, array.reshape(len(array), -1).astype(np.float64), shape, classes, levels)
