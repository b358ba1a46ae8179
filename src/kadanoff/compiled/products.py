"""Products with states of two levels, by sums looked up: one addition in place of four multiplications.

Four states in a row have sixteen patterns. The sums of four rows of the other matrix, one for every pattern, are made
once and serve all samples. Sums are those of float32, in another order than a library of linear algebra takes.

Source: V. L. Arlazarov, E. A. Dinic, M. A. Kronrod, I. A. Faradzhev, Soviet Math. Dokl. 11 (1970) 1209.
"""

from typing import no_type_check

import numba
import numpy as np

from kadanoff.compiled.frames import Work, argument, form_of, result, side_of
from kadanoff.compiled.functions import compiled
from kadanoff.compiled.vectors import PATTERNS, ROWS, WIDTH, accumulate, sum_up, turn

__all__ = ["product_plan", "state_products"]

_GROUPS = 16  # tables that stay in the first cache


@compiled
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


@compiled
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


@compiled
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


@compiled
@no_type_check
def _aligned(rows):  # pragma: no cover - compiled
    """Memory for rows of `WIDTH` numbers, one behind the other: no vector lies in two lines of the cache."""
    memory = np.empty(rows * WIDTH + 16, np.float32)
    skip = (-memory.ctypes.data % 64) // 4
    return memory[skip : skip + rows * WIDTH]


@compiled
@no_type_check
def _sums(
    patterns, stride, step, w, turned, copied, column, levels, panel, table, total
):  # pragma: no cover - compiled
    """Add `WIDTH` columns of the product, from `column` on, to `total`.

    The caller owns all arrays: one whose address alone is used here would be freed too early.
    """
    low, high, groups = levels[0], levels[1], ((w.shape[1] if turned else len(w)) + 3) // 4
    source = panel.ctypes.data if copied else w.ctypes.data + 4 * column
    pitch = 4 * (WIDTH if copied else w.shape[1])
    for begin in range(0, groups, _GROUPS):
        count = min(_GROUPS, groups - begin)
        for g in range(count):
            place = table.ctypes.data + 4 * g * PATTERNS * WIDTH
            sum_up(source + 4 * (begin + g) * pitch, pitch, low, high - low, place)
        for row in range(0, len(total) // WIDTH, ROWS):
            where = patterns.ctypes.data + row * stride + begin * step
            accumulate(table.ctypes.data, where, count, stride, step, total.ctypes.data + 4 * row * WIDTH)


@compiled
@no_type_check
def _plain(x, first, w, transposed, turned, column, total):  # pragma: no cover - compiled
    """Add `WIDTH` columns of the product of any numbers, x being samples `first` and on, to `total`."""
    width = min(WIDTH, (len(w) if turned else w.shape[1]) - column)
    for i in range(len(x)):
        for k in range(x.shape[1]):
            into, by = (k, first + i) if transposed else (i, k)
            for j in range(width):
                total[into * WIDTH + j] += x[i, k] * (w[column + j, by] if turned else w[by, column + j])


@no_type_check
def state_products(frame, scratch, stage, task, count):  # pragma: no cover - compiled
    """x w, or (x, more)^T w, by tiles of columns, a kernel of `foreign.call` by `product_plan`.

    Arguments are x (sample, unit), more samples (none unless x is transposed), w, and the lower and upper level of x;
    the form is 2 where x is to be transposed, and 1 more where w is. Every task packs the states for itself, which
    takes less time than waiting for one another; where one has another value than the levels, it multiplies plainly.
    """
    samples, units, others = side_of(frame, 0, 0), side_of(frame, 0, 1), side_of(frame, 1, 0)
    inner, outer = side_of(frame, 2, 0), side_of(frame, 2, 1)
    x = numba.carray(argument(frame, 0), (samples, units), np.float32)
    more = numba.carray(argument(frame, 1), (others, units), np.float32)
    w = numba.carray(argument(frame, 2), (inner, outer), np.float32)
    levels = numba.carray(argument(frame, 3), 2, np.float32)
    form = form_of(frame)
    transposed, turned = form >= 2, form % 2 == 1
    rows, columns = (units if transposed else samples), (inner if turned else outer)
    groups = ((outer if turned else inner) + 3) // 4
    # Rows are taken in fours: the patterns of those that are not there are summed too, and left.
    padded = (rows + ROWS - 1) // ROWS * ROWS
    low, high = levels[0], levels[1]
    # Zeros of the type that lengths have: others would make functions anew.
    if transposed:
        patterns = np.zeros((groups, padded), np.uint8)
        strange = _packed_columns(x, np.int64(0), low, high, patterns)
        strange += _packed_columns(more, len(x), low, high, patterns)
    else:
        patterns = np.zeros((padded, groups), np.uint8)
        strange = _packed(x, low, high, patterns)
    stride, step = (1, padded) if transposed else (groups, 1)
    panel, table, total = (
        np.zeros((4 * groups, WIDTH), np.float32),
        _aligned(_GROUPS * PATTERNS),
        _aligned(padded),
    )
    out = numba.carray(result(frame, 0), (rows, columns), np.float32)
    tiles = (columns + WIDTH - 1) // WIDTH
    size = (tiles + count - 1) // count
    for tile in range(min(task * size, tiles), min((task + 1) * size, tiles)):
        column = tile * WIDTH
        width = min(WIDTH, columns - column)
        for i in range(len(total)):
            total[i] = 0
        if strange > 0:
            _plain(x, np.int64(0), w, transposed, turned, column, total)
            _plain(more, len(x), w, transposed, turned, column, total)
        else:
            copied = turned or width < WIDTH or inner % 4 != 0
            if copied:
                _panel(w, turned, column, panel)
            _sums(patterns, stride, step, w, turned, copied, column, levels, panel, table, total)
        for row in range(rows):
            for i in range(width):
                out[row, column + i] = total[row * WIDTH + i]
    return 0


def product_plan(columns: int, threads: int, transposed: bool, turned: bool) -> Work:
    """Plan a product with as many columns: a task for every thread, which takes some tiles of them."""
    workers = max(min(threads, -(-columns // WIDTH)), 1)
    return Work(workers, workers > 1, form=2 * transposed + turned)
