import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kadanoff.ensemble import Ensemble
from kadanoff.errors import InputError
from kadanoff.random import key
from kadanoff.renormalization.blocking import (
    BLOCKING_RULES,
    BlockMean,
    BlockSum,
    Decimation,
    Majority,
    MajorityMean,
    RandomMajoritySite,
    SoftMajority,
    block,
    from_blocks,
    to_blocks,
)

pytestmark = pytest.mark.exact

GEOMETRY = [((4,), 2), ((6,), 3), ((4, 6), 2), ((9, 6), 3), ((4, 6, 8), 2), ((6, 6, 9), 3), ((4, 4, 4, 4), 2)]


def field(shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), dtype=jnp.float32)


@pytest.mark.parametrize(("shape", "b"), GEOMETRY)
def test_blocks_hold_their_sites_and_are_undone(shape, b):
    phi = field(shape)
    blocks = to_blocks(phi, b)
    np.testing.assert_array_equal(from_blocks(blocks, b), phi)
    corner = tuple(side // b - 1 for side in shape)
    cube = np.asarray(phi)[tuple(slice(c * b, (c + 1) * b) for c in corner)]
    np.testing.assert_array_equal(blocks[corner], cube.ravel())


@pytest.mark.parametrize(("shape", "b"), GEOMETRY)
def test_every_rule_by_the_letter(shape, b):
    phi = field(shape)
    cubes = np.asarray(to_blocks(phi, b), dtype=np.float64)
    majority = [np.mean(c[c * c.sum() > 0]) for c in cubes.reshape(-1, b ** len(shape))]
    coarse = cubes.shape[:-1]
    expected = {
        MajorityMean(b=b): np.reshape(majority, coarse),
        BlockMean(b=b): cubes.mean(axis=-1),
        BlockSum(b=b, factor=0.3): 0.3 * cubes.sum(axis=-1),
        Decimation(b=b): cubes[..., 0],
    }
    for rule, value in expected.items():
        np.testing.assert_allclose(rule(key(0), phi), value, rtol=2e-5, atol=1e-6, err_msg=repr(rule))


@pytest.mark.parametrize(
    "name", [name for name in BLOCKING_RULES if name not in ("soft-majority", "gaussian")]
)
def test_rules_are_homogeneous_odd_and_follow_translations_by_a_block(name):
    rule, phi = BLOCKING_RULES[name](), field((8, 8))
    coarse = rule(key(1), phi)
    assert coarse.shape == (4, 4)
    scaled = -2.5 * coarse if rule.homogeneous else -coarse
    np.testing.assert_allclose(rule(key(1), -2.5 * phi), scaled, rtol=1e-5)
    if rule.deterministic:
        np.testing.assert_allclose(
            rule(key(1), jnp.roll(phi, (2, 4), (0, 1))), jnp.roll(coarse, (1, 2), (0, 1)), rtol=1e-5
        )


def test_spins_follow_the_majority():
    spins = jnp.sign(field((9, 9)))
    majority = np.sign(np.asarray(to_blocks(spins, 3)).sum(axis=-1))
    for rule in (MajorityMean(b=3), RandomMajoritySite(b=3)):
        np.testing.assert_array_equal(rule(key(0), spins), majority)


def test_the_mean_keeps_the_magnetisation():
    phi = field((6, 9))
    assert float(BlockMean(b=3)(key(0), phi).mean()) == pytest.approx(float(phi.mean()), rel=1e-5)


def test_a_random_majority_site_is_any_of_them_alike():
    phi = jnp.array([[1.0, 2.0], [3.0, -0.5]])
    rule = RandomMajoritySite(b=2)
    drawn = jax.vmap(lambda k: rule.reduce(k, phi.reshape(1, 4))[0])(jax.random.split(key(0), 6000))
    counts = [int(np.sum(np.asarray(drawn) == value)) for value in (1.0, 2.0, 3.0)]
    # exact up to the stated luck: chi-square of two degrees of freedom, significance 1e-4
    assert sum(counts) == 6000 and sum((c - 2000) ** 2 / 2000 for c in counts) < 18.4


def test_the_sum_with_a_given_eta():
    assert BlockSum.from_eta(0.25, 2).factor == pytest.approx(2 ** (-15 / 8))
    assert BlockSum.from_eta(0.0, 3, b=3).factor == pytest.approx(3**-2.5)


def test_ensembles_are_blocked_with_weights_and_ancestry():
    fields = np.random.default_rng(2).normal(size=(3, 5, 8, 12)).astype(np.float32)
    fine = Ensemble(fields, log_weight=np.arange(15.0).reshape(3, 5))
    twice = block(fine, MajorityMean(b=2), steps=2)
    assert (twice.lattice.shape, twice.depth, twice.action) == ((2, 3), 2, None)
    assert twice.simulated is fine
    np.testing.assert_array_equal(twice.log_weight, fine.log_weight)
    once = MajorityMean(b=2)(key(0), jnp.asarray(fields[2, 3]))
    np.testing.assert_allclose(twice.fields[2, 3], MajorityMean(b=2)(key(0), once), rtol=1e-6)


def test_random_rules_repeat_with_the_seed_only():
    fine = Ensemble(np.random.default_rng(3).normal(size=(2, 6, 8, 8)).astype(np.float32))
    rule = RandomMajoritySite(b=2)
    first, again, other = (block(fine, rule, seed=seed).fields for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.mean(first != other) > 0.3
    assert np.mean(first[0, 0] == first[1, 0]) < 0.1


@pytest.mark.parametrize(
    ("shape", "b", "steps"), [((7, 7), 2, 1), ((8, 8), 3, 1), ((8, 8), 2, 3), ((8, 8), 2, 0)]
)
def test_blocking_that_cannot_be_done_is_refused(shape, b, steps):
    with pytest.raises(InputError):
        block(Ensemble(np.zeros((1, 1, *shape), dtype=np.float32)), MajorityMean(b=b), steps=steps)


@pytest.mark.usefixtures("unchecked")
def test_blocking_steps_are_whole():
    with pytest.raises(InputError, match="blocking steps must be a whole number, got 1.5"):
        block(Ensemble(np.zeros((1, 1, 8, 8), dtype=np.float32)), MajorityMean(b=2), steps=1.5)


@pytest.mark.parametrize("rule", ["majority", Majority])
def test_what_is_no_rule_gets_one_line(rule):
    with pytest.raises(InputError, match="is no blocking rule: give an instance of one"):
        inspect.unwrap(block)(
            Ensemble(np.zeros((1, 1, 4, 4), dtype=np.float32)), rule
        )  # past CI's check of types


@pytest.mark.parametrize(("shape", "b"), GEOMETRY)
def test_majority_of_spins(shape, b):
    spins = jnp.where(field(shape, 3) > 0, 1, -1).astype(jnp.int8)
    sums = np.asarray(to_blocks(spins, b), dtype=int).sum(axis=-1)
    values = np.asarray(jax.vmap(lambda k: Majority(b=b)(k, spins))(jax.random.split(key(1), 400)))
    assert values.dtype == np.int8
    np.testing.assert_array_equal(
        values[:, sums != 0], np.broadcast_to(np.sign(sums[sums != 0]), (400, np.sum(sums != 0)))
    )
    # every tie falls either way, half of the time: 5 standard errors of 400 tosses
    assert np.all(np.abs(values[:, sums == 0].mean(axis=0)) < 0.25)
    assert Majority(b=b).deterministic == (b == 3)


def test_a_random_site_of_tied_spins_is_the_majority_rule():
    blocks = jnp.array([[1, 1, -1, -1]] * 1000, dtype=jnp.int8)
    drawn = np.asarray(RandomMajoritySite(b=2).reduce(key(2), blocks))
    assert abs(drawn.mean()) < 0.16


@pytest.mark.exact
def test_grown_fields_whose_depth_is_below_zero_are_blocked_too():
    fields = np.random.default_rng(0).choice(np.array([-1, 1], np.int8), size=(2, 3, 4, 4))
    grown, plain = (block(Ensemble(fields, depth=depth), Majority(b=2)) for depth in (-2, 0))
    assert grown.depth == -1
    settled = np.abs(fields.reshape(2, 3, 2, 2, 2, 2).sum(axis=(3, 5))) > 0
    np.testing.assert_array_equal(grown.fields[settled], plain.fields[settled])


def test_a_soft_majority_has_its_probability_and_hardens_into_the_majority():
    rule = SoftMajority(b=2, weight=0.3)
    sums = np.arange(-4, 5, 2)
    expected = np.exp(0.3 * sums) / (2 * np.cosh(0.3 * sums))
    np.testing.assert_allclose(rule.probability(jnp.asarray(sums, jnp.float32)), expected, rtol=1e-6)
    spins = jnp.asarray(np.where(np.random.default_rng(0).random((30, 30)) < 0.5, 1, -1).astype(np.int8))
    hard, soft = Majority(b=3)(key(0), spins), SoftMajority(b=3, weight=50.0)(key(0), spins)
    assert soft.dtype == spins.dtype
    np.testing.assert_array_equal(soft, hard)
    assert np.any(np.asarray(SoftMajority(b=3, weight=0.1)(key(0), spins)) != hard)
    assert not rule.homogeneous and not rule.deterministic
    with pytest.raises(InputError, match="positive, got -1"):
        SoftMajority(b=2, weight=-1.0)


def test_a_soft_majority_is_odd_in_law():
    sums, rule = jnp.arange(-4.0, 5.0, 2.0), SoftMajority(weight=0.3)
    np.testing.assert_allclose(rule.probability(sums), 1 - rule.probability(-sums), atol=1e-7)


def test_a_soft_majority_of_infinite_weight_is_the_majority_rule():
    sums = jnp.arange(-4.0, 5.0, 2.0)
    np.testing.assert_array_equal(SoftMajority(weight=np.inf).probability(sums), Majority().probability(sums))
    tied = jnp.asarray([[1, 1, -1, -1]] * 1000, jnp.int8)
    assert abs(float(SoftMajority(weight=np.inf).reduce(key(0), tied).mean())) < 0.16


@pytest.mark.parametrize("name", [name for name in BLOCKING_RULES if name != "decimation"])
@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_block_without_a_sum_stays_no_number(name, wrong):
    phi = field((8, 8)).at[1, 1].set(wrong).at[0, 1].set(-wrong)
    coarse = np.asarray(BLOCKING_RULES[name](b=2)(key(0), phi))
    assert np.isnan(coarse[0, 0]) and np.isfinite(coarse).sum() == 15


def test_the_majority_mean_of_tied_spins_is_no_spin():
    spins = jnp.asarray([[1, 1, -1, -1], [1, 1, 1, -1]], jnp.int8)
    assert MajorityMean().reduce(None, spins).tolist() == [0.0, 1.0]


def test_a_rescaling_factor_is_a_whole_number():
    assert repr(Majority(b=np.int64(3)).b) == "3"
    for b, said in ((2.5, "must be a whole number, got 2.5"), (1, "must be 2 or more, got 1")):
        with pytest.raises(InputError, match=said):
            Majority(b=b)


@pytest.mark.parametrize("factor", [np.nan, np.inf, 0.0, -0.25])
def test_the_factor_of_a_sum_is_positive(factor):
    with pytest.raises(InputError, match="factor of a block sum must be a positive number"):
        BlockSum(b=2, factor=factor)
