"""Draws of a conditional density in one pass from coarse fields to fine ones: networks, mixtures, random numbers."""

from typing import no_type_check

import numba
import numpy as np

from kadanoff.compiled.frames import Work, argument, result, run, side_of, sides, view
from kadanoff.compiled.functions import inlined
from kadanoff.compiled.layers import CHUNK, activate, add_lines, mixture_parameters
from kadanoff.compiled.mixtures import MIXTURES, mixture_rows
from kadanoff.compiled.sweeps import INCREMENT, MULTIPLIER
from kadanoff.compiled.vectors import LANES, SUMS

__all__ = ["density_draws", "draw_plan"]

_WORTH = 1 << 11  # coarse sites that are worth waking a thread
_F = np.float32


@inlined
@no_type_check
def _fill(into, inputs, coarse, fine, sites, within, parity):  # pragma: no cover - compiled
    """Fill a slice of inputs: the coarse field, and the blocks at sites of a parity; others are not drawn yet."""
    site, corner, odd = sites[0], sites[1], sites[2]
    for padded in range(len(site)):
        into[padded * inputs] = coarse[site[padded]]
        if inputs > 1:
            known = odd[padded] == parity
            for j in range(inputs - 1):
                into[padded * inputs + 1 + j] = fine[corner[padded] + within[j]] if known else _F(0)


@inlined
@no_type_check
def _integers(frame, number):  # pragma: no cover - compiled
    """A vector of integers among the arguments."""
    return numba.carray(argument(frame, number), side_of(frame, number, 0), np.int32)


