import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kadanoff import summation
from kadanoff.summation import compensated_pair, compensated_sum, to_double

pytestmark = pytest.mark.exact


@given(st.sampled_from([1, 2, 3, 7, 64, 101]), st.integers(0, 10_000), st.floats(0, 8))
def test_a_pair_carries_fourteen_digits(size, seed, decades):
    rng = np.random.default_rng(seed)
    terms = (rng.normal(size=size) * 10 ** rng.uniform(-decades, decades, size=size)).astype(np.float32)
    exact = math.fsum(terms.tolist())
    found = float(to_double(compensated_pair(jnp.asarray(terms))))
    assert abs(found - exact) <= 4e-14 * math.fsum(np.abs(terms).tolist())


def test_compiled_sums_are_not_simplified_away():
    terms = jnp.asarray(np.random.default_rng(1).normal(1000, 1, size=(64, 64)), dtype=jnp.float32)
    exact = math.fsum(np.asarray(terms).ravel().tolist())
    found = float(to_double(jax.jit(compensated_pair)(terms)))
    assert abs(found - exact) < 1e-7
    assert abs(float(jax.jit(compensated_sum)(terms)) - exact) <= np.spacing(np.float32(exact))


def test_only_the_last_axes_are_summed():
    terms = jnp.asarray(np.random.default_rng(2).normal(size=(3, 4, 5)), dtype=jnp.float32)
    np.testing.assert_allclose(compensated_sum(terms, 2), np.asarray(terms).sum(axis=(1, 2)), rtol=1e-6)
    vmapped = jax.vmap(compensated_sum)(terms)
    np.testing.assert_array_equal(vmapped, compensated_sum(terms, 2))
    np.testing.assert_array_equal(compensated_sum(terms, 0), terms)


def test_complex_terms_are_summed_in_both_parts():
    rng = np.random.default_rng(3)
    terms = (rng.normal(1e4, 1, size=301) + 1j * rng.normal(1e4, 1, size=301)).astype(np.complex64)
    exact = complex(math.fsum(terms.real.tolist()), math.fsum(terms.imag.tolist()))
    assert abs(complex(to_double(compensated_pair(jnp.asarray(terms)))) - exact) < 1e-7


def test_the_gradient_of_a_sum_is_one():
    np.testing.assert_array_equal(jax.grad(compensated_sum)(jnp.arange(7.0)), jnp.ones(7))


@pytest.mark.parametrize(("shape", "dimension"), [((3, 300), 1), ((2, 3, 17, 19), 2), ((1001,), None)])
def test_compiled_sums_are_folded_ones_to_the_last_bit(shape, dimension):
    terms = 100 * jax.random.normal(jax.random.key(1), shape)
    lead = shape if dimension is None else shape[-dimension:]
    folded = summation._folded(terms, lead, int(np.prod(lead)))
    for pair in (
        compensated_pair(terms, dimension),
        jax.jit(lambda x: compensated_pair(x, dimension))(terms),
    ):
        np.testing.assert_array_equal(pair, folded)
    over_rows = jax.vmap(compensated_pair)(terms.reshape(-1, *lead))
    np.testing.assert_array_equal(np.reshape(over_rows, np.shape(folded)), folded)


def test_compiled_sums_have_derivatives():
    terms = jnp.arange(400.0)
    np.testing.assert_allclose(jax.grad(lambda x: compensated_sum(x**2))(terms), 2 * terms)
