"""The phi^4 network on faces, or on patches of photographs where no faces are at hand."""

import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int
from sklearn.model_selection import train_test_split

from kadanoff.errors import KadanoffWarning
from kadanoff.experiments.network_density import density_rows, trained
from kadanoff.experiments.result import Result
from kadanoff.network.datasets import dequantised, load_dataset
from kadanoff.network.datasets.bundled import patch_places
from kadanoff.sampling.run import Progress

__all__ = ["run"]

_SIDE = 12  # of patches, and of faces once averaged
_HIDDEN = 128


@dataclass(frozen=True)
class _Effort:
    """How much is done: the only difference between a quick run and a full one."""

    images: int
    epochs: int


_QUICK, _FULL = _Effort(images=2000, epochs=30), _Effort(images=6000, epochs=150)


def run(out: Path, *, quick: bool, seed: int, progress: Progress) -> Result:
    """Train, compare, draw."""
    begun, effort = time.perf_counter(), _QUICK if quick else _FULL
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", KadanoffWarning)
        data = load_dataset("faces", side=_SIDE, count=effort.images, seed=seed)
    assert data.levels is not None and data.labels is not None and data.shape is not None
    grey, shape = _reduced(dequantised(data.data, data.levels, seed), data.shape)
    if data.name == "patches":
        train, test = apart(*patch_places(_SIDE, len(grey), seed), _SIDE)
    else:
        train, test = train_test_split(np.arange(len(grey)), test_size=0.25, random_state=seed)
    options: dict[str, Any] = {
        "n_hidden": _HIDDEN,
        "training": "persistent",
        "steps": 2,
        "epochs": effort.epochs,
        "learning_rate": 0.01,
        "weight_decay": 0.001,
        "smoothing": 1.0,
    }
    models = {}
    for number, visible in enumerate(("phi4", "gaussian")):
        progress(number, 2, "training networks")
        models[visible] = trained(grey[train], visible, seed, Path(out), **options)
    rows = density_rows(models, grey[train], grey[test])
    progress(0, 1, "drawing")
    from kadanoff.plots.network import plot_network

    figures = plot_network(models["phi4"], grey[test], data.labels[test], shape, Path(out), "network_faces")
    notes = [
        f"data: {data!r}, seen as {shape[0]} x {shape[1]} images",
        f"{len(train)} to learn from, {len(test)} held out"
        + (", which share no pixel with those nor with one another" if data.name == "patches" else ""),
        *(str(entry.message) for entry in said if issubclass(entry.category, KadanoffWarning)),
        "log-likelihoods are nats a sample on 256 grey levels with uniform noise of one level; networks see the same "
        "data, seeds and training",
    ]
    result = Result("network-faces", rows, figures, time.perf_counter() - begun, notes)
    result.save(out)
    return result


def apart(
    photographs: Int[np.ndarray, " sample"], corners: Int[np.ndarray, "sample 2"], side: int
) -> tuple[Int[np.ndarray, " train"], Int[np.ndarray, " test"]]:
    """Which patches to learn from and which to hold out: no pixel is in two of those held out, or in both parts.

    Held out is every fourth band of columns, two patches wide, so that both parts show all of the photographs. Patches
    across the borders of these bands belong to neither.

    >>> apart(np.zeros(4, int), np.array([[0, 0], [0, 44], [0, 48], [0, 52]]), 8)
    (array([0]), array([2]))
    """
    first, last = corners[:, 1] // (2 * side), (corners[:, 1] + side - 1) // (2 * side)
    kept: list[int] = []
    for number in np.flatnonzero((first % 4 == 3) & (last == first)):
        same = [other for other in kept if photographs[other] == photographs[number]]
        if np.all(np.abs(corners[same] - corners[number]).max(axis=1, initial=0) >= side):
            kept.append(int(number))
    return np.flatnonzero((first % 4 != 3) & (last % 4 != 3)), np.array(kept)


def _reduced(grey: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, tuple[int, ...]]:
    """Faces of 64 x 64 averaged over blocks of 4 x 4; patches as they are."""
    factor = shape[0] // 16 if shape[0] >= 32 else 1
    if factor == 1:
        return grey, shape
    images = grey.reshape(-1, shape[0] // factor, factor, shape[1] // factor, factor)
    small = images.mean(axis=(2, 4))
    return small.reshape(len(grey), -1), small.shape[1:]
