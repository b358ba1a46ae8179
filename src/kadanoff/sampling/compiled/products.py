"""Products with states of two levels, by sums looked up: one addition in place of four multiplications.

Four states in a row have sixteen patterns. The sums of four rows of the other matrix, one for every pattern, are made
once and serve all samples. Sums are those of float32, in another order than a library of linear algebra takes.

Source: V. L. Arlazarov, E. A. Dinic, M. A. Kronrod, I. A. Faradzhev, Soviet Math. Dokl. 11 (1970) 1209.
"""

from typing import no_type_check

import numba
import numpy as np

from kadanoff.sampling.compiled.foreign import argument, asks_version, result, sides
from kadanoff.sampling.compiled.vectors import PATTERNS, ROWS, WIDTH, accumulate, sum_up, turn

__all__ = ["state_products"]

_compiled = numba.njit(error_model="numpy", nogil=True)
_GROUPS = 16  # tables that stay in the first cache


@_compiled
@no_type_check
def _packed(x, low, high, patterns):  # pragma: no cover - compiled
    """Patterns (sample, group) of states (sample, unit); how many states have neither level."""
    strange = 0
    for b in range(len(x)):
        row = x[b]
        for g in range(len(row) // 4):
            bits = np.uint8(0)
            for k in range(4):
                bits |= np.uint8(np.uint8(row[4 * g + k] == high) << np.uint8(k))
            patterns[b, g] = bits
        for j in range(len(row) // 4 * 4, len(row)):
            patterns[b, j // 4] |= np.uint8(np.uint8(row[j] == high) << np.uint8(j % 4))
        for j in range(len(row)):
            strange += np.int32((row[j] != high) & (row[j] != low))
    return strange


@_compiled
@no_type_check
def _packed_columns(x, first, low, high, patterns):  # pragma: no cover - compiled
    """Patterns (group, unit) of four samples in a row each, x being samples `first` and on; how many are no levels."""
    strange = 0
    for b in range(len(x)):
        place = (first + b) % 4
        bit, into, row = np.uint8(1 << place), patterns[(first + b) // 4], x[b]
        for j in range(len(row)):
            into[j] = np.uint8((into[j] if place else np.uint8(0)) | (bit if row[j] == high else np.uint8(0)))
            strange += np.int32((row[j] != high) & (row[j] != low))
    return strange


@_compiled
@no_type_check
def _panel(w, turned, column, panel):  # pragma: no cover - compiled
    """Copy the columns of w, or of its transpose, from `column` on; what is outside is left."""
    width = min(WIDTH, (len(w) if turned else w.shape[1]) - column)
    if not turned:
        for k in range(len(w)):
            for i in range(width):
                panel[k, i] = w[k, column + i]
        return
    inner = w.shape[1]
    for i in range(0, width, 16):
        for k in range(0, inner, 16):
            if i + 16 <= width and k + 16 <= inner:
                source = w.ctypes.data + 4 * ((column + i) * inner + k)
                turn(source, 4 * inner, panel.ctypes.data + 4 * (k * WIDTH + i), 4 * WIDTH)
            else:
                for row in range(i, min(i + 16, width)):
                    for other in range(k, min(k + 16, inner)):
                        panel[other, row] = w[column + row, other]


@_compiled
@no_type_check
def _aligned(rows):  # pragma: no cover - compiled
    """Memory for rows of `WIDTH` numbers, on which no vector lies in two lines of the cache."""
    memory = np.empty(rows * WIDTH + 16, np.float32)
    skip = (-memory.ctypes.data % 64) // 4
    return memory[skip : skip + rows * WIDTH].reshape(rows, WIDTH)


@_compiled
@no_type_check
def _sums(
    patterns, stride, step, w, turned, column, levels, panel, table, total
):  # pragma: no cover - compiled
    """Add `WIDTH` columns of the product, from `column` on, to `total` (sample, WIDTH).

    The caller owns all arrays: one whose address alone is used here would be freed too early.
    """
    low, high, groups = levels[0], levels[1], ((w.shape[1] if turned else len(w)) + 3) // 4
    copied = len(panel) > 0
    source = panel.ctypes.data if copied else w.ctypes.data + 4 * column
    pitch = 4 * (WIDTH if copied else w.shape[1])
    for begin in range(0, groups, _GROUPS):
        count = min(_GROUPS, groups - begin)
        for g in range(count):
            place = table.ctypes.data + 4 * g * PATTERNS * WIDTH
            sum_up(source + 4 * (begin + g) * pitch, pitch, low, high - low, place)
        for row in range(0, len(total), ROWS):
            where = patterns.ctypes.data + row * stride + begin * step
            accumulate(table.ctypes.data, where, count, stride, step, total.ctypes.data + 4 * row * WIDTH)


@_compiled
@no_type_check
def _plain(x, first, w, transposed, turned, out):  # pragma: no cover - compiled
    """Add the product of any numbers, x being samples `first` and on."""
    for i in range(len(x)):
        for k in range(x.shape[1]):
            into, by = (k, first + i) if transposed else (i, k)
            for j in range(out.shape[1]):
                out[into, j] += x[i, k] * (w[j, by] if turned else w[by, j])


@numba.njit(error_model="numpy", nogil=True, parallel=True)
@no_type_check
def _product(x, more, w, transposed, turned, levels, out):  # pragma: no cover - compiled
    """x w, or (x, more)^T w; w transposed first where `turned`."""
    rows = len(out)
    groups = ((w.shape[1] if turned else len(w)) + 3) // 4
    # Rows are taken in fours: the patterns of those that are not there are summed too, and left.
    padded = (rows + ROWS - 1) // ROWS * ROWS
    if transposed:
        patterns = np.zeros((groups, padded), np.uint8)
        strange = _packed_columns(x, 0, levels[0], levels[1], patterns)
        strange += _packed_columns(more, len(x), levels[0], levels[1], patterns)
    else:
        patterns = np.zeros((padded, groups), np.uint8)
        strange = _packed(x, levels[0], levels[1], patterns)
    stride, step = (1, padded) if transposed else (groups, 1)
    if strange > 0:
        out[:] = 0
        _plain(x, 0, w, transposed, turned, out)
        _plain(more, len(x), w, transposed, turned, out)
    tiles = 0 if strange > 0 else (out.shape[1] + WIDTH - 1) // WIDTH
    for tile in numba.prange(tiles):
        column = tile * WIDTH
        copied = turned or column + WIDTH > out.shape[1] or len(w) % 4 != 0
        panel = np.zeros((4 * groups if copied else 0, WIDTH), np.float32)
        if copied:
            _panel(w, turned, column, panel)
        table = _aligned(_GROUPS * PATTERNS)
        total = _aligned(padded)
        total[:] = 0
        _sums(patterns, stride, step, w, turned, column, levels, panel, table, total)
        width = min(WIDTH, out.shape[1] - column)
        for row in range(rows):
            into, found = out[row, column : column + width], total[row]
            for i in range(width):
                into[i] = found[i]


@no_type_check
def state_products(frame):  # pragma: no cover - compiled
    """Handle a call for x w.

    Arguments are x (sample, unit), more samples (none unless x is transposed), w, the lower and upper level of x, and
    a plan: 1 where x is to be transposed, and 1 where w is. What has other values than levels is multiplied plainly.
    """
    if asks_version(frame):
        return 0
    shape, inner = sides(frame, 0), sides(frame, 2)
    x = numba.carray(argument(frame, 0), (shape[0], shape[1]), np.float32)
    more = numba.carray(argument(frame, 1), (sides(frame, 1)[0], shape[1]), np.float32)
    w = numba.carray(argument(frame, 2), (inner[0], inner[1]), np.float32)
    levels = numba.carray(argument(frame, 3), 2, np.float32)
    plan = numba.carray(argument(frame, 4), 2, np.int32)
    transposed, turned = plan[0] == 1, plan[1] == 1
    sizes = (shape[1] if transposed else shape[0], inner[0] if turned else inner[1])
    _product(x, more, w, transposed, turned, levels, numba.carray(result(frame, 0), sizes, np.float32))
    return 0
