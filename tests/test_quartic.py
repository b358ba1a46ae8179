"""The quartic site against high-order quadrature, its limits, and Kolmogorov-Smirnov tests of the draws."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

from kadanoff import quartic
from kadanoff.errors import InputError

GRID = [
    (h, a, b)
    for h in (0.0, 1e-3, -0.3, 1.0, -5.0, 30.0, 1e3)
    for a in (-1e3, -30.0, -2.0, -0.3, 0.0, 0.5, 1.52425, 40.0, 1e3)
    for b in (0.0, 1e-8, 1e-3, 0.175, 1.0, 50.0, 1e4)
    if b > 0 or a > 0
]
NAMES = ("log_partition", "mean", "variance", "second moment", "fourth moment")
DRAWS = {
    "critical": (0.4, 1.52425, 0.175),
    "double well": (0.3, -2.0, 0.5),
    "deep wells, field": (-0.05, -12.0, 1.5),
    "shallow wells": (0.1, -1.5, 1.0),
    "flat": (0.0, 0.0, 1.0),
    "large field": (1000.0, -3.0, 2.0),
    "Gaussian": (-1.3, 0.8, 0.0),
    "nearly Gaussian": (2.0, 0.7, 1e-8),
    "all but Gaussian": (0.1, 1.5, 1e-20),
    "Ising": (0.4, -2e4, 1e4),
}


def reference(h, a, b):
    """ln Z, mean, variance, <x^2>, <x^4> by Gauss-Legendre panels around the modes found by numpy.roots."""
    roots = np.roots([4 * b, 0, 2 * a, -abs(h)]) if b > 0 else np.array([abs(h) / (2 * a)])
    mode = max([root.real for root in roots if abs(root.imag) < 1e-6 * (1 + abs(root))] + [0.0])
    curvature = a + 6 * b * mode**2
    reach = [np.sqrt(60 / value) for value in (curvature,) if value > 0] + (
        [(60 / b) ** 0.25] if b > 0 else []
    )
    slope = a + 3 * b * mode**2
    low = max(0.0, mode - np.sqrt(60 / slope)) if slope > 0 else 0.0
    edges = np.linspace(low, mode + min(reach), 31)
    node, weight = np.polynomial.legendre.leggauss(20)
    half = np.diff(edges)[:, None] / 2
    x = (edges[:-1, None] + half * (1 + node)).ravel()
    d = x - mode
    w = (half * weight).ravel() * np.exp(-(d**2) * (curvature + b * d * (4 * mode + d)))
    mirror = np.exp(-2 * abs(h) * x)
    z = np.sum(w * (1 + mirror))
    even, mean = (lambda k: np.sum(w * x**k * (1 + mirror)) / z), np.sum(w * x * (1 - mirror)) / z
    variance = np.sum(w * ((x - mean) ** 2 + mirror * (x + mean) ** 2)) / z
    # For a < 0 in the form without cancellation.
    height = 0.75 * abs(h) * mode - 0.5 * a * mode**2 if a < 0 else a * mode**2 + 3 * b * mode**4
    return height + np.log(z), np.copysign(mean, h) if h else 0.0, variance, even(2), even(4)


def evaluate(h, a, b):
    second, fourth = quartic.moments(h, a, b, (2, 4))
    return [
        np.asarray(value, dtype=np.float64)
        for value in (
            quartic.log_partition(h, a, b),
            quartic.mean(h, a, b),
            quartic.variance(h, a, b),
            second,
            fourth,
        )
    ]


@pytest.mark.reference
@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 3e-6), ("float64", 2e-13)])
def test_against_quadrature(precision, tolerance):
    with jax.enable_x64(precision == "float64"):
        h, a, b = (jnp.asarray(column, dtype=precision) for column in zip(*GRID, strict=True))
        expected = np.array([reference(*map(float, row)) for row in zip(h, a, b, strict=True)]).T
        values = evaluate(h, a, b)
    scale = [np.maximum(1, abs(expected[0])), np.sqrt(expected[3]), expected[2], expected[3], expected[4]]
    limits = np.full((5, 1), tolerance) * np.ones_like(expected)
    if precision == "float64":  # the reference's mode is off by 1e-16 of itself: felt where a peak is narrow
        limits[2] += 3e-16 * np.sqrt(expected[3] / expected[2])
    for name, value, exact, unit, limit in zip(NAMES, values, expected, scale, limits, strict=True):
        assert np.all(abs(value - exact) <= limit * unit), name


@pytest.mark.reference
@pytest.mark.parametrize("couplings", [(0.4, 1.5, 0.2), (0.3, -2.0, 0.5), (-2.0, 0.0, 1.0)])
def test_against_scipy(couplings):
    h, a, b = couplings
    z, _ = integrate.quad(
        lambda x: np.exp(h * x - a * x**2 - b * x**4), -np.inf, np.inf, epsabs=1e-13, epsrel=1e-12
    )
    with jax.enable_x64(True):
        assert float(quartic.log_partition(h, a, b)) == pytest.approx(np.log(z), abs=1e-11)


@pytest.mark.exact
def test_derivatives_are_the_moments():
    step = 1e-4

    @jax.jit  # one program, which shares what all of them need
    def everything(h, a, b):
        slopes = jax.grad(quartic.log_partition, argnums=(0, 1, 2))(h, a, b)
        moments = (quartic.mean(h, a, b), *quartic.moments(h, a, b, (2, 4)))
        curvatures = (
            jax.grad(jax.grad(quartic.log_partition))(h, a, b),
            jax.grad(quartic.mean)(h, a, b),
            jax.jvp(quartic.mean, (h, a, b), (1.0, 0.0, 0.0))[1],
        )
        beside = quartic.variance(h + jnp.array([-step, 0.0, step]), a, b)
        return slopes, moments, curvatures, beside, jax.grad(quartic.variance)(h, a, b)

    with jax.enable_x64(True):
        slopes, (mean, second, fourth), curvatures, beside, third = everything(0.7, -1.1, 0.4)
        np.testing.assert_allclose(slopes, [mean, -second, -fourth], rtol=1e-13)
        np.testing.assert_allclose(curvatures, [beside[1]] * 3, rtol=1e-12)
        assert float(third) == pytest.approx(float(beside[2] - beside[0]) / (2 * step), rel=1e-6)


@pytest.mark.exact
def test_gradient_under_jit_and_vmap_in_single_precision():
    h = jnp.linspace(-3, 3, 7, dtype=jnp.float32)
    slope = jax.jit(jax.vmap(jax.grad(quartic.log_partition), in_axes=(0, None, None)))(h, -1.0, 0.5)
    np.testing.assert_allclose(slope, quartic.mean(h, -1.0, 0.5), atol=2e-6)
    assert np.isfinite(jax.grad(quartic.log_partition)(0.0, 0.0, 1.0))


@pytest.mark.exact
def test_limits():
    h = np.linspace(-2, 2, 9)
    np.testing.assert_allclose(quartic.mean(h, 0.8, 0.0), h / 1.6, atol=1e-6)
    np.testing.assert_allclose(quartic.variance(h, 0.8, 0.0), 0.625, rtol=1e-6)
    np.testing.assert_allclose(quartic.mean(h, -2e4, 1e4), np.tanh(h), atol=1e-4)


@pytest.mark.exact
def test_acceptance_is_never_below_one_half():
    a = np.concatenate([-np.geomspace(1e-2, 1e4, 120), [0.0], np.geomspace(1e-2, 1e4, 60)])
    h = np.concatenate([[0.0], np.geomspace(1e-3, 1e5, 120)])
    with jax.enable_x64(True):
        # x can be rescaled to b = 1: this grid is the whole space of couplings.
        rate = np.asarray(quartic.acceptance(h[:, None], a, 1.0))
    assert rate.min() > 0.5 - 1e-6
    assert rate.max() <= 1 + 1e-9


@pytest.mark.statistical
@pytest.mark.parametrize("name", DRAWS)
def test_draws_follow_the_density(name):
    """Kolmogorov-Smirnov on 200,000 draws: each of the ten fails by chance once in a thousand seeds."""
    h, a, b = DRAWS[name]
    count = 200_000
    x = np.asarray(jax.jit(quartic.draw)(jax.random.key(11), jnp.full(count, h), a, b), dtype=np.float64)
    grid = np.linspace(x.min() - 0.2 * np.ptp(x), x.max() + 0.2 * np.ptp(x), 400_001)
    with jax.enable_x64(True):
        exponent = h * grid - a * grid**2 - b * grid**4 - float(quartic.log_partition(h, a, b))
    cdf = integrate.cumulative_trapezoid(np.exp(exponent), grid, initial=0)
    assert cdf[-1] == pytest.approx(1, abs=1e-4)
    assert stats.kstest(x, lambda value: np.interp(value, grid, cdf / cdf[-1])).pvalue > 1e-3


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.statistical
def test_moments_of_draws_over_random_couplings():
    """Standardised means over the whole grid of couplings: chi-squared at 1e-3 on both sides."""
    count = 2000
    h, a, b = (
        jnp.asarray(c, dtype=jnp.float32)[:, None]
        for c in zip(*[g for g in GRID if g[2] > 1e-4], strict=True)
    )
    x = np.asarray(
        quartic.draw(jax.random.key(5), jnp.broadcast_to(h, (len(h), count)), a, b), dtype=np.float64
    )
    mean, variance = (
        np.asarray(f(h, a, b), dtype=np.float64)[:, 0] for f in (quartic.mean, quartic.variance)
    )
    # Single precision rounds the draws themselves where a peak is narrow and far from zero.
    rounding = count * (1e-7 * mean) ** 2
    chi2 = np.sum((x.mean(axis=1) - mean) ** 2 / (variance + rounding)) * count
    low, high = stats.chi2.ppf((1e-3, 1 - 1e-3), len(mean))
    assert low < chi2 < high


@pytest.mark.exact
def test_draws_depend_on_labels_only():
    key, h = jax.random.key(3), jnp.linspace(-2, 2, 12, dtype=jnp.float32).reshape(3, 4)
    site, chain = jnp.arange(4, dtype=jnp.uint32), jnp.arange(3, dtype=jnp.uint32)[:, None]
    whole = quartic.draw(key, h, -3.0, 1.0, site, chain)
    parts = [quartic.draw(key, h[i, j], -3.0, 1.0, site[j], chain[i, 0]) for i in range(3) for j in range(4)]
    np.testing.assert_allclose(whole.ravel(), jnp.stack(parts), rtol=1e-5)
    mapped = jax.vmap(lambda h, c: quartic.draw(key, h, -3.0, 1.0, site, c))(h, chain)
    np.testing.assert_allclose(whole, mapped, rtol=1e-5)


@pytest.mark.statistical
def test_neighbouring_draws_are_independent():
    x = np.asarray(quartic.draw(jax.random.key(0), jnp.zeros(200_000), 1.5, 0.2), dtype=np.float64)
    y = np.asarray(quartic.draw(jax.random.key(1), jnp.zeros(200_000), 1.5, 0.2), dtype=np.float64)
    for first, second in ((x[1:], x[:-1]), (x, y)):
        assert abs(np.corrcoef(first, second)[0, 1]) * np.sqrt(len(first)) < 3.3
        assert abs(np.corrcoef(first**2, second**2)[0, 1]) * np.sqrt(len(first)) < 3.3


@pytest.mark.exact
def test_empty_scalar_and_double_precision():
    assert quartic.draw(jax.random.key(0), jnp.zeros(0), 1.0, 1.0).shape == (0,)
    assert quartic.draw(jax.random.key(0), 0.1, 1.0, 1.0).shape == ()
    with jax.enable_x64(True):
        x = quartic.draw(jax.random.key(0), jnp.zeros(10), -4.0, 1.0)
        assert x.dtype == jnp.float64 and bool(jnp.all(jnp.isfinite(x)))


@pytest.mark.exact
@pytest.mark.parametrize(
    ("couplings", "words"),
    [
        ((0.0, 1.0, -0.1), "b >= 0"),
        ((0.0, 0.0, 0.0), "a=0 with b=0"),
        ((0.0, np.array([1.0, -2.0]), np.array([0.0, 0.0])), "a=-2 with b=0"),
        ((np.nan, 1.0, 1.0), "h holds NaN"),
        ((0.0, np.inf, 1.0), "a holds NaN"),
    ],
)
def test_bad_couplings_are_refused(couplings, words):
    with pytest.raises(InputError, match=words):
        quartic.check(*couplings)
    with pytest.raises(InputError, match=words):
        quartic.QuarticSite(*couplings)
    with pytest.raises(InputError, match=words):
        quartic.draw(jax.random.key(0), *couplings)


@pytest.mark.exact
def test_bad_couplings_end_as_nan_under_jit():
    h, a, b = jnp.zeros(3), jnp.array([1.0, 1.0, -1.0]), jnp.array([1.0, -1.0, 0.0])
    assert np.isnan(jax.jit(quartic.draw)(jax.random.key(0), h, a, b)).tolist() == [False, True, True]
    assert np.isnan(jax.jit(quartic.log_partition)(h, a, b)).tolist() == [False, True, True]
    h = jnp.array([jnp.nan, jnp.inf, 1e38, 1.0])
    drawn = jax.jit(quartic.draw)(jax.random.key(0), h, jnp.array([1.0, 1.0, -1e38, 1.0]), 1.0)
    assert np.isnan(drawn).tolist() == [True, True, True, False]


@pytest.mark.exact
def test_site_object():
    site = quartic.QuarticSite(h=jnp.array([0.1, 2.0]), a=-1.0, b=0.5)
    couplings = (site.h, site.a, site.b)
    np.testing.assert_array_equal(site.mean(), quartic.mean(*couplings))
    np.testing.assert_array_equal(site.variance(), quartic.variance(*couplings))
    np.testing.assert_array_equal(site.moments((2,))[0], quartic.moments(*couplings, (2,))[0])
    np.testing.assert_array_equal(site.draw(jax.random.key(4)), quartic.draw(jax.random.key(4), *couplings))
    x = np.linspace(-6, 6, 2001)[:, None]
    np.testing.assert_allclose(
        np.trapezoid(np.exp(site.log_density(jnp.asarray(x))), x, axis=0), 1, rtol=1e-5
    )
