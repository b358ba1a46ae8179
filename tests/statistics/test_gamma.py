"""The Gamma method against exact cases, AR(1) theory, direct sums and pyerrors."""

import math

import numpy as np
import pytest
import scipy.stats

from kadanoff.errors import InputError, OverlapError
from kadanoff.statistics import (
    autocorrelation,
    derived,
    gamma_method,
    integrated_autocorrelation_time,
    jackknife,
)
from kadanoff.statistics.gamma import student


@pytest.mark.exact
def test_one_draw_a_chain_is_the_textbook_standard_error():
    x = np.random.default_rng(0).normal(size=(50, 1)) + 1e6
    estimate = gamma_method(x)
    assert estimate.value == pytest.approx(x.mean(), rel=1e-15)
    assert estimate.error == pytest.approx(x.std(ddof=1) / math.sqrt(50), rel=1e-9)
    assert estimate.tau_int == 0.5


@pytest.mark.exact
@pytest.mark.parametrize("shape", [(2, 30), (64, 20), (3, 500)])
def test_stuck_chains_count_as_one_draw_each(shape):
    means = np.random.default_rng(1).normal(size=(shape[0], 1))
    estimate = gamma_method(np.broadcast_to(means, shape))
    # Few chains: with Student's factor for an interval of 68.3 %.
    factor = scipy.stats.t(shape[0] - 1).ppf(scipy.stats.norm.cdf(1)) if shape[0] < 16 else 1
    assert estimate.error == pytest.approx(factor * means.std(ddof=1) / math.sqrt(shape[0]), rel=1e-10)


@pytest.mark.exact
@pytest.mark.parametrize("value", [0.1, -1e300, 0.0])
def test_constant_series(value):
    estimate = gamma_method(np.full((3, 70), value))
    assert (estimate.value, estimate.error, estimate.tau_int) == (value, 0.0, 0.5)
    assert integrated_autocorrelation_time(np.full(70, value)).error == 0.0


@pytest.mark.exact
@pytest.mark.parametrize(("shape", "factor"), [((2, 700), 1e200), ((40, 30), 1e-200), ((1, 101), 1.0)])
def test_rho_is_the_direct_sum_at_any_scale(ar1, shape, factor):
    x = ar1(np.random.default_rng(2), shape, 3.0)
    result = autocorrelation(factor * x)
    delta = x - x.mean()
    chains, draws = shape
    lags = np.arange(len(result.rho))
    gamma = np.array([np.mean(delta[:, : draws - t] * delta[:, t:]) for t in lags])
    # Restore the variance of the mean, read back from the reported error where the chain spread was not used.
    freedom = max(chains - 1, (x.size - 1) / (2 * result.window + 1))
    corrected = gamma + (result.error / factor / student(chains, freedom)) ** 2
    np.testing.assert_allclose(result.rho, corrected / corrected[0], atol=1e-12)
    assert result.tau_int == pytest.approx(0.5 + result.rho[1 : result.window + 1].sum(), rel=1e-12)


@pytest.mark.exact
def test_invariances(ar1):
    x = ar1(np.random.default_rng(3), (6, 400), 4.0)
    reference = gamma_method(x)
    for other in (x[::-1], x[:, ::-1], -x, x + 1e4):
        assert gamma_method(other).error == pytest.approx(reference.error, rel=1e-9)
    assert gamma_method(3 * x).error == pytest.approx(3 * reference.error, rel=1e-12)
    flat = gamma_method(x[0])
    assert (flat.value, flat.error) == (gamma_method(x[:1]).value, gamma_method(x[:1]).error)


@pytest.mark.exact
def test_anticorrelation_is_not_credited():
    x = np.random.default_rng(4).normal(size=(2, 500))
    x[:, 1::2] = -x[:, ::2]
    estimate = gamma_method(x)
    factor = student(2, 999 / (2 * autocorrelation(x).window + 1))
    assert 1 < factor < 1.01
    assert estimate.error == pytest.approx(factor * x.std(ddof=1) / math.sqrt(1000), rel=1e-12)
    assert estimate.tau_int == 0.5


@pytest.mark.exact
def test_smallest_inputs():
    assert math.isnan(gamma_method([[2.0]]).error)
    for shape in [(1, 2), (1, 3), (2, 1), (2, 2), (16, 2), (1, 4)]:
        x = np.random.default_rng(5).normal(size=shape)
        assert 0 < gamma_method(x).error < 10


@pytest.mark.exact
@pytest.mark.parametrize("shape", [(1, 2), (2, 1)])
def test_two_draws_tell_no_error_of_a_function_of_several_means(shape):
    x = np.random.default_rng(4).normal(size=shape)
    variance = derived(lambda means: means[0] - means[1] ** 2, [x**2, x])
    assert variance.value == pytest.approx(x.var()) and math.isnan(variance.error)
    split = derived(lambda means: means[0] - 1j * means[1] ** 2, [x**2, x])
    assert math.isnan(split.error.real) and math.isnan(split.error.imag)
    assert derived(lambda means: np.exp(means[0]), [x]).error > 0


