"""Statistical tests of the counter-based words; fixed keys, each with significance 1e-4."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from kadanoff.errors import InputError
from kadanoff.random import (
    along_one_axis,
    fold_in,
    key,
    keys_of,
    normal,
    shuffled,
    site_words,
    split,
    split_words,
    uniform,
    uniform_positive,
)

SITES = jnp.arange(512, dtype=jnp.uint32)[:, None]
CHAINS = jnp.arange(64, dtype=jnp.uint32)[None, :]
LEVEL = 1e-4


def words(*path):
    return [np.asarray(word) for word in site_words(key(3, *path), SITES, CHAINS)]


@pytest.mark.exact
def test_words_depend_on_labels_and_never_on_layout():
    whole = words()
    part = site_words(key(3), SITES[100:110], CHAINS[:, 7:9])
    for all_of_it, some in zip(whole, part, strict=True):
        np.testing.assert_array_equal(all_of_it[100:110, 7:9], some)
    jitted = jax.jit(site_words)(key(3), SITES, CHAINS)
    np.testing.assert_array_equal(whole[2], jitted[2])


@pytest.mark.exact
def test_paths_of_a_seed_make_different_keys():
    data = {
        tuple(jax.random.key_data(key(*path)).tolist()) for path in [(0,), (1,), (0, 0), (0, 1), (0, 1, 0)]
    }
    assert len(data) == 5


@pytest.mark.exact
@pytest.mark.parametrize("seed", [-1, 2**32, 2**32 + 7, 2**70, 1.0, None, "7"])
@pytest.mark.usefixtures("unchecked")
def test_seeds_that_keys_cannot_tell_apart_are_refused(seed):
    with pytest.raises(InputError, match="seed"):
        key(seed)


@pytest.mark.exact
def test_seeds_of_numpy_are_those_of_python():
    for seed in (7, 2**32 - 1):
        assert jnp.array_equal(jax.random.key_data(key(np.int64(seed))), jax.random.key_data(key(seed)))


@pytest.mark.exact
@pytest.mark.parametrize(
    "kind", ["threefry2x32", pytest.param("rbg", marks=[pytest.mark.slow, pytest.mark.ci])]
)
@pytest.mark.parametrize("seed", [0, 7, 2**31 + 5])
def test_keys_are_those_of_jax(kind, seed):
    root = jax.random.key(seed, impl=kind)

    def same(ours, theirs):
        np.testing.assert_array_equal(jax.random.key_data(ours), jax.random.key_data(theirs))
        assert ours.dtype == theirs.dtype

    for number in (0, 1, 2**31, 2**32 - 1):
        same(fold_in(root, number), jax.random.fold_in(root, number))
        same(fold_in(root, number, 5), jax.random.fold_in(jax.random.fold_in(root, number), 5))
        same(jax.jit(lambda key, number=number: fold_in(key, number))(root), fold_in(root, number))
    for count in (1, 2, 257):
        theirs = jax.random.split(root, count)
        same(keys_of(split_words(root, count), root), theirs)
        for one, other in zip(split(root, count), theirs, strict=True):
            same(one, other)


@pytest.mark.exact
def test_an_order_is_a_permutation_and_that_of_the_words_of_its_key():
    order = shuffled(key(3), 1000)
    np.testing.assert_array_equal(np.sort(order), np.arange(1000))
    np.testing.assert_array_equal(order, jnp.argsort(jax.random.bits(key(3), (1000,))))
    assert (order != shuffled(key(4), 1000)).any()


@pytest.mark.statistical
def test_no_stream_is_repeated():
    # 2^15 pairs of 32-bit words: a repeated 64-bit pair has probability 3e-11.
    first, second, third, fourth = (word.astype(np.uint64).ravel() for word in words())
    assert len(np.unique(first << np.uint64(32) | second)) == first.size
    assert len(np.unique(third << np.uint64(32) | fourth)) == first.size
    other = [word.astype(np.uint64).ravel() for word in words(1)]
    both = np.concatenate([first << np.uint64(32) | second, other[0] << np.uint64(32) | other[1]])
    assert len(np.unique(both)) == both.size


@pytest.mark.statistical
def test_words_are_uniform_in_every_bit():
    for word in words():
        bits = np.unpackbits(word.ravel().view(np.uint8)).reshape(-1, 32)
        z = (bits.sum(axis=0) - len(bits) / 2) / np.sqrt(len(bits) / 4)
        assert np.abs(z).max() < stats.norm.isf(LEVEL / 2 / 32 / 4)
        assert stats.kstest(np.asarray(uniform(jnp.asarray(word))).ravel(), "uniform").pvalue > LEVEL


@pytest.mark.statistical
def test_neighbouring_labels_keys_and_words_are_uncorrelated():
    a = [np.asarray(uniform(jnp.asarray(word))) - 0.5 for word in words()]
    b = [np.asarray(uniform(jnp.asarray(word))) - 0.5 for word in words(1)]
    pairs = [(a[i], a[j]) for i in range(4) for j in range(i)] + [(a[i], b[i]) for i in range(4)]
    pairs += [(x[1:], x[:-1]) for x in a] + [(x[:, 1:], x[:, :-1]) for x in a] + [(x[8:], x[:-8]) for x in a]
    for x, y in pairs:
        assert abs(np.mean(x * y) * 12 * np.sqrt(x.size)) < stats.norm.isf(LEVEL / 2 / len(pairs))


@pytest.mark.statistical
def test_normals_are_normal_and_independent():
    first, second, *_ = site_words(key(5), SITES, CHAINS)
    x, y = (np.asarray(values).ravel() for values in normal(first, second))
    assert stats.kstest(x, "norm").pvalue > LEVEL
    assert stats.kstest(y, "norm").pvalue > LEVEL
    assert abs(np.mean(x * y)) * np.sqrt(x.size) < 4
    assert abs(np.mean((x**2 - 1) * (y**2 - 1)) / 2) * np.sqrt(x.size) < 4


@pytest.mark.exact
def test_uniforms_stay_in_their_intervals():
    extreme = jnp.array([0, 255, 256, 2**31, 2**32 - 1], dtype=jnp.uint32)
    assert float(uniform(extreme).min()) == 0 and float(uniform(extreme).max()) < 1
    assert float(uniform_positive(extreme).min()) > 0 and float(uniform_positive(extreme).max()) == 1


def ranks(rows):
    """Ranks over GF(2) of the matrices (n, 6) of bytes."""
    rows, rank = rows.copy(), np.zeros(len(rows), dtype=np.int64)
    everyone = np.arange(len(rows))
    for bit in range(8):
        # The first row below those found that has the bit goes up, and is added to the others that have it.
        has = ((rows >> bit) & 1).astype(bool)
        candidates = has & (np.arange(6) >= rank[:, None])
        found, pivot = candidates.any(axis=1), candidates.argmax(axis=1)
        top = np.minimum(rank, 5)
        swapped = rows[everyone, pivot]
        rows[everyone[found], pivot[found]] = rows[everyone, top][found]
        rows[everyone[found], top[found]] = swapped[found]
        has = ((rows >> bit) & 1).astype(bool) & found[:, None]
        has[everyone, top] = False
        rows ^= np.where(has, swapped[:, None], 0).astype(np.uint8)
        rank += found
    return rank


@pytest.mark.slow
@pytest.mark.statistical
def test_bytes_of_uniforms_have_the_ranks_of_random_matrices():
    # Of every 6 sites, and of every 6 chains.
    # Matrices of rank r among 6 x 8: choices of an image and a kernel, and isomorphisms between.
    chance = np.array(
        [
            np.prod([(2.0**6 - 2.0**i) * (2.0**8 - 2.0**i) / (2.0**r - 2.0**i) for i in range(r)]) / 2.0**48
            for r in range(7)
        ]
    )
    expected = np.array([chance[:5].sum(), chance[5], chance[6]])
    sites, chains = jnp.arange(960, dtype=jnp.uint32)[:, None], jnp.arange(960, dtype=jnp.uint32)[None, :]
    counts = np.zeros((2, 4, 3, 3))
    for number in range(8):
        for place, word in enumerate(site_words(key(7, number), sites, chains)):
            for order, data in enumerate((np.asarray(word).T, np.asarray(word))):
                for byte in range(3):
                    rank = ranks((data.reshape(-1, 6) >> (8 * byte + 8)).astype(np.uint8))
                    counts[order, place, byte] += [(rank <= 4).sum(), (rank == 5).sum(), (rank == 6).sum()]
    total = counts[0, 0, 0].sum()
    p = stats.chisquare(counts.reshape(-1, 3), expected * total, axis=1).pvalue
    assert p.min() > LEVEL / p.size


@pytest.mark.exact
@pytest.mark.parametrize("draw", [jax.random.normal, jax.random.uniform])
def test_draws_along_one_axis_are_those_of_the_shape(draw):
    keys, shape = jax.random.split(key(3), 4), (3, 4, 5)
    along = jax.vmap(lambda one: along_one_axis(draw, one, shape))(keys)
    assert np.array_equal(along, jax.vmap(lambda one: draw(one, shape))(keys))
