"""Training in folders and saved estimators: the same bits after any break, and refusals in one line."""

import itertools
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import kadanoff as kd
from kadanoff.errors import InputError, StoreError
from kadanoff.network.estimator import Phi4RBM
from kadanoff.network.saved import HEADER, load_rbm, rbm_record, save_rbm
from kadanoff.network.training_folder import NETWORK, fit_in_folder
from kadanoff.store.durable import WriterLock

sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))
from killing import contents  # noqa: E402

pytestmark = pytest.mark.exact

X = np.random.default_rng(0).normal(size=(40, 4)) * [1.0, 2.0, 3.0, 1e-3] + 0.1
OPTIONS: dict[str, Any] = {
    "visible": "gaussian",
    "schedule": "constant",
    "n_hidden": 3,
    "epochs": 4,
    "batch_size": 10,
    "random_state": 5,
}


class KilledError(Exception):
    pass


def killed_after(epochs: int) -> Any:
    def callback(state: Any, _: Any) -> None:
        if state.epochs == epochs:
            raise KilledError

    return callback


def assert_same(one: Phi4RBM, other: Phi4RBM) -> None:
    leaves = [jax.tree_util.tree_leaves(model.state_) for model in (one, other)]
    for a, b in zip(*leaves, strict=True):
        np.testing.assert_array_equal(a, b)
    assert one.history_ == other.history_
    assert one.n_iter_ == other.n_iter_
    np.testing.assert_array_equal(one.transform(X), other.transform(X))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Phi4RBM, Path]:
    """A training without a break, and its folder."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    return fit_in_folder(Phi4RBM(**OPTIONS), X, folder), folder


@pytest.fixture
def saved(whole: tuple[Phi4RBM, Path], tmp_path: Path) -> Path:
    """A copy of its folder, to be damaged."""
    return save_rbm(whole[0], tmp_path / "saved", data=X)


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Path]:
    lock = WriterLock(tmp_path / ".lock")
    yield tmp_path
    lock.release()


def test_a_folder_changes_nothing(whole: tuple[Phi4RBM, Path]) -> None:
    plain = Phi4RBM(**OPTIONS, callbacks=[lambda *_: None]).fit(X)
    assert_same(plain, whole[0])


@pytest.mark.parametrize("epoch", [1, 3])
def test_a_killed_training_ends_with_the_same_bits(
    whole: tuple[Phi4RBM, Path], tmp_path: Path, epoch: int
) -> None:
    with pytest.raises(KilledError):
        fit_in_folder(Phi4RBM(**OPTIONS), X, tmp_path, every=0, callbacks=[killed_after(epoch)])
    assert load_rbm(tmp_path).n_iter_ == epoch
    assert not (tmp_path / NETWORK).exists()
    again = fit_in_folder(Phi4RBM(**OPTIONS), X, tmp_path)
    assert_same(again, whole[0])
    assert_same(load_rbm(tmp_path), whole[0])


def test_a_kill_between_two_writings_goes_back_to_the_first(
    whole: tuple[Phi4RBM, Path], tmp_path: Path
) -> None:
    with pytest.raises(KilledError):
        fit_in_folder(Phi4RBM(**OPTIONS), X, tmp_path, every=1e9, callbacks=[killed_after(3)])
    assert load_rbm(tmp_path).n_iter_ == 1
    assert_same(fit_in_folder(Phi4RBM(**OPTIONS), X, tmp_path), whole[0])


@pytest.mark.parametrize("operation", ["mkdir", "replace", "unlink"])
def test_a_kill_between_any_two_operations_on_files_leaves_no_trace(
    whole: tuple[Phi4RBM, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    expected, original = contents(whole[1]), getattr(os, operation)
    for moment in itertools.count(1):
        folder, calls = tmp_path / str(moment) / "run", itertools.count(1)

        def killed_after(*arguments: Any, **options: Any) -> None:
            if next(calls) < moment:  # noqa: B023
                return original(*arguments, **options)
            if operation != "unlink":  # one that is not done is what matters
                original(*arguments, **options)
            raise KilledError

        folder.parent.mkdir()
        with monkeypatch.context() as patched:
            patched.setattr(os, operation, killed_after)
            try:
                fit_in_folder(Phi4RBM(**OPTIONS), X, folder, every=0)
            except KilledError:
                pass
            else:
                break
        fit_in_folder(Phi4RBM(**OPTIONS), X, folder, every=0)
        assert contents(folder) == expected, f"killed at {operation} {moment}"
    assert moment > {"mkdir": 2, "replace": 12, "unlink": 4}[operation], "it was not killed at every moment"


def test_a_training_that_a_callback_stopped_has_ended(tmp_path: Path) -> None:
    callbacks = [lambda state, _: state.epochs >= 2]
    for _ in range(2):
        model = fit_in_folder(Phi4RBM(**OPTIONS), X, tmp_path, every=0, callbacks=callbacks)
        assert model.n_iter_ == 2 == len(model.history_)


def test_a_stopped_training_of_an_older_version_goes_on_to_another_network(tmp_path: Path) -> None:
    fit_in_folder(Phi4RBM(**OPTIONS), X, tmp_path, every=0, callbacks=[lambda state, _: state.epochs == 2])
    stopped = kd.load_model(tmp_path / NETWORK)
    save_rbm(load_rbm(tmp_path), tmp_path, data=rbm_record(tmp_path)["data"], ended=False)  # it does not tell
    model = fit_in_folder(Phi4RBM(**OPTIONS), X, tmp_path, every=0)
    network = kd.load_model(tmp_path / NETWORK)
    np.testing.assert_array_equal(network.w, model.network_.w)
    assert (network.w != stopped.w).any()
    assert len(list((tmp_path / NETWORK).glob("arrays-*"))) == 1


def test_a_finished_training_is_not_repeated(whole: tuple[Phi4RBM, Path]) -> None:
    model, folder = whole
    before = {path: path.stat().st_mtime_ns for path in folder.glob("[!.]*.*")}
    seen: list[int] = []
    again = fit_in_folder(Phi4RBM(**OPTIONS), X, folder, callbacks=[lambda s, _: seen.append(s.epochs)])
    assert_same(again, model)
    assert not seen
    assert before == {path: path.stat().st_mtime_ns for path in folder.glob("[!.]*.*")}


def test_what_is_loaded_does_all_that_the_fitted_one_does(
    whole: tuple[Phi4RBM, Path], tmp_path: Path
) -> None:
    model = whole[0]
    loaded = Phi4RBM.load(model.save(tmp_path / "model", X))
    assert loaded.get_params() == model.get_params()
    np.testing.assert_array_equal(loaded.scaling_.shift, model.scaling_.shift)
    assert loaded.scaling_.scale.dtype == np.float64
    np.testing.assert_array_equal(loaded.score_samples(X), model.score_samples(X))
    np.testing.assert_array_equal(loaded.gibbs(X), model.gibbs(X))
    np.testing.assert_array_equal(
        loaded.partial_fit(X).transform(X), load_rbm(tmp_path / "model").partial_fit(X).transform(X)
    )
    assert (loaded.transform(X) != model.transform(X)).any()


def test_the_folder_tells_where_it_is_from(whole: tuple[Phi4RBM, Path], tmp_path: Path) -> None:
    record = rbm_record(save_rbm(whole[0], tmp_path / "m", data=X, record={"from": "a test"}))
    assert record["seed"] == whole[0]._seed and record["record"] == {"from": "a test"}
    assert record["data"] == kd.saved_models.data_fingerprint(X)
    assert {"kadanoff", "jax", "python"} <= set(record["versions"])
    assert record["options"]["n_hidden"] == 3
    network = kd.load_model(whole[1] / NETWORK)
    np.testing.assert_array_equal(network.w, whole[0].network_.w)


def test_another_training_is_refused(whole: tuple[Phi4RBM, Path]) -> None:
    folder = whole[1]
    for change, said in (
        ({"learning_rate": 0.1}, "its learning_rate is 0.005, 0.1 was asked for"),
        ({"random_state": 6}, "its random_state is 5, 6"),
        ({"epochs": 9}, "its epochs is 4, 9"),
    ):
        with pytest.raises(StoreError, match=said):
            fit_in_folder(Phi4RBM(**{**OPTIONS, **change}), X, folder)
    with pytest.raises(StoreError, match="on other data"):
        fit_in_folder(Phi4RBM(**OPTIONS), X[::-1], folder)
    with pytest.raises(InputError, match="whole number as random_state"):
        fit_in_folder(Phi4RBM(**{**OPTIONS, "random_state": None}), X, folder)


def test_a_folder_in_use_and_foreign_folders_are_refused(held: Path, tmp_path_factory: Any) -> None:
    with pytest.raises(StoreError, match="being written by another process.*stop it$"):
        fit_in_folder(Phi4RBM(**OPTIONS), X, held)
    other = tmp_path_factory.mktemp("other")
    (other / "thesis.tex").write_text("precious")
    for path, said in ((other, "something else than a network"), (other / "thesis.tex", "is a file")):
        with pytest.raises(StoreError, match=said):
            fit_in_folder(Phi4RBM(**OPTIONS), X, path)
    with pytest.raises(StoreError, match="absent does not exist: check the path, or make an rbm"):
        load_rbm(other / "absent")
    with pytest.raises(StoreError, match="holds no rbm"):
        load_rbm(other)


def edit(folder: Path, **changes: Any) -> None:
    header = json.loads((folder / HEADER).read_text())
    (folder / HEADER).write_text(json.dumps({**header, **changes}))


@pytest.mark.parametrize("version", [0, 2])
def test_a_model_of_another_version_is_refused_in_one_line(saved: Path, version: int) -> None:
    edit(saved, rbm_format=version, versions={"kadanoff": "7.8"})
    with pytest.raises(
        StoreError, match=f"kadanoff 7.8 \\(format {version}\\).*reads format 1 only"
    ) as caught:
        load_rbm(saved)
    assert "\n" not in str(caught.value)


def test_damage_is_refused_in_one_line(saved: Path) -> None:
    content = (saved / HEADER).read_text()
    state = next(saved.glob("state-*.eqx"))
    bits = state.read_bytes()
    state.write_bytes(bits[:-1] + bytes([bits[-1] ^ 1]))
    with pytest.raises(StoreError, match="damaged.*checksum"):
        load_rbm(saved)
    state.unlink()
    with pytest.raises(StoreError, match="damaged.*No such file"):
        load_rbm(saved)
    edit(saved, seed=77)
    with pytest.raises(StoreError, match="is damaged"):
        load_rbm(saved)
    (saved / HEADER).write_text(content[:100])
    with pytest.raises(StoreError, match="is damaged"):
        fit_in_folder(Phi4RBM(**OPTIONS), X, saved)


def test_names_of_features_and_levels_come_back(tmp_path: Path) -> None:
    bits = (X > 0).astype(float)

    model = Phi4RBM(2, visible="ising", epochs=1, random_state=np.random.RandomState(3)).fit(bits)
    model.feature_names_in_ = np.array(["a", "b", "c", "d"], dtype=object)  # as of a data frame
    loaded = load_rbm(save_rbm(model, tmp_path / "model"))
    assert loaded.feature_names_in_.tolist() == ["a", "b", "c", "d"]
    assert loaded.scaling_.levels == (-1.0, 1.0)
    assert loaded._seed == model._seed and loaded.random_state is None
