"""Draws of Gaussian mixtures over the sites of a block, many blocks at once.

Blocks are innermost: loops over a few components, or a few sites of a block, would make no vectors.
"""

from typing import no_type_check

import numba
import numpy as np

from kadanoff.compiled.compilation import KERNELS
from kadanoff.compiled.elementary import cos_sin, exp, log, uniform
from kadanoff.compiled.frames import load, view
from kadanoff.compiled.functions import compiled, inlined
from kadanoff.compiled.layers import CHUNK
from kadanoff.compiled.sweeps import random_row
from kadanoff.compiled.vectors import SUMS

__all__ = ["MIXTURES", "mixture_draws", "mixture_rows"]

MIXTURES = np.int64(list(KERNELS).index("mixture_draws"))  #: the number of the kernel
_F = np.float32


@inlined
@no_type_check
def mixture_rows(n, components):  # pragma: no cover - compiled
    """How many parameters are means, how many there are, and for how many sites numbers are drawn."""
    means = (components * n + SUMS - 1) // SUMS * SUMS
    shapes = (components * (1 + n + n * (n - 1) // 2) + SUMS - 1) // SUMS * SUMS
    return means, means + shapes, 4 * (1 + (n + 3) // 4)


@compiled
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


@compiled
@no_type_check
def _normals(first, second, radii, angles):  # pragma: no cover - compiled
    """Two normals of two words, as `kadanoff.random.normal`."""
    for i in range(CHUNK):
        radius = np.sqrt(_F(-2) * log(uniform(radii[i]) + _F(2.0**-24)))
        cosine, sine = cos_sin(uniform(angles[i]))
        first[i] = radius * cosine
        second[i] = radius * sine


@compiled
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


@compiled
@no_type_check
def _divide(values, log_divisor):  # pragma: no cover - compiled
    for i in range(CHUNK):
        small = exp(-abs(log_divisor[i]))
        values[i] = values[i] * small if log_divisor[i] > 0 else values[i] / small


@compiled
@no_type_check
def _subtract_product(values, first, second):  # pragma: no cover - compiled
    for i in range(CHUNK):
        values[i] -= first[i] * second[i]


@inlined
@no_type_check
def _draw(
    drawn, chosen, n, components, parameters, means, temperature, columns, chains, keys, words, room
):  # pragma: no cover - compiled
    """Draw blocks (site, CHUNK) as `kadanoff.renormalization.inverse.mixture.draw` does, from the same words.

    `columns` and `chains` are as `random_row` wants them, `keys` one for the components and one for every four of the
    n sites, `chosen` (CHUNK,), `words` (4, CHUNK) and `room` (3, CHUNK) memory; `drawn` has rows for a multiple of
    four.
    """
    step, value = 1 + n + n * (n - 1) // 2, room[0]
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

    `frame` are words: the addresses of a table, of keys (one for the components, one for every four sites) and of the
    temperature; and how many sites n and components there are. Rows of the table hold CHUNK numbers: parameters and
    draws as many as `mixture_rows` tells, three for memory, and six of integers: random words, columns and chains.
    """
    n, components = load(frame, 3), load(frame, 4)
    means, many, rows = mixture_rows(n, components)
    place, row = load(frame, 0), 4 * CHUNK
    table = numba.carray(view(place), (many + rows + 3, CHUNK), np.float32)
    drawn, room = table[many : many + rows], table[many + rows :]
    chosen = numba.carray(view(place + row * (many + rows - 1)), CHUNK, np.int32)
    integers = numba.carray(view(place + row * (many + rows + 3)), (6, CHUNK), np.uint32)
    keys = numba.carray(view(load(frame, 1)), (rows // 4, 2), np.uint32)
    temperature = numba.carray(view(load(frame, 2)), 1, np.float32)[0]
    columns, chains = integers[4], integers[5]
    _draw(drawn, chosen, n, components, table, means, temperature, columns, chains, keys, integers, room)
    return 0
