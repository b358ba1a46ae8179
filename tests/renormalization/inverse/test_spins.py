"""Learnt inverses of the majority rule: exact probabilities and symmetries, and the coupling that training finds."""

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import kadanoff as kd
from kadanoff.errors import InputError
from kadanoff.random import key
from kadanoff.renormalization import SpinDensity
from kadanoff.renormalization.inverse.block_spins import BlockSpins, draw_spins, log_probability
from kadanoff.sampling import SwendsenWang

CRITICAL = float(np.log(1 + np.sqrt(2)) / 2)


def inverses():
    """A network and a minimal inverse whose parameters are not zero."""
    network = SpinDensity.random(key(1), 2, 2, 4, (3, 1))
    minimal = jax.tree_util.tree_map(lambda leaf: leaf + 0.4, SpinDensity.minimal(2, 2))
    return {"network": network, "minimal": minimal}


@pytest.fixture(params=["network", "minimal"])
def inverse(request):
    return inverses()[request.param]


def spins(shape, seed=0):
    return jnp.where(jax.random.bernoulli(key(seed), 0.5, shape), 1.0, -1.0)


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.exact
def test_the_probabilities_of_all_fine_fields_sum_to_one(inverse):
    # 2 x 2 coarse spins: all 2^16 fine fields, and those with another majority have none.
    coarse = jnp.array([[1.0, -1.0], [1.0, 1.0]])
    state = np.arange(1 << 16)
    fields = 1.0 - 2.0 * ((state[:, None] >> np.arange(16)) & 1).reshape(-1, 4, 4)
    fields = jnp.asarray(fields, jnp.float32)
    log = inverse.log_prob(fields, jnp.broadcast_to(coarse, (len(fields), 2, 2)))
    probability = np.exp(np.asarray(log, np.float64))
    assert probability.sum() == pytest.approx(1.0, abs=2e-5)
    sums = np.asarray(fields).reshape(-1, 2, 2, 2, 2).sum(axis=(2, 4)) * np.asarray(coarse)
    assert (probability[(sums < 0).any(axis=(1, 2))] == 0).all()
    assert (probability[(sums >= 0).all(axis=(1, 2))] > 0).all()


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.exact
def test_flips_and_translations_are_followed_exactly(inverse):
    coarse = spins((3, 4, 4))
    number = jnp.arange(3, dtype=jnp.uint32)
    fine = inverse.fine(key(0), coarse, number)
    np.testing.assert_array_equal(inverse.fine(key(0), -coarse, number), -fine)
    np.testing.assert_array_equal(np.sign(np.asarray(fine)) ** 2, 1.0)
    log = inverse.log_prob(fine, coarse)
    np.testing.assert_allclose(inverse.log_prob(-fine, -coarse), log, rtol=1e-6)
    moved = inverse.log_prob(jnp.roll(fine, (2, 6), (1, 2)), jnp.roll(coarse, (1, 3), (1, 2)))
    np.testing.assert_allclose(moved, log, rtol=1e-5)
    aligned = fine.reshape(3, 4, 2, 4, 2).sum(axis=(2, 4)) * coarse
    assert (aligned >= 0).all()


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.exact
def test_the_minimal_law_has_the_symmetries_of_the_square():
    inverse = inverses()["minimal"]
    coarse, number = spins((2, 4, 4), 3), jnp.arange(2, dtype=jnp.uint32)
    fine = inverse.fine(key(0), coarse, number)
    log = inverse.log_prob(fine, coarse)
    for turn in (lambda f: jnp.swapaxes(f, 1, 2), lambda f: f[:, ::-1], lambda f: f[:, :, ::-1]):
        np.testing.assert_allclose(inverse.log_prob(turn(fine), turn(coarse)), log, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.statistical
def test_blocks_are_drawn_with_their_probabilities():
    # 200,000 blocks against the law of the block, each state within 4.5 sigma.
    rng = np.random.default_rng(2)
    parts = BlockSpins(*(jnp.asarray(rng.normal(size=n), jnp.float32) for n in (4, 6)))
    count, coarse = 200_000, -jnp.ones(200_000)
    many = BlockSpins(*(jnp.broadcast_to(part, (count, part.size)) for part in parts))
    drawn = draw_spins(many, coarse, jnp.asarray(rng.random(count), jnp.float32))
    for state in product((1.0, -1.0), repeat=4):
        share = float(jnp.mean(jnp.all(drawn == jnp.array(state), axis=-1)))
        p = float(jnp.exp(log_probability(parts, jnp.asarray(-1.0), jnp.array(state))))
        assert abs(share - p) <= 4.5 * np.sqrt(p * (1 - p) / count)


@pytest.fixture(scope="module")
def ensemble():
    return kd.sample(
        kd.Ising(CRITICAL),
        kd.Lattice((16, 16)),
        chains=64,
        draws=32,
        thermalize=100,
        sampler=SwendsenWang(),
        seed=2,
    )


@pytest.mark.slow
@pytest.mark.statistical
def test_training_finds_the_coupling_it_was_not_told(ensemble, tmp_path):
    # Given the blocks around it, a block follows the Ising law: the last three numbers are 0, beta, beta. With a
    # quarter of a million blocks the errors are below 0.01; training on few steps leaves another 0.02.
    learnt = kd.learn_inverse(ensemble, kd.Majority(b=2), kind="minimal", steps=300)
    own, beside, coupling = (float(x) for x in jax.tree_util.tree_leaves(learnt.map.second))
    assert abs(own) < 0.06 and abs(beside - CRITICAL) < 0.03 and abs(coupling - CRITICAL) < 0.03
    assert learnt.record.parameters == 6 and learnt.record.held_out < learnt.record.linear
    learnt.save(tmp_path / "inverse")
    assert kd.LearntInverse.load(tmp_path / "inverse").digest == learnt.digest
    blocked = kd.block(ensemble, kd.Majority(b=2))
    levels = kd.grow(blocked, learnt, configurations=512)
    relaxed = kd.grow(blocked, learnt, relax=kd.Relaxation(kd.Ising(CRITICAL), 2), configurations=512)
    exact = kd.exact.kaufman(CRITICAL, 16).energy
    assert levels[1].spins and relaxed[1].spins
    assert levels[1].observe("energy").value == pytest.approx(exact, abs=0.04)  # measured: 0.013 too high
    assert relaxed[1].observe("energy").value == pytest.approx(exact, abs=0.04)


@pytest.mark.exact
def test_kinds_that_do_not_fit_the_sites_are_refused(ensemble):
    real = kd.Ensemble(np.ones((4, 8, 8, 8), np.float32))
    for start, rule, kind, said in (
        (ensemble, kd.Majority(b=2), "stochastic", "'spins'"),
        (ensemble, kd.Decimation(b=2), "density", "kd.Majority"),
        (real, kd.MajorityMean(b=2), "minimal", "'density'"),
        (ensemble, kd.Majority(b=4), "spins", "CompatibleMonteCarlo"),
    ):
        with pytest.raises(InputError, match=said):
            kd.learn_inverse(start, rule, kind=kind)
    with pytest.raises(InputError, match="keeps every majority by construction: leave consistent=False out"):
        kd.learn_inverse(ensemble, kd.Majority(b=2), kind="minimal", consistent=False)


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.exact
def test_many_held_out_pairs_are_judged_alike() -> None:
    # 640 pairs are held out; what is judged of them is the same for the law and for its yardstick.
    fields = np.where(np.random.default_rng(0).random((64, 80, 8, 8)) < 0.5, 1, -1).astype(np.int8)
    learnt = kd.learn_inverse(kd.Ensemble(fields), kd.Majority(b=2), kind="minimal", steps=4)
    assert learnt.record.held_out == pytest.approx(learnt.record.linear, abs=0.02)
