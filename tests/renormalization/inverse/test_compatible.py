"""Compatible Monte Carlo: the exact conditional law, majorities kept, growth of spins in memory and on disk."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chi2

import kadanoff as kd
from kadanoff.errors import DepthWarning, InputError
from kadanoff.experiments.two_samples import compare
from kadanoff.random import key
from kadanoff.renormalization.blocking import to_blocks
from kadanoff.renormalization.inverse.given import GivenInverse
from kadanoff.sampling import SwendsenWang

CRITICAL = float(np.log(1 + np.sqrt(2)) / 2)


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("action", "rule"),
    [
        pytest.param(kd.Ising(CRITICAL), kd.Majority(b=2), marks=[pytest.mark.slow, pytest.mark.ci]),
        pytest.param(
            kd.LongerRangeIsing(0.3, 0.08), kd.Majority(b=2), marks=[pytest.mark.slow, pytest.mark.ci]
        ),
        pytest.param(
            kd.LongerRangeIsing(0.3, 0.08),
            kd.SoftMajority(b=2, weight=0.5),
            marks=[pytest.mark.slow, pytest.mark.ci],
        ),
        pytest.param(
            kd.LongerRangeIsing(0.3, 0.08),
            kd.SoftMajority(b=2, weight=np.inf),
            marks=[pytest.mark.slow, pytest.mark.ci],
        ),
    ],
    ids=repr,
)
def test_the_law_given_the_blocks_is_that_of_enumeration(action, rule):
    # Every one of the 4 x 4 fields that can lie above this 2 x 2 field, at a significance of 1e-3.
    coarse = jnp.array([[1.0, 1.0], [1.0, -1.0]])
    exact = kd.exact.enumerate_spins(action, kd.Lattice((4, 4)))
    fields = jnp.asarray(exact.fields, jnp.float32)
    blocks = jax.vmap(lambda field: to_blocks(field, 2))(fields)
    kernel = np.asarray(jnp.prod(rule.probability(blocks.sum(axis=-1) * coarse), axis=(1, 2)), np.float64)
    law = exact.probability * kernel
    law /= law.sum()
    count = 400_000
    inverse = kd.CompatibleMonteCarlo(action, rule, sweeps=24)
    many = jnp.broadcast_to(coarse, (count, 2, 2))
    drawn = np.asarray(inverse.fine(key(3), many, jnp.arange(count, dtype=jnp.uint32)))
    bits = (drawn.reshape(count, 16) < 0).astype(np.int64) @ (1 << np.arange(16))
    seen = np.bincount(bits, minlength=1 << 16)
    assert not seen[law == 0].any()
    often = law * count >= 10
    cells = np.append(seen[often], seen[~often].sum())
    expected = count * np.append(law[often], law[~often].sum())
    statistic = np.sum((cells - expected) ** 2 / expected)
    assert chi2.sf(statistic, len(cells) - 1) > 1e-3


@pytest.fixture(scope="module")
def direct():
    return kd.sample(
        kd.Ising(CRITICAL),
        kd.Lattice((32, 32)),
        chains=64,
        draws=32,
        thermalize=100,
        sampler=SwendsenWang(),
        seed=1,
    )


@pytest.mark.statistical
def test_blocked_fields_turn_back_into_the_law_they_had(direct):
    # Means within 3.5 sigma of an independent half; the energy's distribution by Kolmogorov at 1e-3.
    other, mine = (direct.select(chains=half) for half in (slice(0, 32), slice(32, 64)))
    fine = kd.grow(kd.block(mine, kd.Majority(b=2)), kd.CompatibleMonteCarlo(direct.action, sweeps=16))[-1]
    for name in ("energy", "abs_magnetization", "susceptibility", "binder", "xi_over_L"):
        here, there = fine.observe(name), other.observe(name)
        assert abs(here.value - there.value) < 3.5 * np.hypot(here.error, there.error), name
    samples = ({"energy": list(each.series("energy"))} for each in (mine, fine))
    assert compare(*samples, seed=0)["energy"].p_value > 1e-3
    assert abs(fine.observe("energy").pull(kd.exact.kaufman(CRITICAL, 32).energy)) < 3.5
    # One sweep is not enough, and the comparison sees it.
    early = kd.grow(kd.block(mine, kd.Majority(b=2)), kd.CompatibleMonteCarlo(direct.action, sweeps=1))[-1]
    samples = ({"energy": list(each.series("energy"))} for each in (mine, early))
    assert compare(*samples, seed=0)["energy"].p_value < 1e-3


@pytest.mark.exact
@pytest.mark.parametrize(
    ("b", "shape"), [pytest.param(3, (4, 4), marks=[pytest.mark.slow, pytest.mark.ci]), (2, (2, 3, 2))]
)
def test_majorities_are_kept_and_numbers_key_the_noise(b, shape):
    inverse = kd.CompatibleMonteCarlo(kd.Ising(0.3), kd.Majority(b=b), sweeps=3, dimension=len(shape))
    coarse = jnp.where(jax.random.bernoulli(key(1), 0.5, (5, *shape)), 1.0, -1.0)
    number = jnp.arange(5, dtype=jnp.uint32)
    fine = inverse.fine(key(0), coarse, number)
    blocks = np.asarray(jax.vmap(lambda field: to_blocks(field, b))(fine))
    assert blocks.shape == (*coarse.shape, b ** len(shape)) and set(np.unique(blocks)) == {-1.0, 1.0}
    aligned = blocks.sum(axis=-1) * np.asarray(coarse)
    assert (aligned >= 0).all() and (b == 2 or (aligned > 0).all())
    assert (aligned < b ** len(shape)).any()
    turned = inverse.fine(key(0), coarse[::-1], number[::-1])
    np.testing.assert_array_equal(turned[::-1], fine)


@pytest.mark.exact
def test_spins_grow_in_a_folder_to_the_same_bits_and_are_opened_again(tmp_path):
    spins = np.where(np.random.default_rng(0).random((3, 6, 4, 4)) < 0.5, 1, -1).astype(np.int8)
    start = kd.Ensemble(spins, depth=1)
    inverse = kd.CompatibleMonteCarlo(kd.Ising(0.5), sweeps=2)
    levels = kd.grow(start, inverse, out=tmp_path / "grown", seed=4)
    memory = kd.grow(start, inverse, seed=4)
    assert memory[1].spins and memory[1].lattice.shape == (8, 8) and memory[1].depth == 0
    opened = kd.Levels.open(tmp_path / "grown")
    for found in (levels, opened):
        np.testing.assert_array_equal(np.asarray(found[1].fields[:, :]), memory[1].fields)
    assert isinstance(opened.inverse, GivenInverse)
    assert opened.inverse.describe() == "compatible Monte Carlo of Ising(beta=0.5), 2 sweeps, Majority(b=2)"
    # An odd b has no ties, and says so before relaxation: no block lost its majority.
    odd = kd.grow(start, kd.CompatibleMonteCarlo(kd.Ising(0.4), kd.Majority(b=3), sweeps=1))
    assert odd.before[1]["inconsistency"].max() == 0.0


@pytest.mark.exact
@pytest.mark.usefixtures("unchecked")
def test_what_does_not_fit_is_refused_in_one_line():
    spins, chain = (kd.Ensemble(np.ones((1, 2, *sides), np.int8), depth=1) for sides in ((4, 4), (4,)))
    real = kd.Ensemble(np.ones((1, 2, 4, 4), np.float32), depth=1)
    inverse = kd.CompatibleMonteCarlo(kd.Ising(0.4))
    for call, said in (
        (lambda: kd.grow(real, inverse), "real numbers"),
        (lambda: kd.grow(spins, inverse, relax=kd.Relaxation(kd.Phi4(-0.9, 0.7), 1)), "Phi4"),
        (lambda: kd.grow(spins, inverse, amplitude=2.0), "no amplitude"),
        (lambda: kd.grow(chain, inverse), "make it with dimension=1"),
        (lambda: kd.grow(kd.Ensemble(np.ones((1, 2, 4, 4, 4), np.int8)), inverse), "dimension"),
        (lambda: kd.CompatibleMonteCarlo(kd.Phi4(-0.9, 0.7)), "kd.Ising"),
        (lambda: kd.CompatibleMonteCarlo(kd.Ising(0.4), kd.Decimation(b=2)), "kd.Majority"),
        (lambda: kd.CompatibleMonteCarlo(kd.Ising(0.4), sweeps=0), "sweeps .* must be 1 or more"),
        (lambda: kd.CompatibleMonteCarlo(kd.Ising(0.4), sweeps=1.5), "sweeps .* must be a whole number"),
        (lambda: kd.CompatibleMonteCarlo(kd.Ising(0.4), dimension=0), "dimension .* must be 1 or more"),
    ):
        with pytest.raises(InputError, match=said) as error:
            call()
        assert "\n" not in str(error.value)
    with pytest.warns(DepthWarning, match="blocked 1 times"):
        kd.grow(kd.Ensemble(np.ones((1, 2, 4, 4), np.int8)), inverse)


@pytest.mark.exact
def test_a_fixed_point_s_action_and_a_soft_rule_are_kept_and_opened_again(tmp_path):
    spins = np.where(np.random.default_rng(0).random((2, 3, 2, 2, 2)) < 0.5, 1, -1).astype(np.int8)
    inverse = kd.CompatibleMonteCarlo(
        kd.LongerRangeIsing(0.1, 0.03, 0.01), kd.SoftMajority(b=2, weight=0.4), sweeps=2, dimension=3
    )
    levels = kd.grow(kd.Ensemble(spins, depth=1), inverse, out=tmp_path / "grown")
    opened = kd.Levels.open(tmp_path / "grown")
    assert opened.inverse.describe() == levels.inverse.describe()
    assert "cubic=0.01" in opened.inverse.describe() and "weight=0.4" in opened.inverse.describe()
    again = kd.grow(kd.Ensemble(spins, depth=1), opened.inverse)
    np.testing.assert_array_equal(again[1].fields, np.asarray(levels[1].fields[:, :]))


@pytest.mark.exact
def test_a_saved_model_grows_the_same(tmp_path):
    spins = np.where(np.random.default_rng(0).random((2, 3, 4, 4)) < 0.5, 1, -1).astype(np.int8)
    inverse, start = kd.CompatibleMonteCarlo(kd.Ising(0.4), sweeps=2), kd.Ensemble(spins, depth=1)
    loaded = kd.load_model(kd.save_model(inverse, tmp_path / "inverse"))
    assert loaded.dimension == 2
    np.testing.assert_array_equal(kd.grow(start, loaded)[1].fields, kd.grow(start, inverse)[1].fields)
