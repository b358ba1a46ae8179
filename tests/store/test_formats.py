"""Files in and out: exact round trips, and clear refusals of what cannot be fields."""

import numpy as np
import pytest
from store_helpers import CONFIG, run

import kadanoff as kd
from kadanoff.errors import InputError
from kadanoff.store import Store, export_hdf5, export_npy, import_hdf5, import_npy

h5py = pytest.importorskip("h5py")
pytestmark = pytest.mark.exact
PAIRS = {"npy": (export_npy, import_npy), "h5": (export_hdf5, import_hdf5)}


@pytest.fixture(params=["npy", "h5"])
def suffix(request):
    return request.param


def save_foreign(path, values):
    if path.suffix == ".npy":
        np.save(path, values)
    else:
        with h5py.File(path, "w") as file:
            file["phi"] = values


def test_a_run_round_trips(tmp_path, suffix):
    run(tmp_path / "run", 9, weights=True)
    store = Store.open(tmp_path / "run")
    out, back = PAIRS[suffix]
    target = out(store, tmp_path / f"fields.{suffix}")
    fields, log_weight, metadata = back(target)
    np.testing.assert_array_equal(fields, store.field())
    np.testing.assert_array_equal(log_weight, store.log_weight())
    assert fields.dtype == np.float32 and log_weight.dtype == np.float64
    assert metadata["config"] == CONFIG and metadata["kind"] == "simulate"
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8"])
@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 3, 4, 5), (1, 2, 3, 4, 5)])
def test_an_array_round_trips_whatever_its_dimension(tmp_path, suffix, shape, dtype):
    values = np.random.default_rng(0).normal(scale=9, size=shape).astype(dtype)
    weights = np.full(shape[:2], 1 + 2j)
    out, back = PAIRS[suffix]
    fields, log_weight, metadata = back(out(values, tmp_path / f"a.{suffix}", weights, {"beta": 0.44}))
    np.testing.assert_array_equal(fields, values)
    assert fields.dtype == dtype and metadata == {"beta": 0.44}
    np.testing.assert_array_equal(log_weight, weights)


def test_foreign_arrays(tmp_path, suffix):
    _, back = PAIRS[suffix]
    path = tmp_path / f"foreign.{suffix}"
    values = np.random.default_rng(0).normal(size=(5, 4, 3))
    save_foreign(path, values)
    fields, log_weight, metadata = back(path)
    np.testing.assert_array_equal(fields, values[None])
    assert log_weight is None and metadata == {}
    assert back(path, one_chain=False)[0].shape == (5, 4, 3)
    save_foreign(path, values[None].astype(">f4"))
    fields = back(path)[0]
    assert fields.dtype == np.dtype("float32") and fields.dtype.isnative
    assert back(path, one_chain=True)[0].shape == (1, 1, 5, 4, 3)
    save_foreign(path, np.ones((2, 3, 4, 4), "int64"))
    assert back(path)[0].dtype == np.int8
    save_foreign(path, np.ones((2, 3, 4, 4), bool))
    assert back(path)[0].dtype == np.int8


def test_refusals(tmp_path, suffix):
    out, back = PAIRS[suffix]
    path = tmp_path / f"bad.{suffix}"
    with pytest.raises(InputError, match="does not exist"):
        back(path)
    path.write_bytes(b"neither")
    with pytest.raises(InputError, match=r"is not a readable .*it is damaged, or of another kind"):
        back(path)
    for values, message in (
        (np.ones((3, 0, 4)), "none of them empty"),
        (np.ones((3, 4, 4), complex), "has dtype complex128"),
        (np.where(np.arange(48).reshape(3, 4, 4) == 5, np.nan, 1.0), "1 of 48 values that are NaN"),
    ):
        save_foreign(path, values)
        with pytest.raises(InputError, match=message):
            back(path)
    good = np.ones((2, 3, 4, 4), "float32")
    with pytest.raises(InputError, match="exists: give another name, or overwrite=True"):
        out(good, path)
    assert back(out(good, path, overwrite=True))[0].shape == good.shape
    with pytest.raises(InputError, match="is not a folder"):
        out(good, tmp_path / f"absent/x.{suffix}")
    with pytest.raises(InputError, match=r"log_weight has shape \(3,\)"):
        out(good, tmp_path / f"x.{suffix}", np.zeros(3))
    with pytest.raises(InputError, match="add the axes"):
        out(good[0, 0], tmp_path / f"x.{suffix}")
    assert not (tmp_path / f"x.{suffix}").exists()


def test_fields_in_npy_are_mapped_and_copied_nowhere(tmp_path):
    np.save(tmp_path / "large.npy", np.random.default_rng(0).normal(size=(2, 6, 4, 4)).astype("float32"))
    fields, _, _ = import_npy(tmp_path / "large.npy")
    ensemble = kd.Ensemble(fields, kd.Phi4(0.5, 0.5))
    assert isinstance(ensemble.fields, np.memmap)
    assert all(np.shares_memory(part, fields) for _, _, part in ensemble.blocks(64))
    assert [stop for _, stop, _ in ensemble.blocks(64)] == [2, 4, 6]


def test_two_dimensions_are_refused(tmp_path):
    np.save(tmp_path / "flat.npy", np.ones((3, 4)))
    with pytest.raises(InputError, match=r"shape \(3, 4\): fields are \(chain, draw, \*lattice\)"):
        import_npy(tmp_path / "flat.npy")
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="not a readable .npy"):
        import_npy(tmp_path / "objects.npy")
    with pytest.raises(InputError, match=r"does not end in \.npy: name it"):
        export_npy(np.ones((1, 2, 3)), tmp_path / "fields.dat")


def test_stale_weights_do_not_survive_an_overwrite(tmp_path):
    x = np.ones((2, 3, 4, 4), "float32")
    export_npy(x, tmp_path / "a.npy", np.zeros((2, 3)))
    export_npy(x, tmp_path / "a.npy", overwrite=True)
    assert import_npy(tmp_path / "a.npy")[1] is None


@pytest.mark.parametrize(
    ("options", "mapped"),
    [
        ({}, True),
        ({"dtype": ">f8"}, False),
        ({"chunks": (1, 2, 4, 4)}, False),
        ({"compression": "gzip"}, False),
    ],
)
def test_hdf5_fields_in_one_piece_are_mapped_and_no_copy(tmp_path, options, mapped):
    fields = np.random.default_rng(3).normal(size=(2, 4, 4, 4))
    with h5py.File(tmp_path / "own.h5", "w", userblock_size=512) as file:
        file.create_dataset("other", data=np.arange(7))
        file.create_dataset("field", data=fields, **options)
    found, _, _ = import_hdf5(tmp_path / "own.h5")
    np.testing.assert_array_equal(found, fields)
    assert found.flags.writeable != mapped


def test_hdf5_dataset_choice(tmp_path):
    with h5py.File(tmp_path / "two.h5", "w") as file:
        file["a"], file["b"] = np.ones((2, 3, 4, 4)), np.zeros((2, 3, 4, 4))
    with pytest.raises(
        InputError, match="no dataset 'field': name the fields with dataset= or --array, candidates are a, b"
    ):
        import_hdf5(tmp_path / "two.h5")
    assert import_hdf5(tmp_path / "two.h5", dataset="b")[0].max() == 0
