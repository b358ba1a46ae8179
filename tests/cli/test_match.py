"""`kadanoff match`: the same answer from columns, runs and simulations; what it refuses, in one line."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kadanoff as kd
from kadanoff.runs import open_ensemble

pytestmark = pytest.mark.exact

SHORT = ("--chains", "32", "--draws", "96")
FILES = "--original original.npy --blocked blocked.npy --direct direct.npy"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, command: Any) -> Path:
    """A match that was simulated and kept, and its configurations as columns of the totals."""
    from kadanoff.ensemble import Ensemble
    from kadanoff.renormalization import Majority, block

    made = tmp_path_factory.mktemp("match")
    options = ("--beta", "0.42", "--size", "8", "--steps", "2", "--samples", "50", *SHORT)
    assert command("match", *options, "--out", made / "run", "--json") == 0

    def columns(ensemble: Ensemble) -> np.ndarray:
        spins = np.asarray(ensemble.fields).reshape(-1, *ensemble.lattice.shape).astype(int)
        links = sum(spins * np.roll(spins, 1, axis) for axis in (1, 2))
        return np.stack([-links.sum(axis=(1, 2)), spins.sum(axis=(1, 2))], axis=1)

    large, small = (open_ensemble(made / "run" / name) for name in ("8x8", "4x4"))
    for name, ensemble in (("original", large), ("blocked", block(large, Majority(b=2))), ("direct", small)):
        np.save(made / f"{name}.npy", columns(ensemble))
    return made


def rows_of(answer: Any) -> list[dict[str, Any]]:
    assert answer.status == 0, answer
    return json.loads(answer.out)["rows"]


@pytest.mark.slow
@pytest.mark.ci
def test_columns_runs_and_simulations_give_one_answer(
    kadanoff: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    simulated = rows_of(
        kadanoff(
            "match", "--beta", "0.42", "--size", "8", "--steps", "2", "--samples", "50", *SHORT, "--json"
        )
    )
    opened = rows_of(kadanoff("match", "run/8x8", "run/4x4", "--steps", "2", "--samples", "50", "--json"))
    given = rows_of(kadanoff("match", *FILES.split(), *"--beta 0.42 --size 8 --samples 50 --json".split()))
    assert simulated == opened
    names = ("abs_magnetization", "magnetization_squared", "neighbours")
    assert [row["observable"] for row in opened] == 2 * list(names)
    assert [row["label"] for row in opened] == 3 * ["n = 0"] + 3 * ["n = 1"]
    assert [row["observable"] for row in given] == list(names)
    for row, same in zip(given, opened, strict=False):
        assert {"beta_c", "nu", "slope", "range", "effective_sample_size", "reason"} < set(row)
        assert (row["beta_c"] is None) == (row["reason"].startswith("no"))
        np.testing.assert_allclose(row["range"], same["range"], rtol=1e-5)
        # the columns are one chain of rows to the reader, so only the errors may differ
        if row["beta_c"] is not None and same["beta_c"] is not None:
            assert row["beta_c"]["value"] == pytest.approx(same["beta_c"]["value"], rel=1e-6)
    assert {path.name for path in (folder / "run" / "figures").iterdir()} == {"matching.png", "flow.png"}


def test_the_side_of_a_block_is_that_of_the_runs(kadanoff: Any, tmp_path: Path) -> None:
    for side, seed in ((12, 1), (4, 2)):
        folder = tmp_path / str(side)
        kd.sample(kd.Ising(0.42), kd.Lattice((side, side)), chains=32, draws=40, seed=seed, out=folder)
    line = ("match", tmp_path / "12", tmp_path / "4", "--steps", "1", "--samples", "50")
    answer = kadanoff(*line, "--observables", "neighbours", "--json")
    assert json.loads(answer.out)["b"] == 3
    answer = kadanoff(*line, "--b", "2")
    assert answer.status == 2 and "is not b=2 times" in answer.err


def test_people_get_a_table(kadanoff: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    answer = kadanoff(
        "match", "run/8x8", "run/4x4", "--steps", "1", "--samples", "50", "--observables", "neighbours"
    )
    assert answer.status == 0 and "beta c" in answer.out and "neighbours" in answer.out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (f"{FILES} --beta 0.42", "also need --size"),
        (f"{FILES} --size 8", "also need --beta"),
        ("--original original.npy --beta 0.42 --size 8", "also need --blocked, --direct"),
        (f"{FILES} --beta 0.42 --size 9", "not a multiple of 2"),
        (f"{FILES} --beta 0.42 --size 8 --b 1", "2 or more"),
        (f"{FILES} --beta 0.42 --size 4", "row 1 has the total energy"),
        (f"{FILES} --beta nan --size 8", "finite"),
        (f"{FILES} --beta 0.42 --size 8 --action phi4", "Ising data"),
        (f"{FILES} --beta 0.42 --size 8 --mass2 1", "Ising data"),
        (f"{FILES} --beta 0.42 --size 8 --steps 2", "--steps belongs to simulations"),
        (f"{FILES} --beta 0.42 --size 8 --observables xi_over_L", "not the sites"),
        (f"{FILES} --beta 0.42 --size 8 --observables energies", "unknown observable"),
        (
            "--original absent.txt --blocked blocked.npy --direct direct.npy --beta 0.42 --size 8",
            "absent.txt does not",
        ),
        (
            "--original original.npy --blocked blocked.npy --direct blocked.npy --beta 0.42 --size 8",
            "same numbers",
        ),
        ("run/8x8", "1 folders are given"),
        ("run/8x8 run/8x8", "given twice"),
        ("run/4x4 run/8x8", "is not b=2 times"),
        ("run/8x8 run/4x4 --beta 0.42", "--beta belongs to a new simulation"),
        ("run/8x8 run/4x4 --rule plurality", "unknown rule"),
        ("run/8x8 run/4x4 --steps 3", "below 2"),
        ("run/8x8 run/4x4 --vary mass2", "no scalar coupling"),
        ("run/8x8 absent", "absent"),
        ("--size 8 --steps 0", "--steps must be positive"),
        ("--size 8", "below 2"),
        ("--size 10 --steps 2", "not a multiple of 2"),
        ("--size 8 --steps 1 --observables energies", "unknown observable"),
        ("--size 8 --steps 1 --vary mass2", "no scalar coupling"),
        ("--size 8 --steps 1 --action phi5", "unknown action"),
    ],
)
def test_what_is_refused(
    kadanoff: Any, folder: Path, monkeypatch: pytest.MonkeyPatch, options: str, said: str, refused: Any
) -> None:
    monkeypatch.chdir(folder)
    before = sorted(folder.rglob("*"))
    refused(kadanoff("match", *options.split()), said)
    assert sorted(folder.rglob("*")) == before


def test_a_blocked_run_is_no_direct_one(kadanoff: Any, folder: Path, tmp_path: Path, refused: Any) -> None:
    assert kadanoff("block", folder / "run/8x8", "--rule", "majority", "--out", tmp_path / "b").status == 0
    said = f"{tmp_path / 'b'} is a folder of block, made from {folder / 'run/8x8'}; give a simulation"
    refused(kadanoff("match", folder / "run/8x8", tmp_path / "b"), said)
    refused(kadanoff("match", tmp_path / "b", folder / "run/4x4"), said)


def test_without_any_crossing_the_range_is_said(
    kadanoff: Any, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Any
) -> None:
    """'Blocked' configurations that are all up stay above the direct ones, whatever the coupling."""
    monkeypatch.chdir(folder)
    shutil.copytree(folder, tmp_path / "copy", ignore=shutil.ignore_patterns("run"))
    monkeypatch.chdir(tmp_path / "copy")
    np.save("blocked.npy", np.tile([-32, 16], (len(np.load("original.npy")), 1)))
    for format in ((), ("--json",)):
        answer = kadanoff("match", *FILES.split(), *"--beta 0.42 --size 8 --samples 50".split(), *format)
        refused(answer, "no observable crosses: abs_magnetization (n = 0): no crossing for beta from 0.")
