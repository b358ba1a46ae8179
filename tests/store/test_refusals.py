"""What a store refuses: another run, arrays that do not fit, a second writer, a folder in use."""

import subprocess
import sys

import numpy as np
import pytest
from store_helpers import CHAINS, CONFIG, SHAPE, fields_of, run, snapshot, start

from kadanoff.errors import InputError, StoreError
from kadanoff.store import Store, repair

pytestmark = pytest.mark.exact


def test_open_or_create_names_the_first_difference(tmp_path):
    run(tmp_path / "run", 3)
    before = snapshot(tmp_path / "run")
    with pytest.raises(
        StoreError, match=r"its config\.mass2 is -0\.9515, -1\.0 was asked for; give another folder"
    ):
        start(tmp_path / "run", mass2=-1.0)
    with pytest.raises(StoreError, match=r"config\.sampler\.steps is 8, 9"):
        start(tmp_path / "run", sampler={"name": "hmc", "steps": 9})
    with pytest.raises(StoreError, match=r"config\.new is '\(absent\)', True"):
        start(tmp_path / "run", new=True)
    with pytest.raises(StoreError, match="chains is 3, 4"):
        Store.open_or_create(tmp_path / "run", "simulate", CONFIG, 4, SHAPE)
    with pytest.raises(StoreError, match="weights is None, 'real'"):
        start(tmp_path / "run", weights=True)
    assert snapshot(tmp_path / "run") == before
    start(tmp_path / "run").close()


def test_append_refuses_what_does_not_fit_and_writes_nothing(tmp_path):
    with start(tmp_path / "run") as store:
        store.append(fields_of(2))
        before = snapshot(tmp_path / "run")
        for bad, reason in (
            (fields_of(2)[:2], r"shape \(2, 2, 4, 6\), but this run takes \(3, n, 4, 6\)"),
            (fields_of(2)[:, :0], "n >= 1"),
            (np.zeros((CHAINS, *SHAPE), "float32"), "fields have shape"),
            (fields_of(2).astype("float64"), r"float64.*astype\('float32'\)"),
            (np.where(fields_of(2) > 2, np.nan, fields_of(2)), "NaN or infinite"),
        ):
            with pytest.raises(InputError, match=reason):
                store.append(bad)
        with pytest.raises(InputError, match="has no log-weights"):
            store.append(fields_of(2), log_weight=np.zeros((CHAINS, 2)))
        with pytest.raises(InputError, match=r"state\['a'\] has dtype object"):
            store.append(fields_of(2), {"a": {"nested": 1}})
        with pytest.raises(InputError, match=r"info\.a is a set"):
            store.append(fields_of(2), info={"a": {1}})
        assert snapshot(tmp_path / "run") == before
        with pytest.raises(InputError, match="draws 1 to 3 were asked for"):
            store.field(1, 3)
    with pytest.raises(StoreError, match="not open for writing"):
        store.append(fields_of(2))
    with start(tmp_path / "weighted", weights=True) as store:
        for bad, reason in (
            (None, "keeps log-weights"),
            (np.zeros((CHAINS, 3)), r"\(3, 3\), but the fields need \(3, 2\)"),
            (np.full((CHAINS, 2), np.nan), "6 values that are NaN"),
            (np.zeros((CHAINS, 2), complex), "weights='complex'"),
        ):
            with pytest.raises(InputError, match=reason):
                store.append(fields_of(2), log_weight=bad)
        store.append(fields_of(2), log_weight=np.full((CHAINS, 2), -np.inf))
        assert np.all(store.log_weight() == -np.inf)


def test_a_second_writer_is_told_and_readers_are_not_disturbed(tmp_path):
    with start(tmp_path / "run") as store:
        store.append(fields_of(2))
        reader = Store.open(tmp_path / "run")
        assert reader.draws == 2
        with pytest.raises(
            StoreError, match=r"being written by another process \(pid \d+ on .*to read it needs no lock"
        ):
            Store.open(tmp_path / "run", "a")
        code = f"from kadanoff.store import Store; Store.open({str(tmp_path / 'run')!r}, 'a')"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.returncode and "being written by another process" in done.stderr
        with pytest.raises(StoreError, match="being written"):
            repair(tmp_path / "run")
        store.append(fields_of(2))
        assert reader.draws == 2 and reader.field().shape[1] == 2
    Store.open(tmp_path / "run", "a").close()


def test_create_refuses_folders_in_use(tmp_path):
    (tmp_path / "thesis.tex").write_text("ten years of work")
    with pytest.raises(StoreError, match=r"not empty \(it holds 'thesis.tex'\)"):
        Store.create(tmp_path, "simulate", {}, 1, (2,))
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(StoreError, match="is a file"):
        Store.create(tmp_path / "thesis.tex", "simulate", {}, 1, (2,))
    Store.create(tmp_path / "deep/run", "simulate", {}, 1, (2,)).close()
    with pytest.raises(StoreError, match="already holds a run"):
        Store.create(tmp_path / "deep/run", "simulate", {}, 1, (2,))
    (tmp_path / "deep/run/run.json").unlink()  # a creation cut short before its last step
    Store.create(tmp_path / "deep/run", "simulate", {}, 1, (2,)).close()


@pytest.mark.parametrize(
    "argument", [{"chains": 0}, {"shape": ()}, {"dtype": "complex64"}, {"weights": "some"}]
)
def test_create_refuses_arguments_that_cannot_be_used(tmp_path, argument):
    given = {"chains": 1, "shape": (2,), "dtype": "float32", "weights": False} | argument
    with pytest.raises(InputError):
        Store.create(
            tmp_path / "r", "k", {}, given["chains"], given["shape"], given["dtype"], given["weights"]
        )
    assert not (tmp_path / "r").exists()