@pytest.mark.exact
def test_bad_input_is_named():
    x = np.ones((4, 20))
    x[1, 3] = x[2, 5] = np.nan
    x[0, 0] = np.inf
    with pytest.raises(InputError, match="3 of 80"):
        gamma_method(x)
    with pytest.raises(InputError, match="at least one draw"):
        gamma_method(np.ones((4, 0)))
    with pytest.raises(InputError, match="shape"):
        gamma_method(np.ones((2, 2, 2)))
    with pytest.raises(InputError, match="dtype"):
        gamma_method([["a", "b"]])
    with pytest.raises(InputError, match="two parts"):
        autocorrelation(np.ones((2, 5)) * 1j)


@pytest.mark.exact
def test_derived_of_linear_functions_is_the_gamma_method(ar1):
    x = ar1(np.random.default_rng(6), (5, 300), 3.0)
    y = x**2 + 1e5
    combination = derived(lambda m: 2 * m[0] - 3 * m[1], [x, y])
    direct = gamma_method(2 * x - 3 * y)
    assert combination.value == pytest.approx(direct.value, rel=1e-13)
    assert combination.error == pytest.approx(direct.error, rel=1e-7)
    assert combination.tau_int == pytest.approx(direct.tau_int, rel=1e-6)
    z = x + 1j * x**3
    holomorphic, direct = derived(lambda m: m[0] * (2 - 1j), [z]), gamma_method(z * (2 - 1j))
    assert holomorphic.value == pytest.approx(direct.value, rel=1e-12)
    assert holomorphic.error == pytest.approx(direct.error, rel=1e-9)


@pytest.mark.exact
def test_derived_gradients(ar1):
    x = np.abs(ar1(np.random.default_rng(7), (5, 300), 3.0)) + 0.01
    m = x.mean()
    logarithm = derived(lambda v: np.log(v[0]), [x])
    assert logarithm.error == pytest.approx(gamma_method(x).error / m, rel=1e-6)
    # A modulus is not holomorphic: its gradient has to see both directions of a complex mean.
    z = x * np.exp(1j * x)
    modulus = derived(lambda v: abs(v[0]), [z])
    mean = z.mean()
    expected = gamma_method((z * mean.conjugate()).real / abs(mean))
    assert modulus.error == pytest.approx(expected.error, rel=1e-6)


@pytest.mark.exact
def test_derived_weights_are_a_ratio_of_means(ar1):
    rng = np.random.default_rng(8)
    x = ar1(rng, (6, 200), 2.0)
    for log_w in (0.3 * x + 700, 0.3 * x + 0.5j * x - 900):
        w = np.exp(log_w - log_w.real.max())
        weighted = derived(lambda m: m[0], [x], log_w)
        ratio = derived(lambda m: m[0] / m[1], [w * x, w])
        assert weighted.value == pytest.approx(ratio.value, rel=1e-12)
        assert weighted.error == pytest.approx(ratio.error, rel=1e-6)
    flat = derived(lambda m: m[0], [x], np.full(x.shape, -1e4))
    assert flat.error == pytest.approx(gamma_method(x).error, rel=1e-9)


@pytest.mark.exact
def test_derived_refuses():
    x = np.random.default_rng(9).normal(size=(4, 50))
    with pytest.raises(InputError, match="float32"):
        derived(lambda m: np.float32(m[0]), [x])
    with pytest.raises(InputError, match="return one number"):
        derived(lambda m: m, [x, x])
    with pytest.raises(InputError, match="domain"), np.errstate(invalid="ignore"):
        derived(lambda m: np.log(m[0]), [-np.abs(x)])
    with pytest.raises(InputError, match="do not fit"):
        derived(lambda m: m[0], [x], np.zeros((4, 49)))
    with pytest.raises(OverlapError):
        derived(lambda m: m[0], [x], np.full((4, 50), np.nan))


COVERAGE = [
    # chains, draws, tau: many short, far too short, middling, few long, one long
    (128, 20, 5.0),
    (128, 20, 40.0),
    (256, 4, 0.5),
    (16, 64, 8.0),
    (4, 2000, 5.0),
    (1, 8000, 8.0),
]


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.statistical
@pytest.mark.parametrize("shape", [(2, 1), (1, 2), (4, 1), (3, 20), (2, 400)])
@pytest.mark.parametrize("resampled", [False, True])
def test_few_chains_have_errors_that_hold_the_truth_as_often_as_said(ar1, shape, resampled):
    """Of 1500 ensembles, tau_int 30 in the longer ones: not below 68.3 % by 3.5 sigma and 0.01."""
    rng = np.random.default_rng([12, *shape])
    data = ar1(rng, (1500, *shape), 30.0) if shape[1] > 2 else rng.normal(size=(1500, *shape))
    errors = [
        jackknife(lambda means: means, x[None]).errors[0] if resampled else gamma_method(x).error
        for x in data
    ]
    inside = np.mean(np.abs(data.mean(axis=(1, 2))) < errors)
    assert inside > 0.6827 - 0.01 - 3.5 * math.sqrt(0.6827 * 0.3173 / 1500)


