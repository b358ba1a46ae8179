"""Counter-based random words: one hash of (key, site, chain), fused by the compiler into the update that uses
them.

The words depend on the global site number and the chain number only, never on how the arrays are laid out or
sharded. A fresh key (folded with the sweep, the colour, the purpose) makes a fresh stream.
"""

import math
from collections.abc import Callable
from functools import reduce
from typing import SupportsIndex

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Int, PRNGKeyArray, UInt32

from kadanoff.errors import InputError
from kadanoff.keys import THREEFRY
from kadanoff.whole import whole

__all__ = [
    "Words",
    "along_one_axis",
    "checked_seed",
    "fold_in",
    "key",
    "keys_of",
    "normal",
    "shuffled",
    "site_words",
    "split",
    "split_words",
    "uniform",
    "uniform_positive",
    "uniforms",
]

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))

Words = tuple[UInt32[Array, "..."], UInt32[Array, "..."], UInt32[Array, "..."], UInt32[Array, "..."]]


def key(seed: SupportsIndex, *path: int) -> PRNGKeyArray:
    """Make the random key of a seed, folded with the numbers that name its purpose; see `checked_seed`.

    >>> import jax
    >>> bool(jax.random.key_data(key(1))[1] == 1)
    True
    """
    return fold_in(jax.random.key(checked_seed(seed), impl=THREEFRY), *path)


def checked_seed(seed: SupportsIndex) -> int:
    """Give a seed as an `int`; `InputError` for what is no whole number from 0 to 2**32 - 1: keys tell these apart.

    >>> checked_seed(np.int64(7))
    7
    """
    number = whole("seed", seed)
    if not 0 <= number < 2**32:
        raise InputError(f"seed {number} is out of range: give a whole number from 0 to {2**32 - 1}")
    return number


def fold_in(key: PRNGKeyArray, *path: int) -> PRNGKeyArray:
    """`jax.random.fold_in`, number after number: without a program for a key of ours outside of a program.

    >>> folded = jax.random.fold_in(jax.random.fold_in(key(0), 3), 4)
    >>> bool((jax.random.key_data(fold_in(key(0), 3, 4)) == jax.random.key_data(folded)).all())
    True
    """
    if not _is_ours(key):
        return reduce(jax.random.fold_in, path, key)
    words = np.asarray(jax.random.key_data(key))
    for number in path:
        words = _threefry(words, np.array([number], np.uint32))[0]
    return keys_of(words, key)


def split(key: PRNGKeyArray, count: int = 2) -> list[PRNGKeyArray]:
    """`jax.random.split` as a list; outside of a program, for a key of ours, without one."""
    if not _is_ours(key):
        return list(jax.random.split(key, count))
    return [keys_of(words, key) for words in split_words(key, count)]


def split_words(key: PRNGKeyArray, count: int) -> UInt32[np.ndarray, "count word"]:
    """The words of `jax.random.split`, for `keys_of`; see `split`.

    >>> bool((split_words(key(0), 3) == jax.random.key_data(jax.random.split(key(0), 3))).all())
    True
    """
    if not _is_ours(key):
        return np.asarray(jax.random.key_data(jax.random.split(key, count)))
    return _threefry(np.asarray(jax.random.key_data(key)), np.arange(count, dtype=np.uint32))


def keys_of(words: UInt32[np.ndarray, "*count word"], like: PRNGKeyArray) -> Array:
    """Keys of words, of the kind of another key."""
    return jax.random.wrap_key_data(jax.device_put(words), impl=jax.random.key_impl(like))


def shuffled(key: PRNGKeyArray, count: int) -> Int[np.ndarray, " count"]:
    """The numbers below `count` in a random order: for a key of ours that of the words of `jax.random.bits`.

    >>> shuffled(key(0), 5).tolist() == jnp.argsort(jax.random.bits(key(0), (5,))).tolist()
    True
    """
    return np.argsort(np.bitwise_xor.reduce(split_words(key, count), axis=1), kind="stable")


def _is_ours(key: PRNGKeyArray) -> bool:
    return not isinstance(key, Tracer) and jax.random.key_impl(key) in (THREEFRY, "threefry2x32")


def _threefry(key: np.ndarray, count: np.ndarray) -> UInt32[np.ndarray, "count word"]:
    """Two words for every count, by Threefry-2x32 with 20 rounds, as JAX makes them on a device.

    Source: J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, SC '11 (2011) 16.
    """
    keys = (key[:1], key[1:], key[:1] ^ key[1:] ^ np.uint32(0x1BD11BDA))
    x, y = np.broadcast_to(keys[0], count.shape), count + keys[1]
    for block in range(5):
        for rotation in _ROTATIONS[block % 2]:
            x = x + y
            y = x ^ (y << np.uint32(rotation) | y >> np.uint32(32 - rotation))
        x, y = x + keys[(block + 1) % 3], y + keys[(block + 2) % 3] + np.uint32(block + 1)
    return np.stack([x, y], axis=1)


