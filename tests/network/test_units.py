"""Units of a network: what follows from exp(h x - energy(x)), and the numbers that training may change freely."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kadanoff.errors import InputError
from kadanoff.network.units import UNITS, BernoulliUnit, GaussianUnit, IsingUnit, Phi4Unit, Unit, unit_type

R = jnp.array([0.3, -0.2, 0.0])
LAYERS: dict[str, Unit] = {
    "phi4": Phi4Unit(R, a=jnp.array([0.5, -1.0, -2.0]), b=jnp.array([0.2, 0.4, 1.0])),
    "phi4 without b": Phi4Unit(R, a=jnp.array([0.5, 1.0, 2.0]), b=0.0),
    "gaussian": GaussianUnit(R, a=jnp.array([0.5, 1.0, 2.0])),
    "bernoulli": BernoulliUnit(R),
    "ising": IsingUnit(R),
}
FIELDS = jnp.array([[0.0, 0.5, -1.0], [2.0, -0.7, 0.1]])
each_layer = pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)


@pytest.mark.exact
@each_layer
def test_the_log_partition_function_makes_mean_and_variance(layer: Unit) -> None:
    slope = jax.grad(lambda h: layer.log_partition(h).sum())
    curvature = jax.jvp(slope, (FIELDS,), (jnp.ones_like(FIELDS),))[1]
    np.testing.assert_allclose(slope(FIELDS), layer.mean(FIELDS), atol=2e-6)
    np.testing.assert_allclose(curvature, layer.variance(FIELDS), atol=1e-5)


@pytest.mark.exact
@each_layer
def test_the_log_partition_function_is_the_sum_over_values(layer: Unit) -> None:
    values = layer.levels or np.linspace(-12, 12, 4001)
    spacing = 0.0 if layer.levels else np.log(values[1] - values[0])
    x = jnp.asarray(values)[:, None, None]
    expected = jax.scipy.special.logsumexp(
        FIELDS * x - layer.energy(jnp.broadcast_to(x, (len(x), 2, 3))), axis=0
    )
    np.testing.assert_allclose(layer.log_partition(FIELDS), expected + spacing, atol=3e-6)


@pytest.mark.exact
@each_layer
def test_conjugate_statistics_are_the_derivatives_of_the_energy(layer: Unit) -> None:
    x = jnp.array([1.0, -1.0, 1.0])
    slope = jax.grad(lambda layer: layer.energy(x).sum())(layer)
    for name, statistic in layer.conjugate(x).items():
        np.testing.assert_allclose(statistic, getattr(slope, name))


@pytest.mark.exact
@pytest.mark.parametrize("layer", [v for k, v in LAYERS.items() if "without" not in k], ids=lambda v: v.name)
def test_unconstrained_numbers_give_the_layer_back_and_always_a_density(layer: Unit) -> None:
    for ours, theirs in zip(
        *map(jax.tree_util.tree_leaves, (layer, layer.constrained(layer.unconstrained()))), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    for size in (-1e6, 0.0, 1e6):
        extreme = layer.constrained({name: jnp.full(3, size) for name in layer.unconstrained()})
        assert np.isfinite(np.asarray(extreme.energy(jnp.ones(3)))).all()


@pytest.mark.statistical
@each_layer
def test_draws_and_updates_have_the_mean_and_variance(layer: Unit) -> None:
    """Within 4.5 standard errors, 24 numbers a layer."""
    h = jnp.broadcast_to(FIELDS[:, None], (2, 20_000, 3))
    drawn = layer.draw(jax.random.key(0), h)
    for x in (drawn, layer.redraw(jax.random.key(1), drawn, h)):
        mean, variance = layer.mean(FIELDS), layer.variance(FIELDS)
        assert np.all(np.abs(x.mean(axis=1) - mean) < 4.5 * np.sqrt(variance / h.shape[1]) + 1e-6)
        square = (x - mean[:, None]) ** 2
        assert np.all(
            np.abs(square.mean(axis=1) - variance) < 4.5 * square.std(axis=1) / h.shape[1] ** 0.5 + 1e-6
        )


@pytest.mark.statistical
def test_updates_leave_the_quartic_density_invariant_from_any_part_of_it() -> None:
    """Half of the chains start in the right well: after one update they are where draws are, or where they began."""
    layer = Phi4Unit(r=0.0, a=jnp.array([-3.0]), b=1.0)
    h = jnp.full((40_000, 1), 0.2)
    x = layer.draw(jax.random.key(0), h)
    for step in range(3):
        x = layer.redraw(jax.random.key(step + 1), x, h)
    right = float((x > 0).mean())
    expected = float((layer.draw(jax.random.key(9), h) > 0).mean())
    assert abs(right - expected) < 4 * np.sqrt(2 * expected * (1 - expected) / len(h))


@pytest.mark.exact
@pytest.mark.parametrize("name", UNITS)
def test_fitted_units_have_the_moments_of_the_data(name: str) -> None:
    kind = unit_type(name)
    x = np.random.default_rng(0).normal([0.0, 1.0], [1.0, 0.5], size=(5000, 2)).clip(-1.5, 1.5)
    if kind.levels:
        x = np.where(x > 0.3, kind.levels[1], kind.levels[0])
    layer = kind.fitted(jnp.asarray(x, jnp.float32))
    h = jnp.zeros(2)
    blur = 0.0 if kind.levels else (x.std(axis=0).max() / 20) ** 2
    np.testing.assert_allclose(layer.mean(h), x.mean(axis=0), atol=2e-3)
    variance = x.mean(axis=0) * (1 - x.mean(axis=0)) if name == "bernoulli" else x.var(axis=0) + blur
    np.testing.assert_allclose(layer.variance(h), variance, atol=2e-3)


@pytest.mark.exact
def test_constant_features_are_fitted_by_finite_couplings() -> None:
    x = jnp.asarray(np.random.default_rng(0).normal(size=(100, 3)) * np.array([1.0, 0.0, 1e-4]), jnp.float32)
    for kind in (Phi4Unit, GaussianUnit):
        layer = kind.fitted(x)
        assert all(np.isfinite(np.asarray(leaf)).all() for leaf in jax.tree_util.tree_leaves(layer))


@pytest.mark.exact
def test_phi4_units_become_ising_units() -> None:
    deep = Phi4Unit(r=jnp.array([0.2]), a=-2e4, b=1e4)
    h = jnp.array([[0.0], [0.9]])
    np.testing.assert_allclose(deep.mean(h), IsingUnit(r=jnp.array([0.2])).mean(h), atol=1e-4)


@pytest.mark.exact
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Phi4Unit(0.0, 1.0, np.array([1.0, -1.0])), "unbounded"),
        (lambda: Phi4Unit(0.0, -1.0, np.zeros(1)), "no normalisable density"),
        (lambda: GaussianUnit(0.0, np.zeros(1)), "a > 0"),
        (lambda: BernoulliUnit(np.array([np.nan])), "NaN or infinity"),
        (lambda: IsingUnit(np.zeros((2, 2))), "vectors of one length"),
        (lambda: unit_type("quintic"), "unknown unit type 'quintic'"),
        (lambda: IsingUnit.check_data(np.array([[0.0, 1.0]])), "-1 and 1 only"),
    ],
)
def test_what_is_no_layer_is_refused_in_one_line(make, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)
