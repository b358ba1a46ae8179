"""The fields open with xarray and Zarr alone, with named dimensions and committed draws only."""

import numpy as np
import pytest
import zarr
from store_helpers import CHAINS, CONFIG, SHAPE, run, start

from kadanoff.store import Store

xarray = pytest.importorskip("xarray")
pytestmark = pytest.mark.reference


def visible_draws(path):
    group = zarr.open_group(path / "run/fields.zarr", mode="r")  # through its consolidated metadata
    array = zarr.open_array(path / "run/fields.zarr/field", mode="r")
    assert dict(group.arrays())["field"].shape == array.shape
    return array.shape[1]


@pytest.mark.filterwarnings("error")
def test_xarray_reads_a_finished_run(tmp_path):
    run(tmp_path / "run", 10, weights=True)
    store = Store.open(tmp_path / "run")
    data = xarray.open_zarr(tmp_path / "run/fields.zarr", chunks=None)
    assert dict(data.sizes) == {"chain": CHAINS, "draw": store.draws, "x": SHAPE[0], "y": SHAPE[1]}
    assert data["field"].dims == ("chain", "draw", "x", "y") and data["log_weight"].dims == ("chain", "draw")
    np.testing.assert_array_equal(data["field"].values, store.field())
    np.testing.assert_array_equal(data["log_weight"].values, store.log_weight())
    assert data.attrs["config"] == CONFIG


def test_xarray_does_not_mask_spins(tmp_path):
    spins = np.zeros((1, 3, 2, 2), "int8")
    with Store.create(tmp_path / "run", "simulate", {}, 1, (2, 2), "int8") as store:
        store.append(spins)
    data = xarray.open_zarr(tmp_path / "run/fields.zarr", chunks=None, consolidated=False)
    assert data["field"].dtype == np.int8
    np.testing.assert_array_equal(data["field"].values, spins)


def test_zarr_sees_committed_draws_only_while_the_run_is_written(tmp_path, monkeypatch):
    import kadanoff.store.folder as folder

    lengths = []
    commit = folder.commit_record

    def look(*args):
        lengths.append(visible_draws(tmp_path))
        return commit(*args)

    monkeypatch.setattr(folder, "commit_record", look)
    with start(tmp_path / "run") as store:
        for _ in range(3):
            store.append(np.ones((CHAINS, 5, *SHAPE), "float32"))
    assert lengths == [0, 5, 10]
    monkeypatch.setattr(folder, "declare", lambda *args: None)  # killed between the record and the length
    with start(tmp_path / "run") as store:
        store.append(np.ones((CHAINS, 5, *SHAPE), "float32"))
    assert Store.open(tmp_path / "run").draws == 20
    monkeypatch.undo()
    start(tmp_path / "run").close()
    assert visible_draws(tmp_path) == 20
