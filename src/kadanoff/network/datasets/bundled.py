"""Images that scikit-learn bundles: always at hand, without a network."""

import numpy as np

from kadanoff.errors import InputError
from kadanoff.network.datasets.base import Dataset, require_scikit_learn

__all__ = ["digits", "patches"]

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
    try:
        photographs = require_scikit_learn().load_sample_images().images
    except ImportError:
        raise InputError(
            "reading photographs needs pillow, which is not installed: pip install pillow"
        ) from None
    grey = [np.rint(photograph @ np.array(_LUMINANCE)) for photograph in photographs]
    most = min(min(photograph.shape) for photograph in grey)
    if not 2 <= side <= most:
        raise InputError(
            f"a patch of {side} x {side} cannot be cut from the photographs; give a side of 2 to {most}"
        )
    if count < 1:
        raise InputError(f"give 1 patch or more, got {count}")
    rng = np.random.default_rng(seed)
    labels = rng.integers(len(grey), size=count)
    places = rng.random((count, 2))
    rows = np.empty((count, side * side))
    for row, label, place in zip(rows, labels, places, strict=True):
        top, left = (int(p * (n - side + 1)) for p, n in zip(place, grey[label].shape, strict=True))
        row[:] = grey[label][top : top + side, left : left + side].ravel()
    return Dataset("patches", rows, (side, side), labels, 256)
