"""Jackknife and bootstrap against textbook formulas, AR(1) theory and the Gamma method."""

import math

import numpy as np
import pytest

from kadanoff.errors import InputError, OverlapError
from kadanoff.statistics import bootstrap, derived, gamma_method, jackknife


def moments(m):
    return np.array([m[0], m[1], m[1] - m[0] ** 2])


@pytest.mark.exact
def test_jackknife_of_means_is_the_covariance_of_chain_means(ar1):
    x = ar1(np.random.default_rng(0), (20, 30), 4.0) + 1e6
    y = (x - 1e6) ** 2
    result = jackknife(lambda m: m, [x, y])
    expected = np.cov(np.array([x.mean(axis=1), y.mean(axis=1)])) / 20
    np.testing.assert_allclose(result.covariance, expected, rtol=1e-6)
    np.testing.assert_allclose(result.errors, np.sqrt(np.diag(expected)), rtol=1e-6)
    np.testing.assert_allclose(result.values, [x.mean(), y.mean()], rtol=1e-14)
    assert result.samples.shape == (20, 2)


@pytest.mark.exact
@pytest.mark.parametrize("imaginary", [0.0, 0.4])
def test_leave_one_out_by_hand_with_weights(imaginary):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(17, 10))
    log_w = 0.5 * x + 800 + 1j * imaginary * x if imaginary else 0.5 * x + 800
    result = jackknife(lambda m: m[1] / m[0], [x + 3, x**2], log_w)
    w = np.exp(log_w - 800)
    by_hand = []
    for left_out in range(17):
        keep = np.arange(17) != left_out
        by_hand.append(np.sum(w[keep] * x[keep] ** 2) / np.sum(w[keep] * (x[keep] + 3)))
    by_hand = np.array(by_hand)
    np.testing.assert_allclose(result.samples[:, 0], by_hand, rtol=1e-12)
    spread = by_hand - by_hand.mean()
    error = np.sqrt(16 / 17 * np.sum(spread.real**2)) + 1j * np.sqrt(16 / 17 * np.sum(spread.imag**2))
    assert result.errors[0] == pytest.approx(error, rel=1e-9)
    assert result.covariance[0, 0].real == pytest.approx(16 / 17 * np.sum(np.abs(spread) ** 2), rel=1e-9)


@pytest.mark.exact
def test_bootstrap_is_reproducible_and_reads_every_kind_of_seed():
    x = np.random.default_rng(2).normal(size=(2, 20, 30))
    first = bootstrap(moments, x, seed=7)
    np.testing.assert_array_equal(first.samples, bootstrap(moments, x, seed=np.uint32(7)).samples)
    np.testing.assert_array_equal(first.samples, bootstrap(moments, x, seed=np.random.default_rng(7)).samples)
    assert not np.array_equal(first.samples, bootstrap(moments, x, seed=8).samples)
    assert not np.array_equal(
        bootstrap(moments, x, seed=[0, 7]).samples, bootstrap(moments, x, seed=[1, 7]).samples
    )
    np.testing.assert_allclose(first.covariance, np.cov(first.samples.T), rtol=1e-12)
    assert [e.error for e in first.estimates()] == list(first.errors)


@pytest.mark.statistical
def test_bootstrap_of_few_units_is_not_too_small():
    """Against the exact variance of a mean of 16 chains, known to 1 %; 1 / 16 would be missed."""
    x = np.random.default_rng(10).normal(size=(1, 16, 1))
    covariance = bootstrap(lambda m: m, x, seed=11, samples=20000).covariance[0, 0]
    assert covariance == pytest.approx(x.var(ddof=1) / 16, rel=0.035)


@pytest.mark.exact
def test_constant_and_not_finite():
    constant = jackknife(lambda m: m, np.full((2, 4, 50), 0.1))
    np.testing.assert_array_equal(constant.errors, 0.0)
    x = np.random.default_rng(3).normal(size=(1, 16, 5))
    x -= x.mean() - 1e-3  # the mean is positive, but not that of every resample
    for result in (jackknife(lambda m: np.log(m), x), bootstrap(lambda m: np.log(m), x, 0)):
        assert np.isfinite(result.values).all()
        assert np.isnan(result.errors).all()  # never dropped in silence
        assert str(result.estimates()[0]).endswith("(nan)")


