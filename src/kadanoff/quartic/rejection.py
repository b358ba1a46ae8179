"""Exact draws from exp(h x - a x^2 - b x^4): rejection from the best Gaussian, or from one in each well.

For any t > 0 and q the quartic is a square, a linear term and a remainder,

    x^4 = (3 t^2 - q) x^2 + 2 t (q - t^2) x - t^2 q + (x - t)^2 (x^2 + 2 t x + q) ,

so dropping the remainder leaves a Gaussian envelope wherever the remainder is not negative, and its
exponential is the probability to accept. Two choices cover all couplings:

- one envelope for the whole line: q = t^2, remainder (x^2 - t^2)^2. The most accepting t^2 is <x^2> in the
  envelope itself (the self-consistent, or Hartree, Gaussian), the one positive root of a cubic.
- one envelope on each side of zero: q = 0, with t just outside the mode; the sides are chosen by their
  masses.

Whichever has the smaller mass is taken, site by site. The mean acceptance is then at least 1/2 for every h,
a, b: it tends to 1/2 in deep wells, to 1/sqrt(2) in large fields and to 1 in the Gaussian limit
(scanned over all couplings in the tests). Any t of the first kind gives exact draws, however well its cubic
is solved.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray, UInt32

from kadanoff.quartic.modes import check, cube_root, promote, upper_mode
from kadanoff.quartic.partition import log_partition_above_mode
from kadanoff.random import Words, site_words

__all__ = ["acceptance", "draw", "redraw"]

# At an acceptance of one half, a thousand refusals in a row mean couplings that overflow, never bad luck.
_MOST_BLOCKS = 500


class _Envelope(NamedTuple):
    """Gaussians of width `sigma` about t + `centre` on the upper side and t + `other` below, for h >= 0.

    The lower side, mirrored to x >= 0, is chosen with probability `lower`; `split` sites refuse x < 0.
    """

    centre: Array
    other: Array
    sigma: Array
    lower: Array
    t: Array
    q: Array
    split: Array
    log_mass: Array  # of the envelope, in units of the density at the upper mode


def draw(
    key: PRNGKeyArray,
    h: ArrayLike,
    a: ArrayLike,
    b: ArrayLike,
    site: UInt32[Array, "..."] | None = None,
    chain: UInt32[Array, "..."] | None = None,
) -> Float[Array, "..."]:
    """Draw one exact, independent sample for every entry of the broadcast couplings.

    `site` and `chain` (uint32, broadcasting with the couplings) label the entries: with one key, a draw
    depends on its labels and couplings only, however the arrays are cut or sharded. Left out, entries are
    labelled in order. Draws are not differentiable; couplings that make no density give NaN under `jax.jit`
    and raise outside.

    Raises `InputError` as `check` does.

    >>> import jax, jax.numpy as jnp
    >>> x = draw(jax.random.key(0), jnp.zeros(10_000), a=-4.0, b=2.0)
    >>> bool(abs(jnp.mean(x**2) - 0.852) < 0.01)
    True
    """
    check(h, a, b)
    return _draw(key, h, a, b, site, chain)


@jax.jit
def _draw(
    key: PRNGKeyArray, h: ArrayLike, a: ArrayLike, b: ArrayLike, site: Array | None, chain: Array | None
) -> Array:
    h, a, b = map(jax.lax.stop_gradient, promote(h, a, b))
    order = jnp.arange(h.size, dtype=jnp.uint32).reshape(h.shape)
    site = order if site is None else jnp.asarray(site, jnp.uint32)
    chain = jnp.zeros((), jnp.uint32) if chain is None else jnp.asarray(chain, jnp.uint32)
    shape = jnp.broadcast_shapes(h.shape, site.shape, chain.shape)
    size = jnp.abs(h)
    # Solved once and kept: what else the envelope needs is cheaper to form again than to load.
    roots = jax.lax.optimization_barrier((upper_mode(size, a, b), _hartree_precision(size, a, b)))

    def attempt(state: tuple[Array, Array]) -> tuple[Array, Array]:
        block, x = state
        words = site_words(jax.random.fold_in(key, block), site, chain)
        fresh = _two_trials(words, _envelope(size, a, b, *roots), b)
        return block + 1, jnp.where(jnp.isinf(x), fresh, x)

    x = until_drawn(attempt, shape, h.dtype)
    return jnp.where(h < 0, -x, x)


def until_drawn(
    attempt: Callable[[tuple[Array, Array]], tuple[Array, Array]], shape: tuple[int, ...], dtype: jnp.dtype
) -> Array:
    """Repeat attempts (number, values) -> (number + 1, values) until no value is infinite; NaN where one stays so.

    Infinity marks what is still to be drawn: one array to carry, and NaN, where there is no density, ends the loop.
    """

    def unfinished(state: tuple[Array, Array]) -> Array:
        return jnp.any(jnp.isinf(state[1])) & (state[0] < _MOST_BLOCKS)

    start = (jnp.uint32(0), jnp.full(shape, jnp.inf, dtype))
    _, x = jax.lax.while_loop(unfinished, attempt, start)
    return jnp.where(jnp.isinf(x), jnp.nan, x)


def redraw(
    key: PRNGKeyArray, current: Float[Array, "..."], h: ArrayLike, a: ArrayLike, b: ArrayLike
) -> Float[Array, "..."]:
    """Draw every entry anew, exactly and in one pass: those whose two tries are refused keep their `current` value.

    Whether an entry is drawn does not depend on what it holds, so that the density is left invariant: an update
    for chains, several times faster than `draw`, which tries until all are done. At least 3/4 of the entries are
    drawn (typically 9/10).

    >>> import jax, jax.numpy as jnp
    >>> x = redraw(jax.random.key(0), jnp.full(10_000, 7.0), 0.0, a=1.0, b=0.2)
    >>> bool(jnp.mean(x == 7.0) < 0.1)
    True
    """
    check(h, a, b)
    return _redraw(key, current, h, a, b)


@jax.jit
def _redraw(key: PRNGKeyArray, current: Array, h: ArrayLike, a: ArrayLike, b: ArrayLike) -> Array:
    site = jnp.arange(current.size, dtype=jnp.uint32).reshape(current.shape)
    return redrawn(site_words(key, site, jnp.uint32(0)), current, h, a, b)[0]


def envelopes(most: ArrayLike, a: Array, b: Array, count: int) -> tuple[Array, Array]:
    """The t of the envelopes of `count` fields, of two Gaussians where negative, and the scale of the fields.

    Entry k is for fields |h| with k <= count |h|/(|h| + scale) < k + 1, where scale is the field of neighbours at a
    typical value, `most` their coupling. Any t makes draws exact; a near one makes them quick.
    """
    zero, _, _ = promote(0.0, a, b)
    typical = _envelope(zero, a, b, upper_mode(zero, a, b), _hartree_precision(zero, a, b)).t
    scale = jnp.maximum(jnp.abs(jnp.asarray(most)), 1e-3) * typical
    share = (jnp.arange(count, dtype=scale.dtype) + 0.5) / count
    h = scale * share / (1 - share)
    envelope = _envelope(h, a, b, upper_mode(h, a, b), _hartree_precision(h, a, b))
    return scale, jnp.where(envelope.split, -envelope.t, envelope.t)


def redrawn(
    words: Words,
    current: Array,
    h: ArrayLike,
    a: ArrayLike,
    b: ArrayLike,
    tabulated: tuple[Array, Array] | None = None,
) -> tuple[Array, Array]:
    """`redraw` by words of the caller; the values, and 1 where one was drawn, else 0.

    The envelopes are solved for, or looked up where the scale and the table that `envelopes` gives are `tabulated`.
    """
    h, a, b = promote(*(jnp.broadcast_to(value, current.shape) for value in (h, a, b)))
    size = jnp.abs(h)
    if tabulated is None:
        envelope = _envelope(size, a, b, upper_mode(size, a, b), _hartree_precision(size, a, b))
    else:
        envelope = _looked_up(size, a, b, *tabulated)
    x = _two_trials(words, envelope, b)
    drawn = jnp.isfinite(x)
    # What is no density makes the width, and so the entry, NaN.
    x = jnp.where(drawn, jnp.where(h < 0, -x, x), current + 0 * envelope.sigma)
    return x, drawn.astype(current.dtype)


def _looked_up(size: Array, a: Array, b: Array, scale: Array, table: Array) -> _Envelope:
    zero = jnp.zeros((), size.dtype)
    place = jnp.minimum(len(table) * size / (size + scale), len(table) - 1).astype(jnp.int32)
    t, split = jnp.abs(table[place]), table[place] < 0
    variance = 0.5 / (a + b * t**2 * jnp.where(split, 3, 2))
    pull = jnp.where(split, 2 * b * t**3, zero)
    odds = jnp.exp(-2 * pull * size * variance)
    return _Envelope(
        centre=(pull + size) * variance - t,
        other=(pull - size) * variance - t,
        sigma=jnp.sqrt(variance),
        lower=jnp.where(split, odds / (1 + odds), zero),
        t=t,
        q=jnp.where(split, zero, t**2),
        split=split,
        log_mass=zero,
    )


def acceptance(h: ArrayLike, a: ArrayLike, b: ArrayLike) -> Float[Array, "..."]:
    """The mean probability to accept a proposal of `draw`: Z over the mass of the envelope.

    >>> round(float(acceptance(0.0, 1.0, 0.0)), 6)
    1.0
    """
    check(h, a, b)
    return _acceptance(h, a, b)


@jax.jit
def _acceptance(h: ArrayLike, a: ArrayLike, b: ArrayLike) -> Array:
    h, a, b = promote(h, a, b)
    h = jnp.abs(h)
    envelope = _envelope(h, a, b, upper_mode(h, a, b), _hartree_precision(h, a, b))
    return jnp.exp(log_partition_above_mode(h, a, b) - envelope.log_mass)


def _hartree_precision(h: Array, a: Array, b: Array) -> Array:
    """The positive root of A^3 - a A^2 - b A - b h^2/2, by Newton steps; nearly solved will do."""
    source = b * h**2 / 2
    precision = jnp.maximum(a, 0) + jnp.sqrt(b) + cube_root(source)
    for _ in range(4):
        value = ((precision - a) * precision - b) * precision - source
        precision = precision - value / ((3 * precision - 2 * a) * precision - b)
    return precision


def _envelope(h: Array, a: Array, b: Array, mode: Array, precision: Array) -> _Envelope:
    tiny = jnp.finfo(h.dtype).tiny
    # The whole line. The two forms of t^2 agree at the root of the cubic; each is taken where it cancels
    # nothing.
    square = jnp.where(
        a > 0, (h / (2 * precision)) ** 2 + 0.5 / precision, (precision - a) / (2 * jnp.maximum(b, tiny))
    )
    precision = jnp.where(a > 0, a + 2 * b * square, precision)
    root = jnp.sqrt(square)
    centre = h / (2 * precision)
    whole_mass = b * (mode**2 - square) ** 2 + precision * (mode - centre) ** 2 - 0.5 * jnp.log(precision)

    # A Gaussian on each side, t outside the mode by a fraction of the width that balances the two slopes of
    # the well. Differences of the large numbers t, mode and centre are formed without cancellation, by the
    # mode's equation.
    step = 1 / jnp.maximum(4 * (a + 3 * b * mode**2) * mode, tiny)
    t = mode + step
    steepness = a + 3 * b * t**2
    upper = -step * (a + 2 * b * (mode**2 + mode * t + t**2)) / steepness
    shift = h / steepness  # between the two centres
    odds = b * t**3 * shift * 2  # log of the ratio of the masses of the two sides
    split_mass = (
        b * mode * (mode + 2 * t) * step**2
        + steepness * (step + upper) ** 2
        - 0.5 * jnp.log(steepness)
        + jnp.log1p(jnp.exp(-odds))
    )
    split = split_mass < whole_mass  # false where there is no well and these numbers overflow

    def choose(two: ArrayLike, one: ArrayLike) -> Array:
        return jnp.where(split, two, one)

    return _Envelope(
        centre=choose(upper, centre - root),
        other=upper - shift,
        sigma=jax.lax.rsqrt(2 * choose(steepness, precision)),
        lower=choose(1 / (1 + jnp.exp(odds)), 0.0),
        t=choose(t, root),
        q=choose(0.0, square),
        split=split,
        log_mass=choose(split_mass, whole_mass) + 0.5 * jnp.log(jnp.pi),
    )


def _two_trials(words: Words, envelope: _Envelope, b: Array) -> Array:
    """Two proposals from four words, a Box-Muller pair and two verdicts: the first accepted, or inf."""
    radius = envelope.sigma * jnp.sqrt(-2 * jnp.log(_uniform(words[0], b.dtype)))
    angle = 2 * jnp.pi * _uniform(words[1], b.dtype)
    first = _trial(radius * jnp.cos(angle), _uniform(words[2], b.dtype), envelope, b)
    second = _trial(radius * jnp.sin(angle), _uniform(words[3], b.dtype), envelope, b)
    return jnp.where(jnp.isinf(first), second, first)


def _trial(offset: Array, uniform: Array, envelope: _Envelope, b: Array) -> Array:
    below = uniform < envelope.lower
    # Once the side is chosen, what is left of the uniform is uniform again.
    rest = jnp.where(below, uniform, uniform - envelope.lower)
    weight = jnp.where(below, envelope.lower, 1 - envelope.lower)
    distance = jnp.where(below, envelope.other, envelope.centre) + offset
    x = envelope.t + distance
    remainder = b * distance**2 * (x * (x + 2 * envelope.t) + envelope.q)
    refused = (rest >= weight * jnp.exp(-remainder)) | (envelope.split & (x < 0))
    return jnp.where(refused, jnp.inf, jnp.where(below, -x, x))


def _uniform(words: UInt32[Array, "..."], dtype: jnp.dtype) -> Float[Array, "..."]:
    """Uniforms on (0, 1] with 31 bits near zero: Box-Muller reaches 6.6 standard deviations."""
    return ((words >> 1).astype(dtype) + 0.5) * dtype.type(2.0**-31)