@pytest.mark.statistical
@pytest.mark.parametrize(("chains", "draws", "tau"), COVERAGE)
def test_coverage(ar1, exact_error, chains, draws, tau):
    """Intervals of 1 and 2 sigma hold their share of 600 ensembles (binomial, 3.5 sigma and 0.02)."""
    rng = np.random.default_rng([chains, draws])
    estimates = [gamma_method(x) for x in ar1(rng, (600, chains, draws), tau)]
    pulls = np.array([e.pull(0.0) for e in estimates])
    for width, share in ((1.0, 0.6827), (2.0, 0.9545)):
        slack = 3.5 * math.sqrt(share * (1 - share) / 600) + 0.02
        assert abs(np.mean(np.abs(pulls) < width) - share) < slack
    # The errors themselves, not just the pulls: their mean square is the variance of the mean.
    ratio = np.mean([e.error**2 for e in estimates]) / exact_error(chains, draws, tau) ** 2
    assert abs(ratio - 1) < 0.06


@pytest.mark.statistical
def test_tau_int_and_its_error(ar1):
    rng = np.random.default_rng(11)
    estimates = [integrated_autocorrelation_time(x) for x in ar1(rng, (300, 4, 3000), 6.0)]
    values = np.array([float(e) for e in estimates])
    errors = np.array([e.error for e in estimates])
    assert abs(values.mean() - 6.0) < 0.1
    assert 0.85 < values.std() / np.sqrt(np.mean(errors**2)) < 1.15


@pytest.mark.statistical
def test_tau_int_of_chain_means_is_known_as_well_as_these_are(ar1):
    """Two chains of 20 tau_int and many of two: where the means decide, their number gives the error, never less."""
    for chains, draws, tau in ((2, 200, 15.0), (64, 16, 8.0)):
        found = [autocorrelation(x) for x in ar1(np.random.default_rng(13), (300, chains, draws), tau)]
        assert min(x.tau_int_error / x.tau_int for x in found) > 0.7 * math.sqrt(2 / (max(chains, 16) - 1))


@pytest.mark.statistical
def test_coverage_of_a_nonlinear_weighted_function(ar1):
    """Reweighting N(0, 1) by exp(x / 2) gives N(1/2, 1): <x^2> / <x>^2 = 5, 400 times."""
    rng = np.random.default_rng(12)
    pulls = [
        derived(lambda m: np.log(m[1] / m[0] ** 2), [x, x**2], 0.5 * x).pull(math.log(5.0))
        for x in ar1(rng, (400, 8, 1000), 3.0)
    ]
    inside = np.mean(np.abs(pulls) < 1.0)
    assert abs(inside - 0.6827) < 3.5 * math.sqrt(0.6827 * 0.3173 / 400) + 0.02


@pytest.mark.reference
@pytest.mark.parametrize("chains", [1, 4])
def test_pyerrors_agrees(ar1, chains):
    """Same window rule; they differ by terms of order tau / draws (finite length, means of replicas)."""
    pyerrors = pytest.importorskip("pyerrors")
    x = ar1(np.random.default_rng(13), (chains, 20000), 5.0) + 3.0
    y = 0.5 * x**2
    names = [f"ensemble|r{c}" for c in range(chains)]
    a, b = pyerrors.Obs(list(x), names), pyerrors.Obs(list(y), names)
    ours = [
        gamma_method(x),
        derived(lambda m: m[1] / m[0] ** 2, [x, y]),
        derived(lambda m: np.exp(-m[0]), [x]),
    ]
    for mine, theirs in zip(ours, [a, b / a**2, np.exp(-a)], strict=True):
        theirs.gamma_method(S=2.0)
        assert mine.value == pytest.approx(theirs.value, rel=1e-12)
        assert mine.error == pytest.approx(theirs.dvalue, rel=0.01)
        assert mine.tau_int == pytest.approx(theirs.e_tauint["ensemble"], rel=0.02)
        exported = mine.to_pyerrors("ensemble")
        exported.gamma_method(S=2.0)
        assert exported.dvalue == pytest.approx(theirs.dvalue, rel=0.01)


@pytest.mark.reference
def test_pyerrors_agrees_on_reweighting(ar1):
    pyerrors = pytest.importorskip("pyerrors")
    x = ar1(np.random.default_rng(14), (2, 10000), 4.0)
    log_w = 0.4 * x
    names = ["e|r0", "e|r1"]
    theirs = pyerrors.reweight(pyerrors.Obs(list(np.exp(log_w)), names), [pyerrors.Obs(list(x), names)])[0]
    theirs.gamma_method(S=2.0)
    mine = derived(lambda m: m[0], [x], log_w)
    assert mine.value == pytest.approx(theirs.value, rel=1e-12)
    assert mine.error == pytest.approx(theirs.dvalue, rel=0.01)


@pytest.mark.exact
def test_one_draw_that_counts_tells_no_error():
    x = np.random.default_rng(0).normal(size=(4, 5))
    log_w = np.full((4, 5), -np.inf)
    log_w[1, 2] = 3.0
    found = derived(lambda m: m[0], [x], log_w)
    assert found.value == pytest.approx(x[1, 2]) and math.isnan(found.error)
