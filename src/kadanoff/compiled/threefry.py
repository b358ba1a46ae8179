"""Words of Threefry-2x32 with 20 rounds, for many keys at once: what keys are split into, and random bits."""

from typing import no_type_check

import numba
import numpy as np

from kadanoff.compiled.frames import Work, argument, result, result_sides, sides

__all__ = ["threefry_words", "words_plan"]

_LANES = (
    64  # counts that go through a round together: fewer, and LLVM would unroll them instead of making vectors
)
_WORTH = 1 << 14  # counts that are worth waking threads
_PARITY = np.uint32(0x1BD11BDA)
_ROTATIONS = np.array([13, 15, 26, 6, 17, 29, 16, 24], np.uint32)
_WORD = np.uint32(32)


@numba.njit(error_model="numpy", nogil=True)
@no_type_check
def _rounds(keys, begin, x, y):  # pragma: no cover - compiled
    """Turn counts from `begin` on into words x and y."""
    for lane in range(_LANES):
        x[lane], y[lane] = keys[0], np.uint32(np.uint32(begin + np.uint32(lane)) + keys[1])
    for turn in range(20):
        left = _ROTATIONS[turn % 8]
        right = np.uint32(_WORD - left)
        for lane in range(_LANES):
            x[lane] += y[lane]
            y[lane] = x[lane] ^ np.uint32(np.uint32(y[lane] << left) | np.uint32(y[lane] >> right))
        if turn % 4 == 3:  # a block of four is done
            block = turn // 4 + 1
            one, other = keys[block % 3], np.uint32(keys[(block + 1) % 3] + np.uint32(block))
            for lane in range(_LANES):
                x[lane] += one
                y[lane] += other


@no_type_check
def threefry_words(frame, scratch, stage, task, count):  # pragma: no cover - compiled
    """Hash counts under keys, a kernel of `foreign.call`.

    Arguments are keys (..., 2), the first count of each (..., 1) and how many words a count gives (..., 1): two, the
    results being (..., n, 2), or one, their exclusive or (..., n).
    """
    rows, size = 1, 1
    for side in sides(frame, 1):
        rows *= side
    for side in result_sides(frame, 0):
        size *= side
    words = np.int64(numba.carray(argument(frame, 2), 1, np.uint32)[0])
    length = size // (rows * words)
    given = numba.carray(argument(frame, 0), 2 * rows, np.uint32)
    first = numba.carray(argument(frame, 1), rows, np.uint32)
    out = numba.carray(result(frame, 0), size, np.uint32)
    x, y, keys = np.empty(_LANES, np.uint32), np.empty(_LANES, np.uint32), np.empty(3, np.uint32)
    parts = (length + _LANES - 1) // _LANES
    for part in range(task, rows * parts, count):
        row, begin = part // parts, part % parts * _LANES
        keys[0], keys[1] = given[2 * row], given[2 * row + 1]
        keys[2] = keys[0] ^ keys[1] ^ _PARITY
        _rounds(keys, np.uint32(first[row] + np.uint32(begin)), x, y)
        for lane in range(min(_LANES, length - begin)):
            place = words * (row * length + begin + lane)
            out[place + words - 1] = y[lane]
            out[place] = x[lane] if words == 2 else x[lane] ^ y[lane]
    return 0


def words_plan(size: int, threads: int) -> Work:
    """Plan as many counts: a task for every thread if they are worth it."""
    return Work(threads, True) if threads > 1 and size >= _WORTH else Work(1, False)
