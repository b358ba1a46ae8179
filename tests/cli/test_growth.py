"""`kadanoff learn`, `grow` and `exponents`, one after the other as a user would."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kadanoff.actions import Ising
from kadanoff.errors import DepthWarning
from kadanoff.renormalization import BlockGaussian, CompatibleMonteCarlo, LearntInverse, SoftMajority
from kadanoff.renormalization import grow as grow_levels
from kadanoff.runs import open_ensemble

pytestmark = pytest.mark.exact


def test_learn_grow_exponents_report(kadanoff: Any, simulated: Path, tmp_path: Path) -> None:
    weights, grown = tmp_path / "inverse", tmp_path / "grown"
    learn = ("learn", simulated, "--kind", "linear", "--out", weights, "--json")
    done = kadanoff(*learn)
    assert done.status == 0, done.err
    record = json.loads(done.out)
    assert (record["kind"], record["depth"], record["store"]) == ("linear", 0, str(weights))
    saved = (weights / "weights.eqx").stat().st_mtime_ns
    assert json.loads(kadanoff(*learn).out)["held_out"] == record["held_out"]
    assert (weights / "weights.eqx").stat().st_mtime_ns == saved
    assert "its seed is 0, 1 was asked for" in kadanoff(*learn, "--seed", "1").err

    grow = ("grow", simulated, "--inverse", weights, "--steps", "1", "--relax", "2", "--out", grown, "--json")
    done = kadanoff(*grow)
    assert done.status == 0, done.err
    found = json.loads(done.out)
    assert found["lattices"] == [[8, 8], [16, 16]]
    assert [row["side"] for row in found["levels"]] == [8, 16]
    again = json.loads(kadanoff(*grow).out)
    assert again["levels"] == found["levels"]

    done = kadanoff("exponents", grown, "--samples", "20", "--json")
    assert done.status == 0, done.err
    rows = json.loads(done.out)["rows"]
    assert rows[0]["label"] == "8/16" and np.shape(rows[0]["covariance"]) == (2, 2)
    table = kadanoff("exponents", grown, "--samples", "20").out
    assert "│ 8/16 " in table and "gamma/nu" in table
    assert f"such as {grown / 'level-01'}" in kadanoff("block", grown).err

    assert kadanoff("report", grown).status == 0
    page = (grown / "report.html").read_text()
    assert "made by" in page and "<td>seed</td><td></td>" not in page
    for heading in ("Figures", "Certificate", "Exponents", "Provenance"):
        assert f"<h2>{heading}</h2>" in page
    assert "Growth 8 -&gt; 16" in page and "data:image/png;base64," in page


def test_an_inverse_of_another_dimension_is_refused(kadanoff: Any, simulated: Path, tmp_path: Path) -> None:
    assert kadanoff("learn", simulated, "--kind", "linear", "--out", tmp_path / "inverse").status == 0
    line = ("--size", "8", "--dimension", "1", "--chains", "8", "--draws", "4", "--thermalize", "2")
    assert kadanoff("simulate", *line, "--out", tmp_path / "line").status == 0
    done = kadanoff("grow", tmp_path / "line", "--inverse", tmp_path / "inverse")
    assert done.status == 2 and done.err.count("\n") == 1
    assert "dimension 2" in done.err and open_ensemble(tmp_path / "line").lattice.dimension == 1


@pytest.fixture(scope="module")
def weights(simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A linear inverse that the tests below read only."""
    from kadanoff.renormalization import MajorityMean, learn_inverse

    learnt = learn_inverse(open_ensemble(simulated), MajorityMean(b=2), kind="linear")
    return learnt.save(tmp_path_factory.mktemp("weights") / "inverse")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--steps 0", "--steps must be positive"),
        ("--steps -2", "--steps must be positive"),
        ("--b 3", "made for b=2, not b=3"),
        ("--relax 0", "--relax must be positive"),
        ("--amplitude -1", "--amplitude must be positive"),
        ("--quartic 0.7", "add --relax"),
        ("--relax 2 --action phi5", "unknown action 'phi5'"),
        ("--relax 2 --beta 0.4", "phi4 has no coupling 'beta'"),
        ("--direct RUN/absent", "absent"),
        ("--direct RUN --direct RUN", "is a second simulation of side"),
        ("--direct MADE", "has the lattice 12x12, and no level does: they are"),
        ("--compatible 4", "one of --inverse DIR"),
        ("--rule majority", "a rule is what --compatible inverts"),
        ("--out RUN", "is not empty and holds no growth"),
        ("--out RUN/run.json", "is a file"),
    ],
)
def test_growth_that_cannot_be_done_leaves_nothing(
    kadanoff: Any, simulated: Path, weights: Path, options: str, said: str, refused: Any, tmp_path: Path
) -> None:
    other = "--draws 4 --chains 2 --thermalize 0 --size 12 --out"
    if "MADE" in options:
        assert kadanoff("simulate", *other.split(), tmp_path / "other").status == 0
    before = sorted(simulated.rglob("*"))
    words = options.replace("RUN", str(simulated)).replace("MADE", str(tmp_path / "other")).split()
    refused(kadanoff("grow", simulated, "--inverse", weights, *words), said)
    assert sorted(simulated.rglob("*")) == before


