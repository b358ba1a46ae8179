"""What numba does once a process, and for every kernel alike: done before kernels are shared among processes."""

from typing import no_type_check

import numba
import numpy as np

from kadanoff.compiled.frames import argument, result, side_of
from kadanoff.compiled.functions import compile_for_c

__all__ = ["prepare"]


@no_type_check
def _common(frame):  # pragma: no cover - compiled
    """Nothing of use, by functions that most kernels call."""
    rows, columns = side_of(frame, 0, 0), side_of(frame, 0, 1)
    x = numba.carray(argument(frame, 0), (rows, columns), np.float32)
    y = numba.carray(argument(frame, 1), columns, np.float32)
    key = numba.carray(argument(frame, 2), 2, np.uint32)
    out = numba.carray(result(frame, 0), (rows, columns), np.float32)
    words, row = np.empty((4, columns), np.uint32), np.empty(columns, np.float32)
    for i in range(min(rows, columns)):
        row[i] = x[i, i] + y[i]
        words[0, i] = key[0]
        out[i, i] = row[i]
    return 0


def prepare() -> None:
    """Have numba load its rules, and compile what most kernels call."""
    compile_for_c(_common, 1)
