"""kill -9 at any moment loses at most the block in flight; the resumed bytes are those of an unbroken run."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from store_helpers import digest_tree, run

from kadanoff.store import Store

pytestmark = pytest.mark.exact
DRAWS = 24
# The child kills itself at the n-th file operation of a kind, so that every step of a commit is hit for sure.
SCRIPT = """
import os, signal, sys
sys.path.insert(0, {here!r})
import kadanoff.store.durable as durable
count = 0
def counted(function, late):
    def call(*args):
        global count
        count += 1
        if count == {moment} and not late:
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(*args)
        if count == {moment} and late:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return call
setattr(durable.os, {operation!r}, counted(getattr(os, {operation!r}), {late}))
from store_helpers import run
run({path!r}, {draws}, weights=True, sizes=(3, 5))
"""


def child(path, draws=DRAWS, moment=0, operation="replace", late=False):
    here = str(Path(__file__).parent)
    code = SCRIPT.format(
        path=str(path), here=here, draws=draws, moment=moment, operation=operation, late=late
    )
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    path = tmp_path_factory.mktemp("unbroken") / "run"
    run(path, DRAWS, weights=True, sizes=(3, 5))
    return path


# Creation renames 4 files, run.json last. The first append renames a chunk (5), weights (6), state (7),
# record (8), metadata (9 to 11); the second two chunks (12, 13), weights (14, 15), state (16), record (17).
@pytest.mark.parametrize(
    ("moment", "late"),
    [(4, False), (7, False), (8, False), (8, True), (10, False), (13, False), (17, False), (17, True)],
)
def test_killed_at_a_rename(tmp_path, unbroken, moment, late):
    process = child(tmp_path / "run", moment=moment, late=late)
    assert process.wait(60) == -signal.SIGKILL
    check(tmp_path / "run", unbroken)


@pytest.mark.parametrize("moment", [2, 17])
def test_killed_before_a_sync(tmp_path, unbroken, moment):
    process = child(tmp_path / "run", moment=moment, operation="fsync")
    assert process.wait(60) == -signal.SIGKILL
    check(tmp_path / "run", unbroken)


def test_killed_again_and_again_at_arbitrary_times(tmp_path, unbroken):
    generator = np.random.default_rng(0)
    path, last, kills = tmp_path / "run", 0, 0
    while kills < 3:
        process = child(path, draws=10**6)
        records = path / "manifest"
        while not records.is_dir() or len(list(records.glob("*.json"))) < last + 2:
            assert process.poll() is None, process.communicate()[1].decode()
            time.sleep(0.002)
        time.sleep(generator.uniform(0, 0.05))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        kills += 1
        store = Store.open(path)
        store.verify()
        assert len(store.records) >= last + 2  # what was committed stays
        last = len(store.records)
    whole = tmp_path / "whole"
    run(whole, store.draws, weights=True, sizes=(3, 5))
    assert Store.open(whole).records == store.records
    np.testing.assert_array_equal(Store.open(whole).field(), store.field())


def check(path, unbroken):
    """Compare what the kill left with the same draws of the unbroken run; resume; compare every byte."""
    if (path / "run.json").exists():
        store = Store.open(path)
        store.verify()
        whole = Store.open(unbroken)
        assert store.records == whole.records[: len(store.records)]
        np.testing.assert_array_equal(store.field(), whole.field(0, store.draws))
    run(path, DRAWS, weights=True, sizes=(3, 5))
    assert digest_tree(path) == digest_tree(unbroken)
