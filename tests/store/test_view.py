"""Lazy fields index exactly like the array they stand for, and read no more than they must."""

import numpy as np
import pytest
from store_helpers import CHAINS, SHAPE, fields_of, start

pytestmark = pytest.mark.exact
KEYS = [
    np.s_[:, 2:5],
    np.s_[1:, -3:],
    np.s_[0, 4],
    np.s_[:, -1],
    np.s_[:, ::-2],
    np.s_[:, 8:1:-3, 2],
    np.s_[:, 5:5],
    np.s_[1],
    np.s_[[2, 0]],
    np.s_[[2, 0], 1:3],
    np.s_[:, [1, 1]],
    np.s_[..., 0],
    np.s_[:, 2:4, [0, 1], [3, 5]],
    np.s_[0, 2:4, [0, 1], [3, 5]],
    np.s_[:, np.array([True, False] * 5)],
]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_indexing_is_that_of_numpy(tmp_path, key):
    x = fields_of(10)
    with start(tmp_path / "run") as store:
        store.append(x)
        lazy = store.fields
        np.testing.assert_array_equal(lazy[key], x[key])
        assert lazy[key].shape == x[key].shape
        assert (lazy.shape, lazy.ndim, lazy.dtype, len(lazy)) == (x.shape, x.ndim, x.dtype, len(x))
        np.testing.assert_array_equal(np.asarray(lazy), x)
        with pytest.raises(IndexError):
            lazy[:, 10]


def test_a_slice_reads_its_draws_only_and_sees_later_ones(tmp_path):
    with start(tmp_path / "run") as store:
        store.append(fields_of(8))
        lazy = store.fields
        store.append(fields_of(4))
        assert lazy.shape == (CHAINS, 12, *SHAPE)
        (tmp_path / "run/fields.zarr/field/c.0.0.0.0").unlink()
        np.testing.assert_array_equal(lazy[:, 8:12], fields_of(4))
