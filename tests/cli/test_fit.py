"""`kadanoff fit`: couplings of a run within their errors, a model that can be loaded, and refusals in one line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import kadanoff as kd


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.statistical
def test_a_run_gives_its_couplings_back_and_is_kept(kadanoff: Any, simulated: Path, tmp_path: Path) -> None:
    # Three couplings within 4 standard errors.
    line = (
        "fit",
        simulated,
        "--model",
        "phi4",
        "--method",
        "score-matching",
        "--out",
        tmp_path / "m",
        "--json",
    )
    answer = kadanoff(*line)
    found = json.loads(answer.out)
    known = {"mass2": -0.9515, "quartic": 0.7, "kappa": 1.0}
    for name, value in known.items():
        estimate = found["couplings"][name]
        assert abs(estimate["value"] - value) < 4 * estimate["error"], (name, estimate)
    assert (found["method"], found["model"], found["seed"]) == ("score matching", "Phi4", 0)
    loaded = kd.load_model(tmp_path / "m")
    assert float(loaded.kappa) == pytest.approx(found["couplings"]["kappa"]["value"], rel=1e-6)
    again = json.loads(kadanoff(*line).out)
    assert again["couplings"] == found["couplings"] and again["seconds"] < found["seconds"] + 1
    other = kadanoff(*line, "--seed", "3")
    assert other.status == 2 and "holds another fit: its seed is 0" in other.err


@pytest.mark.exact
@pytest.mark.slow
@pytest.mark.ci
def test_couplings_that_are_told_are_those_of_the_saved_model(kadanoff: Any, tmp_path: Path) -> None:
    answer = kadanoff("fit", "phi4", "--size", "2x2", "--steps", "1", "--out", tmp_path / "m", "--json")
    told, kept = json.loads(answer.out)["couplings"], kd.load_model(tmp_path / "m")
    for name in ("w", "r", "a", "b"):
        np.testing.assert_allclose(told[name], np.asarray(getattr(kept, name)), rtol=1e-6)


@pytest.mark.exact
def test_a_kept_fit_is_that_of_its_data_wherever_they_lie(
    kadanoff: Any, refused: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fields = np.random.default_rng(0).normal(size=(200, 8, 8)).astype(np.float32)
    np.save("a.npy", fields)
    options = ("--model", "phi4", "--method", "score-matching", "--out", "m", "--json")
    first = kadanoff("fit", "a.npy", *options)
    assert first.status == 0 and json.loads(first.out)["warnings"], first
    again = kadanoff("fit", tmp_path / "a.npy", *options)
    assert again.status == 0, again
    for name in ("couplings", "warnings"):
        assert json.loads(again.out)[name] == json.loads(first.out)[name]
    refused(kadanoff("fit", "a.npy", *options, "--chains"), "its chains is False, True was asked for")
    np.save("a.npy", 3 * fields)
    refused(kadanoff("fit", "a.npy", *options), "m holds a fit of other data")


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.exact
def test_an_edited_action_is_not_answered_by_an_old_fit(
    kadanoff: Any, refused: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source = "import kadanoff as kd\nWELL = kd.Phi4(mass2=-{}, quartic=0.7)\n"
    Path("mine.py").write_text(source.format(0.5))
    line = ("fit", "mine.py:WELL", "--size", "2x2", "--steps", "1", "--out", "m", "--json")
    first = json.loads(kadanoff(*line).out)["couplings"]
    assert json.loads(kadanoff(*line).out)["couplings"] == first
    Path("mine.py").write_text(source.format(0.9))
    refused(kadanoff(*line), "m holds a fit with another version of mine.py:WELL")
    record = json.loads(Path("m/model.json").read_text())["record"]["request"]
    assert set(record["sources"]) == {"mine.py:WELL"}


@pytest.mark.exact
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("absent.npy", "absent.npy is not a file"),
        ("phi5", "unknown action 'phi5', and no run or file of that name: check the path of data"),
        ("numbers.npy --method scores", "unknown method 'scores'"),
        ("numbers.npy --train w,q", "no coupling 'q' to train"),
        ("numbers.npy --graph hexagonal", "unknown kind of grid"),
        ("numbers.npy --mass2 1", "leave mass2 out"),
        ("numbers.npy --held-out 1", "held_out"),
        ("numbers.npy --steps 0", "--steps must be positive"),
        ("grey.npy", "scale integers"),
        ("broken.npy", "field 2 of the data holds NaN"),
        ("two.npz", "name one by --array"),
        ("words.npy", "cannot be read"),
        ("words.png", "no image that can be read"),
        ("tiny.png", "8 or more a side"),
        ("photo.png --method likelihood", "leave --model and --method out"),
        ("notes.txt", "is no data"),
        ("phi4 --held-out 5", "--held-out means nothing where the target is an action"),
        ("phi4 --array a", "--array means nothing where the target is an action"),
        ("numbers.npy --size 8x8", "--size means nothing where the target is data"),
        ("numbers.npy --model phi4 --graph triangular", "--graph is that of the inhomogeneous model"),
        ("photo.png --train w", "--train means nothing where the target is one image"),
        ("photo.png --mass2 1", "leave mass2 out"),
    ],
)
def test_bad_input(kadanoff: Any, refused: Any, words: str, said: str, tmp_path: Path) -> None:
    numbers = np.random.default_rng(0).normal(size=(10, 4, 4))
    np.save(tmp_path / "numbers.npy", numbers)
    np.save(tmp_path / "grey.npy", np.zeros((5, 4, 4), np.uint8))
    np.save(tmp_path / "broken.npy", np.where(np.arange(10)[:, None, None] == 2, np.nan, numbers))
    np.savez(tmp_path / "two.npz", a=numbers, b=numbers)
    for name in ("words.npy", "words.png", "notes.txt"):
        (tmp_path / name).write_text("not what the name says")
    Image.new("L", (4, 4)).save(tmp_path / "tiny.png")
    Image.new("L", (16, 16)).save(tmp_path / "photo.png")
    target, *options = words.split()
    target = target if target.startswith("phi") else str(tmp_path / target)
    refused(kadanoff("fit", target, *options, "--out", tmp_path / "run"), said)
    assert not (tmp_path / "run").exists()


@pytest.mark.exact
def test_an_option_of_one_experiment_is_refused_by_others(
    kadanoff: Any, refused: Any, tmp_path: Path
) -> None:
    refused(
        kadanoff("reproduce", "recovery", "--image", tmp_path / "a.png", "--out", tmp_path / "run"), "--image"
    )
    refused(kadanoff("reproduce", "image", "--image", tmp_path / "a.png", "--out", tmp_path / "run"), "a.png")