def test_missing_and_damaged_inverses(
    kadanoff: Any, simulated: Path, weights: Path, tmp_path: Path, refused: Any
) -> None:
    refused(kadanoff("grow", simulated, "--inverse", tmp_path / "absent"), "absent does not exist")
    refused(kadanoff("grow", simulated, "--inverse", weights / "weights.eqx"), "is a file, but an inverse")
    for name, said in (("weights.eqx", "damaged"), ("inverse.json", "damaged")):
        broken = tmp_path / name.split(".")[0]
        shutil.copytree(weights, broken)
        (broken / name).write_bytes((broken / name).read_bytes()[:-20])
        refused(kadanoff("grow", simulated, "--inverse", broken), said)
    (tmp_path / "inverse" / "inverse.json").write_text("[]")
    refused(kadanoff("grow", simulated, "--inverse", tmp_path / "inverse"), "damaged")


def test_an_inverse_that_python_saved_is_not_replaced(
    kadanoff: Any, refused: Any, simulated: Path, weights: Path, tmp_path: Path
) -> None:
    saved = tmp_path / "saved"
    shutil.copytree(weights, saved)
    before = {path: path.read_bytes() for path in saved.iterdir()}
    learn = ("learn", simulated, "--kind", "linear", "--seed", "5", "--out")
    refused(kadanoff(*learn, saved), "is not empty (it holds 'inverse.json')")
    assert {path: path.read_bytes() for path in saved.iterdir()} == before
    # What a kill leaves between the request and the header of the weights is gone on with.
    whole, half = tmp_path / "whole", tmp_path / "half"
    assert kadanoff(*learn, whole).status == 0
    shutil.copytree(whole, half)
    (half / "inverse.json").unlink()
    refused(kadanoff(*learn[:-2], "6", "--out", half), "its seed is 5, 6 was asked for")
    assert kadanoff(*learn, half).status == 0
    assert (half / "weights.eqx").read_bytes() == (whole / "weights.eqx").read_bytes()


@pytest.mark.parametrize(
    "wound", ["levels.json", "level-01/run.json", "level-01/manifest/00000000.json", "inverse/weights.eqx"]
)
def test_damaged_growths(
    kadanoff: Any, simulated: Path, weights: Path, tmp_path: Path, wound: str, grown: Path, refused: Any
) -> None:
    broken = tmp_path / "grown"
    shutil.copytree(grown, broken)
    (broken / wound).write_bytes((broken / wound).read_bytes()[:20])
    refused(kadanoff("exponents", broken), "damaged")
    refused(kadanoff("report", broken), "damaged")


