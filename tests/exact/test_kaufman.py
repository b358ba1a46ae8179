"""Kaufman's solution against its own limits, enumeration, and the numbers of the literature."""

from collections import Counter
from decimal import Decimal, localcontext

import numpy as np
import pytest

import kadanoff as kd
from kadanoff.errors import InputError

CRITICAL = float(np.log(1 + np.sqrt(2)) / 2)


@pytest.mark.reference
@pytest.mark.parametrize(
    ("side", "energy"),
    [(8, -1.49158910744), (16, -1.45306485281), (32, -1.43365846615), (64, -1.42393838983)],
)
def test_critical_energies(side, energy):
    assert kd.exact.kaufman(CRITICAL, side).energy == pytest.approx(energy, abs=1e-11)


@pytest.mark.reference
@pytest.mark.parametrize(("side", "value"), [(8, 0.93971532482921), (16, 0.93219631498099)])
def test_critical_partition_functions(side, value):
    assert kd.exact.kaufman(CRITICAL, side).log_partition / side**2 == pytest.approx(value, abs=1e-13)


@pytest.mark.exact
@pytest.mark.parametrize("shape", [(2, 2), (2, 3), (3, 3), (4, 3), (3, 5), (4, 4)])
@pytest.mark.parametrize("beta", [0.1, CRITICAL, 0.8])
def test_enumeration_agrees_on_every_shape(shape, beta):
    counted = kd.exact.enumerate_spins(kd.Ising(beta), kd.Lattice(shape))
    energy, probability = counted.energy_distribution()
    volume, mean = np.prod(shape), np.sum(energy * probability)
    exact = kd.exact.kaufman(beta, shape)
    assert exact.log_partition == pytest.approx(counted.log_partition, abs=2e-6)
    assert exact.energy == pytest.approx(mean / volume, abs=1e-6)
    spread = np.sum((energy - mean) ** 2 * probability)
    assert exact.specific_heat == pytest.approx(beta**2 * spread / volume, abs=1e-6)


@pytest.mark.exact
@pytest.mark.parametrize("beta", [0.2, CRITICAL - 1e-3, CRITICAL, CRITICAL + 1e-3, 0.7])
def test_derivatives_are_differences(beta):
    shape, step = (12, 17), 1e-4
    low, here, high = (kd.exact.kaufman(beta + shift, shape) for shift in (-step, 0, step))
    assert here.energy == pytest.approx((low.log_partition - high.log_partition) / (2 * step * 204), rel=1e-6)
    heat = -(beta**2) * (high.energy - low.energy) / (2 * step)
    assert here.specific_heat == pytest.approx(heat, rel=1e-5)


@pytest.mark.exact
def test_large_lattices_neither_overflow_nor_lose_the_thermodynamic_limit():
    # Onsager: energy -sqrt 2 at the critical point; the ground state at low temperature
    assert kd.exact.kaufman(CRITICAL, 4096).energy == pytest.approx(-np.sqrt(2), abs=2e-4)
    assert kd.exact.kaufman(3.0, (512, 1024)).energy == pytest.approx(-2, abs=1e-9)
    cold = kd.exact.kaufman(3.0, (512, 1024)).log_partition
    assert cold == pytest.approx(2 * 3.0 * 512 * 1024 + np.log(2), rel=1e-9)


@pytest.mark.exact
@pytest.mark.parametrize("beta", [1e-100, 1e-30, 1e-8, 1e-3, CRITICAL, 3.0, 20.0, 178.0, 400.0, 1e100])
def test_any_temperature_agrees_with_the_states_counted_in_long_numbers(beta):
    spins = 1 - 2 * ((np.arange(1 << 12)[:, None] >> np.arange(12)) & 1).reshape(-1, 3, 4)
    energies = -sum(np.sum(spins * np.roll(spins, 1, axis), axis=(1, 2)) for axis in (1, 2))
    with localcontext() as context:
        context.prec = 240
        b = Decimal(beta)
        weight = {int(e): int(n) * (-b * (int(e) + 24)).exp() for e, n in Counter(energies.tolist()).items()}
        total = sum(weight.values())
        mean = sum(e * w for e, w in weight.items()) / total
        spread = sum((e - mean) ** 2 * w for e, w in weight.items()) / total
        log_partition = float(total.ln() + 24 * b)
        energy, heat = float(mean / 12), float(b * b * spread / 12)
    exact = kd.exact.kaufman(beta, (3, 4))
    assert exact.log_partition == pytest.approx(log_partition, rel=1e-14, abs=1e-13)
    assert exact.energy == pytest.approx(energy, abs=1e-13)
    assert exact.specific_heat == pytest.approx(heat, abs=1e-13)


@pytest.mark.exact
@pytest.mark.parametrize(
    ("beta", "shape", "said"),
    [
        (0.0, 8, "positive"),
        (1e-200, 8, "from 1e-100 to 1e"),
        (float("nan"), 8, "positive"),
        (0.4, (4, 4, 4), "dimension 3"),
        (0.4, 1, "2 or more"),
    ],
)
def test_bad_input(beta, shape, said):
    with pytest.raises(InputError, match=said):
        kd.exact.kaufman(beta, shape)


@pytest.mark.exact
def test_enumeration_of_what_it_cannot():
    with pytest.raises(InputError, match="only spins"):
        kd.exact.enumerate_spins(kd.Phi4(-0.9515, 0.7), kd.Lattice((2, 2)))
    with pytest.raises(InputError, match="22 sites or fewer"):
        kd.exact.enumerate_spins(kd.Ising(0.4), kd.Lattice((5, 5)))


@pytest.mark.exact
def test_means_over_all_states():
    counted = kd.exact.enumerate_spins(kd.Ising(0.3), kd.Lattice((3, 3)))
    assert counted.mean(lambda field: field[0, 0] * field[0, 1]) == pytest.approx(
        -kd.exact.kaufman(0.3, 3).energy / 2, abs=1e-6
    )
    assert counted.mean(lambda field: field[0, 0]) == pytest.approx(0, abs=1e-12)


@pytest.mark.exact
def test_energies_are_those_of_the_links():
    ring = kd.Graph([(0, 1), (1, 2), (2, 3), (3, 0), (0, 2)])
    glass = kd.InhomogeneousIsing(ring, w=0.0)
    levels, probability = kd.exact.enumerate_spins(glass).energy_distribution()
    assert levels.tolist() == [-5, -1, 1, 3]
    np.testing.assert_allclose(probability, [2 / 16, 4 / 16, 8 / 16, 2 / 16], atol=1e-7)
    torus, counted = kd.Graph.grid((3, 3)), kd.exact.enumerate_spins(kd.Ising(0.2), (3, 3))
    same = kd.exact.enumerate_spins(kd.InhomogeneousIsing(torus, w=0.2))
    np.testing.assert_array_equal(same.energy_distribution()[0], counted.energy_distribution()[0])
    np.testing.assert_allclose(same.energy_distribution()[1], counted.energy_distribution()[1], rtol=1e-5)