def along_one_axis(
    draw: Callable[[PRNGKeyArray, tuple[int, ...]], Array], key: PRNGKeyArray, shape: tuple[int, ...]
) -> Array:
    """Draw by a function of `jax.random`, the same numbers as for the shape itself.

    XLA takes a second to compile the words of three short axes, and a fifth of that for one axis.

    >>> import jax
    >>> drawn = along_one_axis(jax.random.normal, key(0), (2, 3))
    >>> bool((drawn == jax.random.normal(key(0), (2, 3))).all())
    True
    """
    return draw(key, (math.prod(shape),)).reshape(shape)


def site_words(key: PRNGKeyArray, site: UInt32[Array, "..."], chain: UInt32[Array, "..."]) -> Words:
    """Give four independent 32-bit words for every (site, chain); `site` and `chain` broadcast.

    The hash is pcg4d: an affine step, a mixing round, a xorshift and a second mixing round, all on 32-bit
    integers. The lowest bits are its weakest: those of the first word, along sites, fail a test of the ranks of
    8 million binary matrices, which the upper 24 bits pass.

    >>> import jax.numpy as jnp
    >>> words = site_words(key(0), jnp.arange(4, dtype=jnp.uint32), jnp.uint32(0))
    >>> len(words), words[0].shape
    (4, (4,))

    Source: M. Jarzynski, M. Olano, Hash functions for GPU rendering, J. Comput. Graph. Tech. 9 (2020) 20.
    """
    first, second = jax.random.key_data(key)
    x, y = jnp.broadcast_arrays(site, chain)
    z, w = jnp.full_like(x, first), jnp.full_like(x, second)
    multiplier, increment = jnp.uint32(1664525), jnp.uint32(1013904223)
    x, y, z, w = (v * multiplier + increment for v in (x, y, z, w))
    x, y, z, w = _mix(x, y, z, w)
    x, y, z, w = (v ^ (v >> 16) for v in (x, y, z, w))
    return _mix(x, y, z, w)


def _mix(x: Array, y: Array, z: Array, w: Array) -> Words:
    x = x + y * w
    y = y + z * x
    z = z + x * y
    w = w + y * z
    return x, y, z, w


def uniform(words: UInt32[Array, "..."]) -> Float[Array, "..."]:
    """Turn words into uniforms on [0, 1) with 24 bits.

    >>> import jax.numpy as jnp
    >>> float(uniform(jnp.uint32(2**31)))
    0.5
    """
    return (words >> 8).astype(jnp.float32) * jnp.float32(2.0**-24)


def uniforms(key: PRNGKeyArray, shape: tuple[int, ...]) -> Float[Array, "..."]:
    """Draw independent uniforms on [0, 1) of a shape, four of every hash.

    >>> uniforms(key(0), (3, 5)).shape
    (3, 5)
    """
    rows, columns = math.prod(shape[:-1]), shape[-1]
    # The words of eight sites stand beside one another, so that a vector fills them.
    site = jnp.arange(8 * -(-columns // 32), dtype=jnp.uint32).reshape(-1, 8)
    words = site_words(key, site, jnp.arange(rows, dtype=jnp.uint32)[:, None, None])
    return uniform(jnp.stack(words, axis=-2).reshape(rows, -1)[:, :columns]).reshape(shape)


def uniform_positive(words: UInt32[Array, "..."]) -> Float[Array, "..."]:
    """Turn words into uniforms on (0, 1], safe under a logarithm.

    >>> import jax.numpy as jnp
    >>> float(uniform_positive(jnp.uint32(0))) > 0
    True
    """
    return ((words >> 8) + 1).astype(jnp.float32) * jnp.float32(2.0**-24)


def normal(first: UInt32[Array, "..."], second: UInt32[Array, "..."]) -> tuple[Array, Array]:
    """Turn two words into two independent standard normals (Box-Muller).

    >>> import jax.numpy as jnp
    >>> a, b = normal(jnp.uint32(7), jnp.uint32(9))
    >>> a.shape, b.shape
    ((), ())
    """
    radius = jnp.sqrt(-2.0 * jnp.log(uniform_positive(first)))
    angle = jnp.float32(2.0 * jnp.pi) * uniform(second)
    return radius * jnp.cos(angle), radius * jnp.sin(angle)
