"""The loop of colour-block updates on graphs that numba compiles for CPUs: some sites of one colour after the others.

Fields lie as (site, chain), the chains in blocks as wide as a vector: then neighbours anywhere cost one load each.
Sites of a colour have no link, so that threads may share them.
"""

from typing import no_type_check

import numba
import numpy as np

from kadanoff.compiled.elementary import exp, uniform
from kadanoff.compiled.frames import Work, argument, result, side_of, sides, view
from kadanoff.compiled.functions import compiled, inlined
from kadanoff.compiled.quartic import of_couplings, redraw_row
from kadanoff.compiled.rows import FLIPPED
from kadanoff.compiled.sweeps import INCREMENT, MULTIPLIER, hashed, random_row

__all__ = ["GRAPH_RULES", "graph_plan"]

LANES = 16  # chains that are updated by the same instructions; what is left of the last of them is idle
_ROW = 256  # draws that one loop makes; a multiple of LANES
_WORTH = 1 << 15  # site updates of a colour that are worth waking a thread


@compiled
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
            accept = uniform(second) < np.float32(FLIPPED) * exp(np.float32(-2) * old * h)
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


@inlined
@no_type_check
def _add_links(around, phi, block, begin, end, where, strength):  # pragma: no cover - compiled
    """Add what the neighbours of a site do to it, over the links `begin` to `end`."""
    for k in range(begin, end):
        w, y = strength[k], where[k]
        for i in range(LANES):
            around[i] += w * phi[y, block, i]


@compiled
@no_type_check
def _in_turn(
    rule, phi, sites, rows, where, strength, site, width, number, chains, key
):  # pragma: no cover - compiled
    """Update sites of a colour by `_update`, one after the other; return how many were accepted."""
    z0 = np.uint32(np.uint32(key[0] * MULTIPLIER) + INCREMENT)
    w0 = np.uint32(np.uint32(key[1] * MULTIPLIER) + INCREMENT)
    around, accepted = np.empty(LANES, np.float32), 0
    for x in sites:
        r, a, b = site[0, x], site[1, x], site[2, x]
        column = np.uint32(np.uint32(np.uint32(x) * MULTIPLIER) + INCREMENT)
        for block in range(len(number)):
            used = np.int32(min(chains - block * LANES, LANES))
            around[:] = -r
            _add_links(around, phi, block, rows[x], rows[x + 1], where, strength)
            accepted += _update(rule, phi[x, block], around, a, b, width, number[block], used, column, z0, w0)
    return accepted


@inlined
@no_type_check
def _in_rows(
    rule, phi, sites, rows, where, strength, site, width, number, chains, key
):  # pragma: no cover - compiled
    """Draw sites of a colour anew, those of a row together, as `kadanoff.quartic.redraw` from words of the sites.

    It has no rule and no width of proposals. What a row needs is gathered a block at a time: what the idle lanes of
    one add, the next writes over.
    """
    wide = min(chains, _ROW)
    count, step = _ROW // wide, (wide + LANES - 1) // LANES
    reals, marks = np.empty((9, _ROW + LANES), np.float32), np.empty((2, _ROW + LANES), np.uint32)
    new, held, around, of_site, accepted = reals[0], reals[1], reals[2], reals[3:], 0
    words = np.empty((4, _ROW), np.uint32)
    couplings = (of_site[0], of_site[1], of_site[2], of_site[3], of_site[4], of_site[5])
    for first in range(0, len(sites), count):
        group = sites[first : first + count]
        for begin in range(0, len(number), step):
            end, n = min(begin + step, len(number)), 0
            for x in group:
                r, a, b = site[0, x], site[1, x], site[2, x]
                well, slope, least, quarter = of_couplings(a, b)
                column = np.uint32(np.uint32(x) * MULTIPLIER)
                for block in range(begin, end):
                    for i in range(LANES):
                        around[n + i] = -r
                    _add_links(around[n : n + LANES], phi, block, rows[x], rows[x + 1], where, strength)
                    for i in range(LANES):
                        held[n + i] = phi[x, block, i]
                    for i in range(LANES):
                        marks[0, n + i], marks[1, n + i] = column, number[block, i]
                    for i in range(LANES):
                        of_site[0, n + i], of_site[1, n + i], of_site[2, n + i] = a, b, well
                        of_site[3, n + i], of_site[4, n + i], of_site[5, n + i] = slope, least, quarter
                    n += min(chains - block * LANES, LANES)
            random_row(words, marks[0, :n], marks[1, :n], 0, key)
            accepted += redraw_row(new[:n], held, around, words, couplings)
            n = 0
            for x in group:
                for block in range(begin, end):
                    for i in range(LANES):
                        phi[x, block, i] = new[n + i]
                    n += min(chains - block * LANES, LANES)
    return accepted


