"""Sums over the sites of fields that every measurement takes, in one pass: without arrays of their terms.

XLA writes the terms of each sum into memory of their own, which takes ten times as long.
"""

import math
from typing import no_type_check

import numba
import numpy as np

from kadanoff.compiled.frames import Work, argument, result, side_of, sides, view
from kadanoff.compiled.functions import OPTIONS, compiled

__all__ = ["field_plan", "field_sums"]

_WORTH = 1 << 14  # sites that are worth waking threads
_PARTS = 6  # numbers that are kept for a row


@numba.njit(nogil=True, fastmath={"reassoc", "nsz"}, **OPTIONS)
@no_type_check
def _sum_row(row, near, wave, parts):  # pragma: no cover - compiled
    """Sum terms, rounded as single precision is elsewhere, in double precision: in whatever order makes vectors."""
    first, second, fourth, pairs, even, odd = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(len(row)):
        square = row[i] * row[i]
        first += row[i]
        second += square
        fourth += square * square
        pairs += row[i] * near[i]
        even += np.float64(row[i]) * wave[0, i]
        odd += np.float64(row[i]) * wave[1, i]
    parts[0], parts[1], parts[2], parts[3], parts[4], parts[5] = first, second, fourth, pairs, even, odd


@compiled
@no_type_check
def _forward(fields, shape, row, near):  # pragma: no cover - compiled
    """Sum the neighbours at x + e_mu of a row of sites, the axes in their order."""
    for i in range(len(near)):
        near[i] = 0
    stride = 1
    for side in shape[1:-1]:
        stride *= side
    for side in shape[1:-1]:
        stride //= side
        place = row // stride % side
        other = row + stride if place + 1 < side else row - place * stride
        for i in range(len(near)):
            near[i] += fields[other, i]
    last = len(near) - 1
    for i in range(last):
        near[i] += fields[row, i + 1]
    near[last] += fields[row, 0]


@compiled
@no_type_check
def _power(parts, shape, wave):  # pragma: no cover - compiled
    """|sum_x phi_x exp(i k x)|^2 / V of a field at the smallest momentum, averaged over the longest axes."""
    stride, axes, power = len(parts), 0, 0.0
    for axis in range(1, len(shape)):
        side = shape[axis]
        last = axis == len(shape) - 1
        stride = stride if last else stride // side
        if side < wave.shape[1]:
            continue
        even, odd = 0.0, 0.0
        for row in range(len(parts)):
            place = row // stride % side
            even += parts[row, 4] if last else parts[row, 0] * wave[0, place]
            odd += parts[row, 5] if last else parts[row, 0] * wave[1, place]
        axes, power = axes + 1, power + even * even + odd * odd
    return power / (len(parts) * shape[-1] * axes)


@no_type_check
def field_sums(frame, scratch, stage, task, count):  # pragma: no cover - compiled
    """Sum phi, phi^2, phi^4 and phi times its forward neighbours, and give the structure factor, of every field.

    A kernel of `foreign.call` by `field_plan`. Arguments are the fields (config, *lattice), and cosine and sine (2, L)
    along the longest side L; results (config) are each sum and what it lacks, in this order, and the structure factor.
    Sums do not depend on how rows are shared: first each is summed, then those of a field are.
    """
    shape = sides(frame, 0)
    rows, width = 1, shape[-1]
    for side in shape[1:-1]:
        rows *= side
    total = shape[0] * rows
    fields = numba.carray(argument(frame, 0), (total, width), np.float32)
    wave = numba.carray(argument(frame, 1), (2, side_of(frame, 1, 1)), np.float32)
    parts = numba.carray(view(scratch), (total, _PARTS), np.float64)
    if stage == 0:
        near = np.empty(width, np.float32)
        for row in range(task * total // count, (task + 1) * total // count):
            _forward(fields, shape, row, near)
            _sum_row(fields[row], near, wave, parts[row])
        return 0
    for field in range(task * shape[0] // count, (task + 1) * shape[0] // count):
        own = parts[field * rows : (field + 1) * rows]
        for k in range(4):
            whole = 0.0
            for row in range(rows):
                whole += own[row, k]
            high = np.float32(whole)
            numba.carray(result(frame, 2 * k), shape[0], np.float32)[field] = high
            numba.carray(result(frame, 2 * k + 1), shape[0], np.float32)[field] = np.float32(whole - high)
        numba.carray(result(frame, 8), shape[0], np.float32)[field] = _power(own, shape, wave)
    return 0


def field_plan(shape: tuple[int, ...], threads: int) -> Work:
    """Plan sums of fields (config, *lattice): some rows for every thread, if they are worth it."""
    volume = math.prod(shape)
    shared = threads > 1 and volume >= _WORTH
    return Work(threads if shared else 1, shared, stages=2, scratch=8 * _PARTS * (volume // shape[-1]))
