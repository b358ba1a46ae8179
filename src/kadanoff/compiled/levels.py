"""Draws of independent units of two levels in given fields, the random words made on the way."""

from typing import no_type_check

import numba
import numpy as np

from kadanoff.compiled.elementary import exp, uniform
from kadanoff.compiled.frames import Work, argument, result, side_of
from kadanoff.compiled.functions import compiled
from kadanoff.compiled.sweeps import INCREMENT, MULTIPLIER, hashed

__all__ = ["draw_plan", "level_draws"]

_SITES = 8  # hashes whose words draw 32 units that stand beside one another
_ROWS = 16  # that are drawn at once: the steps of one hash wait for one another
_WORTH = 1 << 13  # draws that are worth waking a thread


@compiled
@no_type_check
def _draw(fields, r, low, high, key, begin, end, out):  # pragma: no cover - compiled
    """Draw rows begin to end as `kadanoff.random.uniforms` would from the same key."""
    z0 = np.uint32(np.uint32(key[0] * MULTIPLIER) + INCREMENT)
    w0 = np.uint32(np.uint32(key[1] * MULTIPLIER) + INCREMENT)
    lanes, units = _ROWS * _SITES, fields.shape[1]
    site, sample = np.empty(lanes, np.uint32), np.empty(lanes, np.uint32)
    for lane in range(lanes):
        site[lane] = np.uint32(np.uint32(np.uint32(lane % _SITES) * MULTIPLIER) + INCREMENT)
        sample[lane] = np.uint32(np.uint32(np.uint32(lane // _SITES) * MULTIPLIER) + INCREMENT)
    words, chance = np.empty((4, lanes), np.uint32), np.zeros(4 * lanes, np.float32)
    for top in range(begin, end, _ROWS):
        rows, down = min(_ROWS, end - top), np.uint32(np.uint32(top) * MULTIPLIER)
        for column in range(0, units, 4 * _SITES):
            along = np.uint32(np.uint32(column // 4) * MULTIPLIER)
            for lane in range(lanes):
                found = hashed(np.uint32(site[lane] + along), np.uint32(sample[lane] + down), z0, w0)
                words[0, lane], words[1, lane], words[2, lane], words[3, lane] = found
            width = min(4 * _SITES, units - column)
            offset = r[column : column + width]
            for row in range(rows):
                into, given = chance[4 * _SITES * row :], fields[top + row, column : column + width]
                for i in range(width):
                    into[i] = given[i] - offset[i]
            for lane in range(4 * lanes):
                h = (high - low) * chance[lane]
                odds = exp(-abs(h))
                likely = np.float32(1) / (np.float32(1) + odds)
                chance[lane] = likely if h >= 0 else odds * likely
            for row in range(rows):
                drawn = out[top + row, column : column + width]
                for k in range(4):
                    into, word = drawn[k * _SITES :], words[k, row * _SITES :]
                    likely = chance[(4 * row + k) * _SITES :]
                    for i in range(min(_SITES, len(into))):
                        into[i] = high if uniform(word[i]) < likely[i] else low


@no_type_check
def level_draws(frame, scratch, stage, task, count):  # pragma: no cover - compiled
    """Draw some of the samples, a kernel of `foreign.call`.

    Arguments are fields (sample, unit), r, the key, and both levels.
    """
    samples, units = side_of(frame, 0, 0), side_of(frame, 0, 1)
    fields = numba.carray(argument(frame, 0), (samples, units), np.float32)
    r = numba.carray(argument(frame, 1), units, np.float32)
    key = numba.carray(argument(frame, 2), 2, np.uint32)
    levels = numba.carray(argument(frame, 3), 2, np.float32)
    out = numba.carray(result(frame, 0), (samples, units), np.float32)
    size = ((samples + count - 1) // count + _ROWS - 1) // _ROWS * _ROWS
    begin, end = min(task * size, samples), min((task + 1) * size, samples)
    _draw(fields, r, levels[0], levels[1], key, begin, end, out)
    return 0


def draw_plan(size: int, threads: int) -> Work:
    """Plan as many draws: a task for every thread that they are worth."""
    workers = max(min(threads, size // _WORTH), 1)
    return Work(workers, workers > 1)
