"""Importance weights: grown fields, weighted, give what enumeration and Gaussian integrals say of the target."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

import kadanoff as kd
from kadanoff.errors import InputError, OverlapError, OverlapWarning
from kadanoff.renormalization.importance import importance_weights
from kadanoff.renormalization.inverse.spins import SpinDensity

pytestmark = [
    pytest.mark.slow,
    pytest.mark.ci,
    pytest.mark.filterwarnings("ignore::kadanoff.errors.DepthWarning"),
    pytest.mark.filterwarnings("ignore:reweighting leaves:kadanoff.errors.OverlapWarning"),
]

BETA = 0.35
FINE = kd.Ising(BETA)


def free_energy_of_a_free_field(mass2: float, side: int) -> float:
    """-ln Z of S = sum phi (mass2 - Laplacian) phi / 2 on a square torus."""
    waves = 2 * np.pi * np.arange(side) / side
    momentum = 4 * np.sin(waves / 2) ** 2
    return float(np.sum(np.log((mass2 + momentum[:, None] + momentum) / (2 * np.pi))) / 2)


@pytest.fixture(scope="module")
def spins() -> kd.LearntInverse:
    """A conditional law of spins, learnt at another coupling than where it is used."""
    ensemble = kd.sample(kd.Ising(0.3), (8, 8), chains=32, draws=16, seed=0)
    return kd.learn_inverse(ensemble, kd.Majority(b=2), kind="minimal", steps=60)


@pytest.fixture(scope="module")
def density() -> kd.LearntInverse:
    """A consistent density of real fields, hardly trained."""
    ensemble = kd.sample(kd.Phi4(0.5, 0.0), (8, 8), chains=32, draws=32, seed=0)
    return kd.learn_inverse(ensemble, kd.MajorityMean(b=2), steps=100, width=4, seed=1)


def grown(spins: kd.LearntInverse, seed: int, steps: int = 1, beta: float = 0.2) -> kd.Levels:
    start = kd.sample(kd.Ising(beta), (2, 2), chains=64, draws=32, seed=seed)
    return kd.grow(start, spins, steps=steps, seed=seed + 1)


@pytest.mark.statistical
def test_weighted_spins_agree_with_enumeration(spins: kd.LearntInverse) -> None:
    # Four standard errors; without weights the energy is off by more than ten.
    found = importance_weights(grown(spins, 3), FINE)
    exact = kd.exact.enumerate_spins(FINE, kd.Lattice((4, 4)))
    start = kd.exact.enumerate_spins(kd.Ising(0.2), kd.Lattice((2, 2)))
    energy = kd.exact.kaufman(BETA, (4, 4)).energy
    weighted = found.ensemble()
    for name, power in (("abs_magnetization", 1), ("magnetization_squared", 2)):
        value = exact.mean(lambda field, power=power: jnp.abs(jnp.mean(field.astype(jnp.float32))) ** power)
        assert abs(weighted.observe(name).pull(value)) < 4, name
    assert abs(weighted.observe("energy").pull(energy)) < 4
    assert abs(kd.Ensemble(found.grown.fields, FINE).observe("energy").pull(energy)) > 10
    assert abs(found.free_energy_difference.pull(start.log_partition - exact.log_partition)) < 4
    assert 0.3 < found.effective < 1 and weighted.action == FINE


@pytest.mark.slow
@pytest.mark.statistical
def test_errors_of_free_energies_cover(spins: kd.LearntInverse) -> None:
    # 40 seeds: the sum of squared pulls is chi-squared, tested at 0.1 % on both sides, over one step and two.
    for steps, sides in ((1, (2, 4)), (2, (2, 8))):
        exact = (
            kd.exact.kaufman(0.2, sides[:1] * 2).log_partition
            - kd.exact.kaufman(BETA, sides[1:] * 2).log_partition
        )
        pulls = [
            importance_weights(grown(spins, 100 * seed, steps), FINE).free_energy_difference.pull(exact)
            for seed in range(40)
        ]
        assert 18 < np.sum(np.square(pulls)) < 73, (steps, pulls)
        assert abs(np.mean(pulls)) < 3.3 / np.sqrt(40)


@pytest.mark.statistical
def test_weighted_real_fields_have_the_gaussian_free_energy(density: kd.LearntInverse) -> None:
    # Four standard errors; the start is a free field of another mass than the target.
    start = kd.sample(kd.Phi4(2.0, 0.0), (2, 2), chains=64, draws=64, seed=5)
    found = importance_weights(kd.grow(start, density, seed=6), kd.Phi4(0.5, 0.0))
    exact = free_energy_of_a_free_field(0.5, 4) - free_energy_of_a_free_field(2.0, 2)
    assert abs(found.free_energy_difference.pull(exact)) < 4
    waves = 4 * np.sin(np.pi * np.arange(4) / 4) ** 2
    phi2 = np.mean(1 / (0.5 + waves[:, None] + waves))
    assert abs(found.ensemble().observe("phi2").pull(phi2)) < 4
    assert found.divergence.value > 0


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize("side", [2, 3])
def test_rules_that_draw_weigh_real_fields(side: int) -> None:
    # Four standard errors of the free field, on even sides and, by three colours, on odd ones.
    ensemble = kd.sample(kd.Phi4(0.5, 0.0), (12, 12), chains=64, draws=32, seed=0)
    inverse = kd.learn_inverse(ensemble, kd.BlockGaussian(b=2, spread=0.3), steps=80, width=4, seed=1)
    start = kd.sample(kd.Phi4(1.0, 0.0), (side, side), chains=64, draws=64, seed=5)
    found = importance_weights(kd.grow(start, inverse, seed=6), kd.Phi4(0.5, 0.0))
    exact = free_energy_of_a_free_field(0.5, 2 * side) - free_energy_of_a_free_field(1.0, side)
    assert abs(found.free_energy_difference.pull(exact)) < 4
    assert found.effective > 0.05


@pytest.mark.exact
def test_a_perfect_density_leaves_all_of_the_sample() -> None:
    # At infinite temperature independent blocks are exact: all weights are alike, and ln Z is 12 ln 2 more.
    fine = kd.sample(kd.Ising(0.0), (8, 8), chains=16, draws=4, seed=0)
    inverse = kd.learn_inverse(fine, kd.Majority(b=2), kind="minimal", steps=1)
    flat = SpinDensity.minimal(2, 2)
    start = kd.sample(kd.Ising(0.0), (2, 2), chains=8, draws=8, seed=1)
    found = importance_weights(kd.grow(start, replace(inverse, map=flat)), kd.Ising(0.0))
    assert found.effective == pytest.approx(1)
    assert found.free_energy_difference.value == pytest.approx(-12 * np.log(2), abs=1e-4)
    assert found.divergence.value == pytest.approx(0, abs=1e-4)


@pytest.mark.exact
def test_what_has_no_weights_is_refused(spins: kd.LearntInverse, density: kd.LearntInverse) -> None:
    levels = grown(spins, 7)
    start = levels[0]
    relaxed = kd.grow(start, spins, relax=kd.Relaxation(FINE, sweeps=1))
    weighted = kd.grow(replace(start, log_weight=np.zeros((64, 32))), spins)
    linear = kd.sample(kd.Phi4(0.5, 0.0), (8, 8), chains=32, draws=16, seed=0)
    plain = kd.learn_inverse(linear, kd.MajorityMean(b=2), kind="linear")
    monte_carlo = kd.grow(start, kd.CompatibleMonteCarlo(FINE, sweeps=1))
    real = kd.grow(kd.sample(kd.Phi4(0.5, 0.0), (2, 2), chains=8, draws=8), density, amplitude=2.0)
    cases = [
        (relaxed, FINE, "relax=None"),
        (kd.grow(relaxed[1], spins), FINE, "the start was relaxed"),
        (weighted, FINE, "log-weights already"),
        (kd.grow(linear, plain), kd.Phi4(0.5, 0.0), "need the density"),
        (monte_carlo, FINE, "need the density"),
        (real, kd.Phi4(0.5, 0.0), "action of the start"),
        (levels, kd.Phi4(0.5, 0.0), "share no configurations"),
    ]
    for given, target, said in cases:
        with pytest.raises(InputError, match=said):
            importance_weights(given, target)
    with pytest.raises(InputError, match="level 0"):
        importance_weights(levels, FINE, level=0)
    with pytest.raises(InputError, match="no level 2: give a number from 1 to 1"):
        importance_weights(levels, FINE, level=2)


@pytest.mark.exact
def test_a_bare_map_has_the_weights_of_the_learnt_inverse(spins: kd.LearntInverse) -> None:
    # The rule draws the majority of ties, whether the inverse names it or not.
    start = kd.sample(kd.Ising(0.2), (2, 2), chains=8, draws=8, seed=1)
    learnt, bare = (importance_weights(kd.grow(start, each), FINE) for each in (spins, spins.map))
    assert np.array_equal(learnt.grown.fields, bare.grown.fields)
    assert np.array_equal(learnt.log_weight, bare.log_weight)


@pytest.mark.exact
def test_lost_overlap_is_told_and_gives_no_ensemble(spins: kd.LearntInverse) -> None:
    levels = grown(spins, 9, steps=3)
    with pytest.warns(OverlapWarning, match="effective configurations of 2048"):
        found = importance_weights(levels, kd.Ising(0.9))
    with pytest.raises(OverlapError):
        found.ensemble()
    assert found.row()["side"] == 16
    assert importance_weights(levels, FINE, level=1).grown is levels[1]
