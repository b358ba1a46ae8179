"""Draws of independent quartic units, each with couplings of its own, in given fields."""

from typing import no_type_check

import numba
import numpy as np

from kadanoff.compiled.elementary import cos_sin, exp, log
from kadanoff.compiled.frames import Work, argument, result, side_of
from kadanoff.compiled.functions import compiled, inlined
from kadanoff.compiled.rows import open_uniform, trial
from kadanoff.compiled.sweeps import INCREMENT, MULTIPLIER, random_row

__all__ = ["of_couplings", "quartic_redraws", "redraw_plan", "redraw_row"]

_WORTH = 1 << 12  # draws that are worth waking a thread
# Newton steps: any envelope makes draws exact whose mode is, a near one makes them quick.
_MODE_STEPS, _PRECISION_STEPS = 6, 4
_TINY = np.float32(np.finfo(np.float32).tiny)
_F = np.float32


@inlined
@no_type_check
def _cube_root(x):  # pragma: no cover - compiled
    """x^(1/3) for x >= 0, to start an iteration."""
    third = log(max(x, _TINY)) * _F(1 / 3)
    root = exp(-abs(third))
    return root if third < 0 else _F(1) / root


@inlined
@no_type_check
def _mode(h, a, b, well, slope, cubic):  # pragma: no cover - compiled
    """See `kadanoff.quartic.modes.upper_mode`; `cubic` is the root of h/(4 b)."""
    mode = well + min(h / slope, cubic)
    for _ in range(_MODE_STEPS):
        square = b * mode * mode
        curvature = _F(12) * square + _F(2) * a
        force = (_F(4) * square + _F(2) * a) * mode - h
        mode -= force / curvature if curvature > 0 else _F(0)
    return mode


@inlined
@no_type_check
def _hartree_precision(h, a, b, least, cubic):  # pragma: no cover - compiled
    source = b * h * h * _F(0.5)
    precision = least + _F(2) * b * cubic * cubic  # the root of the source
    for _ in range(_PRECISION_STEPS):
        value = ((precision - a) * precision - b) * precision - source
        precision -= value / ((_F(3) * precision - _F(2) * a) * precision - b)
    return precision


@inlined
@no_type_check
def of_couplings(a, b):  # pragma: no cover - compiled
    """The well, the slope at it, the least precision, and 1/(4 b), which `redraw_row` wants of every unit."""
    well = np.sqrt(-a / (_F(2) * b)) if a < 0 else _F(0)
    slope = max(_F(-4) * a if a < 0 else _F(2) * a, _TINY)
    return well, slope, max(a, _F(0)) + np.sqrt(b), _F(1) / (_F(4) * max(b, _TINY))


@compiled
@no_type_check
def redraw_row(x, held, fields, words, of_unit):  # pragma: no cover - compiled
    """Draw units into x, as `kadanoff.quartic.redraw` from the same words; return how many were drawn.

    `of_unit` are a, b and what `of_couplings` gives, of every unit. Arrays may be longer than x.
    """
    first, second, third, fourth = words[0], words[1], words[2], words[3]
    of_a, of_b, wells, slopes, leasts, quarters = of_unit
    zero, half, one, two, four = _F(0), _F(0.5), _F(1), _F(2), _F(4)
    count = np.int32(0)
    for i in range(len(x)):
        h, a, b, well, slope, least = abs(fields[i]), of_a[i], of_b[i], wells[i], slopes[i], leasts[i]
        cubic = _cube_root(h * quarters[i])
        mode, precision = _mode(h, a, b, well, slope, cubic), _hartree_precision(h, a, b, least, cubic)
        # One envelope for the whole line.
        ratio = h / (two * precision)
        square = ratio * ratio + half / precision if a > 0 else (precision - a) / (two * b)
        precision = a + two * b * square if a > 0 else precision
        root, centre = np.sqrt(square), h / (two * precision)
        apart, aside = mode * mode - square, mode - centre
        whole_mass = b * apart * apart + precision * aside * aside
        # Or one on each side.
        step = one / max(four * (a + _F(3) * b * mode * mode) * mode, _TINY)
        t = mode + step
        steepness = a + _F(3) * b * t * t
        upper = -step * (a + two * b * (mode * mode + mode * t + t * t)) / steepness
        shift = h / steepness
        odds = exp(-two * b * t * t * t * shift)
        aside = step + upper
        split_mass = b * mode * (mode + two * t) * step * step + steepness * aside * aside
        both = one + odds
        split = half * log(both * both * precision / steepness) < whole_mass - split_mass
        other = upper - shift
        upper, variance = (upper, half / steepness) if split else (centre - root, half / precision)
        t, q, below = (t, zero, odds / both) if split else (root, square, zero)
        radius = np.sqrt(-two * variance * log(open_uniform(first[i])))
        cosine, sine = cos_sin(open_uniform(second[i]))
        drawn, good = trial(radius * cosine, open_uniform(third[i]), upper, other, below, t, q, b, split)
        more, fine = trial(radius * sine, open_uniform(fourth[i]), upper, other, below, t, q, b, split)
        drawn = drawn if good else more
        drawn = drawn if fields[i] >= 0 else -drawn
        # What is no density makes the variance, and so the unit, NaN.
        x[i] = drawn if good | fine else held[i] + zero * variance
        count = np.int32(count + np.int32(good | fine))
    return count


@no_type_check
def quartic_redraws(frame, scratch, stage, task, count):  # pragma: no cover - compiled
    """Draw the units of some samples anew, a kernel of `foreign.call`.

    Arguments are what they hold (sample, unit), the fields, the key, and a and b of every unit.
    """
    samples, units = side_of(frame, 0, 0), side_of(frame, 0, 1)
    held = numba.carray(argument(frame, 0), (samples, units), np.float32)
    fields = numba.carray(argument(frame, 1), (samples, units), np.float32)
    key = numba.carray(argument(frame, 2), 2, np.uint32)
    a = numba.carray(argument(frame, 3), units, np.float32)
    b = numba.carray(argument(frame, 4), units, np.float32)
    out = numba.carray(result(frame, 0), (samples, units), np.float32)
    known, words = np.empty((4, units), np.float32), np.empty((4, units), np.uint32)
    columns, chains = np.empty(units, np.uint32), np.empty(units, np.uint32)
    for i in range(units):
        known[0, i], known[1, i], known[2, i], known[3, i] = of_couplings(a[i], b[i])
        columns[i], chains[i] = np.uint32(np.uint32(i) * MULTIPLIER), INCREMENT
    of_unit = (a, b, known[0], known[1], known[2], known[3])
    size = (samples + count - 1) // count
    for sample in range(min(task * size, samples), min((task + 1) * size, samples)):
        random_row(words, columns, chains, sample * units, key)
        redraw_row(out[sample], held[sample], fields[sample], words, of_unit)
    return 0


def redraw_plan(samples: int, units: int, threads: int) -> Work:
    """Plan the draws of a layer: a task for every thread that they are worth."""
    workers = max(min(threads, samples, samples * units // _WORTH), 1)
    return Work(workers, workers > 1)
