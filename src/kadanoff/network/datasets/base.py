"""What a data set is, and the noise that makes grey levels a density."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from kadanoff.errors import InputError

__all__ = ["Dataset", "dequantised", "require_scikit_learn"]


class Dataset(NamedTuple):
    """Samples as rows, and what is known of them.

    `data` (sample, feature) hold grey levels 0, 1, ..., `levels` - 1 where `levels` is a number, and any numbers
    where it is None. `shape` is that of the images whose pixels the features are; `labels` (sample,) are the classes,
    numbers from 0.
    """

    name: str
    data: Float[np.ndarray, "sample feature"]
    shape: tuple[int, ...] | None = None
    labels: np.ndarray | None = None
    levels: int | None = None

    def __repr__(self) -> str:
        """Say what it holds, not every number."""
        size = f"{self.data.shape[1]} features" if self.shape is None else " x ".join(map(str, self.shape))
        text = f"{self.name}: {len(self.data)} samples of {size}"
        if self.levels is not None:
            text += f", {self.levels} grey levels"
        if self.labels is not None:
            text += f", {len(np.unique(self.labels))} classes"
        return f"Dataset({text})"


def dequantised(
    x: Float[np.ndarray, "sample feature"], levels: int, seed: int = 0
) -> Float[np.ndarray, "sample feature"]:
    """Add uniform noise of one grey level, from [0, 1): numbers on `levels` levels become a density on [0, levels).

    Without it a density may put spikes on the levels, and its log-likelihood has no bound. With it, the mean of ln p
    is a lower bound of the log-probability of the levels themselves.

    Raises `InputError` where the data are not grey levels 0, 1, ..., levels - 1.

    >>> dequantised(np.array([[0.0, 16.0]]), levels=17, seed=1).round(2).tolist()
    [[0.51, 16.95]]

    Source: L. Theis, A. van den Oord, M. Bethge, ICLR 2016.
    """
    x = np.asarray(x, np.float64)
    wrong = (x != np.floor(x)) | (x < 0) | (x >= levels)
    if levels < 2 or wrong.any():
        found = f"{x[wrong][0]:g}" if wrong.any() else f"{levels} levels"
        raise InputError(
            f"noise of one grey level is added to whole numbers from 0 to {levels - 1}, but the data hold {found}; "
            "give the right number of levels, or data that are not scaled yet"
        )
    return x + np.random.default_rng(seed).random(x.shape)


def require_scikit_learn() -> Any:
    """Give `sklearn.datasets`; `InputError` where scikit-learn is not installed."""
    try:
        from sklearn import datasets
    except ImportError:
        raise InputError(
            "this data set comes with scikit-learn, which is not installed: pip install scikit-learn"
        ) from None
    return datasets
