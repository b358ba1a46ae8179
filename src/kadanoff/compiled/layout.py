"""Where a periodic convolutional network keeps what it computes, slice after slice along the first lattice axis.

Level 0 holds the inputs, level l what layer l makes of them, channels innermost, sites with the margin that the layers
after it look into. Of every level only as many slices are kept, in a ring, as are read at once, so that a thread works
in its caches and computes nothing twice. A layer is a sum over taps, shifts of a site and an input channel; only their
addresses depend on the dimension of the lattice, which is two or more.
"""

import math
from itertools import product
from typing import NamedTuple

import numpy as np

from kadanoff.compiled.vectors import SUMS

__all__ = ["Layout", "layout"]

Ints = np.ndarray


class Layout(NamedTuple):
    """Tables of 32-bit numbers.

    `levels` has a row for each level that a layer reads: slots of the ring, numbers in each, where the ring begins,
    how many sites of margin there are, where its taps begin in `taps`, how many there are, where the layer's weights
    begin, where its lines begin in `lines`, how many there are and of how many sites; and one more row with where
    rings and weights of layers end, and the lines of the last layer. `taps` are, for a level and a place in its ring,
    distances in bytes from a site of the ring to what a layer reads. `lines` are distances in sites from the begin of
    a slot of the level before; those of the last layer are for sites of even and of odd sum of coordinates across, and
    those sites' own in level 0 follow. `sites` are, for those of a slice of level 0, the site of the lattice, where
    its block begins in a fine slice, and the parity of the sum of its coordinates; `own` are sites of the lattice
    among them, by parity; `within` is how far sites of a block lie behind its first in a fine field.
    """

    levels: Ints
    taps: Ints
    lines: Ints
    sites: Ints
    own: Ints
    within: Ints


def layout(
    across: tuple[int, ...], b: int, kernels: tuple[int, ...], inputs: int, width: int, padded: int
) -> Layout:
    """Lay a network out on slices with even sides `across`, of so many input channels and hidden ones (padded).

    >>> layout((4,), 2, (3,), 1, 16, 16).taps.tolist()  # a ring of three slices of six sites and 16 to spare
    [176, 180, 184, 0, 4, 8, 88, 92, 96, 0, 4, 8, 88, 92, 96, 176, 180, 184, 88, 92, 96, 176, 180, 184, 0, 4, 8]
    """
    margins = [sum((side - 1) // 2 for side in kernels[level:]) for level in range(len(kernels))]
    extents = [tuple(side + 2 * margin for side in across) for margin in margins]
    rows, taps, lines = [], [], []
    begin = weights = 0
    for level, side in enumerate(kernels):
        channels, read = (inputs, inputs) if level == 0 else (padded, width)
        # Of the inputs the sites' own slice is read again by the last layer.
        slots = max(side, margins[0] + 1) if level == 0 else side
        size = (math.prod(extents[level]) + 2 * SUMS) * channels
        found = _taps(side, extents[level], read, channels, size, slots)
        own = _lines(extents[level], extents[level - 1], 0) if level > 0 else []
        counts = len(own), extents[level][-1]
        places = _length(taps), found.shape[1], weights, _length(lines)
        rows.append((slots, size, begin, margins[level], *places, *counts))
        taps.append(found.ravel())
        lines.append(own)
        begin += slots * size
        weights += read * side ** (1 + len(across)) * padded
    rows.append((0, 0, begin, 0, 0, 0, weights, _length(lines), math.prod(across[:-1]), across[-1] // 2))
    odd = np.array([sum(line) % 2 for line in product(*map(range, across[:-1]))])
    for within, shift in ((extents[-1], 0), (extents[0], margins[0])):
        starts = np.array(_lines(across, within, shift)) + shift
        lines += [starts + (parity + odd) % 2 for parity in (0, 1)]
    sites = _slice_sites(across, b, margins[0])
    inside = np.asarray(np.ravel_multi_index(_coordinates(across) + margins[0], extents[0]))
    lattice = [inside[sites[2, inside] == parity] for parity in (0, 1)]
    block = _coordinates((b,) * (1 + len(across))).T @ _strides((b, *[b * side for side in across]))
    tables = (rows, np.concatenate(taps), np.concatenate(lines), sites, lattice, block)
    return Layout(*[np.array(table, np.int32) for table in tables])


def _coordinates(sides: tuple[int, ...]) -> Ints:
    """Coordinates (axis, site) in row-major order."""
    return np.indices(sides).reshape(len(sides), -1)


def _slice_sites(across: tuple[int, ...], b: int, margin: int) -> Ints:
    """What `Layout.sites` is, (3, site)."""
    places = (_coordinates(tuple(side + 2 * margin for side in across)).T - margin) % across
    corners = b * places @ _strides(tuple(b * side for side in across))
    return np.stack([places @ _strides(across), corners, places.sum(axis=1) % 2])


def _strides(sides: tuple[int, ...]) -> Ints:
    return np.array([math.prod(sides[axis + 1 :]) for axis in range(len(sides))])


def _length(parts: list) -> int:
    return sum(len(part) for part in parts)


def _lines(extents: tuple[int, ...], within: tuple[int, ...], shift: int) -> list[int]:
    """Where lines along the last axis of `extents` begin in a slice of sides `within`, all but that axis shifted."""
    strides = _strides(within)[:-1]
    return [int((np.array(line, int) + shift) @ strides) for line in product(*map(range, extents[:-1]))]


def _taps(side: int, within: tuple[int, ...], read: int, channels: int, size: int, slots: int) -> Ints:
    """Distances in bytes, (slot of the middle slice, tap): shifts in row-major order, then channels."""
    shifts = _coordinates((side,) * len(within)).T @ _strides(within) * channels
    across = (shifts[:, None] + np.arange(read)).ravel()
    middle = (np.arange(slots)[:, None] - (side - 1) // 2 + np.arange(side)) % slots * size
    return 4 * (middle[:, :, None] + across).reshape(slots, -1)
