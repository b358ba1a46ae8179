"""The loop of local updates that numba compiles for CPUs: one row of one colour after the other.

Checkerboard halves are separate arrays (row, half a row times chains) with the chains innermost, so that every loop
over a row is one of vector instructions without a branch. One hash gives the random numbers of several rows. The
compiler may fuse or reorder no operation: results do not depend on how chains and rows are shared among threads, nor
on the vectors of the machine.
"""

from typing import no_type_check

import numba
import numpy as np

from kadanoff.sampling.compiled.foreign import argument, asks_version, result, sides
from kadanoff.sampling.compiled.rows import update_row

__all__ = ["INCREMENT", "MULTIPLIER", "hashed", "random_row", "spin_sweeps", "sweeps"]

_compiled = numba.njit(error_model="numpy", nogil=True)
MULTIPLIER, INCREMENT, _HALF_WORD = np.uint32(1664525), np.uint32(1013904223), np.uint32(16)
_BLOCK = 64  # chains that are swept together
_WORTH = 1 << 16  # site updates that are worth waking a thread


@no_type_check
def sweeps(frame):  # pragma: no cover - compiled
    """Handle a call for sweeps of real fields."""
    return _sweeps(frame, np.empty(0, np.float32))


@no_type_check
def spin_sweeps(frame):  # pragma: no cover - compiled
    """Handle a call for sweeps of spins."""
    return _sweeps(frame, np.empty(0, np.int8))


@_compiled
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


@numba.njit(error_model="numpy", inline="always")
@no_type_check
def hashed(x, y, z, w):  # pragma: no cover - compiled
    """The four words of a site, as `kadanoff.random.site_words`; all come multiplied and incremented."""
    x, y, z, w = _mix(x, y, z, w)
    x, y = np.uint32(x ^ np.uint32(x >> _HALF_WORD)), np.uint32(y ^ np.uint32(y >> _HALF_WORD))
    z, w = np.uint32(z ^ np.uint32(z >> _HALF_WORD)), np.uint32(w ^ np.uint32(w >> _HALF_WORD))
    return _mix(x, y, z, w)


@numba.njit(error_model="numpy", inline="always")
@no_type_check
def _mix(x, y, z, w):  # pragma: no cover - compiled
    x = np.uint32(x + np.uint32(y * w))
    y = np.uint32(y + np.uint32(z * x))
    z = np.uint32(z + np.uint32(x * y))
    w = np.uint32(w + np.uint32(y * z))
    return x, y, z, w


@_compiled
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
        accepted += update_row(rule, own[row], around, words[part * need : (part + 1) * need], g)
    return accepted


@_compiled
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


@_compiled
@no_type_check
def _add(total, first, second):  # pragma: no cover - compiled
    for i in range(len(total)):
        total[i] = first[i] + second[i]


@_compiled
@no_type_check
def _add_to(total, more):  # pragma: no cover - compiled
    for i in range(len(total)):
        total[i] += more[i]


@_compiled
@no_type_check
def _parity(row, lead):  # pragma: no cover - compiled
    total = 0
    for axis in range(len(lead) - 1, -1, -1):
        total += row % lead[axis]
        row //= lead[axis]
    return total % 2


