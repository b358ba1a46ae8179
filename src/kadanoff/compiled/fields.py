"""Sums over the sites of fields that every measurement takes, in one pass: without arrays of their terms.

XLA writes the terms of each sum into memory of their own, which takes four to seven times as long.
"""

import math
from typing import no_type_check

import numba
import numpy as np

from kadanoff.compiled.frames import Work, argument, result, side_of, sides, view
from kadanoff.compiled.functions import OPTIONS

__all__ = ["field_plan", "field_sums"]

_WORTH = 1 << 14  # sites that are worth waking threads
_PARTS = 6  # numbers that are kept for a row


@numba.njit(nogil=True, fastmath={"reassoc", "nsz"}, **OPTIONS)
@no_type_check
def _sum_row(fields, row, near, wave, parts):  # pragma: no cover - compiled
    """Sum terms, rounded as single precision is elsewhere, in double precision: in whatever order makes vectors."""
    first, second, fourth, pairs, even, odd = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(len(near)):
        x = fields[row, i]
        square = x * x
        first += x
        second += square
        fourth += square * square
        pairs += x * near[i]
        even += np.float64(x) * wave[0, i]
        odd += np.float64(x) * wave[1, i]
    parts[row, 0], parts[row, 1], parts[row, 2] = first, second, fourth
    parts[row, 3], parts[row, 4], parts[row, 5] = pairs, even, odd


@no_type_check
def field_sums(frame, scratch, stage, task, count):  # pragma: no cover - compiled
    """Sum phi, phi^2, phi^4 and phi times its forward neighbours, and give the structure factor, of every field.

    A kernel of `foreign.call` by `field_plan`. Arguments are the fields (config, *lattice), and cosine and sine (2, L)
    along the longest side L; results (config) are each sum and what it lacks, in this order, and the structure factor:
    |sum_x phi_x exp(i k x)|^2 / V at the smallest momentum, averaged over the longest axes. Sums do not depend on how
    rows are shared: first each is summed, then those of a field are.
    """
    shape = sides(frame, 0)
    last = len(shape) - 1
    number, width, rows = shape[0], shape[last], 1
    for axis in range(1, last):
        rows *= shape[axis]
    fields = numba.carray(argument(frame, 0), (number * rows, width), np.float32)
    wave = numba.carray(argument(frame, 1), (2, side_of(frame, 1, 1)), np.float32)
    parts = numba.carray(view(scratch), (number * rows, _PARTS), np.float64)
    if stage == 0:
        near = np.empty(width, np.float32)
        for row in range(task * number * rows // count, (task + 1) * number * rows // count):
            for i in range(width):
                near[i] = 0
            stride = rows
            for axis in range(1, last):  # neighbours at x + e_mu, the axes in their order
                stride //= shape[axis]
                place = row // stride % shape[axis]
                other = row + stride if place + 1 < shape[axis] else row - place * stride
                for i in range(width):
                    near[i] += fields[other, i]
            for i in range(width - 1):
                near[i] += fields[row, i + 1]
            near[width - 1] += fields[row, 0]
            _sum_row(fields, row, near, wave, parts)
        return 0
    for field in range(task * number // count, (task + 1) * number // count):
        begin, stride, axes, power = field * rows, rows, 0, 0.0
        for k in range(4):
            whole = 0.0
            for row in range(begin, begin + rows):
                whole += parts[row, k]
            high = np.float32(whole)
            numba.carray(result(frame, 2 * k), number, np.float32)[field] = high
            numba.carray(result(frame, 2 * k + 1), number, np.float32)[field] = np.float32(whole - high)
        for axis in range(1, last + 1):
            stride = stride // shape[axis] if axis < last else 1
            if shape[axis] == wave.shape[1]:
                even, odd = 0.0, 0.0
                for row in range(begin, begin + rows):
                    place = row // stride % shape[axis]
                    even += parts[row, 0] * wave[0, place] if axis < last else parts[row, 4]
                    odd += parts[row, 0] * wave[1, place] if axis < last else parts[row, 5]
                axes, power = axes + 1, power + even * even + odd * odd
        numba.carray(result(frame, 8), number, np.float32)[field] = power / (rows * width * axes)
    return 0


def field_plan(shape: tuple[int, ...], threads: int) -> Work:
    """Plan sums of fields (config, *lattice): some rows for every thread, if they are worth it."""
    volume = math.prod(shape)
    shared = threads > 1 and volume >= _WORTH
    return Work(threads if shared else 1, shared, stages=2, scratch=8 * _PARTS * (volume // shape[-1]))
