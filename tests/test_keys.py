"""Keys of our kind give the bits of JAX's Threefry, whatever is asked of them and wherever."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kadanoff import random
from kadanoff.devices import layout, spread, use

pytestmark = pytest.mark.exact


def nested(key):
    of_sweep = jax.vmap(jax.random.fold_in, in_axes=(None, 0))
    return jax.vmap(of_sweep, in_axes=(0, None))(jax.random.split(key, 4), jnp.arange(3))


def in_a_loop(key):
    def step(total, key):
        one, two = jax.random.split(key)
        return total + jax.random.bits(one), jax.random.fold_in(two, total)

    return jax.lax.scan(step, jnp.uint32(0), jax.random.split(key, 5))


ASKED = {
    "split": lambda key: jax.random.split(key, (3, 5)),
    "fold in": lambda key: jax.random.fold_in(key, 2**32 - 1),
    "bits": lambda key: jax.random.bits(key, (7, 11)),
    "many bits": lambda key: jax.random.bits(key, (1 << 15) + 3),
    "one word": lambda key: jax.random.bits(key),
    "no bits": lambda key: jax.random.bits(key, (0, 3)),
    "short words": lambda key: jax.random.bits(key, (9,), jnp.uint8),
    "normals": lambda key: jax.random.normal(key, (100,)),
    "integers": lambda key: jax.random.randint(key, (64,), 0, 3584),
    "an order": lambda key: jax.random.permutation(key, 100),
    "choices": lambda key: jax.random.bernoulli(key, 0.3, (20, 1)),
    "many keys": lambda key: jax.vmap(lambda one: jax.random.normal(one, (5, 70)))(jax.random.split(key, 9)),
    "nested": nested,
    "in a loop": in_a_loop,
}


def data(tree):
    def plain(leaf):
        return jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf

    return [np.asarray(plain(leaf)) for leaf in jax.tree.leaves(tree)]


def pair(seed):
    ours, theirs = random.key(seed), jax.random.key(seed, impl="threefry2x32")
    assert ours.dtype != theirs.dtype
    return ours, theirs


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("compiled", [True, False], ids=["in a program", "outside"])
def test_bits_are_those_of_jax(name, compiled):
    function = jax.jit(ASKED[name]) if compiled else ASKED[name]
    for seed in (0, 2**31 + 5):
        found, expected = map(data, map(function, pair(seed)))
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other)
            assert one.dtype == other.dtype


def test_on_many_devices_jax_makes_the_words():
    ours, theirs = pair(3)
    expected = jax.random.bits(theirs, (8,))
    mesh = layout(1, 8, (8, 8), slabs=False)
    with use(mesh):
        words = jax.jit(lambda key: jax.random.bits(key, (8,)))
        np.testing.assert_array_equal(words(spread(mesh, ours)), expected)
        assert "@kadanoff" not in words.lower(ours).as_text()
    assert "@kadanoff" in jax.jit(lambda key: jax.random.bits(key, (8,))).lower(ours).as_text()


def test_programs_of_keys_have_few_parts():
    def parts(key):
        text = jax.jit(in_a_loop).lower(key).compile().as_text()
        return text.count(" fusion(")

    ours, theirs = map(parts, pair(0))
    assert ours < theirs / 4


def test_making_a_key_imports_no_compiler():
    code = "import sys\nfrom kadanoff import random\nrandom.key(1, 2)\nassert 'numba' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
