"""Images that scikit-learn bundles: always at hand, without a network."""

from functools import cache

import numpy as np
from jaxtyping import Float, Int

from kadanoff.errors import InputError
from kadanoff.network.datasets.base import Dataset, require_scikit_learn

__all__ = ["digits", "patch_places", "patches"]

_LUMINANCE = (0.299, 0.587, 0.114)  # of red, green, blue (ITU-R BT.601)


def digits() -> Dataset:
    """The 1797 digits of scikit-learn, 8 x 8 on 17 grey levels.

    Source: E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI repository (1998).
    """
    found = require_scikit_learn().load_digits()
    return Dataset("digits", np.asarray(found.data, np.float64), (8, 8), np.asarray(found.target), 17)


def patches(side: int = 16, count: int = 5000, seed: int = 0) -> Dataset:
    """Grey patches of the two photographs of scikit-learn, at places drawn by the seed; the label is the photograph.

    Raises `InputError` for a side or a count that the photographs cannot give, and without pillow.

    >>> patches(side=8, count=10)
    Dataset(patches: 10 samples of 8 x 8, 256 grey levels, 2 classes)
    """
    photographs = _photographs()
    labels, corners = patch_places(side, count, seed)
    rows = np.empty((count, side * side))
    for row, label, (top, left) in zip(rows, labels, corners, strict=True):
        row[:] = photographs[label][top : top + side, left : left + side].ravel()
    return Dataset("patches", rows, (side, side), labels, 256)


def patch_places(
    side: int, count: int, seed: int
) -> tuple[Int[np.ndarray, " sample"], Int[np.ndarray, "sample 2"]]:
    """The photograph of every patch, and its first row and column there; raises as `patches` does.

    >>> labels, corners = patch_places(side=8, count=10, seed=0)
    >>> corners.shape
    (10, 2)
    """
    shapes = [photograph.shape for photograph in _photographs()]
    most = min(map(min, shapes))
    if not 2 <= side <= most:
        raise InputError(
            f"a patch of {side} x {side} cannot be cut from the photographs; give a side of 2 to {most}"
        )
    if count < 1:
        raise InputError(f"give 1 patch or more, got {count}")
    rng = np.random.default_rng(seed)
    labels = rng.integers(len(shapes), size=count)
    places = rng.random((count, 2))
    room = np.array(shapes)[labels] - side + 1
    return labels, (places * room).astype(np.int64)


@cache
def _photographs() -> list[Float[np.ndarray, "row column"]]:
    """Both photographs on 256 grey levels."""
    try:
        photographs = require_scikit_learn().load_sample_images().images
    except ImportError:
        raise InputError(
            "reading photographs needs pillow, which is not installed: pip install pillow"
        ) from None
    return [np.rint(photograph @ np.array(_LUMINANCE)) for photograph in photographs]
