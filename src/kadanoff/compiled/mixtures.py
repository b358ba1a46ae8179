"""Draws of Gaussian mixtures over the sites of a block, many blocks at once, from the last layer of a network.

Blocks are innermost: loops over a few components, or a few sites of a block, would make no vectors.
"""

from typing import no_type_check

import numba
import numpy as np

from kadanoff.compiled.compilation import KERNELS
from kadanoff.compiled.elementary import cos_sin, exp, log, uniform
from kadanoff.compiled.frames import load, view
from kadanoff.compiled.layers import activate
from kadanoff.compiled.sweeps import random_row
from kadanoff.compiled.vectors import LANES, SUMS, multiply_add, turn

__all__ = ["CHUNK", "MIXTURES", "mixture_draws", "mixture_rows"]

CHUNK = 128  #: blocks that are drawn at once
MIXTURES = np.int64(list(KERNELS).index("mixture_draws"))  #: the number of the kernel
_compiled = numba.njit(error_model="numpy", nogil=True)
_F = np.float32


@numba.njit(error_model="numpy", inline="always")
@no_type_check
def mixture_rows(n, components):  # pragma: no cover - compiled
    """How many parameters are means, how many there are, and for how many sites numbers are drawn."""
    means = (components * n + SUMS - 1) // SUMS * SUMS
    shapes = (components * (1 + n + n * (n - 1) // 2) + SUMS - 1) // SUMS * SUMS
    return means, means + shapes, 4 * (1 + (n + 3) // 4)


@_compiled
@no_type_check
def _parameters(hidden, channels, features, weights, taps, means, parameters):  # pragma: no cover - compiled
    """Make means and shapes (parameter, CHUNK) of the last layer, whose hyperbolic tangents are still to be taken.

    `features` (feature, CHUNK) hold room for the squares of the hidden `channels`, these, and the inputs, which are
    there. Means, the first of the parameters, are a product with hidden channels and inputs, shapes one with the
    squares. By their addresses: `hidden` are rows of channels, `taps` 0, 4, 8 ...; `weights` are the matrix of means,
    that of shapes, and what parameters begin with, LANES times each.
    """
    room, seen = features.ctypes.data, len(features) - channels
    for block in range(0, CHUNK, LANES):
        for channel in range(0, channels, LANES):
            source = hidden + 4 * (block * channels + channel)
            turn(source, 4 * channels, room + 4 * ((channels + channel) * CHUNK + block), 4 * CHUNK)
    flat = features.reshape(-1)
    squares, values = flat[: channels * CHUNK], flat[channels * CHUNK : 2 * channels * CHUNK]
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


@_compiled
@no_type_check
def _choose(value, parameters, row, step, components, chosen):  # pragma: no cover - compiled
    """Take a parameter of the chosen components, whose rows lie `step` apart."""
    first = parameters[row]
    for i in range(CHUNK):
        value[i] = first[i]
    for k in range(1, components):
        other = parameters[row + k * step]
        for i in range(CHUNK):
            value[i] = other[i] if chosen[i] == k else value[i]


@_compiled
@no_type_check
def _normals(first, second, radii, angles):  # pragma: no cover - compiled
    """Two normals of two words, as `kadanoff.random.normal`."""
    for i in range(CHUNK):
        radius = np.sqrt(_F(-2) * log(uniform(radii[i]) + _F(2.0**-24)))
        cosine, sine = cos_sin(uniform(angles[i]))
        first[i] = radius * cosine
        second[i] = radius * sine


@_compiled
@no_type_check
def _components(chosen, parameters, row, step, components, words, room):  # pragma: no cover - compiled
    """Choose a component for every block by its log-weight, which is overwritten."""
    top, total, running = room[0], room[1], room[2]
    for i in range(CHUNK):
        top[i], total[i], running[i], chosen[i] = parameters[row, i], _F(0), _F(0), 0
    for k in range(1, components):
        one = parameters[row + k * step]
        for i in range(CHUNK):
            top[i] = max(top[i], one[i])
    for k in range(components):
        one = parameters[row + k * step]
        for i in range(CHUNK):
            one[i] = exp(one[i] - top[i])
            total[i] += one[i]
    for k in range(components - 1):
        one = parameters[row + k * step]
        for i in range(CHUNK):
            running[i] += one[i]
            chosen[i] += np.int32(uniform(words[i]) * total[i] >= running[i])


@_compiled
@no_type_check
def _divide(values, log_divisor):  # pragma: no cover - compiled
    for i in range(CHUNK):
        small = exp(-abs(log_divisor[i]))
        values[i] = values[i] * small if log_divisor[i] > 0 else values[i] / small


@_compiled
@no_type_check
def _subtract_product(values, first, second):  # pragma: no cover - compiled
    for i in range(CHUNK):
        values[i] -= first[i] * second[i]


@_compiled
@no_type_check
def _draw(
    drawn, n, components, parameters, means, temperature, columns, chains, keys, words, room
):  # pragma: no cover - compiled
    """Draw blocks (site, CHUNK) as `kadanoff.renormalization.inverse.mixture.draw` does, from the same words.

    `columns` and `chains` are as `random_row` wants them, `keys` one for the components and one for every four of the
    n sites, `words` (4, CHUNK) and `room` (3, CHUNK) memory; `drawn` has rows for a multiple of four and one more.
    """
    step, value, chosen = 1 + n + n * (n - 1) // 2, room[0], drawn[len(drawn) - 1].view(np.int32)
    random_row(words, columns, chains, 0, keys[0])
    _components(chosen, parameters, means, step, components, words[0], room)
    for four in range(len(keys) - 1):
        random_row(words, columns, chains, 0, keys[1 + four])
        _normals(drawn[4 * four], drawn[4 * four + 1], words[0], words[1])
        _normals(drawn[4 * four + 2], drawn[4 * four + 3], words[2], words[3])
    for i in range(n):
        for j in range(i):
            _choose(value, parameters, means + 1 + n + i * (i - 1) // 2 + j, step, components, chosen)
            _subtract_product(drawn[i], value, drawn[j])
        _choose(value, parameters, means + 1 + i, step, components, chosen)
        _divide(drawn[i], value)
    for i in range(n):
        _choose(value, parameters, i, n, components, chosen)
        one = drawn[i]
        for block in range(CHUNK):
            one[block] = value[block] + temperature * one[block]


@no_type_check
def mixture_draws(frame, scratch, stage, task, count):  # pragma: no cover - compiled
    """Draw CHUNK blocks, a kernel that kernels `run`: compiled apart from them it takes half of the time.

    `frame` are words: the addresses of a table, hidden channels, weights (see `_parameters`), 0, 4, 8 ..., keys (one
    for the components, one for every four sites) and the temperature; and how many channels, inputs, sites n and
    components there are. Rows of the table hold CHUNK numbers: features of twice the channels and the inputs,
    parameters and draws as many as `mixture_rows` tells, three for memory, and six of integers: random words, columns
    and chains.
    """
    channels, inputs, n, components = load(frame, 6), load(frame, 7), load(frame, 8), load(frame, 9)
    means, many, rows = mixture_rows(n, components)
    seen = 2 * channels + inputs
    table = numba.carray(view(load(frame, 0)), (seen + many + rows + 9, CHUNK), np.float32)
    features, parameters, drawn = table[:seen], table[seen : seen + many], table[seen + many :][:rows]
    room, integers = table[seen + many + rows :], table[seen + many + rows + 3 :].view(np.uint32)
    keys = numba.carray(view(load(frame, 4)), (rows // 4, 2), np.uint32)
    temperature = numba.carray(view(load(frame, 5)), 1, np.float32)[0]
    _parameters(load(frame, 1), channels, features, load(frame, 2), load(frame, 3), means, parameters)
    _draw(
        drawn,
        n,
        components,
        parameters,
        means,
        temperature,
        integers[4],
        integers[5],
        keys,
        integers,
        room,
    )
    return 0
