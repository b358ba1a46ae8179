"""Data to learn from, by name or from files: images and tables, with labels where there are any."""

from pathlib import Path

from kadanoff.errors import InputError
from kadanoff.network.datasets.base import Dataset, dequantised
from kadanoff.network.datasets.bundled import digits, patches
from kadanoff.network.datasets.download import faces, mnist, olivetti
from kadanoff.network.datasets.files import from_path

__all__ = ["DATASETS", "Dataset", "dequantised", "load_dataset"]

#: The names that `load_dataset` knows.
DATASETS = ("digits", "patches", "faces", "olivetti", "mnist")


def load_dataset(
    name_or_path: str | Path,
    *,
    folder: str | Path | None = None,
    part: str = "train",
    side: int = 16,
    count: int = 5000,
    seed: int = 0,
    array: str | None = None,
) -> Dataset:
    """Load data by name, or from a path: `.npy`, `.npz`, IDX files (`.gz` or not), or a folder of images.

    `array` names which array of an `.npz` file is the data.

    - "digits": 1797 handwritten digits of 8 x 8 on 17 grey levels, bundled with scikit-learn.
    - "patches": `count` patches of `side` x `side`, at places drawn by `seed`, of the two photographs that
        scikit-learn bundles, on 256 grey levels.
    - "olivetti": 400 faces of 64 x 64; from `folder` (by default scikit-learn's own), else from the network.
    - "faces": "olivetti" where they can be had, else "patches", which a warning says.
    - "mnist": digits of 28 x 28, their `part` "train" (60,000) or "test" (10,000); from the IDX files or the `.npz` in
        `folder` (by default a cache of ours), else from the network.

    Raises `InputError` where there is no such data set, file or network, and for files that hold no table of numbers.

    >>> load_dataset("digits")
    Dataset(digits: 1797 samples of 8 x 8, 17 grey levels, 10 classes)
    """
    if part not in ("train", "test"):
        raise InputError(f"unknown part {part!r} of a data set; choose train or test")
    name = str(name_or_path)
    if part == "test" and name != "mnist":
        raise InputError(f"{name} has no test part of its own, only mnist has; split it yourself")
    if array is not None and name in DATASETS:
        raise InputError(f"{name} is a data set by name, and its arrays have none: leave array {array!r} out")
    if name == "digits":
        return digits()
    if name == "patches":
        return patches(side, count, seed)
    if name == "olivetti":
        return olivetti(folder)
    if name == "faces":
        return faces(folder, side, count, seed)
    if name == "mnist":
        return mnist(folder, part)
    path = Path(name_or_path)
    if not path.exists():
        raise InputError(
            f"there is no data set and no file {name!r}; the names are {', '.join(DATASETS)}, "
            "and files .npy, .npz, IDX or folders of images"
        )
    return from_path(path, array)
