"""What a sweep does with a row of sites of one colour: Metropolis and heat bath, of phi^4 and of spins.

A rule is given a row of sites, the sums of their neighbours, random words (words a site, site) and parameters; it
returns how many sites it accepted.
"""

from typing import no_type_check

import numpy as np

from kadanoff.compiled.elementary import cos_sin, exp, log, uniform
from kadanoff.compiled.functions import compiled, inlined

__all__ = [
    "FLIPPED",
    "TABLE",
    "heat_bath_row",
    "metropolis_row",
    "open_uniform",
    "spin_heat_bath_row",
    "spin_metropolis_row",
    "trial",
]

#: How often Metropolis proposes a spin its opposite. Were it always, flips that cost nothing would happen together,
#: for certain, sweep after sweep: without couplings, or on small rings, most states would never be reached.
FLIPPED = 0.75
TABLE = 256  #: envelopes of a heat bath, by the field on the site


@compiled
@no_type_check
def metropolis_row(phi, around, words, g):  # pragma: no cover - compiled
    """phi^4; parameters kappa, a, b of the quartic site and the width of the proposals; two words a site."""
    kappa, a, b, width = g[0], g[1], g[2], g[3]
    first, second = words[0], words[1]
    accepted = np.int32(0)
    for i in range(len(phi)):
        old = phi[i]
        new = old + width * (uniform(first[i]) - np.float32(0.5))
        new_square, old_square = new * new, old * old
        rise = new_square * (a + b * new_square) - old_square * (a + b * old_square)
        accept = uniform(second[i]) < exp(-(rise - kappa * (new - old) * around[i]))
        phi[i] = new if accept else old
        accepted = np.int32(accepted + np.int32(accept))
    return accepted


@compiled
@no_type_check
def heat_bath_row(phi, around, words, g):  # pragma: no cover - compiled
    """phi^4; parameters kappa, a, b, scale and t of the envelopes, negative for one in each well; four words.

    Two trials, as in `kadanoff.quartic.rejection`, with t of the envelope from a table.
    """
    kappa, a, b, scale, table = g[0], g[1], g[2], g[3], g[4:]
    half, one, two = np.float32(0.5), np.float32(1), np.float32(2)
    first, second, third, fourth = words[0], words[1], words[2], words[3]
    # A loop with look-ups makes no vectors, so they have one of their own.
    place, envelope = np.empty(len(phi), np.int32), np.empty(len(phi), np.float32)
    for i in range(len(phi)):
        h = abs(kappa * around[i])
        share = np.float32(TABLE) * h / (h + scale)
        # What is no number must not point outside the table: it takes the last entry.
        place[i] = np.int32(share if share < np.float32(TABLE - 1) else np.float32(TABLE - 1))
    for i in range(len(phi)):
        envelope[i] = table[place[i]]
    drawn = np.int32(0)
    for i in range(len(phi)):
        field = kappa * around[i]
        h = abs(field)
        t = envelope[i]
        split = t < 0
        t = abs(t)
        square = t * t
        variance = half / (a + b * square * (np.float32(3) if split else two))
        pull = two * b * t * square if split else np.float32(0)
        upper, lower = (pull + h) * variance - t, (pull - h) * variance - t
        odds = exp(-two * pull * h * variance)
        below = odds / (one + odds) if split else np.float32(0)
        radius = np.sqrt(-two * variance * log(open_uniform(first[i])))
        cosine, sine = cos_sin(open_uniform(second[i]))
        q = np.float32(0) if split else square
        x, good = trial(radius * cosine, open_uniform(third[i]), upper, lower, below, t, q, b, split)
        other, fine = trial(radius * sine, open_uniform(fourth[i]), upper, lower, below, t, q, b, split)
        x = x if good else other
        x = x if field >= 0 else -x
        # What is no density makes the variance, and so the site, NaN.
        phi[i] = x if good | fine else phi[i] + np.float32(0) * variance
        drawn = np.int32(drawn + np.int32(good | fine))
    return drawn


@inlined
@no_type_check
def trial(offset, u, upper, lower, below, t, q, b, split):  # pragma: no cover - compiled
    """Propose from an envelope, as `kadanoff.quartic.rejection`: the value, and whether it is accepted."""
    under = u < below
    rest = u if under else u - below
    weight = below if under else np.float32(1) - below
    distance = (lower if under else upper) + offset
    x = t + distance
    remainder = b * distance * distance * (x * (x + np.float32(2) * t) + q)
    good = (rest < weight * exp(-remainder)) & ((x >= 0) | (not split))
    return (-x if under else x), good


@inlined
@no_type_check
def open_uniform(word):  # pragma: no cover - compiled
    """Uniforms on (0, 1], fine near zero."""
    return (np.float32(np.int32(np.uint32(word >> np.uint32(1)))) + np.float32(0.5)) * np.float32(2.0**-31)


@compiled
@no_type_check
def spin_metropolis_row(spin, around, words, g):  # pragma: no cover - compiled
    """Parameters are probabilities to flip times 2^24, by spin and sum of neighbours; one word a site."""
    first = words[0]
    d0, d1, d2, d3 = np.int32(g[0]), np.int32(g[1]), np.int32(g[2]), np.int32(g[3])
    d4, d5, d6 = np.int32(g[4]), np.int32(g[5]), np.int32(g[6])
    u0, u1, u2, u3 = np.int32(g[7]), np.int32(g[8]), np.int32(g[9]), np.int32(g[10])
    u4, u5, u6 = np.int32(g[11]), np.int32(g[12]), np.int32(g[13])
    accepted = np.int32(0)
    for i in range(len(spin)):
        h = np.int32(around[i])
        down, up = _of_sum(h, d0, d1, d2, d3, d4, d5, d6), _of_sum(h, u0, u1, u2, u3, u4, u5, u6)
        accept = np.int32(np.uint32(first[i] >> np.uint32(8))) < (up if spin[i] > 0 else down)
        spin[i] = -spin[i] if accept else spin[i]
        accepted = np.int32(accepted + np.int32(accept))
    return accepted


@compiled
@no_type_check
def spin_heat_bath_row(spin, around, words, g):  # pragma: no cover - compiled
    """Parameters are probabilities of +1 times 2^24, by the sum of neighbours; one word a site."""
    first = words[0]
    p0, p1, p2, p3 = np.int32(g[0]), np.int32(g[1]), np.int32(g[2]), np.int32(g[3])
    p4, p5, p6 = np.int32(g[4]), np.int32(g[5]), np.int32(g[6])
    for i in range(len(spin)):
        h = np.int32(around[i])
        p = _of_sum(h, p0, p1, p2, p3, p4, p5, p6)
        spin[i] = 1 if np.int32(np.uint32(first[i] >> np.uint32(8))) < p else -1
    return len(spin)


@inlined
@no_type_check
def _of_sum(h, p0, p1, p2, p3, p4, p5, p6):  # pragma: no cover - compiled
    """The entry for a sum of neighbours from -6 to 6: by selections, since a vector of look-ups is slow."""
    low = p0 if h < -5 else p1 if h < -3 else p2
    high = p4 if h < 3 else p5 if h < 5 else p6
    return low if h < -1 else p3 if h < 1 else high