@pytest.fixture(scope="module")
def grown(simulated: Path, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A growth by one step that the tests above copy."""
    folder = tmp_path_factory.mktemp("grown") / "levels"
    with pytest.warns(UserWarning, match="blocked 0 times"):
        grow_levels(open_ensemble(simulated), LearntInverse.load(weights), out=folder)
    return folder


def test_other_requests_into_the_same_folder(
    kadanoff: Any, simulated: Path, weights: Path, tmp_path: Path, refused: Any
) -> None:
    grow = ("grow", simulated, "--inverse", weights, "--configurations", "32", "--out", tmp_path / "grown")
    assert kadanoff(*grow).status == 0
    refused(kadanoff(*grow, "--seed", "3"), "its seed is 0, 3 was asked for")
    refused(kadanoff(*grow, "--relax", "2"), "its ")
    refused(kadanoff("exponents", tmp_path / "grown", tmp_path / "absent"), "absent holds no growth")
    found = json.loads(kadanoff("exponents", tmp_path / "grown", "--json", "--samples", "9").out)
    assert [row["estimator"] for row in found["rows"]] == ["ratio", "derivative"]


def test_spins_grow_by_compatible_monte_carlo(
    kadanoff: Any, refused: Any, simulated: Path, tmp_path: Path
) -> None:
    spins, grown = tmp_path / "spins", tmp_path / "grown"
    line = ("--size", "4", "--chains", "8", "--draws", "8", "--thermalize", "4", "--out", spins)
    assert kadanoff("simulate", "--action", "ising", "--beta", "0.4", *line).status == 0
    grow = ("grow", spins, "--compatible", "3", "--rule", "soft-majority", "--weight", "0.6", "--out", grown)
    done = kadanoff(*grow, "--direct", spins, "--json")
    assert done.status == 0, done.err
    found = json.loads(done.out)
    assert "Ising(beta=0.4), 3 sweeps, SoftMajority(b=2, weight=0.6)" in found["inverse"]
    assert [row["side"] for row in found["levels"]] == [4, 8] and "phi2" not in found["levels"][1]
    assert found["levels"][0]["pull"]["neighbours"] == 0.0
    ising = Ising(0.4)
    inverse = CompatibleMonteCarlo(ising, SoftMajority(b=2, weight=0.6), sweeps=3)
    with pytest.warns(DepthWarning):
        expected = grow_levels(open_ensemble(spins), inverse)[1]
    np.testing.assert_array_equal(open_ensemble(grown / "level-01").fields, expected.fields)
    assert kadanoff("exponents", grown, "--samples", "9").status == 0
    assert kadanoff("report", grown).status == 0
    # What a growth holds is an inverse like a learnt one; without --action couplings are of the simulated one.
    again = kadanoff("grow", spins, "--inverse", grown / "inverse", "--relax", "1", "--beta", "0.5")
    assert again.status == 0, again.err
    refused(kadanoff("grow", spins), "one of --inverse DIR")
    refused(kadanoff("grow", spins, "--compatible", "2", "--rule", "mean"), "BlockMean draws none")
    refused(
        kadanoff("grow", spins, "--compatible", "2", "--weight", "1"),
        "--weight belongs to --rule soft-majority",
    )
    refused(kadanoff("grow", simulated, "--compatible", "2"), "use kd.Ising")


def test_an_inverse_of_another_spread_is_another_one(
    kadanoff: Any, refused: Any, simulated: Path, tmp_path: Path
) -> None:
    learn = ("learn", simulated, "--rule", "gaussian", "--kind", "linear", "--out", tmp_path / "inverse")
    assert kadanoff(*learn, "--spread", "0.3").status == 0
    assert LearntInverse.load(tmp_path / "inverse").rule == BlockGaussian(b=2, spread=0.3)
    assert kadanoff(*learn, "--spread", "0.3").status == 0
    refused(kadanoff(*learn), "its spread is 0.3, None was asked for")
    refused(kadanoff(*learn, "--spread", "0.2"), "its spread is 0.3, 0.2 was asked for")
