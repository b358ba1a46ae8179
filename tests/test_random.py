"""Statistical tests of the counter-based words; fixed keys, each with significance 1e-4."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from kadanoff.random import key, normal, site_words, uniform, uniform_positive

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
