"""Create, append, read, resume: the life of a run folder."""

import json
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_helpers import CHAINS, CONFIG, SHAPE, digest_tree, fields_of, first_state, next_block, run, start

from kadanoff.errors import InputError, StoreError
from kadanoff.store import Store, repair
from kadanoff.store.layout import Layout

pytestmark = pytest.mark.exact


def test_round_trip_is_exact(tmp_path):
    x, w = fields_of(10), np.random.default_rng(1).normal(size=(CHAINS, 10))
    state = {
        "phi": x[:, -1].astype("float64") / 3,
        "key": np.array([1, 2], "uint32"),
        "file": np.array("a/b"),
    }
    with start(tmp_path / "run", weights=True) as store:
        store.append(
            x[:, :7], {"old": np.zeros(3)}, w[:, :7], {"acceptance": np.float32(0.5), "bad": float("nan")}
        )
        store.append(x[:, 7:], state, w[:, 7:])
    store = Store.open(tmp_path / "run")
    assert (store.draws, store.chains, store.lattice_shape, store.kind) == (10, CHAINS, SHAPE, "simulate")
    assert store.config == CONFIG
    assert store.records[0].info == {"acceptance": 0.5, "bad": "nan"}
    np.testing.assert_array_equal(store.field(), x)
    assert store.field().dtype == np.float32
    np.testing.assert_array_equal(store.field(5, 9), x[:, 5:9])
    np.testing.assert_array_equal(store.log_weight(2, 8), w[:, 2:8])
    found = store.state()
    assert found is not None
    assert set(found) == set(state)
    for name, value in state.items():
        assert found[name].dtype == value.dtype
        np.testing.assert_array_equal(found[name], value)
    assert store.verify() == 2
    on_disk = sum(f.stat().st_size for f in (tmp_path / "run").rglob("*") if f.is_file())
    assert store.size_bytes == on_disk


@settings(max_examples=12)
@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=6), block=st.integers(1, 5))
def test_any_append_sizes_give_the_same_chunk_files(tmp_path_factory, sizes, block):
    total, folder = sum(sizes), tmp_path_factory.mktemp("sizes")
    x = fields_of(total)
    with start(folder / "a", block=block) as a, start(folder / "b", block=block) as b:
        a.append(x)
        done = 0
        for n in sizes:
            b.append(x[:, done : done + n])
            done += n
        np.testing.assert_array_equal(b.field(), x)
    assert digest_tree(folder / "a/fields.zarr") == digest_tree(folder / "b/fields.zarr")


def test_blocks_stream_everything_once_within_the_limit(tmp_path):
    x = fields_of(11)
    with start(tmp_path / "run", block=4) as store:
        store.append(x)
    draw = CHAINS * 24 * 4
    for limit, longest in ((1, 1), (3 * draw, 3), (9 * draw, 8), (2**20, 11)):
        pieces = list(store.blocks(limit))
        assert pieces[0][0] == 0 and pieces[-1][1] == 11
        assert all(a[1] == b[0] for a, b in pairwise(pieces))
        assert max(stop - begin for begin, stop, _, _ in pieces) == longest
        np.testing.assert_array_equal(np.concatenate([p[2] for p in pieces], axis=1), x)


def test_resumed_in_pieces_equals_unbroken_bit_by_bit(tmp_path):
    run(tmp_path / "unbroken", 20, weights=True, sizes=(3, 5))
    for draws in (3, 4, 11, 20):
        run(tmp_path / "pieces", draws, weights=True, sizes=(3, 5))
    assert digest_tree(tmp_path / "pieces") == digest_tree(tmp_path / "unbroken")


def test_leftovers_of_an_interrupted_append_are_invisible_and_replaced(tmp_path):
    run(tmp_path / "whole", 9)
    run(tmp_path / "cut", 6)
    with start(tmp_path / "cut") as store:  # everything of a block but its record, with other bytes
        store._contents.field.write(6, np.full((CHAINS, 5, *SHAPE), 7, "float32"))
    (tmp_path / "cut/state/00000002.npz").write_bytes(b"half a sta")
    (tmp_path / "cut/manifest/.00000002.json.tmp").write_bytes(b'{"index": 2')
    reader = Store.open(tmp_path / "cut")
    assert reader.draws == 6 and reader.verify() == 2
    assert repair(tmp_path / "cut") == 6 and not (tmp_path / "cut/damaged-0").exists()
    run(tmp_path / "cut", 9)
    assert digest_tree(tmp_path / "cut") == digest_tree(tmp_path / "whole")


