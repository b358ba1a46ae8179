"""`kadanoff rbm`: fit, sample, features, score; resumed, as JSON, and bad input in one line."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kadanoff.cli.rbm.data import array_out
from kadanoff.errors import InputError

pytestmark = pytest.mark.exact

OPTIONS = (
    "--visible",
    "gaussian",
    "--n-hidden",
    "3",
    "--epochs",
    "2",
    "--batch-size",
    "20",
    "--seed",
    "4",
    "--held-out",
    "0.25",
)


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 images of 2 x 2 on 256 grey levels."""
    path = tmp_path_factory.mktemp("data") / "images.npy"
    np.save(path, np.random.default_rng(0).integers(256, size=(40, 2, 2)).astype(np.uint8))
    return path


@pytest.fixture(scope="session")
def fitted(images: Path, command: Callable[..., int], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rbm") / "net"
    assert command("rbm", "fit", images, *OPTIONS, "--likelihood-every", "1", "--out", folder) == 0
    return folder


def test_fit_keeps_network_figures_and_source_and_is_not_repeated(
    fitted: Path, images: Path, kadanoff: Any
) -> None:
    assert {path.name for path in (fitted / "figures").iterdir()} == {
        "features.png",
        "samples.png",
        "monitors.png",
    }
    before = (fitted / "rbm.json").read_bytes()
    answer = kadanoff("rbm", "fit", images, *OPTIONS, "--likelihood-every", "1", "--out", fitted, "--json")
    assert answer.status == 0
    assert (fitted / "rbm.json").read_bytes() == before
    found = json.loads(answer.out)
    assert found["network"] == "Phi4Network(4 gaussian visible, 3 bernoulli hidden)"
    assert found["data"]["dequantised"] and found["data"]["samples"] == 30
    assert [record["epoch"] for record in found["history"]] == [1, 2]
    assert set(found["history"][0]["log_likelihood"]) == {"value", "error", "tau_int"}
    assert set(found["log_likelihood"]) == {"training", "held out"}
    assert found["store"] == str(fitted) and all(Path(path).is_file() for path in found["figures"])


def test_fit_prints_tables(images: Path, kadanoff: Any) -> None:
    answer = kadanoff("rbm", "fit", images, *OPTIONS)
    assert answer.status == 0
    for word in ("Training", "pseudo-likelihood", "chain", "held out", "30 samples"):
        assert word in answer.out


def test_score_finds_the_data_of_the_training(
    fitted: Path, images: Path, kadanoff: Any, tmp_path: Path
) -> None:
    found = json.loads(kadanoff("rbm", "score", fitted, "--json").out)
    assert found["samples"] == {"training": 30, "held out": 10}
    # Uniform data on [0, 256)^4 have 4 ln 256 nats, and a Gaussian 0.7 more: on grey levels, not on scaled ones.
    assert abs(found["log_likelihood"]["training"]["value"] + 4 * np.log(256)) < 2.0
    out = tmp_path / "scores.npy"
    named = json.loads(kadanoff("rbm", "score", fitted, images, "--out", out, "--json").out)
    assert named["samples"] == {str(images): 40, "held out": 0}
    assert np.load(out).mean() == pytest.approx(named["log_likelihood"][str(images)]["value"])


def test_one_sample_without_grey_levels_is_scored_and_has_features(
    fitted: Path, kadanoff: Any, tmp_path: Path
) -> None:
    np.save(tmp_path / "one.npy", np.random.default_rng(1).uniform(0, 256, size=(1, 4)))
    for verb in ("score", "features"):
        answer = kadanoff("rbm", verb, fitted, tmp_path / "one.npy", "--json")
        assert answer.status == 0, answer
        assert json.loads(answer.out)["samples"] in (1, {str(tmp_path / "one.npy"): 1, "held out": 0})


@pytest.mark.slow
@pytest.mark.ci
def test_two_level_units_are_scored_on_levels(images: Path, kadanoff: Any, tmp_path: Path) -> None:
    options = ("--visible", "bernoulli", "--n-hidden", "3", "--epochs", "1", "--smoothing", "1")
    assert kadanoff("rbm", "fit", images, *options, "--out", tmp_path / "net").status == 0
    assert json.loads((tmp_path / "net" / "rbm.json").read_text())["options"]["smoothing"] == 1
    found = json.loads(kadanoff("rbm", "score", tmp_path / "net", "--json").out)
    assert all(error <= 1 for error in found["reconstruction"].values())


def test_sample_follows_the_seed(fitted: Path, kadanoff: Any, tmp_path: Path) -> None:
    draws = []
    for seed in (1, 1, 2):
        out = tmp_path / "drawn.npy"
        answer = kadanoff(
            "rbm", "sample", fitted, "--count", 6, "--steps", 10, "--seed", seed, "--out", out, "--json"
        )
        assert json.loads(answer.out)["samples"] == [6, 4]
        draws.append(np.load(out))
    np.testing.assert_array_equal(draws[0], draws[1])
    assert (draws[0] != draws[2]).any()


@pytest.mark.parametrize("words", ["sample --count 4 --steps 2", "features"])
def test_the_answer_stands_where_the_figure_cannot_be_written(
    fitted: Path, kadanoff: Any, tmp_path: Path, words: str
) -> None:
    net = tmp_path / "net"
    shutil.copytree(fitted, net)
    shutil.rmtree(net / "figures")
    (net / "figures").write_text("no folder")
    verb, *options = words.split()
    answer = kadanoff("rbm", verb, net, *options, "--json")
    found = json.loads(answer.out)
    assert answer.status == 0 and found["figures"] == []
    assert "no figure was written" in found["warnings"][-1]


def test_features_are_the_means_of_the_hidden_units(fitted: Path, kadanoff: Any, tmp_path: Path) -> None:
    out = tmp_path / "hidden.npy"
    found = json.loads(kadanoff("rbm", "features", fitted, "--out", out, "--json").out)
    means = np.load(out)
    assert means.shape == (30, 3) and (0 < means).all() and (means < 1).all()
    first = found["units"][0]
    assert first["mean"] == pytest.approx(means[:, first["unit"]].mean())
    strengths = [unit["strength"] for unit in found["units"]]
    assert strengths == sorted(strengths, reverse=True)


def test_help_shows_worked_examples(kadanoff: Any) -> None:
    for verb in ("fit", "sample", "features", "score"):
        answer = kadanoff("rbm", verb, "--help")
        assert answer.status == 0 and f"  kadanoff rbm {verb} " in answer.out


BAD = [
    ("--n-hidden 0", "--n-hidden must be positive"),
    ("--epochs 0", "--epochs must be positive"),
    ("--visible phi6", "unknown"),
    ("--hidden spin", "unknown"),
    ("--training gibbs", "unknown training 'gibbs'"),
    ("--scaling log", "unknown scaling 'log'"),
    ("--optimiser newton", "unknown optimiser 'newton'"),
    ("--schedule step", "unknown schedule 'step'"),
    ("--held-out 1", "--held-out 1 is no part"),
    ("--held-out 0.99", "leaves 0 samples"),
    ("--likelihood-every -1", "cannot be negative"),
    ("--visible bernoulli --scaling none", "take the values 0 and 1 only"),
]


@pytest.mark.parametrize(("options", "said"), BAD)
def test_bad_options(
    kadanoff: Any, images: Path, options: str, said: str, tmp_path: Path, refused: Any
) -> None:
    refused(kadanoff("rbm", "fit", images, *options.split(), "--out", tmp_path / "net"), said)


def test_bad_data(kadanoff: Any, tmp_path: Path, refused: Any) -> None:
    table = np.random.default_rng(0).normal(size=(10, 3))
    for name, rows, said in (
        ("nan", np.where(np.eye(10, 3) > 0, np.nan, table), "NaN or infinity"),
        ("constant", np.ones((10, 3)), "every column of the data is constant"),
    ):
        np.save(tmp_path / f"{name}.npy", rows)
        refused(kadanoff("rbm", "fit", tmp_path / f"{name}.npy", "--held-out", 0), said)
    np.save(tmp_path / "table.npy", table)
    refused(kadanoff("rbm", "fit", tmp_path / "table.npy", "--dequantise"), "no grey levels")
    refused(kadanoff("rbm", "fit", "no-such-data"), "no data set and no file 'no-such-data'")


def test_bad_folders(kadanoff: Any, fitted: Path, images: Path, tmp_path: Path, refused: Any) -> None:
    refused(kadanoff("rbm", "score", tmp_path), "holds no rbm")
    refused(
        kadanoff("rbm", "score", tmp_path / "absent"), "absent does not exist: check the path, or make an rbm"
    )
    refused(kadanoff("rbm", "score", fitted / "rbm.json"), "rbm.json is a file, but an rbm is a folder")
    refused(kadanoff("rbm", "fit", images, "--epochs", 3, "--out", fitted), "holds another training")
    np.save(tmp_path / "narrow.npy", np.arange(30, dtype=np.uint8).reshape(10, 3))
    refused(kadanoff("rbm", "score", fitted, tmp_path / "narrow.npy"), "3 features")
    refused(kadanoff("rbm", "sample", fitted, "--out", tmp_path / "drawn.txt"), "does not end in .npy")
    refused(kadanoff("rbm", "frob"), "frob")
    header = json.loads((fitted / "rbm.json").read_text())
    old = tmp_path / "old"
    old.mkdir()
    (old / "rbm.json").write_text(json.dumps({**header, "rbm_format": 99}))
    refused(kadanoff("rbm", "features", old), "reads format 1 only")


def test_data_that_changed_since_the_training_are_not_taken_for_them(
    images: Path, kadanoff: Any, tmp_path: Path, refused: Any
) -> None:
    data, net = tmp_path / "data.npy", tmp_path / "net"
    shutil.copy(images, data)
    assert kadanoff("rbm", "fit", data, *OPTIONS, "--out", net).status == 0
    pixels = np.load(images)
    for other in (255 - pixels, pixels[:, :1]):
        np.save(data, other)
        for verb in ("score", "features"):
            refused(kadanoff("rbm", verb, net), "holds other data than those that")
    np.save(data, pixels)
    assert kadanoff("rbm", "features", net).status == 0


def test_the_view_shows_every_monitor() -> None:
    import io

    from rich.console import Console

    from kadanoff.cli.rbm.view import MONITORS, TrainingView, sparkline
    from kadanoff.network.monitor import Record
    from kadanoff.statistics import Estimate

    view = TrainingView()
    view.history = [
        Record(e, 0.5 / e, -9.0 + e, 0.1, 0.3, Estimate(-8.0, 0.2) if e == 2 else None) for e in (1, 2, 3)
    ]
    screen = io.StringIO()
    Console(file=screen, width=100).print(view.table())
    for title in MONITORS.values():
        assert title in screen.getvalue()
    assert "-8.0(2)" in screen.getvalue() and sparkline([-8.0, -7.0, -6.0]) in screen.getvalue()
    assert len(sparkline(list(map(float, range(1000))))) == 30
    assert sparkline([float("nan")]) == ""


@pytest.mark.exact
def test_a_file_that_cannot_be_written_is_refused_before_the_work(tmp_path):
    (tmp_path / "folder.npy").mkdir()
    for path, said in (
        (tmp_path / "none" / "x.npy", "is no folder: make it first"),
        (tmp_path / "folder.npy", "is a folder"),
        (tmp_path / "x.txt", "does not end in .npy"),
    ):
        with pytest.raises(InputError, match=said):
            array_out(path)
    array_out(tmp_path / "x.npy")
