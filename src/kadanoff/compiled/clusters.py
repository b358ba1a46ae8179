"""Cluster updates that numba compiles for CPUs: bonds, union-find and flips in one pass over a chain that fits its
cache, chains side by side.

Swendsen-Wang labels runs along the rows as they are read, so that only bonds between rows are searched; Wolff
follows the bonds of its one cluster.
"""

from typing import no_type_check

import numba
import numpy as np

from kadanoff.compiled.elementary import exp, uniform
from kadanoff.compiled.frames import argument, form_of, result, sides
from kadanoff.compiled.functions import compiled, inlined
from kadanoff.compiled.sweeps import INCREMENT, MULTIPLIER, random_row

__all__ = ["clusters"]


@no_type_check
def clusters(frame, scratch, stage, task, count):  # pragma: no cover - compiled
    """Update the clusters of every chain once, each task those of some chains; a kernel of `foreign.call`.

    Arguments are fields, chain numbers, the keys of bonds and flips, and kappa; the form is 1 for Wolff, 0 for
    Swendsen-Wang; the result is the fields.
    """
    shape = sides(frame, 0)
    lattice, volume = shape[1:], 1
    for side in lattice:
        volume *= side
    fields = numba.carray(argument(frame, 0), (shape[0], volume), np.float32)
    flipped = numba.carray(result(frame, 0), (shape[0], volume), np.float32)
    numbers = numba.carray(argument(frame, 1), shape[0], np.uint32)
    keys = numba.carray(argument(frame, 2), (2, 2), np.uint32)
    kappa = numba.carray(argument(frame, 3), 1, np.float32)[0]
    single = form_of(frame) == 1
    bonds, parent = np.empty((len(lattice), volume), np.bool_), np.empty(volume, np.int32)
    words, flips = np.empty((4, lattice[-1]), np.uint32), np.empty(volume, np.uint32)
    columns, number = np.empty(lattice[-1], np.uint32), np.empty(lattice[-1], np.uint32)
    for column in range(len(columns)):
        columns[column] = np.uint32(np.uint32(column) * MULTIPLIER)
    for chain in range(task, len(fields), count):
        for column in range(len(columns)):
            number[column] = np.uint32(np.uint32(numbers[chain] * MULTIPLIER) + INCREMENT)
        phi = fields[chain]
        _draw_bonds(bonds, phi, lattice, words, columns, number, keys[0], kappa)
        if single:
            random_row(words, columns[:1], number[:1], np.int64(0), keys[1])
            seed = min(np.int64(uniform(words[0, 0]) * np.float32(volume)), volume - 1)
            _grow(flipped[chain], phi, seed, bonds, lattice, parent)
            continue
        _join(parent, bonds, lattice)
        for begin in range(0, volume, len(columns)):
            random_row(words, columns, number, begin, keys[1])
            for column in range(len(columns)):
                flips[begin + column] = words[0, column]
        for site in range(volume):
            # Parents are never larger than their sites, so one ascending pass reaches every root.
            root = parent[parent[site]]
            parent[site] = root
            flipped[chain, site] = -phi[site] if flips[root] >= np.uint32(2**31) else phi[site]
    return 0


@inlined
@no_type_check
def _draw_bonds(bonds, phi, lattice, words, columns, number, key, kappa):  # pragma: no cover - compiled
    """Fill bonds (d, site): frozen with probability 1 - exp(-2 kappa phi_x phi_y) where positive."""
    length = lattice[-1]
    for begin in range(0, len(phi), length):
        random_row(words, columns, number, begin, key)
        own, stride = phi[begin : begin + length], length
        for mu in range(len(lattice) - 2, -1, -1):
            inside = begin // stride % lattice[mu] < lattice[mu] - 1
            there = begin + stride if inside else begin - (lattice[mu] - 1) * stride
            _draw_row(bonds[mu, begin : begin + length], own, phi[there : there + length], words[mu], kappa)
            stride *= lattice[mu]
        last = bonds[len(lattice) - 1, begin : begin + length]
        _draw_row(last[:-1], own[:-1], own[1:], words[len(lattice) - 1], kappa)
        _draw_row(last[-1:], own[-1:], own[:1], words[len(lattice) - 1, -1:], kappa)


@compiled
@no_type_check
def _draw_row(bonds, first, second, words, kappa):  # pragma: no cover - compiled
    for i in range(len(bonds)):
        bonds[i] = uniform(words[i]) >= exp(-(np.float32(2) * kappa * first[i] * second[i]))


@inlined
@no_type_check
def _join(parent, bonds, lattice):  # pragma: no cover - compiled
    """Link sites to the smallest of their component by union-find (R. E. Tarjan, J. ACM 22 (1975) 215)."""
    length, along = lattice[-1], bonds[len(lattice) - 1]
    for begin in range(0, len(parent), length):
        start = begin
        for site in range(begin, begin + length):
            parent[site] = start
            start = start if along[site] else site + 1
        if along[begin + length - 1]:
            _union(parent, begin, begin + length - 1)
    stride = length
    for mu in range(len(lattice) - 2, -1, -1):
        across = bonds[mu]
        for begin in range(0, len(parent), length):
            inside = begin // stride % lattice[mu] < lattice[mu] - 1
            shift = stride if inside else -(lattice[mu] - 1) * stride
            joined = False  # whether the site before was, and both of its ends are linked to ours
            for site in range(begin, begin + length):
                if across[site] and not joined:
                    _union(parent, site, site + shift)
                joined = across[site] and along[site] and along[site + shift]
        stride *= lattice[mu]


@compiled
@no_type_check
def _union(parent, left, right):  # pragma: no cover - compiled
    while parent[left] != left:
        parent[left] = parent[parent[left]]
        left = parent[left]
    while parent[right] != right:
        parent[right] = parent[parent[right]]
        right = parent[right]
    if left < right:
        parent[right] = left
    else:
        parent[left] = right


@inlined
@no_type_check
def _grow(flipped, phi, seed, bonds, lattice, stack):  # pragma: no cover - compiled
    """Flip the cluster of the seed."""
    for site in range(len(phi)):  # an assignment of slices would compile messages about their shapes
        flipped[site] = phi[site]
    stack[0], flipped[seed], count = seed, -phi[seed], 1
    while count > 0:
        count -= 1
        site, stride = np.int64(stack[count]), 1
        for mu in range(len(lattice) - 1, -1, -1):
            side = lattice[mu]
            x = site // stride % side
            ahead = site + stride if x < side - 1 else site - (side - 1) * stride
            behind = site - stride if x > 0 else site + (side - 1) * stride
            stride *= side
            # A bond joins sites of one sign, so those that have another one than before have been seen.
            if bonds[mu, site] and flipped[ahead] == phi[ahead]:
                flipped[ahead] = -phi[ahead]
                stack[count] = ahead
                count += 1
            if bonds[mu, behind] and flipped[behind] == phi[behind]:
                flipped[behind] = -phi[behind]
                stack[count] = behind
                count += 1