@inlined
@no_type_check
def _sweep(update, rule, frame, scratch, stage, task, count):  # pragma: no cover - compiled
    """Update some sites of a colour; the first stage lays the fields out, and the one after the last takes them back.

    Arguments are fields (chain, site), chain numbers, keys of every colour of every sweep, the sites in the order of
    their colours, where each colour begins, where the neighbours of each site begin, the neighbours and the links to
    them, r, a, b of every site, and the width of proposals; results are the fields and the mean acceptance.
    """
    shape, stages = sides(frame, 0), side_of(frame, 2, 0)
    chains, volume, blocks = shape[0], shape[1], (shape[0] + LANES - 1) // LANES
    phi = numba.carray(view(scratch), (volume, blocks, LANES), np.float32)
    size = (volume + count - 1) // count
    begin, end = min(task * size, volume), min((task + 1) * size, volume)
    if stage == 0:
        _lay_out(phi, numba.carray(argument(frame, 0), (chains, volume), np.float32), begin, end)
        return 0
    if stage > stages:
        _take_back(numba.carray(result(frame, 0), (chains, volume), np.float32), phi, begin, end)
        return 0
    numbers = numba.carray(argument(frame, 1), chains, np.uint32)
    key = numba.carray(argument(frame, 2), (stages, 2), np.uint32)[stage - 1]
    order = numba.carray(argument(frame, 3), volume, np.int32)
    colours = numba.carray(argument(frame, 4), side_of(frame, 4, 0), np.int32)
    # The neighbours of a site x are where[rows[x]] to where[rows[x + 1]].
    rows = numba.carray(argument(frame, 5), volume + 1, np.int32)
    where = numba.carray(argument(frame, 6), side_of(frame, 6, 0), np.int32)
    strength = numba.carray(argument(frame, 7), side_of(frame, 7, 0), np.float32)
    site = numba.carray(argument(frame, 8), (3, volume), np.float32)
    width = numba.carray(argument(frame, 9), 1, np.float32)[0]
    number = np.zeros((blocks, LANES), np.uint32)
    for chain in range(chains):
        number[chain // LANES, chain % LANES] = np.uint32(np.uint32(numbers[chain] * MULTIPLIER) + INCREMENT)
    colour = (stage - 1) % (len(colours) - 1)
    first, last = colours[colour], colours[colour + 1]
    size = (last - first + count - 1) // count
    sites = order[min(first + task * size, last) : min(first + (task + 1) * size, last)]
    return update(rule, phi, sites, rows, where, strength, site, width, number, chains, key)


@inlined
@no_type_check
def _lay_out(phi, fields, begin, end):  # pragma: no cover - compiled
    chains = len(fields)
    for x in range(begin, end):
        for chain in range(phi.shape[1] * LANES):
            phi[x, chain // LANES, chain % LANES] = fields[chain, x] if chain < chains else np.float32(0)


@inlined
@no_type_check
def _take_back(fields, phi, begin, end):  # pragma: no cover - compiled
    for chain in range(len(fields)):
        for x in range(begin, end):
            fields[chain, x] = phi[x, chain // LANES, chain % LANES]


@no_type_check
def graph_metropolis(frame, scratch, stage, task, count):  # pragma: no cover - compiled
    """Metropolis updates of phi^4 on a graph, a kernel of `foreign.call`."""
    return _sweep(_in_turn, 0, frame, scratch, stage, task, count)


@no_type_check
def graph_heat_bath(frame, scratch, stage, task, count):  # pragma: no cover - compiled
    """Heat-bath updates of phi^4 on a graph."""
    return _sweep(_in_rows, 0, frame, scratch, stage, task, count)


@no_type_check
def graph_spin_metropolis(frame, scratch, stage, task, count):  # pragma: no cover - compiled
    """Metropolis updates of spins on a graph."""
    return _sweep(_in_turn, 1, frame, scratch, stage, task, count)


@no_type_check
def graph_spin_heat_bath(frame, scratch, stage, task, count):  # pragma: no cover - compiled
    """Heat-bath updates of spins on a graph."""
    return _sweep(_in_turn, 2, frame, scratch, stage, task, count)


#: Kernels by the names of their rules.
GRAPH_RULES = {
    "metropolis": graph_metropolis,
    "heat bath": graph_heat_bath,
    "spin metropolis": graph_spin_metropolis,
    "spin heat bath": graph_spin_heat_bath,
}


def graph_plan(shape: tuple[int, ...], colours: int, stages: int, threads: int) -> Work:
    """Plan how threads share the sites of each of `stages` colours of fields (chain, site)."""
    chains, volume = shape
    workers = max(min(threads, chains * volume // colours // _WORTH), 1)
    lanes = -(-chains // LANES) * LANES
    return Work(workers, workers > 1, stages + 2, 4 * volume * lanes, stages // colours)