@no_type_check
def density_draws(frame, scratch, stage, task, count):  # pragma: no cover - compiled
    """Draw the blocks of one colour at every stage, a kernel of `foreign.call` by `draw_plan`.

    Arguments are coarse fields (n, *sides) of even sides; their numbers; the parity of the first colour in each; keys
    (colour, key of `mixture_draws`); b, width and components; the temperature; and then for the first colour, and
    again for the second: the six tables of a `layout`, and weights, one matrix behind the other: of every layer (tap,
    channel), of the skip, and those of `mixture_parameters`. Channels come in multiples of LANES, parameters of SUMS.
    """
    shape, form = sides(frame, 0), _integers(frame, 4)
    n, width, components = np.int64(form[0]), np.int64(form[1]), np.int64(form[2])
    more = 6 + 7 * stage
    levels = numba.carray(argument(frame, more), (side_of(frame, more, 0), 10), np.int32)
    taps, lines, within = _integers(frame, more + 1), _integers(frame, more + 2), _integers(frame, more + 5)
    sites = numba.carray(argument(frame, more + 3), (3, side_of(frame, more + 3, 1)), np.int32)
    lattice = numba.carray(argument(frame, more + 4), (2, side_of(frame, more + 4, 1)), np.int32)
    all_weights = numba.carray(argument(frame, more + 6), 1, np.float32)
    first, half, groups = shape[1], lattice.shape[1], 1 + (n + 3) // 4
    area, volume = 2 * half, 2 * half * first
    coarse = numba.carray(argument(frame, 0), shape[0] * volume, np.float32)
    fine = numba.carray(result(frame, 0), shape[0] * volume * n, np.float32)
    numbers = numba.carray(argument(frame, 1), shape[0], np.uint32)
    parities = numba.carray(argument(frame, 2), shape[0], np.int32)
    keys = numba.carray(argument(frame, 3), (2, groups, 2), np.uint32)[stage]
    temperature = numba.carray(argument(frame, 5), 1, np.float32)

    inputs, padded = (1 if stage == 0 else 1 + n), (width + LANES - 1) // LANES * LANES
    layers = len(levels) - 1
    ends, reach, last = levels[layers], np.int64(levels[0, 3]), levels[layers - 1]
    # Rows of CHUNK numbers, then rings and hidden channels, in memory where no vector lies in two lines of the cache.
    means, many, draws = mixture_rows(n, components)
    seen = 2 * padded + inputs
    rows = seen + many + draws + 9
    held = np.zeros(rows * CHUNK + ends[2] + (half + CHUNK + SUMS) * padded + LANES + seen, np.float32)
    held = held[(-held.ctypes.data % (4 * LANES)) // 4 :]
    rings = held[rows * CHUNK :]
    base = np.int64(held.ctypes.data)  # `rings` owns what other types are seen by
    table = numba.carray(view(base), (rows, CHUNK), np.float32)
    integers = numba.carray(view(base + 4 * CHUNK * (rows - 6)), (6, CHUNK), np.uint32)
    features, parameters = table[:seen], table[seen : seen + many]
    drawn, columns, chains = table[seen + many :], integers[4], integers[5]
    plain = numba.carray(view(base + 4 * (len(held) - padded - inputs)), padded + inputs, np.int32)
    for i in range(len(plain)):
        plain[i] = 4 * i
    # Numbers of one type: others would make functions anew.
    zero, one, two = np.int64(0), np.int64(1), np.int64(2)
    ring, in_turn, weights = rings.ctypes.data, np.int64(plain.ctypes.data), all_weights.ctypes.data
    hidden, word, skip = ring + 4 * ends[2], taps.ctypes.data, weights + 4 * ends[6]
    head = skip + 4 * inputs * padded
    mixtures = np.empty(5, np.int64)  # see `mixture_draws`
    mixtures[0], mixtures[1], mixtures[2] = parameters.ctypes.data, keys.ctypes.data, temperature.ctypes.data
    mixtures[3], mixtures[4] = n, components

    share = (shape[0] * first + count - 1) // count
    begin, end = min(task * share, shape[0] * first), min((task + 1) * share, shape[0] * first)
    while begin < end:
        field = begin // first
        start, stop = begin - field * first, min(end - field * first, first)
        begin += stop - start
        own, made = coarse[field * volume :], fine[field * volume * n :]
        for i in range(CHUNK):
            chains[i] = np.uint32(np.uint32(numbers[field] * MULTIPLIER) + INCREMENT)
        for index in range(start - 2 * reach, stop):
            # Every level is as many slices ahead as the layers after it look.
            for level in range(layers):
                ahead = index + levels[level, 3]
                if ahead < start - levels[level, 3]:
                    continue
                now = levels[level]
                slot = rings[now[2] + ahead % now[0] * now[1] :]
                if level == 0:
                    row = ahead % first
                    parity = (parities[field] + row) % 2
                    _fill(slot, inputs, own[row * area :], made[row * area * n :], sites, within, parity)
                    continue
                before = levels[level - 1]
                words = word + 4 * (before[4] + ahead % before[0] * before[5])
                step = 4 * (inputs if level == 1 else padded)
                begins = lines[now[7] : now[7] + now[8]]
                source, matrix = ring + 4 * before[2], weights + 4 * before[6]
                number, length, into = np.int64(before[5]), np.int64(now[9]), np.int64(slot.ctypes.data)
                add_lines(words, number, source, begins, step, one, matrix, padded, zero, length, into)
                activate(slot[: now[8] * now[9] * padded])
            if index < start:
                continue
            # The last layer and the skip, at the sites to be drawn; what one line writes too much the next one mends.
            parity = (parities[field] + stage + index) % 2
            step, core = 4 * (inputs if layers == 1 else padded), rings[index % levels[0, 0] * levels[0, 1] :]
            words = word + 4 * (last[4] + index % last[0] * last[5])
            source, matrix = ring + 4 * last[2], weights + 4 * last[6]
            number, length, inside = np.int64(last[5]), np.int64(ends[9]), np.int64(core.ctypes.data)
            for line in range(ends[8]):
                begins, total = (
                    lines[ends[7] + parity * ends[8] + line :],
                    hidden + 4 * line * length * padded,
                )
                add_lines(words, number, source, begins[:1], step, two, matrix, padded, zero, length, total)
                begins, across = begins[2 * ends[8] :], 4 * inputs
                add_lines(in_turn, inputs, inside, begins[:1], across, two, skip, padded, one, length, total)
            drawn_slice = made[index * area * n :]
            for chunk in range(0, half, CHUNK):
                here = lattice[parity, chunk : chunk + CHUNK]
                for i in range(len(here)):
                    columns[i] = np.uint32(np.uint32(index * area + sites[0, here[i]]) * MULTIPLIER)
                for channel in range(inputs):
                    for i in range(len(here)):
                        features[2 * padded + channel, i] = core[here[i] * inputs + channel]
                found = hidden + 4 * chunk * padded
                mixture_parameters(found, padded, features, head, in_turn, means, parameters)
                run(MIXTURES, mixtures.ctypes.data, 0, 0, 0, 0)
                for j in range(n):
                    for i in range(len(here)):
                        drawn_slice[sites[1, here[i]] + within[j]] = drawn[j, i]
    return 0


def draw_plan(fields: int, slices: int, volume: int, threads: int) -> Work:
    """Plan the draws of all blocks: some slices of the coarse fields for each task, colour after colour."""
    workers = max(min(threads, fields * slices, fields * volume // _WORTH), 1)
    return Work(workers, workers > 1, stages=2)
