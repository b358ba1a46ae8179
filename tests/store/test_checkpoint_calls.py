"""Checkpoints of calls from Python: the same call goes on, another one is told, and a path is enough."""

import numpy as np
import pytest

import kadanoff as kd
from kadanoff.errors import InputError, StoreError
from kadanoff.store import checkpoint as module
from kadanoff.store.checkpoint import Checkpoint

pytestmark = pytest.mark.exact

GRAPH = kd.Graph.complete(3)
MODEL = kd.InhomogeneousPhi4.random(GRAPH)
TARGET = kd.InhomogeneousPhi4(GRAPH, w=0.2, a=1.0, b=0.5)
OPTIONS = {"optimiser": "adam", "chains": 64, "epochs": 60, "tolerance": 0.0}
FIELDS = np.random.default_rng(0).normal(size=(200, 4, 4))
ACTION = kd.Phi4(2.0, 0.1, 0.0)


class StoppedError(Exception):
    """What ends a fit half way."""


def stop(done, total, message):
    if done >= 40:
        raise StoppedError


@pytest.fixture(autouse=True)
def _always(monkeypatch):
    monkeypatch.setattr(module, "_EVERY", 0.0)


def test_a_fit_that_was_stopped_goes_on_to_the_same_bits_from_a_path(tmp_path):
    whole = kd.fit_variational(MODEL, TARGET, **OPTIONS)
    with pytest.raises(StoppedError):
        kd.fit_variational(MODEL, TARGET, **OPTIONS, progress=stop, checkpoint=str(tmp_path))
    resumed = kd.fit_variational(MODEL, TARGET, **OPTIONS, checkpoint=tmp_path)
    np.testing.assert_array_equal(resumed.bound, whole.bound)
    np.testing.assert_array_equal(resumed.model.w, whole.model.w)


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 5},
        {"chains": 32},
        {"train": ("w",)},
        {"target": kd.InhomogeneousPhi4(GRAPH, w=0.3, a=1.0, b=0.5)},
        {"model": kd.InhomogeneousPhi4.random(GRAPH, seed=1)},
    ],
    ids=lambda other: next(iter(other)),
)
def test_another_variational_fit_is_refused(tmp_path, other):
    kd.fit_variational(MODEL, TARGET, **OPTIONS | {"epochs": 21}, checkpoint=tmp_path)
    call = {"model": MODEL, "target": TARGET, **OPTIONS, **other}
    with pytest.raises(StoreError, match="another request"):
        kd.fit_variational(**call, checkpoint=tmp_path)


def test_more_epochs_go_on(tmp_path):
    kd.fit_variational(MODEL, TARGET, **OPTIONS | {"epochs": 20}, checkpoint=tmp_path)
    assert kd.fit_variational(MODEL, TARGET, **OPTIONS, checkpoint=tmp_path).epochs == 60
    assert "after 60 epochs" in kd.fit_variational(MODEL, TARGET, **OPTIONS, checkpoint=tmp_path).reason


@pytest.mark.parametrize(
    "other",
    [{"data": FIELDS + 0.1}, {"steps": 3}, {"held_out": 0.0}, {"model": kd.Phi4(2.1, 0.1, 0.0)}],
    ids=lambda other: next(iter(other)),
)
def test_another_fit_of_data_is_refused(tmp_path, other):
    call = {"model": ACTION, "data": FIELDS, "method": "pseudo-likelihood", "checkpoint": tmp_path}
    first = kd.fit_data(**call)
    np.testing.assert_array_equal(kd.fit_data(**call).values, first.values)
    with pytest.raises(StoreError, match="another request"):
        kd.fit_data(**call | other)


def _variational(folder):
    return kd.fit_variational(MODEL, TARGET, **OPTIONS, checkpoint=folder).seconds


def _of_data(folder):
    return kd.fit_data(ACTION, FIELDS, "pseudo-likelihood", checkpoint=folder).seconds


def _inverse(folder):
    ensemble = kd.Ensemble(FIELDS.astype(np.float32).reshape(8, 25, 4, 4), ACTION)
    options = {"kind": "deterministic", "steps": 20, "checkpoint": folder}
    return kd.learn_inverse(ensemble, kd.MajorityMean(b=2), **options).record.seconds


@pytest.mark.filterwarnings("ignore::kadanoff.errors.KadanoffWarning")
@pytest.mark.parametrize("seconds", [_variational, _of_data, _inverse])
def test_seconds_are_those_of_all_processes(tmp_path, monkeypatch, seconds):
    assert seconds(tmp_path) < 1000
    load = Checkpoint.load

    def loaded(self, like):
        state = load(self, like)
        assert self.earlier > 0
        self.earlier = 1000.0
        return state

    monkeypatch.setattr(Checkpoint, "load", loaded)
    assert 1000 < seconds(tmp_path) < 2000


@pytest.mark.usefixtures("unchecked")
def test_what_is_no_checkpoint_is_told():
    with pytest.raises(InputError, match="checkpoint=3 is none"):
        kd.fit_variational(MODEL, TARGET, checkpoint=3)


def test_calls_are_told_by_all_their_parts(tmp_path):
    calls = [
        {"a": 1},
        {"a": 1.0},
        {"a": True},
        {"a": None},
        {"a": "1"},
        {"a": np.ones(2)},
        {"a": np.ones(2, np.float32)},
        {"a": np.ones((2, 1))},
        {"a": [1, 2]},
        {"a": kd.learning.data.Likelihood(steps=2)},
        {"a": kd.learning.data.Likelihood(steps=3)},
        {"a": len},
    ]
    Checkpoint.of_call(tmp_path, calls[0]).save((1,))
    assert Checkpoint.of_call(Checkpoint(tmp_path), calls[0]).load((0,)) == (1,)
    for call in calls[1:]:
        with pytest.raises(StoreError, match="another request"):
            Checkpoint.of_call(tmp_path, call).load((0,))
