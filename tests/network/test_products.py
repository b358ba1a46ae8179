"""Products looked up and compiled draws against the plain ones that they stand for."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kadanoff import quartic
from kadanoff.compiled.foreign import call
from kadanoff.network import Phi4Network, products
from kadanoff.network.products import state_outer, state_product
from kadanoff.network.units import BernoulliUnit, IsingUnit, Unit, levels
from kadanoff.network.units import quartic as units_quartic
from kadanoff.network.units.quartic import draw_quartic, redraw_quartic
from kadanoff.random import key, uniforms

pytestmark = pytest.mark.exact

#: (samples, units, others): full tiles; no side a multiple of four; fewer others than a tile is wide.
SIZES = [(96, 768, 64), (101, 99, 333), (1030, 130, 21)]


def given(unit: type[Unit], size: tuple[int, int, int]) -> tuple[Unit, jax.Array, jax.Array, jax.Array]:
    """A layer, states of it, links from it, and values beside the states."""
    samples, units, others = size
    assert unit.levels is not None
    rng = np.random.default_rng(0)
    x = np.where(rng.random((samples, units)) < 0.4, *unit.levels[::-1]).astype(np.float32)
    w, y = (jnp.asarray(rng.normal(size=(n, others)), jnp.float32) for n in (units, samples))
    return unit.start(units), jnp.asarray(x), w, y


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.parametrize("unit", [BernoulliUnit, IsingUnit])
@pytest.mark.parametrize("size", SIZES)
def test_products_of_states(unit: type[Unit], size: tuple[int, int, int]) -> None:
    """All three products are those of linear algebra, up to rounding, also for values that are no levels."""
    layer, x, w, y = given(unit, size)
    for states in (x, x.at[3, 5].set(0.25)):
        whole = np.asarray(states, np.float64)
        product, outer = whole @ np.asarray(w, np.float64), whole.T @ np.asarray(y, np.float64)
        np.testing.assert_allclose(state_product(layer, states, w), product, atol=2e-4)
        np.testing.assert_allclose(state_product(layer, states, w.T, turned=True), product, atol=2e-4)
        for first in (len(x), 3 * len(x) // 4):
            found = state_outer(layer, states[:first], states[first:], y)
            np.testing.assert_allclose(found, outer, atol=2e-4)


@pytest.mark.parametrize("size", SIZES)
def test_the_compiled_product_is_the_one_that_is_tested(size: tuple[int, int, int]) -> None:
    """On this machine the sums differ in rounding from those of XLA, so that it is not compared with itself."""
    layer, x, w, y = given(BernoulliUnit, size)
    first = 3 * len(x) // 4
    assert _kernels_of(lambda x: state_product(layer, x, w), x) == {"state_products"}
    assert _kernels_of(lambda x: state_product(layer, x, w.T, turned=True), x) == {"state_products"}
    assert _kernels_of(lambda x: state_outer(layer, x[:first], x[first:], y), x) == {"state_products"}


@pytest.mark.parametrize("unit", [BernoulliUnit, IsingUnit])
@pytest.mark.parametrize("size", [(250, 77), (67, 256)])
def test_compiled_draws(unit: type[Unit], size: tuple[int, int]) -> None:
    """Draws compare the uniforms of the key with the probability of the upper level."""
    assert unit.levels is not None
    low, high = unit.levels
    rng = np.random.default_rng(1)
    layer = unit.constrained({"r": jnp.asarray(rng.normal(size=size[1]), jnp.float32)})
    h = jnp.asarray(3 * rng.normal(size=size), jnp.float32)
    drawn = layer.draw(key(5), h)
    likely = 1 / (1 + np.exp(-(high - low) * np.asarray(h - layer.r, np.float64)))
    near = np.abs(np.asarray(uniforms(key(5), size)) - likely) < 1e-6
    expected = np.where(np.asarray(uniforms(key(5), size)) < likely, high, low)
    assert near.sum() <= 1
    np.testing.assert_array_equal(np.where(near, drawn, expected), drawn)
    assert "level_draws" in _kernels_of(lambda h: layer.draw(key(5), h), h)


@pytest.mark.slow
@pytest.mark.ci
def test_uniforms_of_units_are_apart() -> None:
    """No uniform is used twice, and the last axis may have any length."""
    for shape in ((64, 5), (7, 33), (3, 4, 40)):
        found = np.asarray(uniforms(key(2), shape))
        assert found.shape == shape
        assert abs(found.mean() - 0.5) < 5 / np.sqrt(12 * found.size)
    assert len(np.unique(np.asarray(uniforms(key(2), (64, 64))))) > 4090


def test_a_ladder_of_networks_draws_as_each_alone() -> None:
    """Under `vmap` over networks and keys every network gets its own products and draws."""
    networks = [Phi4Network.random("bernoulli", 192, "ising", 176, seed=s, width=0.3) for s in (0, 1)]
    keys = jax.random.split(key(3), 2)
    v = jnp.asarray(np.random.default_rng(0).random((2, 128, 192)) < 0.5, jnp.float32)
    ladder = jax.tree_util.tree_map(lambda *leaves: jnp.stack(leaves), *networks)
    together = jax.vmap(lambda network, key, v: network.gibbs(key, v))(ladder, keys, v)
    called = _kernels_of(lambda v: networks[0].gibbs(keys[0], v), v[0])
    assert called == {"state_products", "level_draws"}
    for rung, network in enumerate(networks):
        np.testing.assert_array_equal(together[rung], network.gibbs(keys[rung], v[rung]))


@pytest.mark.parametrize("field", [0.3, 10.0, 1e3])
def test_compiled_updates_of_quartic_units(field: float) -> None:
    """The same words give the same units as the update that XLA compiles, and the same are left, for all couplings."""
    rng = np.random.default_rng(2)
    size = (70, 93)
    h = jnp.asarray(field * rng.normal(size=size), jnp.float32)
    a, b = (jnp.asarray(c, jnp.float32) for c in (3 * rng.normal(size=93), rng.gamma(1, 1, 93) ** 2 + 1e-3))
    held = jnp.full(size, 777.0)
    found, plain = redraw_quartic(key(6), held, h, a, b), quartic.redraw(key(6), held, h, a, b)
    apart = np.abs(np.asarray(found - plain)) > 1e-3 * (1 + np.abs(np.asarray(plain)))
    assert apart.sum() <= 2, "a verdict hangs on rounding once in a million draws"
    assert float(jnp.mean(found == 777.0)) < 0.25
    assert "quartic_redraws" in _kernels_of(lambda h: redraw_quartic(key(6), held, h, a, b), h)
    b = b.at[:9].set(jnp.where(a[:9] > 0, 0.0, b[:9]))  # some of them Gaussian
    found, plain = draw_quartic(key(7), h, a, b), quartic.draw(key(7), h, a, b)
    assert np.isfinite(plain).all() and np.isfinite(found).all()
    apart = np.abs(np.asarray(found - plain)) > 1e-3 * (1 + np.abs(np.asarray(plain)))
    assert apart.sum() <= 2
    assert "quartic_redraws" in _kernels_of(lambda h: draw_quartic(key(7), h, a, b), h)


def _kernels_of(function: Callable[[jax.Array], jax.Array], x: jax.Array) -> set[str]:
    """The compiled kernels that a function calls here."""
    called: set[str] = set()
    with pytest.MonkeyPatch.context() as patch:
        for module in (products, levels, units_quartic):
            patch.setattr(
                module, "call", lambda kernel, *rest: called.add(kernel.__name__) or call(kernel, *rest)
            )
        jax.make_jaxpr(function)(x)
    return called
