"""Compensated sums of many terms, in the order and to the last bit of `kadanoff.summation`."""

from typing import no_type_check

import numba
import numpy as np

from kadanoff.compiled.frames import Work, argument, result, result_sides, sides
from kadanoff.compiled.functions import compiled

__all__ = ["compensated_sums", "sum_plan"]

_WORTH = 1 << 14  # terms of all rows that are worth waking threads


@compiled
@no_type_check
def _fold_terms(high, low, left, right):  # pragma: no cover - compiled
    """Add pairs of terms: the sums, and what they lose."""
    for i in range(len(right)):
        total = left[i] + right[i]
        part = total - left[i]
        low[i] = (left[i] - (total - part)) + (right[i] - part)
        high[i] = total
    if len(left) > len(right):  # the one in the middle meets nothing
        high[len(right)], low[len(right)] = left[len(right)], 0


@compiled
@no_type_check
def _fold(high, low, left, right, left_low, right_low):  # pragma: no cover - compiled
    """Add pairs of sums, and what they lack already."""
    for i in range(len(right)):
        total = left[i] + right[i]
        part = total - left[i]
        low[i] = left_low[i] + right_low[i] + ((left[i] - (total - part)) + (right[i] - part))
        high[i] = total
    if len(left) > len(right):
        high[len(right)], low[len(right)] = left[len(right)], left_low[len(right)]


@no_type_check
def compensated_sums(frame, scratch, stage, task, count):  # pragma: no cover - compiled
    """Sum the last axes of the terms, as many as the results lack, by folding halves onto halves.

    A kernel of `foreign.call` by `sum_plan`; results are the sums and what they lack.
    """
    rows, size = 1, 1
    for side in result_sides(frame, 0):
        rows *= side
    for side in sides(frame, 0):
        size *= side
    size //= rows
    terms = numba.carray(argument(frame, 0), (rows, size), np.float32)
    sums = numba.carray(result(frame, 0), rows, np.float32)
    rests = numba.carray(result(frame, 1), rows, np.float32)
    half = (size + 1) // 2
    # What is read is not what is written: loops over overlapping arrays make no vectors.
    room = np.empty((4, half), np.float32)
    share = (rows + count - 1) // count
    for row in range(min(task * share, rows), min((task + 1) * share, rows)):
        high, low, other, other_low, many = room[0], room[1], room[2], room[3], half
        _fold_terms(high, low, terms[row, :half], terms[row, half:])
        while many > 1:
            middle = (many + 1) // 2
            _fold(other, other_low, high[:middle], high[middle:many], low[:middle], low[middle:many])
            high, low, other, other_low, many = other, other_low, high, low, middle
        sums[row], rests[row] = high[0], low[0]
    return 0


def sum_plan(threads: int) -> Work:
    """Plan sums of rows, of which nobody knows how many there will be: some for every thread, if they are worth it."""
    return Work(threads, _WORTH if threads > 1 else 0)
