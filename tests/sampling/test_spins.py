"""Ising samplers against Kaufman and enumeration.

Each test compares a handful of numbers, each within 4 standard errors (6e-5 a number).
"""

import numpy as np
import pytest

import kadanoff as kd
from kadanoff.actions import couplings
from kadanoff.errors import InputError
from kadanoff.runs import open_ensemble

CRITICAL = float(np.log(1 + np.sqrt(2)) / 2)
SAMPLERS = {
    "metropolis": kd.Metropolis(sweeps=2),
    "heat bath": kd.HeatBath(sweeps=2),
    "swendsen-wang": kd.SwendsenWang(),
    "wolff": kd.Wolff(),
}


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.statistical
@pytest.mark.parametrize("name", SAMPLERS)
def test_the_distribution_of_energies_on_sixteen_spins(name):
    action, lattice = kd.Ising(CRITICAL), kd.Lattice((4, 4))
    ensemble = kd.sample(action, lattice, chains=512, draws=200, thin=3, sampler=SAMPLERS[name], seed=5)
    exact, probability = kd.exact.enumerate_spins(action, lattice).energy_distribution()
    found = np.rint(ensemble.series("energy") * lattice.volume).astype(int)
    # chains are independent: their frequencies have a covariance that knows of autocorrelation
    frequency = np.stack([(found == level).mean(axis=1) for level in exact])
    common = probability * found.size > 50
    error = frequency.std(axis=1, ddof=1) / np.sqrt(found.shape[0])
    pulls = (frequency.mean(axis=1) - probability)[common] / error[common]
    assert common.sum() >= 8 and np.abs(pulls).max() < 4
    assert set(np.unique(found)) <= set(exact.tolist())


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.statistical
@pytest.mark.parametrize(("shape", "beta"), [((4, 4), 0.0), ((8,), 0.05), ((5,), -0.5), ((2, 4), 0.3)])
def test_metropolis_reaches_every_state(shape, beta):
    action, lattice = kd.Ising(beta), kd.Lattice(shape)
    ensemble = kd.sample(
        action, lattice, sampler=kd.Metropolis(), chains=64, draws=200, thermalize=60, seed=1
    )
    exact = kd.exact.enumerate_spins(action, lattice)
    m = exact.fields.reshape(len(exact.fields), -1).mean(axis=1)
    expected = {
        "abs_magnetization": exact.probability @ np.abs(m),
        "susceptibility": lattice.volume * (exact.probability @ m**2),
    }
    for name, value in expected.items():
        assert abs(ensemble.observe(name).pull(value)) < 4


@pytest.mark.statistical
@pytest.mark.parametrize("side", [4, pytest.param(8, marks=[pytest.mark.slow, pytest.mark.ci]), 16])
def test_kaufman_at_the_critical_point(side):
    ensemble = kd.sample(kd.Ising(CRITICAL), kd.Lattice((side, side)), chains=256, draws=100, thin=2, seed=1)
    exact = kd.exact.kaufman(CRITICAL, side)
    assert ensemble.fields.dtype == np.int8 and set(np.unique(ensemble.fields)) == {-1, 1}
    for name, value in (("energy", exact.energy), ("specific_heat", exact.specific_heat)):
        assert abs(ensemble.observe(name).pull(value)) < 4
    assert ensemble.observe("energy").error < 6e-3


@pytest.mark.statistical
@pytest.mark.parametrize("shape", [(6, 9), pytest.param((3, 5), marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["heat bath", "swendsen-wang"])
def test_odd_sides(shape, name):
    ensemble = kd.sample(
        kd.Ising(0.4), kd.Lattice(shape), chains=128, draws=100, sampler=SAMPLERS[name], seed=2
    )
    assert abs(ensemble.observe("energy").pull(kd.exact.kaufman(0.4, shape).energy)) < 4


@pytest.mark.statistical
def test_reweighting_moves_along_beta():
    ensemble = kd.sample(kd.Ising(CRITICAL), kd.Lattice((8, 8)), chains=256, draws=100, seed=3)
    there = kd.reweight(ensemble, kd.Ising(0.42))
    exact = kd.exact.kaufman(0.42, 8)
    assert abs(there.observe("energy").pull(exact.energy)) < 4
    assert abs(there.observe("specific_heat").pull(exact.specific_heat)) < 4


@pytest.mark.exact
def test_a_spin_run_is_kept_resumed_and_blocked(tmp_path):
    request = {"chains": 8, "draws": 20, "thermalize": 5, "seed": 4, "start": "hot"}
    action, lattice = kd.Ising(0.44), kd.Lattice((8, 8))
    whole = kd.sample(action, lattice, **request)
    kd.sample(action, lattice, **request, out=tmp_path / "run")
    opened = open_ensemble(tmp_path / "run")
    assert opened.action == action and couplings(opened.action).keys() == {"beta"}
    assert opened.fields.dtype == np.int8 and opened.spins
    np.testing.assert_array_equal(np.asarray(opened.fields[:, :]), whole.fields)
    blocked = kd.block(opened, kd.Majority(b=2))
    assert blocked.fields.dtype == np.int8 and set(np.unique(blocked.fields)) == {-1, 1}


@pytest.mark.exact
def test_spins_and_real_fields_are_not_mistaken_for_each_other():
    spins = kd.sample(kd.Ising(0.3), kd.Lattice((4, 4)), chains=16, draws=4, thermalize=2, start="hot")
    assert "energy" in spins.observables() and "schwinger_dyson" not in spins.observables()
    for name in ("phi4", "schwinger_dyson"):
        with pytest.raises(InputError, match="defined for real sites"):
            spins.observe(name)
    real = kd.Ensemble(np.ones((1, 2, 4, 4), np.float32), kd.Phi4(-0.9515, 0.7))
    with pytest.raises(InputError, match="defined for spins sites"):
        real.observe("energy")
    with pytest.raises(InputError, match="HybridMonteCarlo moves real fields"):
        kd.sample(kd.Ising(0.3), kd.Lattice((4, 4)), sampler=kd.HybridMonteCarlo())
    for wrong in (float("nan"), float("inf")):
        with pytest.raises(InputError, match="finite"):
            kd.Ising(wrong)


@pytest.mark.exact
def test_sums_of_spins_do_not_overflow():
    ensemble = kd.Ensemble(np.ones((1, 2, 64, 64), np.int8), kd.Ising(0.4))
    assert ensemble.observe("abs_magnetization").value == 1 and ensemble.observe("energy").value == -2
    assert ensemble.observe("susceptibility").value == 4096
