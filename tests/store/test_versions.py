"""Folders of every released version stay readable, to the last bit."""

import json
import shutil
from importlib.metadata import version
from pathlib import Path

import pytest
from version_digests import digests

from kadanoff.store import Store

pytestmark = pytest.mark.exact
HOMES = sorted(file.parent for file in (Path(__file__).parent / "fixtures").glob("*/digests.json"))


@pytest.mark.parametrize("home", HOMES, ids=lambda home: home.name)
def test_every_bit_is_read(home: Path) -> None:
    assert digests(home) == json.loads((home / "digests.json").read_text())
    for run in ("run", "spins", "graph", "grown/level-00", "grown/level-01"):
        Store.open(home / run).verify()


@pytest.mark.parametrize("home", HOMES, ids=lambda home: home.name)
def test_a_run_is_gone_on_with(home: Path, tmp_path: Path) -> None:
    shutil.copytree(home / "run", tmp_path / "run")
    with Store.open(tmp_path / "run", "a") as store:
        state, last = store.state(), store.field()[:, -1:]
        assert state is not None and state["fields"].shape == last[:, 0].shape
        store.append(last, state=state)
    assert Store.open(tmp_path / "run").draws == Store.open(home / "run").draws + 1


def test_this_version_has_its_folders() -> None:
    assert version("kadanoff") in [home.name for home in HOMES], "run tests/store/fixtures/make.py"
