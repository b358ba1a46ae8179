"""Sums over sites by one pass against NumPy's in double precision, on any lattice and any number of threads."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kadanoff import field_sums as module
from kadanoff.field_sums import FIELD_SUMS, field_sums, smallest_wave
from kadanoff.measuring import measure
from kadanoff.summation import to_double

pytestmark = pytest.mark.exact

SHAPES = [(3, 12), (4, 8, 8), (2, 5, 9), (2, 9, 5), (3, 4, 6, 6), (2, 6, 4, 3), (2, 3, 4, 2, 4), (2, 96, 128)]


def nobody(fields):
    """What is traced beside the kernel, and must not be what is computed."""
    nothing = jnp.full(len(fields), jnp.nan)
    return [(nothing, nothing)] * 4 + [(nothing, None)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_sums_are_those_of_rounded_terms_in_double_precision(shape):
    fields = (np.random.default_rng(0).normal(size=shape) + 0.2).astype(np.float32)
    pairs = jax.jit(lambda fields: field_sums(fields, FIELD_SUMS, nobody))(fields)
    found = dict(zip(FIELD_SUMS, map(to_double, pairs), strict=True))
    axes, longest = tuple(range(1, len(shape))), max(shape[1:])
    near = np.zeros_like(fields)
    for axis in axes:
        near += np.roll(fields, -1, axis)
    terms = {
        "magnetization": fields,
        "phi2": fields**2,
        "phi4": (fields**2) ** 2,
        "neighbours": fields * near,
    }
    for name, each in terms.items():
        size = np.abs(each).sum(axes, dtype=np.float64)
        assert np.all(abs(found[name] - each.sum(axes, dtype=np.float64)) < 1e-13 * size), name
    wave = smallest_wave(longest).astype(np.float32).astype(np.float64)
    powers = [
        np.sum(
            (wave @ np.moveaxis(fields.sum(tuple(set(axes) - {axis}), dtype=np.float64), 0, 1)) ** 2, axis=0
        )
        for axis in axes
        if shape[axis] == longest
    ]
    expected = np.mean(powers, axis=0) / np.prod(shape[1:])
    np.testing.assert_allclose(found["structure_factor"], expected, rtol=2e-7)


def test_only_what_is_named_is_given_and_in_that_order():
    fields, names = jnp.full((3, 4, 6), 2.0), ("phi4", "magnetization")
    pairs = field_sums(fields, names, nobody)
    assert [to_double(pair).tolist() for pair in pairs] == [[384.0] * 3, [48.0] * 3]
    assert field_sums(fields, (), nobody) == []


@pytest.mark.parametrize("shape", [(5, 64, 128), (1, 128, 256)], ids=str)
def test_threads_change_nothing(shape, monkeypatch):
    fields = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    found = []
    for count in (1, 3):
        monkeypatch.setattr(module, "threads", lambda count=count: count)
        pairs = jax.jit(lambda fields: field_sums(fields, FIELD_SUMS, nobody))(fields)
        found.append([to_double(pair) for pair in pairs])
    np.testing.assert_array_equal(*found)


def test_shards_and_double_precision_are_left_to_generic_code():
    fields = np.random.default_rng(2).normal(size=(4, 16, 32)).astype(np.float32)
    by_kernel = measure(fields, None, FIELD_SUMS)
    with jax.set_mesh(jax.make_mesh((1,), ("chain",))):
        by_xla = measure(fields, None, FIELD_SUMS)
    with jax.enable_x64(True):
        exact = measure(fields.astype(np.float64), None, FIELD_SUMS)
    for name in FIELD_SUMS:
        for found in (by_kernel, by_xla):
            np.testing.assert_allclose(found[name], exact[name], rtol=2e-5, atol=2e-8, err_msg=name)


def test_what_is_not_finite_stays_so():
    fields = np.ones((3, 4, 4), np.float32)
    fields[0, 1, 2], fields[1, 0, 0] = np.nan, np.inf
    finite = np.isfinite(measure(fields, None, ("magnetization", "phi4"))["magnetization"])
    assert finite.tolist() == [False, False, True]