@_compiled
@no_type_check
def _pack(halves, fields, lead):  # pragma: no cover - compiled
    """Split fields (chain, row, column) into halves, as `kadanoff.sampling.local.pack`."""
    chains, rows, columns = fields.shape
    for row in range(rows):
        parity = _parity(row, lead)
        for chain in range(chains):
            for q in range(columns // 2):
                halves[0, row, q * chains + chain] = fields[chain, row, 2 * q + parity]
                halves[1, row, q * chains + chain] = fields[chain, row, 2 * q + 1 - parity]


@_compiled
@no_type_check
def _unpack(fields, halves, lead):  # pragma: no cover - compiled
    chains, rows, columns = fields.shape
    for row in range(rows):
        parity = _parity(row, lead)
        for chain in range(chains):
            for q in range(columns // 2):
                fields[chain, row, 2 * q + parity] = halves[0, row, q * chains + chain]
                fields[chain, row, 2 * q + 1 - parity] = halves[1, row, q * chains + chain]


@_compiled
@no_type_check
def _sweep_block(rule, need, kind, fields, swept, chains, lead, keys, g):  # pragma: no cover - compiled
    halves = np.empty((2, fields.shape[1], fields.shape[2] // 2 * fields.shape[0]), kind.dtype)
    _pack(halves, fields, lead)
    accepted = 0
    for half in range(len(keys)):
        accepted += _half_sweep(
            rule, need, halves, half % 2, np.int64(0), fields.shape[1], lead, chains, keys[half], g
        )
    _unpack(swept, halves, lead)
    return accepted


@_compiled
@no_type_check
def _task(
    rule, need, kind, fields, swept, chains, lead, keys, g, halves, stage, task, count
):  # pragma: no cover
    """A block of chains from begin to end; or, where there are halves, some rows of all chains in one half-sweep."""
    if halves.size == 0:
        size = (len(fields) + count - 1) // count
        some = slice(min(task * size, len(fields)), min((task + 1) * size, len(fields)))
        return _sweep_block(rule, need, kind, fields[some], swept[some], chains[some], lead, keys, g)
    rows = fields.shape[1]
    size = (rows + 4 * count - 1) // (4 * count) * 4
    begin, end = min(task * size, rows), min((task + 1) * size, rows)
    return _half_sweep(rule, need, halves, stage % 2, begin, end, lead, chains, keys[stage], g)


@numba.njit(error_model="numpy", nogil=True, parallel=True)
@no_type_check
def _tasks(
    rule, need, kind, fields, swept, chains, lead, keys, g, halves, stage, accepted
):  # pragma: no cover
    count = len(accepted)
    for task in numba.prange(count):
        accepted[task] += _task(
            rule, need, kind, fields, swept, chains, lead, keys, g, halves, stage, np.int64(task), count
        )


@_compiled
@no_type_check
def _sweeps(frame, kind):  # pragma: no cover - compiled
    """Sweep fields; `kind` is an empty array of the type of the halves.

    Arguments are fields, chain numbers, keys of half-sweeps, parameters of the rule, and a list of the rule, the
    random words that a site needs and the threads; results are the fields and the mean acceptance.
    """
    if asks_version(frame):
        return 0
    shape = sides(frame, 0)
    lead, rows = shape[1:-1], 1
    for side in lead:
        rows *= side
    fields = numba.carray(argument(frame, 0), (shape[0], rows, shape[-1]), np.float32)
    swept = numba.carray(result(frame, 0), (shape[0], rows, shape[-1]), np.float32)
    chains = numba.carray(argument(frame, 1), shape[0], np.uint32)
    keys = numba.carray(argument(frame, 2), (sides(frame, 2)[0], 2), np.uint32)
    g = numba.carray(argument(frame, 3), sides(frame, 3)[0], np.float32)
    plan = numba.carray(argument(frame, 4), 3, np.int32)
    rule, need = plan[0], plan[1]
    workers = min(plan[2], fields.size * len(keys) // _WORTH)
    by_rows = workers > 1 and len(fields) < 16 * workers
    halves = np.empty((2, rows if by_rows else 0, shape[-1] // 2 * len(fields)), kind.dtype)
    accepted = np.zeros(workers if by_rows else max(workers, len(fields) // _BLOCK, 1), np.int64)
    if by_rows:
        _pack(halves, fields, lead)
    for stage in range(len(keys) if by_rows else 1):
        if workers > 1:
            _tasks(rule, need, kind, fields, swept, chains, lead, keys, g, halves, stage, accepted)
        else:
            for task in range(len(accepted)):
                accepted[task] += _task(
                    rule, need, kind, fields, swept, chains, lead, keys, g, halves, stage, task, len(accepted)
                )
    if by_rows:
        _unpack(swept, halves, lead)
    rate = numba.carray(result(frame, 1), 1, np.float32)
    rate[0] = accepted.sum() / (fields.size // 2 * len(keys))
    return 0
