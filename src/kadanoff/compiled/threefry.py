"""Words of Threefry-2x32 with 20 rounds, for many keys at once: what keys are split into, and random bits."""

from typing import no_type_check

import numba
import numpy as np

from kadanoff.compiled.frames import Work, argument, form_of, result, result_sides, sides

__all__ = ["threefry_words", "words_plan"]

_LANES = 64  # counts of a round together: were they fewer, LLVM would unroll them and make no vectors
_WORTH = 1 << 14  # counts that are worth waking threads
_PARITY = np.uint32(0x1BD11BDA)
_ROTATIONS = np.array([13, 15, 26, 6, 17, 29, 16, 24], np.uint32)


@no_type_check
def threefry_words(frame, scratch, stage, task, count):  # pragma: no cover - compiled
    """Hash counts under keys, a kernel of `foreign.call` by `words_plan`.

    Arguments are keys (..., 2) and the first count of each (..., 1); the form is how many words a count gives: two,
    the results being (..., n, 2), or one, their exclusive or (..., n).
    """
    rows, size = 1, 1
    for side in sides(frame, 1):
        rows *= side
    for side in result_sides(frame, 0):
        size *= side
    words = form_of(frame)
    length = size // (rows * words)
    given = numba.carray(argument(frame, 0), 2 * rows, np.uint32)
    first = numba.carray(argument(frame, 1), rows, np.uint32)
    out = numba.carray(result(frame, 0), size, np.uint32)
    room = np.empty((2, _LANES), np.uint32)  # what is written here keeps its lower 32 bits
    x, y = room[0], room[1]
    parts = (length + _LANES - 1) // _LANES
    for part in range(task, rows * parts, count):
        row, begin = part // parts, part % parts * _LANES
        one, two = given[2 * row], given[2 * row + 1]
        three = one ^ two ^ _PARITY
        for lane in range(_LANES):
            x[lane] = one
            y[lane] = first[row] + begin + lane + two
        for turn in range(20):
            left = _ROTATIONS[turn % 8]
            for lane in range(_LANES):
                x[lane] += y[lane]
                y[lane] = x[lane] ^ (y[lane] << left | y[lane] >> (32 - left))
            if turn % 4 == 3:  # a block of four is done
                one, two, three = two, three, one
                for lane in range(_LANES):
                    x[lane] += one
                    y[lane] += two + turn // 4 + 1
        place = words * (row * length + begin)
        for lane in range(min(_LANES, length - begin)):
            out[place + words * lane + words - 1] = y[lane]
            out[place + words * lane] = x[lane] ^ (y[lane] * (2 - words))
    return 0


def words_plan(size: int, threads: int, words: int) -> Work:
    """Plan as many words, one or two a count: a task for every thread if they are worth it."""
    shared = threads > 1 and size >= _WORTH
    return Work(threads if shared else 1, shared, form=words)
