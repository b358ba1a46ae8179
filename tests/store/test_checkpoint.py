"""A computation in progress: what is kept comes back, and what is not ours is refused in words."""

from types import SimpleNamespace

import numpy as np
import pytest

from kadanoff.actions import Phi4
from kadanoff.errors import StoreError
from kadanoff.graph import Graph
from kadanoff.store.checkpoint import Checkpoint

pytestmark = pytest.mark.exact

STATE = (3, np.arange(2.0), {"a": np.ones((2, 2))})


def test_what_is_kept_comes_back(tmp_path):
    Checkpoint(tmp_path, {"seed": 1}).save(STATE)
    step, values, rest = Checkpoint(tmp_path, {"seed": 1}).load((0, np.zeros(2), {"a": np.zeros((2, 2))}))
    assert step == 3
    np.testing.assert_array_equal(values, STATE[1])
    np.testing.assert_array_equal(rest["a"], STATE[2]["a"])


def test_seconds_of_earlier_processes_are_kept(tmp_path, monkeypatch):
    clock = iter((100.0, 107.0, 107.0, 107.0, 5.0, 9.0, 9.0, 9.0, 50.0, 50.0))
    monkeypatch.setattr("kadanoff.store.checkpoint.time", SimpleNamespace(monotonic=lambda: next(clock)))
    Checkpoint(tmp_path).save(STATE)  # 100 to 107
    second = Checkpoint(tmp_path)  # of another process, with a clock of its own: 5 to 9
    assert second.earlier == 0
    second.load(STATE)
    assert second.earlier == 7
    second.save(STATE)
    third = Checkpoint(tmp_path)
    third.load(STATE)
    assert third.earlier == 11


@pytest.mark.parametrize(
    ("request_of", "like", "told"),
    [
        ({"seed": 2}, STATE, "another request"),
        ({"seed": 1}, STATE[:2], "another version"),
        ({"seed": 1}, (*STATE, 1), "another version"),
    ],
    ids=["request", "fewer parts", "more parts"],
)
def test_the_state_of_something_else_is_refused(tmp_path, request_of, like, told):
    Checkpoint(tmp_path, {"seed": 1}).save(STATE)
    with pytest.raises(StoreError, match=told):
        Checkpoint(tmp_path, request_of).load(like)


@pytest.mark.parametrize("left", [-20, 20, 0], ids=["half", "beginning", "nothing"])
def test_a_damaged_state_is_told(tmp_path, left):
    Checkpoint(tmp_path, {}).save(STATE)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:left])
    with pytest.raises(StoreError, match="damaged"):
        Checkpoint(tmp_path, {}).load(STATE)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Graph([(0, 1), (1, 2)]), Graph([(0, 1), (0, 2)])),
        (lambda field: field**2, lambda field: field**4),
        (lambda field: np.sin(field), lambda field: np.cos(field)),
        (lambda field: map(lambda x: x + 1, field), lambda field: map(lambda x: x + 2, field)),
        (Phi4(-0.9, 0.7), Phi4(-0.9, 0.8)),
        (np.arange(3), np.arange(3.0)),
        ({"rate": 0.1}, {"rate": 0.2}),
    ],
)
def test_the_state_of_another_call_is_refused(tmp_path, first, second):
    Checkpoint.of_call(tmp_path, {"target": first}).save((1,))
    assert Checkpoint.of_call(str(tmp_path), {"target": first}).load((0,)) == (1,)
    with pytest.raises(StoreError, match="another request"):
        Checkpoint.of_call(tmp_path, {"target": second}).load((0,))
