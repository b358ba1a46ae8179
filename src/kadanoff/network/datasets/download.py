"""Olivetti faces and MNIST: from a folder where they are, else from the network where there is one."""

import contextlib
import io
import os
import socket
import urllib.request
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import md5
from http.client import HTTPException
from pathlib import Path
from typing import Any

import numpy as np

from kadanoff.errors import InputError, KadanoffWarning
from kadanoff.network.datasets.base import Dataset, require_scikit_learn
from kadanoff.network.datasets.bundled import patches
from kadanoff.network.datasets.files import from_idx, from_npz
from kadanoff.store.durable import atomic_write

__all__ = ["faces", "mnist", "olivetti"]

_TIMEOUT = 10.0  # seconds to wait for an answer
_MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist"
_FILES = {"train": "train", "test": "t10k"}
_CHECKSUMS = {
    "train-images-idx3-ubyte": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte": "ec29112dd5afa0611ce80d1b7f02629c",
}


def olivetti(folder: str | Path | None = None) -> Dataset:
    """The 400 Olivetti faces of 40 people, 64 x 64; by scikit-learn, into `folder` or its own.

    `folder` may also hold the original `olivettifaces.mat`. Raises `InputError` where they are neither there nor on a
    network.

    Source: F. S. Samaria, A. C. Harter, WACV 1994.
    """
    original = None if folder is None else Path(folder) / "olivettifaces.mat"
    if original is not None and original.is_file():
        from scipy.io import loadmat

        images = loadmat(original)["faces"].T.reshape(400, 64, 64).transpose(0, 2, 1)
        data = np.asarray(images, np.float64).reshape(400, -1)
        return Dataset("olivetti", data, (64, 64), np.arange(400) // 10, 256)
    home = None if folder is None else str(folder)
    source = require_scikit_learn()
    where = "scikit-learn's data folder" if folder is None else str(folder)
    with _patient(f"the Olivetti faces are not in {where}", "folder= of olivettifaces.mat"):
        found = source.fetch_olivetti_faces(data_home=home, n_retries=1, delay=0.1)
    # scikit-learn gives bytes stretched to [0, 1]; the stretch keeps the levels evenly spaced.
    return Dataset("olivetti", _levels(found.data), (64, 64), np.asarray(found.target), 256)


def faces(folder: str | Path | None = None, side: int = 16, count: int = 5000, seed: int = 0) -> Dataset:
    """The Olivetti faces where they can be had, else patches of photographs, which a `KadanoffWarning` says."""
    try:
        return olivetti(folder)
    except InputError as error:
        warnings.warn(
            f"patches of scikit-learn's two photographs stand in for faces: {error}",
            KadanoffWarning,
            stacklevel=2,
        )
        return patches(side, count, seed)


def mnist(folder: str | Path | None = None, part: str = "train") -> Dataset:
    """A part of MNIST, from IDX files or `mnist.npz` in a folder, else from the network into that folder.

    Raises `InputError` where it is neither there nor on a network, and for damaged files.

    Source: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, Proc. IEEE 86 (1998) 2278.
    """
    home = _cache() if folder is None else Path(folder)
    if (home / "mnist.npz").is_file():
        return from_npz(home / "mnist.npz", part)._replace(name="mnist")
    images, labels = (_file(home, f"{_FILES[part]}-{kind}-ubyte") for kind in ("images-idx3", "labels-idx1"))
    data = from_idx(images)
    return data._replace(name="mnist", labels=from_idx(labels).data[:, 0].astype(int))


def _file(home: Path, name: str) -> Path:
    """The file in the folder, compressed or not; fetched where it is absent."""
    for path in (home / name, home / f"{name}.gz"):
        if path.is_file():
            return path
    with _patient(
        f"MNIST is not in {home} (no {name}, .gz or not, and no mnist.npz)", "folder= of its files"
    ):
        with urllib.request.urlopen(f"{_MNIST}/{name}.gz", timeout=_TIMEOUT) as answer:
            content = answer.read()
        if md5(content, usedforsecurity=False).hexdigest() != _CHECKSUMS[name]:
            raise OSError("what the network gave is damaged")
        home.mkdir(parents=True, exist_ok=True)
        atomic_write(home / f"{name}.gz", content)
    return home / f"{name}.gz"


@contextmanager
def _patient(missing: str, remedy: str) -> Iterator[None]:
    """A place that may use the network: waits a short time, prints nothing, and fails in one line."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_TIMEOUT)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            yield
    except (OSError, EOFError, HTTPException, zlib.error) as error:  # no network, no answer in time, damage
        reason = getattr(error, "reason", None) or error
        raise InputError(
            f"{missing}, and they cannot be had from the network ({reason}); bring the files here and give {remedy}, "
            "or choose digits or patches, which need no network"
        ) from None
    finally:
        socket.setdefaulttimeout(before)


def _levels(stretched: Any) -> np.ndarray:
    """Grey levels 0 to 255 from numbers between 0 and 1."""
    return np.rint(np.asarray(stretched, np.float64) * 255)


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kadanoff" / "data"
