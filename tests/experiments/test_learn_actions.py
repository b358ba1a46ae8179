"""Quick runs of the experiments that learn actions, and their targets."""

import jax.numpy as jnp
import numpy as np
import pytest

from kadanoff.actions import Phi4, total
from kadanoff.experiments import learn_homogeneous, learn_long_range, reweighting
from kadanoff.experiments.lattice_targets import ImaginaryMass, homogeneous, long_range, spread


@pytest.mark.exact
def test_targets_are_those_of_the_talk():
    phi = np.random.default_rng(0).normal(size=(4, 4)).astype(np.float32)
    plain = float(total(Phi4(-0.9515, 0.7), jnp.asarray(phi)))
    far = sum(float(np.sum(phi * np.roll(phi, (s, t), (0, 1)))) for s, t in ((1, 1), (1, -1)))
    assert float(total(homogeneous(), jnp.asarray(phi))) == pytest.approx(plain, rel=1e-5)
    assert float(total(long_range(0.85), jnp.asarray(phi))) == pytest.approx(plain - 0.85 * far, rel=1e-5)
    found = complex(total(ImaginaryMass(long_range(0.85), 0.15), jnp.asarray(phi)))
    assert found == pytest.approx(complex(plain - 0.85 * far, 0.15 * float(np.sum(phi**2))), rel=1e-5)
    assert spread(1000, 5) == [0, 1, 10, 100, 1000]


@pytest.mark.slow
@pytest.mark.statistical
def test_a_homogeneous_action_is_learnt(tmp_path):
    result = learn_homogeneous.run(tmp_path, quick=True, seed=0)
    trained = {row["label"]: row for row in result.rows if row.get("variant") == "trained"}
    assert list(trained) == ["descent", "adam", "natural"]
    for row in trained.values():
        assert row["converged"] and row["largest_deviation"] < row["allowed"]
        assert abs(row["pull"]["bound_gap_per_site"]) < 4
        assert row["bound_gap_per_site"].error < 2e-3
    assert all(row["pull"]["bound_gap"] > -4 for row in result.rows if "bound_gap" in row)
    assert all(abs(row["pull"]["mean"]) < 4 for row in result.rows if "mean" in row)
    assert all(path.is_file() for path in result.figures)


@pytest.mark.slow
@pytest.mark.statistical
def test_a_gap_remains_to_longer_ranges(tmp_path):
    result = learn_long_range.run(tmp_path, quick=True, seed=0)
    natural = next(
        row for row in result.rows if row["label"] == "natural" and row.get("variant") == "trained"
    )
    gap = natural["remaining_gap_per_site"]
    assert natural["converged"] and 10 * gap.error < gap.value < 0.01
    assert natural["effective_fraction"] > 0.7 and abs(natural["pull"]["bound_gap_per_site"]) < 4
    assert all(abs(pull) < 4.5 for row in result.rows if "mean" in row for pull in row["pull"].values())


@pytest.mark.slow
@pytest.mark.statistical
def test_one_sample_answers_for_real_and_complex_actions(tmp_path):
    result = reweighting.run(tmp_path, quick=True, seed=0)
    trusted = [row for row in result.rows if row["trusted"]]
    assert {row["label"] for row in trusted if row["estimator"] == "S"} >= {"0.95", "1", "1.05"}
    assert {row["label"] for row in trusted} >= {"0.9", "0.95", "1", "1.05", "1.1"}
    pulls = [pull for row in trusted for pull in row.get("pull", {}).values()]
    assert len(pulls) > 20
    assert all(abs(part) < 4.5 for pull in pulls for part in (np.real(pull), np.imag(pull)))
    phase = next(r for r in result.rows if (r["label"], r["variant"]) == ("1", "A_5"))["average_phase"]
    assert phase == pytest.approx(0.595, abs=0.005)
