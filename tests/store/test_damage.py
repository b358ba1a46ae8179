"""Every way in which a folder can be wrong gives one clear line, and opening it changes nothing."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from store_helpers import digest_tree, run, snapshot

from kadanoff.errors import InputError, StoreError
from kadanoff.store import Store, repair

pytestmark = pytest.mark.exact


def truncate(path, keep=0.5):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def edit(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


FIELD, RECORD = "fields.zarr/field", "manifest/00000002.json"
# 15 draws in 5 blocks of 3, chunks of 4 draws: 0..3, 4..7, 8..11, 12..15
ON_OPENING = {
    "truncated run.json": (lambda p: truncate(p / "run.json"), "not valid JSON"),
    "run.json of something else": (lambda p: edit(p / "run.json", format="npm"), "not a kadanoff run"),
    "no run.json": (lambda p: (p / "run.json").unlink(), "run.json is missing"),
    "newer format": (lambda p: edit(p / "run.json", version=2), "run format 2, written by a newer kadanoff"),
    "run.json lacks an entry": (lambda p: edit(p / "run.json", chains="x"), "no usable entry 'chains'"),
    "truncated record": (lambda p: truncate(p / RECORD), "truncated or not a record"),
    "empty record": (lambda p: truncate(p / RECORD, 0), "truncated or not a record"),
    "edited record": (lambda p: edit(p / RECORD, stop=10), "digest does not match"),
    "missing record": (lambda p: (p / RECORD).unlink(), "is missing although later blocks exist"),
    "missing last records": (lambda p: (p / "manifest/00000004.json").unlink(), "ends at draw 12, 15 were"),
    "record of another run": (
        lambda p: shutil.copy(p / "manifest/00000001.json", p / RECORD),
        "does not follow block 1",
    ),
    "no manifest": (lambda p: shutil.rmtree(p / "manifest"), "manifest is missing"),
    "missing chunk": (lambda p: (p / FIELD / "c.0.2.0.0").unlink(), r"c\.0\.2\.0\.0 is missing"),
    "no fields": (lambda p: shutil.rmtree(p / "fields.zarr"), "is missing or damaged"),
    "truncated array metadata": (lambda p: truncate(p / FIELD / "zarr.json"), "is missing or damaged"),
    "truncated group metadata": (lambda p: truncate(p / "fields.zarr/zarr.json"), "is missing or damaged"),
    "array metadata of another run": (
        lambda p: edit(p / FIELD / "zarr.json", data_type="int8"),
        "does not describe the array",
    ),
    "missing state": (lambda p: (p / "state/00000004.npz").unlink(), r"state.00000004\.npz is missing"),
}
BEFORE_GOING_ON = {
    "flipped bit in the last chunk": (
        lambda p: flip(p / FIELD / "c.0.3.0.0"),
        r"c\.0\.3\.0\.0, .*is damaged",
    ),
    "truncated last chunk": (lambda p: truncate(p / FIELD / "c.0.3.0.0"), r"c\.0\.3\.0\.0, .*is damaged"),
    "empty last chunk": (lambda p: truncate(p / FIELD / "c.0.3.0.0", 0), r"c\.0\.3\.0\.0, .*is damaged"),
    "flipped bit in the state": (lambda p: flip(p / "state/00000004.npz"), "does not match its checksum"),
    "truncated state": (lambda p: truncate(p / "state/00000004.npz"), "does not match its checksum"),
    "last chunk of another place": (
        lambda p: shutil.copy(p / FIELD / "c.0.1.0.0", p / FIELD / "c.0.3.0.0"),
        "block 4 .* does not match its checksum",
    ),
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    path = tmp_path_factory.mktemp("sound") / "run"
    run(path, 15)
    return path


@pytest.fixture
def folder(sound, tmp_path):
    return shutil.copytree(sound, tmp_path / "run")


@pytest.mark.parametrize("case", [*ON_OPENING, *BEFORE_GOING_ON])
@pytest.mark.parametrize("mode", ["r", "a"])
def test_damage_is_reported_in_one_line_and_nothing_changes(folder, case, mode):
    spoil, message = {**ON_OPENING, **BEFORE_GOING_ON}[case]
    spoil(folder)
    before = snapshot(folder)
    with pytest.raises(StoreError, match=message) as caught:
        store = Store.open(folder, mode)
        store.verify(), store.state()
    assert "\n" not in str(caught.value) and str(folder) in str(caught.value)
    assert snapshot(folder) == before


@pytest.mark.parametrize("case", [*ON_OPENING, *BEFORE_GOING_ON])
def test_repair_keeps_the_sound_beginning_and_the_run_can_go_on(folder, sound, case):
    spoil, _ = {**ON_OPENING, **BEFORE_GOING_ON}[case]
    spoil(folder)
    if "run.json" in case or case in ("newer format", "no fields", "no manifest"):
        before = digest_tree(folder)
        with pytest.raises(StoreError):
            repair(folder)
        assert digest_tree(folder) == before
        return
    draws = repair(folder)
    complete = case.endswith("metadata") or case == "array metadata of another run"
    early = {"missing chunk": 6, "missing last records": 12}
    assert draws == early.get(case, 15 if complete else 6 if "record" in case else 12)
    assert (folder / "damaged-0").exists() != (complete or case == "missing last records")
    with Store.open(folder, "a") as store:
        assert store.draws == draws
        np.testing.assert_array_equal(store.field(), Store.open(sound).field(0, draws))
    run(folder, 15)
    shutil.rmtree(folder / "damaged-0", ignore_errors=True)
    assert digest_tree(folder) == digest_tree(sound)


def test_the_mend_that_an_error_names_works_as_it_is_written(folder):
    flip(folder / FIELD / "c.0.3.0.0")
    with pytest.raises(StoreError) as caught:
        Store.open(folder, "a")
    call = str(caught.value).rpartition(" with ")[2]
    # In a process of its own: here the module has been imported.
    code = f"import kadanoff; print({call})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "12\n", done.stderr


def test_repair_leaves_a_sound_run_as_it_is(folder):
    before = digest_tree(folder)
    assert repair(folder) == 15
    assert digest_tree(folder) == before


def test_damage_in_one_place_does_not_hide_the_rest(folder, sound):
    flip(folder / FIELD / "c.0.1.0.0")
    store = Store.open(folder)
    np.testing.assert_array_equal(store.field(8, 15), Store.open(sound).field(8, 15))
    with pytest.raises(StoreError, match=r"c\.0\.1\.0\.0, of draws 2 to 6, is damaged"):
        store.field(2, 6)
    with pytest.raises(StoreError, match="is damaged"):
        list(store.blocks())
    (folder / "state/00000001.npz").unlink()  # old states may be pruned by hand
    assert Store.open(folder).state() is not None


def test_paths_that_hold_no_run(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign/data.csv").write_text("1,2")
    for name, message in (
        ("absent", "does not exist"),
        ("empty", "is empty"),
        ("file", "is a file"),
        ("foreign", "not a kadanoff run"),
    ):
        for mode in ("r", "a"):
            before = snapshot(tmp_path)
            with pytest.raises(StoreError, match=message):
                Store.open(tmp_path / name, mode)
            assert snapshot(tmp_path) == before
    with pytest.raises(InputError, match="mode is 'w'"):
        Store.open(tmp_path, "w")
