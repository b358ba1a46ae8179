"""The loop of colour-block updates on graphs that numba compiles for CPUs: some sites of one colour after the others.

Fields lie as (site, chain), the chains in blocks as wide as a vector: then neighbours anywhere cost one load each.
Sites of a colour have no link, so that threads may share them.
"""

from typing import no_type_check

import numba
import numpy as np

from kadanoff.sampling.compiled.elementary import exp, uniform
from kadanoff.sampling.compiled.foreign import argument, asks_version, result, sides
from kadanoff.sampling.compiled.sweeps import INCREMENT, MULTIPLIER, hashed

__all__ = ["GRAPH_RULES", "graph_sweeps"]

#: Rules by their numbers.
GRAPH_RULES = ("metropolis", "spin metropolis", "spin heat bath")

_compiled = numba.njit(error_model="numpy", nogil=True)
LANES = 16  # chains that are updated by the same instructions; what is left of the last of them is idle
_WORTH = 1 << 15  # site updates of a colour that are worth waking a thread


@_compiled
@no_type_check
def _update(rule, own, around, a, b, width, number, used, column, z0, w0):  # pragma: no cover - compiled
    """Give the chains of one site new values, given the fields on them; return how many of those used were accepted.

    `number` and `column` come multiplied and incremented, as the hash of the random words begins.
    """
    accepted = np.int32(0)
    for i in range(np.int32(LANES)):
        first, second, _, _ = hashed(column, number[i], z0, w0)
        old, h = own[i], around[i]
        if rule == 0:
            new = old + width * (uniform(first) - np.float32(0.5))
            new_square, old_square = new * new, old * old
            rise = (new_square - old_square) * (a + b * (new_square + old_square)) - (new - old) * h
            accept = uniform(second) < exp(-rise)
            # What is no number makes the site none, as in the loop that XLA compiles.
            own[i] = new if accept else old + np.float32(0) * rise
        elif rule == 1:
            accept = uniform(second) < exp(np.float32(-2) * old * h)
            own[i] = -old if accept else old
        else:
            odds = exp(np.float32(-2) * abs(h))
            likely = np.float32(1) / (np.float32(1) + odds)
            own[i] = (
                np.float32(1) if uniform(first) < (likely if h >= 0 else odds * likely) else np.float32(-1)
            )
            accept = True
        accepted = np.int32(accepted + np.int32(accept & (i < used)))
    return accepted


@_compiled
@no_type_check
def _some(
    rule, phi, number, chains, sites, rows, where, strength, site, width, key
):  # pragma: no cover - compiled
    """Update some sites of a colour; the neighbours of a site x are where[rows[x]] to where[rows[x + 1]]."""
    z0 = np.uint32(np.uint32(key[0] * MULTIPLIER) + INCREMENT)
    w0 = np.uint32(np.uint32(key[1] * MULTIPLIER) + INCREMENT)
    around, accepted = np.empty(LANES, np.float32), 0
    for j in range(len(sites)):
        x = sites[j]
        r, a, b = site[0, x], site[1, x], site[2, x]
        column = np.uint32(np.uint32(np.uint32(x) * MULTIPLIER) + INCREMENT)
        for block in range(phi.shape[1]):
            used = np.int32(min(chains - block * LANES, LANES))
            for i in range(LANES):
                around[i] = -r
            for k in range(rows[x], rows[x + 1]):
                w, y = strength[k], where[k]
                for i in range(LANES):
                    around[i] += w * phi[y, block, i]
            if rule == 0:
                accepted += _update(
                    0, phi[x, block], around, a, b, width, number[block], used, column, z0, w0
                )
            elif rule == 1:
                accepted += _update(
                    1, phi[x, block], around, a, b, width, number[block], used, column, z0, w0
                )
            else:
                accepted += _update(
                    2, phi[x, block], around, a, b, width, number[block], used, column, z0, w0
                )
    return accepted


@numba.njit(error_model="numpy", nogil=True, parallel=True)
@no_type_check
def _shared(
    rule, phi, number, chains, sites, rows, where, strength, site, width, key, accepted
):  # pragma: no cover - compiled
    count = len(accepted)
    size = (len(sites) + count - 1) // count
    for task in numba.prange(count):
        some = sites[min(task * size, len(sites)) : min((task + 1) * size, len(sites))]
        accepted[task] += _some(rule, phi, number, chains, some, rows, where, strength, site, width, key)


@no_type_check
def graph_sweeps(frame):  # pragma: no cover - compiled
    """Handle a call for sweeps of a graph.

    Arguments are fields (chain, site), chain numbers, keys of every colour of every sweep, the sites in the order of
    their colours, where each colour begins, where the neighbours of each site begin, the neighbours and the links to
    them, r, a, b of every site, the width of proposals, and a list of the rule and the threads; results are the fields
    and the mean acceptance.
    """
    if asks_version(frame):
        return 0
    shape = sides(frame, 0)
    fields = numba.carray(argument(frame, 0), (shape[0], shape[1]), np.float32)
    numbers = numba.carray(argument(frame, 1), shape[0], np.uint32)
    keys = numba.carray(argument(frame, 2), (sides(frame, 2)[0], 2), np.uint32)
    order = numba.carray(argument(frame, 3), shape[1], np.int32)
    colours = numba.carray(argument(frame, 4), sides(frame, 4)[0], np.int32)
    rows = numba.carray(argument(frame, 5), shape[1] + 1, np.int32)
    where = numba.carray(argument(frame, 6), sides(frame, 6)[0], np.int32)
    strength = numba.carray(argument(frame, 7), sides(frame, 7)[0], np.float32)
    site = numba.carray(argument(frame, 8), (3, shape[1]), np.float32)
    width = numba.carray(argument(frame, 9), 1, np.float32)[0]
    plan = numba.carray(argument(frame, 10), 2, np.int32)
    blocks = (shape[0] + LANES - 1) // LANES
    phi = np.zeros((shape[1], blocks, LANES), np.float32)
    number = np.zeros((blocks, LANES), np.uint32)
    for chain in range(shape[0]):
        block, lane = divmod(chain, LANES)
        number[block, lane] = np.uint32(np.uint32(numbers[chain] * MULTIPLIER) + INCREMENT)
        for x in range(shape[1]):
            phi[x, block, lane] = fields[chain, x]
    workers = max(min(plan[1], fields.size // (len(colours) - 1) // _WORTH), 1)
    accepted = np.zeros(workers, np.int64)
    rule = plan[0]
    for stage in range(len(keys)):
        colour = stage % (len(colours) - 1)
        sites = order[colours[colour] : colours[colour + 1]]
        if workers > 1:
            _shared(
                rule, phi, number, shape[0], sites, rows, where, strength, site, width, keys[stage], accepted
            )
        else:
            accepted[0] += _some(
                rule, phi, number, shape[0], sites, rows, where, strength, site, width, keys[stage]
            )
    swept = numba.carray(result(frame, 0), (shape[0], shape[1]), np.float32)
    for chain in range(shape[0]):
        block, lane = divmod(chain, LANES)
        for x in range(shape[1]):
            swept[chain, x] = phi[x, block, lane]
    rate = numba.carray(result(frame, 1), 1, np.float32)
    rate[0] = accepted.sum() / (fields.size * (len(keys) // (len(colours) - 1)))
    return 0