@pytest.mark.exact
def test_refusals():
    x = np.random.default_rng(4).normal(size=(1, 4, 50))
    with pytest.raises(InputError, match="'chain' or 'block'"):
        jackknife(moments, x, over="draw")
    with pytest.raises(InputError, match="no spread"):
        jackknife(lambda m: m, [[[1.0]]])
    with pytest.raises(InputError, match="at least 2"):
        bootstrap(lambda m: m, x, 0, samples=1)
    with pytest.raises(InputError, match="seed"):
        bootstrap(lambda m: m, x, seed=0.5)
    with pytest.raises(InputError, match="seed -1 is not usable"):
        bootstrap(lambda m: m, x, seed=[-1, 0])
    with pytest.raises(InputError, match="vector"):
        jackknife(lambda m: np.ones((2, 2)), x)
    with pytest.raises(OverlapError):
        jackknife(lambda m: m, x, np.full((4, 50), -np.inf))
    with pytest.raises(InputError, match="1 of 200"):
        jackknife(lambda m: m, np.where(x == x.max(), np.nan, x))


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("chains", "draws", "tau", "over"),
    [
        (64, 20, 5.0, "chain"),
        (4, 2000, 5.0, "chain"),
        (1, 600, 5.0, "chain"),
        (1, 4000, 8.0, "chain"),
        (20, 400, 4.0, "block"),
    ],
)
def test_errors_have_the_right_size(ar1, exact_error, chains, draws, tau, over):
    """Errors of 200 AR(1) ensembles: mean square right to 10 %, coverage to 3.5 sigma and 0.02."""
    rng = np.random.default_rng([chains, draws])
    exact = exact_error(chains, draws, tau)
    data = ar1(rng, (200, chains, draws), tau)
    for method in (
        lambda x: jackknife(lambda m: m, x[None], over=over),
        lambda x: bootstrap(lambda m: m, x[None], rng, samples=150, over=over),
    ):
        errors = np.array([method(x).errors[0] for x in data])
        assert abs(np.mean(errors**2) / exact**2 - 1) < 0.10
        inside = np.mean(np.abs(data.mean(axis=(1, 2))) < errors)
        assert abs(inside - 0.6827) < 3.5 * math.sqrt(0.6827 * 0.3173 / 200) + 0.02


@pytest.mark.statistical
def test_all_three_methods_agree(ar1):
    x = ar1(np.random.default_rng(6), (64, 400), 4.0)
    primaries, log_w = np.array([x, x**2]), 0.2 * x
    gamma = derived(lambda m: m[1] - m[0] ** 2, primaries, log_w)
    for result in (jackknife(moments, primaries, log_w), bootstrap(moments, primaries, 1, 2000, log_w)):
        assert result.values[2] == pytest.approx(gamma.value, rel=1e-12)
        assert result.errors[2] == pytest.approx(gamma.error, rel=0.3)  # 64 chains: 9 % noise
        correlation = result.covariance[0, 1] / (result.errors[0] * result.errors[1])
        assert -1 <= correlation <= 1
    assert gamma_method(x).error == pytest.approx(jackknife(lambda m: m, x[None]).errors[0], rel=0.3)


@pytest.mark.exact
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", [(1, 2), (2, 1)])
def test_two_draws_tell_the_error_of_a_mean_and_none_of_a_variance(shape, weighted):
    x, log_w = np.array([1.0, 4.0]).reshape(shape), None
    if weighted:  # a third draw that does not count
        axis = int(np.argmax(shape))
        x = np.concatenate([x, np.take(x, [0], axis) + 7], axis)
        log_w = np.where(x == 8, -np.inf, 0.0)
    every = [jackknife(moments, [x, x**2], log_w)]
    if not weighted:  # resamples of a bootstrap may hold the third draw alone
        every.append(bootstrap(moments, [x, x**2], 0, 200))
    for found in every:
        assert np.all(found.errors[:2] > 0) and np.isnan(found.errors[2])
        assert np.isnan(found.covariance[2, 2]) and np.isfinite(found.covariance[:2, :2]).all()
    if not weighted:
        assert jackknife(moments, [x, x**2]).errors[0] == pytest.approx(gamma_method(x).error)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.exact
def test_resamples_are_a_whole_number():
    with pytest.raises(InputError, match="whole number"):
        bootstrap(moments, np.ones((2, 4, 4)), 0, 2.5)
