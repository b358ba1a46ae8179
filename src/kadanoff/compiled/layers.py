"""Layers of a network: sums of taps, laid out by `layout`, hyperbolic tangents, and the mixtures that they make."""

from typing import no_type_check

import numba
import numpy as np

from kadanoff.compiled.frames import view
from kadanoff.compiled.functions import compiled, inlined
from kadanoff.compiled.vectors import LANES, SUMS, multiply_add, turn

__all__ = ["CHUNK", "activate", "add_lines", "mixture_parameters"]

CHUNK = 128  #: blocks that are drawn at once

_F = np.float32


@inlined
@no_type_check
def _tanh(x):  # pragma: no cover - compiled
    """The hyperbolic tangent, to a few units of the last place.

    Source: the rational approximation, of degree 13 over degree 6, in the library Eigen.
    """
    x = min(max(x, _F(-7.90531110763549805)), _F(7.90531110763549805))
    square = x * x
    p = _F(-2.76076847742355e-16)
    p = p * square + _F(2.00018790482477e-13)
    p = p * square + _F(-8.60467152213735e-11)
    p = p * square + _F(5.12229709037114e-08)
    p = p * square + _F(1.48572235717979e-05)
    p = p * square + _F(6.37261928935436e-04)
    p = p * square + _F(4.89352455891786e-03)
    q = _F(1.19825839466702e-06)
    q = q * square + _F(1.18534705686654e-04)
    q = q * square + _F(2.26843463243900e-03)
    q = q * square + _F(4.89352518554385e-03)
    return x * p / q


@compiled
@no_type_check
def activate(values):  # pragma: no cover - compiled
    """Replace values by their hyperbolic tangents."""
    for i in range(len(values)):
        values[i] = _tanh(values[i])


@compiled
@no_type_check
def add_lines(
    taps, count, source, lines, step, stride, weights, width, more, length, total
):  # pragma: no cover - compiled
    """Sum `count` taps for lines of `length` sites on top of `more` (1 or 0) times `total` (line, site, width).

    Addresses begin where something is: `taps`, `source` (from where `lines` count, in sites), `weights` (tap, width)
    and `total`. Sites of the source lie `step` bytes apart, of which every `stride`-th is summed for. Up to SUMS - 1
    sites too many are written behind a line.
    """
    pitch, apart = 4 * width, step * stride
    for line in range(len(lines)):
        place = source + lines[line] * step
        into = total + line * length * pitch
        for site in range(0, length, SUMS):
            for column in range(0, pitch, 4 * LANES):
                sums = into + site * pitch + column
                multiply_add(
                    taps,
                    count,
                    place + site * apart,
                    apart,
                    weights + column,
                    pitch,
                    more * sums,
                    pitch,
                    sums,
                    pitch,
                )


@compiled
@no_type_check
def mixture_parameters(
    hidden, channels, features, weights, taps, means, parameters
):  # pragma: no cover - compiled
    """Make means and shapes (parameter, CHUNK) of mixtures from the last layer, before its hyperbolic tangents.

    `features` (feature, CHUNK) hold room for the squares of the hidden `channels`, these, and the inputs, which are
    there. Means, the first of the parameters, are a product with hidden channels and inputs, shapes one with the
    squares. By their addresses: `hidden` are rows of channels, `taps` 0, 4, 8 ...; `weights` are the matrix of means,
    that of shapes, and what parameters begin with, LANES times each.
    """
    room, seen = np.int64(features.ctypes.data), len(features) - channels
    for block in range(0, CHUNK, LANES):
        for channel in range(0, channels, LANES):
            source = hidden + 4 * (block * channels + channel)
            turn(source, 4 * channels, room + 4 * ((channels + channel) * CHUNK + block), 4 * CHUNK)
    squares = numba.carray(view(room), channels * CHUNK, np.float32)
    values = numba.carray(view(room + 4 * channels * CHUNK), channels * CHUNK, np.float32)
    activate(values)
    for i in range(len(values)):
        squares[i] = values[i] * values[i]
    of_means, of_shapes = weights, weights + 4 * means * seen
    start = of_shapes + 4 * (len(parameters) - means) * channels
    for block in range(0, 4 * CHUNK, 4 * LANES):
        for row in range(0, len(parameters), SUMS):
            if row < means:
                given, factors, many = room + 4 * channels * CHUNK, of_means + 4 * row * seen, seen
            else:
                given, factors, many = room, of_shapes + 4 * (row - means) * channels, channels
            begin, total = start + 4 * LANES * row, parameters.ctypes.data + 4 * row * CHUNK + block
            multiply_add(
                taps, many, factors, 4 * many, given + block, 4 * CHUNK, begin, 4 * LANES, total, 4 * CHUNK
            )
