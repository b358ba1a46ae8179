"""`kadanoff learn`, `grow` and `exponents`, one after the other as a user would."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

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
    assert kadanoff("exponents", grown, "--samples", "20").out.strip()

    assert kadanoff("report", grown).status == 0
    page = (grown / "report.html").read_text()
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
