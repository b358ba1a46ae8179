"""The two-point function: by enumeration, by direct sums, and against the free field."""

import numpy as np
import pytest
from scipy import stats

import kadanoff as kd
from kadanoff.errors import InputError
from kadanoff.two_point import correlations


@pytest.mark.exact
@pytest.mark.parametrize("shape", [(5,), (6, 6), (4, 7, 7), (8, 4)])
def test_it_is_the_sum_over_sites_along_the_longest_axes(shape):
    fields = np.random.default_rng(0).normal(size=(3, *shape)) + 0.5
    axes = [axis for axis, side in enumerate(shape, 1) if side == max(shape)]
    found = correlations(fields)
    assert found.shape == (3, max(shape) // 2 + 1)
    for r in range(found.shape[1]):
        products = [fields * np.roll(fields, -r, axis) for axis in axes]
        expected = np.mean(products, axis=0).reshape(3, -1).mean(axis=1)
        np.testing.assert_allclose(found[:, r], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.exact
@pytest.mark.parametrize("connected", [False, True])
def test_all_ising_configurations_with_their_weights_give_the_exact_one(connected):
    spins = 1 - 2 * (np.arange(512)[:, None] >> np.arange(9) & 1).reshape(512, 3, 3)
    bonds = sum(np.sum(spins * np.roll(spins, 1, axis), axis=(1, 2)) for axis in (1, 2))
    log_weight = 0.3 * bonds + 0.1 * spins.sum(axis=(1, 2))
    ensemble = kd.Ensemble(spins.astype(np.int8)[None], log_weight=log_weight[None])
    weight = np.exp(log_weight) / np.exp(log_weight).sum()
    site = weight @ spins[:, 0, 0] if connected else 0.0
    exact = [weight @ (spins[:, 0, 0] * spins[:, r, 0]) - site**2 for r in (0, 1)]
    found = ensemble.two_point(connected)
    np.testing.assert_allclose(found.value, exact, rtol=1e-12)
    assert ensemble.select(draws=slice(0, 100)).two_point().value.shape == (2,)


@pytest.mark.statistical
@pytest.mark.parametrize("connected", [False, True])
def test_free_field(connected):
    """Chi squared with the covariance, and every pull; significance 1e-4."""
    side, mass2 = 8, 0.3
    ensemble = kd.sample(kd.Phi4(mass2, 0.0), (side, side), chains=128, draws=64, seed=5)
    found = ensemble.two_point(connected)
    k = 2 * np.pi * np.arange(side) / side
    squared = 4 * np.sin(k / 2) ** 2
    propagator = 1 / (mass2 + squared[:, None] + squared)
    exact = np.array([np.mean(propagator * np.cos(k * r)) for r in found.distance])
    deviation = found.value - exact
    assert np.all(np.abs(deviation / found.error) < stats.norm.isf(0.5e-4 / len(exact)))
    assert deviation @ np.linalg.solve(found.covariance, deviation) < stats.chi2.isf(1e-4, len(exact))
    np.testing.assert_allclose(found.error, np.sqrt(np.diag(found.covariance)), rtol=1e-12)
    assert str(found).splitlines()[1].split()[0] == "1" and "(" in str(found)


@pytest.mark.exact
def test_its_errors_do_not_wait_for_the_sign_of_the_magnetisation():
    """Two chains, each of one sign: products of two fields fluctuate as fast as before, and have the same errors."""
    fields = 1 + 0.3 * np.random.default_rng(0).normal(size=(2, 100, 4, 4))
    fields[1] *= -1
    found, expected = (kd.Ensemble(each).two_point().error for each in (fields, fields * [[[[1]]], [[[-1]]]]))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.exact
def test_graphs_have_no_axes():
    graph = kd.Graph.complete(4)
    with pytest.raises(InputError, match="hypercubic"):
        kd.Ensemble(np.ones((2, 3, 4), np.float32), kd.InhomogeneousPhi4(graph, 0.1, 1.0, 0.1)).two_point()
