"""The loop of local updates that numba compiles for CPUs: one row of one colour after the other.

Checkerboard halves are separate arrays (row, half a row times chains) with the chains innermost, so that every loop
over a row is one of vector instructions without a branch. One hash gives the random numbers of several rows. The
compiler may fuse or reorder no operation: results do not depend on how chains and rows are shared among threads, nor
on the vectors of the machine.
"""

import math
from typing import no_type_check

import numba
import numpy as np

from kadanoff.compiled.frames import Work, argument, result, side_of, sides, view
from kadanoff.compiled.functions import compiled, inlined
from kadanoff.compiled.rows import (
    heat_bath_row,
    metropolis_row,
    spin_heat_bath_row,
    spin_metropolis_row,
)

__all__ = ["INCREMENT", "MULTIPLIER", "RULES", "hashed", "plan", "random_row"]

MULTIPLIER, INCREMENT, _HALF_WORD = np.uint32(1664525), np.uint32(1013904223), np.uint32(16)
_BLOCK = 64  # chains that are swept together
_WORTH = 1 << 16  # site updates that are worth waking a thread


@compiled
@no_type_check
def random_row(words, columns, chains, row, key):  # pragma: no cover - compiled
    """Fill words (4, width) as `kadanoff.random.site_words` does, with sites `row` + column.

    `columns` come multiplied, `chains` multiplied and incremented, as the hash begins.
    """
    first, second, third, fourth = words[0], words[1], words[2], words[3]
    shift = np.uint32(np.uint32(np.uint32(row) * MULTIPLIER) + INCREMENT)
    z0 = np.uint32(np.uint32(key[0] * MULTIPLIER) + INCREMENT)
    w0 = np.uint32(np.uint32(key[1] * MULTIPLIER) + INCREMENT)
    for i in range(len(columns)):
        first[i], second[i], third[i], fourth[i] = hashed(np.uint32(columns[i] + shift), chains[i], z0, w0)


@inlined
@no_type_check
def hashed(x, y, z, w):  # pragma: no cover - compiled
    """The four words of a site, as `kadanoff.random.site_words`; all come multiplied and incremented."""
    x, y, z, w = _mix(x, y, z, w)
    x, y = np.uint32(x ^ np.uint32(x >> _HALF_WORD)), np.uint32(y ^ np.uint32(y >> _HALF_WORD))
    z, w = np.uint32(z ^ np.uint32(z >> _HALF_WORD)), np.uint32(w ^ np.uint32(w >> _HALF_WORD))
    return _mix(x, y, z, w)


@inlined
@no_type_check
def _mix(x, y, z, w):  # pragma: no cover - compiled
    x = np.uint32(x + np.uint32(y * w))
    y = np.uint32(y + np.uint32(z * x))
    z = np.uint32(z + np.uint32(x * y))
    w = np.uint32(w + np.uint32(y * z))
    return x, y, z, w


