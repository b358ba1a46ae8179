"""The machinery of Tables I and II on a tiny plan: every row is there, interrupted stages are not made again."""

import json
from dataclasses import replace

import numpy as np
import pytest

from kadanoff.experiments.exponent_table import EXACT, Effort, run_table
from kadanoff.experiments.table1 import PLAN as TABLE1
from kadanoff.experiments.table2 import PLAN as TABLE2
from kadanoff.renormalization import critical_exponents
from kadanoff.renormalization.inverse.levels import Levels
from kadanoff.renormalization.inverse.measured import load_measurements, measured, save_measurements

pytestmark = pytest.mark.exact

TINY = Effort(draws=8, seeds=2, training_steps=4, configurations=32, stability_configurations=16)


@pytest.mark.parametrize("plan", [TABLE1, TABLE2])
def test_the_talk_has_an_entry_for_every_pair(plan):
    sides = [plan.side * 2**level for level in range(plan.steps + 1)]
    labels = {f"{small}/{large}" for i, small in enumerate(sides) for large in sides[i + 1 :]}
    assert set(plan.talk) == labels
    # The talk's map only rescales m, so that its entries obey gamma/nu = 2 - 2 beta/nu within rounding.
    for gamma, _, beta, _ in plan.talk.values():
        if gamma is not None and beta is not None:
            assert gamma == pytest.approx(2 - 2 * beta, abs=0.0035)


@pytest.mark.slow
def test_a_tiny_table_has_all_rows_and_resumes(tmp_path):
    plan = replace(TABLE1, side=16, steps=2, chains=32, sweeps=2, quick=TINY, talk={})
    result = run_table(plan, tmp_path, quick=True, seed=0, progress=None)
    exponents = [row for row in result.rows if "estimator" in row]
    assert [row["label"] for row in exponents] == ["16/32", "16/64", "32/64"] * 2
    assert {row["estimator"] for row in exponents} == {"ratio", "derivative"}
    assert all(row["exact"] == EXACT and row["gamma_over_nu"].error > 0 for row in exponents)
    variants = [row for row in result.rows if "variant" in row]
    assert [row["variant"] for row in variants] == [
        "2 sweeps",
        "4 sweeps",
        "8 sweeps",
        "start times 1.05",
        "start times 0.95",
    ]
    assert variants[0]["beta_over_nu_shift"].value == 0
    assert [row["side"] for row in result.certificate] == [16, 32, 64]
    assert all(path.stat().st_size > 0 for path in result.figures)
    times = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.npz")}
    again = run_table(plan, tmp_path, quick=True, seed=0, progress=None)
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.npz")} == times
    saved = json.loads((tmp_path / "result.json").read_text())["rows"]
    assert saved == again.as_dict()["rows"] == result.as_dict()["rows"]


def test_measurements_serve_as_their_fields_do(tmp_path):
    from kadanoff import Ensemble, Phi4

    rng = np.random.default_rng(0)
    start = Ensemble(rng.normal(size=(16, 4, 4, 4)).astype(np.float32), Phi4(-0.9515, 0.7))
    grown = start.derive(start.fields.repeat(2, 2).repeat(2, 3) * np.float32(0.9), "grown", -1)
    levels = Levels((start, grown), b=2, before=({}, {"inconsistency": np.ones((16, 4))}))
    whole = critical_exponents(levels)
    path = save_measurements(measured(levels), tmp_path / "levels.npz")
    read = load_measurements(path, Levels((start,), b=2))
    assert read[1].lattice.shape == (8, 8)
    assert read.before[1]["inconsistency"].shape == (16, 4)
    for name, values in whole.values.items():
        assert np.array_equal(critical_exponents(read).values[name], values)
