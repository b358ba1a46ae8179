"""The kind of random keys that are made here: JAX's Threefry to the last bit, its words by compiled code on CPUs.

XLA compiles every split and every draw of Threefry anew, as loops of many small parts: most of what programs of
updates and of growth took to compile.
"""

import math
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jax.extend.random import define_prng_impl
from jax.extend.random import threefry_prng_impl as as_jax
from jaxtyping import Array, UInt32

__all__ = ["THREEFRY"]

_COUNTS = 1 << 32  # counts of one word


@partial(jax.jit, static_argnums=1)
def _split(key: UInt32[Array, "2"], shape: tuple[int, ...]) -> UInt32[Array, "..."]:
    def generic(key: Array, first: Array) -> Array:
        return as_jax.split(key, shape)

    return _words(generic, key, 0, (*shape, 2))


@jax.jit
def _fold_in(key: UInt32[Array, "2"], number: UInt32[Array, ""]) -> UInt32[Array, "2"]:
    return _words(as_jax.fold_in, key, number, (2,))


@partial(jax.jit, static_argnums=(1, 2))
def _random_bits(key: UInt32[Array, "2"], width: int, shape: tuple[int, ...]) -> Array:
    def generic(key: Array, first: Array) -> Array:
        return as_jax.random_bits(key, width, shape)

    return _words(generic, key, 0, shape, joined=True) if width == 32 else generic(key, key)


def _words(
    generic: Callable[[Array, Array], Array],
    key: Array,
    first: Array | int,
    shape: tuple[int, ...],
    joined: bool = False,
) -> Array:
    """Words of the counts from `first` on: both of each, or joined to one; `generic` makes them elsewhere."""
    # They import numba: not before it is needed.
    from kadanoff.compiled.foreign import call, either, threads
    from kadanoff.compiled.threefry import threefry_words, words_plan

    size = math.prod(shape)

    def compiled(key: Array, first: Array) -> Array:
        result = jax.ShapeDtypeStruct(shape, jnp.uint32)
        plan = words_plan(size, threads(), 1 if joined else 2)
        return call(threefry_words, result, (key, first.reshape(1)), plan, batched=True)

    return either(compiled, generic, key, jnp.uint32(first), when=0 < size < _COUNTS)


#: For `jax.random.key` and all that takes keys.
THREEFRY = define_prng_impl(
    key_shape=(2,),
    seed=as_jax.seed,
    split=_split,
    random_bits=_random_bits,
    fold_in=lambda key, number: _fold_in(key, jnp.uint32(number)),
    name="kadanoff_threefry2x32",
    tag="kdn",
)