@inlined
@no_type_check
def _half_sweep(rule, need, halves, colour, begin, end, lead, chains, key, g):  # pragma: no cover - compiled
    """Update rows begin to end of one colour; `begin` is a multiple of four."""
    width = halves.shape[2]
    columns = width // len(chains)
    column, chain = np.empty(width, np.uint32), np.empty(width, np.uint32)
    for q in range(columns):
        for i in range(len(chains)):
            column[q * len(chains) + i] = np.uint32(np.uint32(q) * MULTIPLIER)
            chain[q * len(chains) + i] = np.uint32(np.uint32(chains[i] * MULTIPLIER) + INCREMENT)
    words, around = np.empty((4, width), np.uint32), np.empty(width, halves.dtype)
    own, other = halves[colour], halves[1 - colour]
    share, accepted = 4 // need, 0
    for row in range(begin, end):
        part = row % share
        if part == 0:
            random_row(words, column, chain, row // share * columns, key)
        _sum_neighbours(around, other, row, colour, lead, len(chains))
        accepted += rule(own[row], around, words[part * need : (part + 1) * need], g)
    return accepted


@inlined
@no_type_check
def _sum_neighbours(around, other, row, colour, lead, chains):  # pragma: no cover - compiled
    shift = chains if _parity(row, lead) != colour else len(around) - chains
    beside, rest = other[row], len(around) - shift
    _add(around[:rest], beside[:rest], beside[shift:])
    _add(around[rest:], beside[rest:], beside[:shift])
    stride = len(other)
    for axis in range(len(lead)):
        side = lead[axis]
        stride //= side
        x = row // stride % side
        _add_to(around, other[row + ((x + side - 1) % side - x) * stride])
        _add_to(around, other[row + ((x + 1) % side - x) * stride])


@compiled
@no_type_check
def _add(total, first, second):  # pragma: no cover - compiled
    for i in range(len(total)):
        total[i] = first[i] + second[i]


@compiled
@no_type_check
def _add_to(total, more):  # pragma: no cover - compiled
    for i in range(len(total)):
        total[i] += more[i]


@compiled
@no_type_check
def _parity(row, lead):  # pragma: no cover - compiled
    total = 0
    for axis in range(len(lead) - 1, -1, -1):
        total += row % lead[axis]
        row //= lead[axis]
    return total % 2


@inlined
@no_type_check
def _pack(halves, fields, lead, begin, end):  # pragma: no cover - compiled
    """Split rows of fields (chain, row, column) into halves, as `kadanoff.sampling.local.pack`."""
    chains, _, columns = fields.shape
    for row in range(begin, end):
        parity = _parity(row, lead)
        for chain in range(chains):
            for q in range(columns // 2):
                halves[0, row, q * chains + chain] = fields[chain, row, 2 * q + parity]
                halves[1, row, q * chains + chain] = fields[chain, row, 2 * q + 1 - parity]


@inlined
@no_type_check
def _unpack(fields, halves, lead, begin, end):  # pragma: no cover - compiled
    chains, _, columns = fields.shape
    for row in range(begin, end):
        parity = _parity(row, lead)
        for chain in range(chains):
            for q in range(columns // 2):
                fields[chain, row, 2 * q + parity] = halves[0, row, q * chains + chain]
                fields[chain, row, 2 * q + 1 - parity] = halves[1, row, q * chains + chain]


@inlined
@no_type_check
def _sweep(rule, need, kind, frame, scratch, stage, task, count):  # pragma: no cover - compiled
    """Sweep a block of chains; or, with scratch memory for the halves, some rows of all chains in one half-sweep.

    Arguments are fields, chain numbers, keys of half-sweeps and parameters of the rule; results are the fields and the
    mean acceptance. With scratch memory the first stage fills the halves, and the one after the last empties them.
    """
    shape, rows = sides(frame, 0), 1
    lead, columns, half_sweeps = shape[1:-1], shape[len(shape) - 1], side_of(frame, 2, 0)
    for side in lead:
        rows *= side
    keys = numba.carray(argument(frame, 2), (half_sweeps, 2), np.uint32)
    g = numba.carray(argument(frame, 3), side_of(frame, 3, 0), np.float32)
    first, last, begin, end, now, then = np.int64(0), shape[0], np.int64(0), rows, np.int64(0), half_sweeps
    if scratch == 0:
        size = (shape[0] + count - 1) // count
        first, last = min(task * size, shape[0]), min((task + 1) * size, shape[0])
        halves = np.empty((2, rows, columns // 2 * (last - first)), kind)
    else:
        size = (rows + 4 * count - 1) // (4 * count) * 4
        begin, end = min(task * size, rows), min((task + 1) * size, rows)
        now, then = max(stage - 1, 0), min(stage, half_sweeps)
        halves = numba.carray(view(scratch), (2, rows, columns // 2 * shape[0]), kind)
    chains = numba.carray(argument(frame, 1), shape[0], np.uint32)[first:last]
    if stage == 0:
        fields = numba.carray(argument(frame, 0), (shape[0], rows, columns), np.float32)
        _pack(halves, fields[first:last], lead, begin, end)
    accepted = 0
    for half in range(now, then):
        accepted += _half_sweep(rule, need, halves, half % 2, begin, end, lead, chains, keys[half], g)
    if scratch == 0 or stage > half_sweeps:
        swept = numba.carray(result(frame, 0), (shape[0], rows, columns), np.float32)
        _unpack(swept[first:last], halves, lead, begin, end)
    return accepted


@no_type_check
def metropolis(frame, scratch, stage, task, count):  # pragma: no cover - compiled
    """Metropolis updates of real fields, a kernel of `foreign.call`."""
    return _sweep(metropolis_row, 2, np.float32, frame, scratch, stage, task, count)


@no_type_check
def heat_bath(frame, scratch, stage, task, count):  # pragma: no cover - compiled
    """Heat-bath updates of real fields."""
    return _sweep(heat_bath_row, 4, np.float32, frame, scratch, stage, task, count)


@no_type_check
def spin_metropolis(frame, scratch, stage, task, count):  # pragma: no cover - compiled
    """Metropolis updates of spins."""
    return _sweep(spin_metropolis_row, 1, np.int8, frame, scratch, stage, task, count)


@no_type_check
def spin_heat_bath(frame, scratch, stage, task, count):  # pragma: no cover - compiled
    """Heat-bath updates of spins."""
    return _sweep(spin_heat_bath_row, 1, np.int8, frame, scratch, stage, task, count)


#: Kernels by the names of their rules.
RULES = {
    "metropolis": metropolis,
    "heat bath": heat_bath,
    "spin metropolis": spin_metropolis,
    "spin heat bath": spin_heat_bath,
}


def plan(rule: str, shape: tuple[int, ...], half_sweeps: int, threads: int) -> Work:
    """Plan how threads share half-sweeps of fields (chain, *lattice).

    They take blocks of chains; or, where there are few, rows of all of them, half-sweep by half-sweep.
    """
    chains, volume = shape[0], math.prod(shape[1:])
    workers = min(threads, chains * volume * half_sweeps // _WORTH)
    if workers > 1 and chains < 16 * workers:
        scratch = volume * chains * (1 if "spin" in rule else 4)
        return Work(workers, True, half_sweeps + 2, scratch, half_sweeps // 2)
    return Work(max(workers, chains // _BLOCK, 1), workers > 1, sweeps=half_sweeps // 2)
