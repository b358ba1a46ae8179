"""Functions of rows, worked out in batches of one fixed size."""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

__all__ = ["by_rows"]

_ROWS = 128  # that are worked on at once, always the same number: a row's result does not depend on its neighbours


def by_rows(function: Callable, rows: Float[np.ndarray, "sample feature"]) -> Float[np.ndarray, "sample ..."]:
    """What a function of states gives for every row.

    >>> by_rows(lambda v: v.sum(axis=1), np.ones((3, 2))).tolist()
    [2.0, 2.0, 2.0]
    """
    parts = []
    for start in range(0, len(rows), _ROWS):
        chunk = rows[start : start + _ROWS]
        padded = np.concatenate([chunk, np.repeat(chunk[-1:], _ROWS - len(chunk), axis=0)])
        found = function(jnp.asarray(padded.astype(np.float32)))
        parts.append(np.asarray(found, np.float64)[: len(chunk)])
    return np.concatenate(parts)