def test_an_append_that_fails_can_be_repeated(tmp_path, monkeypatch):
    import kadanoff.store.folder as folder

    run(tmp_path / "whole", 6)
    with start(tmp_path / "run") as store:
        fields, _, state = next_block(first_state(), 3)
        info = {"acceptance": np.float32(0.5), "n": 3}

        def full(*args):
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(folder, "commit_record", full)
            with pytest.raises(StoreError, match=r"No space left on device.*0 draws before are safe"):
                store.append(fields, state, info=info)
        assert store.draws == 0
        store.append(fields, state, info=info)
        fields, _, state = next_block(state, 3)
        with (
            monkeypatch.context() as patch
        ):  # cut short after the record: the block counts, and is not repeated
            commit = folder.commit_record

            def interrupted(*args):
                commit(*args)
                raise KeyboardInterrupt

            patch.setattr(folder, "commit_record", interrupted)
            with pytest.raises(KeyboardInterrupt):
                store.append(fields, state, info=info)
        assert Store.open(tmp_path / "run").draws == 6
    run(tmp_path / "run", 6)
    assert digest_tree(tmp_path / "run") == digest_tree(tmp_path / "whole")


def test_ctrl_c_during_an_append_takes_effect_after_the_commit(tmp_path, monkeypatch):
    import os
    import signal

    import kadanoff.store.folder as folder

    commit = folder.commit_record

    def with_signal(*args):
        os.kill(os.getpid(), signal.SIGINT)
        return commit(*args)

    monkeypatch.setattr(folder, "commit_record", with_signal)
    with start(tmp_path / "run") as store:
        with pytest.raises(KeyboardInterrupt):
            store.append(fields_of(3))
        assert store.draws == 3
        with ThreadPoolExecutor(1) as pool:  # outside the main thread there are no signals to hold back
            monkeypatch.setattr(folder, "commit_record", commit)
            pool.submit(store.append, fields_of(3)).result()
        assert store.draws == 6


def test_config_in_python_types_resumes(tmp_path):
    config = {
        "shape": (8, 8),
        "mass2": np.float32(0.1),
        "target": float("inf"),
        "out": tmp_path,
        "w": np.arange(3),
    }
    Store.open_or_create(tmp_path / "run", "simulate", config, 1, (2,)).close()
    with Store.open_or_create(tmp_path / "run", "simulate", config, 1, (2,)) as store:
        assert store.config["shape"] == [8, 8] and store.config["target"] == "inf"
    text = (tmp_path / "run/run.json").read_text()
    found = json.loads(text, parse_constant=lambda c: pytest.fail(f"{c} is not JSON"))
    assert {"python", "jax", "numpy", "kadanoff"} <= set(found["versions"])
    with pytest.raises(InputError, match=r"config\.f is a function"):
        Store.create(tmp_path / "other", "simulate", {"f": len.__class__ and (lambda: 0)}, 1, (2,))
    assert not (tmp_path / "other").exists()


def test_complex_weights_and_spins(tmp_path):
    spins = np.sign(fields_of(5)).astype("int8")
    weights = np.random.default_rng(2).normal(size=(CHAINS, 5, 2)) @ np.array([1, 1j])
    with Store.create(tmp_path / "run", "simulate", {}, CHAINS, SHAPE, "int8", "complex") as store:
        store.append(spins, log_weight=weights)
        np.testing.assert_array_equal(store.field(), spins)
        np.testing.assert_array_equal(store.log_weight(), weights)
        assert store.verify() == 1


def test_a_constant_field_is_stored_and_its_absence_is_noticed(tmp_path):
    with Store.create(tmp_path / "run", "simulate", {}, 1, (2, 2), "int8", block=2) as store:
        store.append(np.zeros((1, 4, 2, 2), "int8"))  # equal to the fill value
    assert Store.open(tmp_path / "run").verify() == 1
    (tmp_path / "run/fields.zarr/field/c.0.1.0.0").unlink()
    with pytest.raises(StoreError, match="is missing"):
        Store.open(tmp_path / "run")


@pytest.mark.parametrize(
    ("chains", "shape", "block", "expected"),
    [
        (16, (64, 64), None, (16, 32, 64, 64)),
        (1, (4, 4), None, (1, 1024, 4, 4)),
        (128, (512, 512), None, (32, 1, 512, 512)),
        (1, (512, 512, 512), None, (1, 1, 32, 512, 512)),
        (2, (64, 64), 4096, (1, 4096, 32, 64)),
    ],
)
def test_chunks_never_exceed_32_mib(chains, shape, block, expected):
    layout = Layout.build("simulate", {}, chains, shape, block=block)
    assert layout.chunk_shape == expected
    assert np.prod(layout.chunk_shape) * 4 <= 32 * 2**20


def test_split_chunks_round_trip(tmp_path, monkeypatch):
    import kadanoff.store.layout as layout

    monkeypatch.setattr(layout, "LARGEST_CHUNK", 200)
    x = fields_of(5)
    with start(tmp_path / "run", block=2) as store:
        assert store.layout.chunk_shape == (1, 2, 4, 6)
    monkeypatch.setattr(layout, "LARGEST_CHUNK", 100)
    with start(tmp_path / "smaller", block=2) as store:
        assert store.layout.chunk_shape == (1, 2, 2, 6)
        store.append(x[:, :3])
        store.append(x[:, 3:])
        np.testing.assert_array_equal(store.field(), x)
        assert store.verify() == 2
        assert len(list((tmp_path / "smaller/fields.zarr/field").glob("c.*"))) == 3 * 3 * 2
