"""Experiments on networks: limits beside their formulas, densities and classifiers compared fairly."""

from pathlib import Path

import numpy as np
import pytest

from kadanoff.experiments import generalises, network_digits
from kadanoff.experiments.network_classifier import _over_splits
from kadanoff.experiments.network_density import density_rows
from kadanoff.experiments.network_faces import _reduced, apart
from kadanoff.network.datasets.bundled import patch_places
from kadanoff.network.estimator import Phi4RBM


def silent(done: float, total: float | None, message: str) -> None:
    """No progress."""


@pytest.mark.exact
@pytest.mark.slow
@pytest.mark.ci
def test_a_difference_of_densities_is_that_of_pairs() -> None:
    """Two networks of one training differ by nothing, sample by sample, though each mean has an error."""
    x = np.random.default_rng(0).normal(size=(80, 4))
    models = {name: Phi4RBM(2, visible="gaussian", epochs=1, random_state=0).fit(x) for name in ("a", "b")}
    first, second, difference = density_rows(models, x[:40], x[40:])
    assert first["test_log_likelihood"].error > 0.05
    assert first["test_log_likelihood"] == second["test_log_likelihood"]
    assert difference["test_log_likelihood"].value == difference["test_log_likelihood"].error == 0


@pytest.mark.exact
def test_overlapping_splits_widen_an_error() -> None:
    values = np.array([0.9, 0.92, 0.94, 0.96])
    found = _over_splits(values)
    assert found.value == pytest.approx(0.93)
    assert found.error == pytest.approx(values.std(ddof=1) * np.sqrt(1 / 4 + 1 / 3))
    assert np.isnan(_over_splits(values[:1]).error)


@pytest.mark.exact
def test_patches_held_out_share_no_pixel_with_others() -> None:
    labels, corners = patch_places(12, 1000, seed=0)
    train, test = apart(labels, corners, 12)
    assert len(train) > 600 and len(test) > 80
    assert abs(corners[train, 1].mean() - corners[test, 1].mean()) < 60, "all of the photographs in both"
    covered = [np.zeros((427, 640), int) for _ in range(2)]
    for number in test:
        covered[labels[number]][tuple(slice(at, at + 12) for at in corners[number])] += 1
    assert max(int(each.max()) for each in covered) == 1
    for number in train:
        assert not covered[labels[number]][tuple(slice(at, at + 12) for at in corners[number])].any()


def test_faces_are_averaged_and_patches_are_not() -> None:
    faces, patches = np.arange(2 * 64 * 64.0).reshape(2, -1), np.ones((3, 144))
    small, shape = _reduced(faces, (64, 64))
    assert shape == (16, 16) and small.shape == (2, 256)
    assert small[1, 0] == faces[1].reshape(64, 64)[:4, :4].mean()
    assert _reduced(patches, (12, 12))[0] is patches


@pytest.mark.slow
@pytest.mark.exact
def test_every_machine_agrees_with_its_formula(tmp_path: Path) -> None:
    result = generalises.run(tmp_path, quick=True, seed=0, progress=silent)
    machines = [row for row in result.rows if "slope" not in row]
    assert len(machines) >= 6 and all(row["largest_difference"] < 1e-4 for row in machines)
    slopes = [row["slope"] for row in result.rows if "slope" in row]
    assert len(slopes) == 2 and all(abs(slope + 1) < 0.1 for slope in slopes)


@pytest.mark.slow
@pytest.mark.statistical
def test_phi4_units_and_their_features_are_better(tmp_path: Path) -> None:
    """By 3 errors in nats; 2 splits say little of the classifier, so only its sign is tested."""
    result = network_digits.run(tmp_path, quick=True, seed=0, progress=silent)
    rows = {row["label"]: row for row in result.rows}
    assert rows["phi4 - gaussian"]["sigma"] > 3
    assert rows["gain"]["accuracy"].value > 0
