"""Gaussian mixtures over a block against scipy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import kstest, multivariate_normal, norm

from kadanoff.renormalization.inverse.mixture import (
    Mixture,
    _log_absolute_moment,
    draw,
    log_density,
    log_shape_density,
)

COMPONENTS = 3


def mixture(n, seed=0):
    """Three components over n sites, and the same for scipy: weights, means, covariances."""
    rng = np.random.default_rng(seed)
    weight = rng.dirichlet(np.ones(COMPONENTS)).astype(np.float32)
    mean = rng.normal(size=(COMPONENTS, n)).astype(np.float32)
    diagonal = np.exp(0.3 * rng.normal(size=(COMPONENTS, n))).astype(np.float32)
    lower = (0.5 * rng.normal(size=(COMPONENTS, n * (n - 1) // 2))).astype(np.float32)
    covariances = []
    for k in range(COMPONENTS):
        factor = np.diag(diagonal[k].astype(np.float64))
        factor[np.tril_indices(n, -1)] = lower[k]
        covariances.append(np.linalg.inv(factor.T @ factor))
    ours = Mixture(jnp.log(weight), *map(jnp.asarray, (mean, diagonal, lower)))
    return ours, weight / weight.sum(), mean.astype(np.float64), np.array(covariances)


def density(block, weight, mean, covariance):
    return sum(
        w * multivariate_normal.pdf(block, m, c) for w, m, c in zip(weight, mean, covariance, strict=True)
    )


@pytest.mark.exact
@pytest.mark.parametrize("n", [1, 2, 4, 8])
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_log_density(n, temperature):
    ours, weight, mean, covariance = mixture(n)
    blocks = np.random.default_rng(1).normal(size=(5, n)).astype(np.float32)
    found = log_density(ours.tempered(temperature), jnp.asarray(blocks))
    expected = [np.log(density(block, weight, mean, temperature**2 * covariance)) for block in blocks]
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-5)


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.exact
@pytest.mark.parametrize("n", [2, 3, 4, 8])
def test_log_shape_density(n):
    """|coarse| int |t|^{n-1} q(t block) dt, whatever the block: rays towards, against and beside the means."""
    ours, *theirs = mixture(n)
    blocks = np.random.default_rng(1).normal(size=(6, n)).astype(np.float32)
    blocks[0], blocks[1] = theirs[1][0], -5 * theirs[1][1]
    for block, coarse in zip(blocks, [0.5, -2.0, 1e-3, 1.0, -1.0, 3.0], strict=True):
        value, _ = quad(
            lambda t, block=block: abs(t) ** (n - 1) * density(t * block, *theirs),
            -30,
            30,
            points=[-3, -1, 0, 1, 3],
            limit=400,
        )
        found = log_shape_density(ours, jnp.float32(coarse), jnp.asarray(block))
        assert float(found) == pytest.approx(np.log(abs(coarse) * value), abs=1e-4)


@pytest.mark.exact
def test_shape_densities_far_from_the_means_stay_finite():
    mean = 20.0 * jnp.ones((1, 4))
    sharp = Mixture(jnp.zeros(1), mean, 10 * jnp.ones((1, 4)), jnp.zeros((1, 6)))
    blocks = jnp.stack([jnp.ones(4), -jnp.ones(4), jnp.array([1.0, 1.0, 1.0, -1.0])])
    value = jax.value_and_grad(lambda block: log_shape_density(sharp, jnp.float32(1), block))
    found, slope = jax.jit(jax.vmap(value))(blocks)
    assert np.isfinite(found).all() and np.isfinite(slope).all()
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5)
    assert found[2] < found[0] - 1000


@pytest.mark.exact
@pytest.mark.slow
@pytest.mark.ci
def test_a_program_for_gpus_parts_the_shape_density_from_the_network(monkeypatch):
    """Or XLA takes minutes to compile both for one; the values and slopes are the same."""
    ours, *_ = mixture(4)
    block = jnp.array([1.0, -0.5, 2.0, 0.25])

    def made():  # anew: JAX traces a function once
        return jax.value_and_grad(
            lambda mean: log_shape_density(ours._replace(mean=mean), jnp.float32(1), block)
        )

    value, slope = made()(ours.mean)
    assert "optimization_barrier" not in str(jax.make_jaxpr(made())(ours.mean))
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    found, found_slope = made()(ours.mean)
    assert "optimization_barrier" in str(jax.make_jaxpr(made())(ours.mean))
    np.testing.assert_allclose(found, value, rtol=1e-6)
    np.testing.assert_allclose(found_slope, slope, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.statistical
@pytest.mark.parametrize("n", [1, 4])
def test_draws_have_the_density(n):
    ours, weight, mean, covariance = mixture(n, seed=2)
    count, rng = 20_000, np.random.default_rng(0)
    lot = jnp.asarray(rng.uniform(size=count), jnp.float32)
    normals = jnp.asarray(rng.normal(size=(count, n)), jnp.float32)
    broadcast = Mixture(*(jnp.broadcast_to(part, (count, *part.shape)) for part in ours))
    drawn = np.asarray(draw(broadcast, lot, normals), dtype=np.float64)
    # Projections on the axes and on one oblique direction; 5 tests at most, significance 1e-3 each.
    for direction in [*np.eye(n), np.linspace(-1, 1, n) + 0.3]:
        spread = np.sqrt(np.einsum("i,kij,j->k", direction, covariance, direction))
        centre = mean @ direction

        def cumulative(x, centre=centre, spread=spread):
            return norm.cdf((np.asarray(x)[:, None] - centre) / spread) @ weight

        assert kstest(drawn @ direction, cumulative).pvalue > 1e-3
    tempered = draw(Mixture(*broadcast).tempered(0.5), lot, normals)
    component = np.minimum(np.searchsorted(np.cumsum(weight), np.asarray(lot), side="right"), COMPONENTS - 1)
    np.testing.assert_allclose(tempered, mean[component] + 0.5 * (drawn - mean[component]), atol=1e-4)


@pytest.mark.exact
@pytest.mark.parametrize(
    "order", [1, *(pytest.param(k, marks=[pytest.mark.slow, pytest.mark.ci]) for k in (2, 3, 7))]
)
def test_an_absolute_moment_and_its_derivatives_are_those_of_the_integral(order):
    centres = np.array([-6.0, -1.3, -0.2, 0.0, 0.4, 2.0, 9.0], np.float32)
    z = np.linspace(-25.0, 25.0, 200_001)
    weight = np.abs(z) ** order * np.exp(-0.5 * (z - centres[:, None].astype(np.float64)) ** 2)
    total = np.trapezoid(weight, z, axis=1)
    # d/dc of log M is the mean of z - c, and its second derivative their variance less one.
    apart = z - centres[:, None]
    mean = np.trapezoid(weight * apart, z, axis=1) / total
    variance = np.trapezoid(weight * apart**2, z, axis=1) / total - mean**2

    def moment(centre):
        return _log_absolute_moment(centre, order)

    value, slope = jax.vmap(jax.value_and_grad(moment))(centres)
    np.testing.assert_allclose(value, np.log(total), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(slope, mean, rtol=1e-4, atol=1e-5)
    curvature = jax.vmap(jax.grad(jax.grad(moment)))(centres[centres != 0])
    np.testing.assert_allclose(curvature, (variance - 1)[centres != 0], rtol=2e-3, atol=2e-4)
