"""Extrapolations to the Ising limit: exact for polynomials, with errors that cover."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kadanoff.ensemble import Ensemble
from kadanoff.experiments import ising_limit
from kadanoff.experiments.ising_limit import Limit, extrapolate
from kadanoff.statistics import Estimate

QUARTICS = (20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)


def data(coefficients, error, rng=None):
    noise = np.zeros(6) if rng is None else error * rng.normal(size=6)
    values = sum(c / np.array(QUARTICS) ** k for k, c in enumerate(coefficients)) + noise
    return [Estimate(value, error) for value in values]


@pytest.mark.exact
def test_a_polynomial_is_continued_exactly() -> None:
    found = Limit(QUARTICS, data((0.7, -0.9, -5.0), 1e-3), 2)
    assert found.value.value == pytest.approx(0.7)
    assert found.chi2 == pytest.approx(0, abs=1e-12)
    values, errors = found.curve(np.array([0.0, 0.01]))
    np.testing.assert_allclose(values, [0.7, 0.7 - 0.009 - 5e-4])
    assert errors[0] == pytest.approx(found.value.error)


@pytest.mark.exact
def test_the_data_choose_the_degree() -> None:
    # a curvature of 30 is seen at an error of 1e-4, and not at 1e-1
    assert extrapolate(QUARTICS, data((0.7, -0.9, 30.0), 1e-1)).degree == 2
    assert extrapolate(QUARTICS, data((0.7, -0.9, 30.0), 1e-4)).degree == 3
    assert extrapolate(QUARTICS, data((0.7, -0.9, 30.0, -2e3, 1e7), 1e-8)).degree == 4


@pytest.mark.statistical
def test_errors_cover_what_the_degree_leaves_out() -> None:
    # 500 data sets with a cubic term below the noise; the spread of the pulls is one within 4.5 standard errors
    rng = np.random.default_rng(0)
    pulls = [
        extrapolate(QUARTICS, data((0.7, -0.9, -5.0, 20.0), 2e-3, rng)).value.pull(0.7) for _ in range(500)
    ]
    assert abs(np.mean(pulls)) < 0.5
    assert np.std(pulls) < 1 + 4.5 / np.sqrt(1000)


@pytest.mark.exact
@pytest.mark.slow
@pytest.mark.ci
def test_neighbouring_seeds_share_no_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    streams: list[int] = []
    spins = np.random.default_rng(0).choice([-1.0, 1.0], size=(16, 64, 8, 8)).astype(np.float32)

    def simulated(*arguments: Any, seed: int, **options: Any) -> Ensemble:
        streams.append(seed)
        return Ensemble(spins)

    monkeypatch.setattr(ising_limit, "sample", simulated)
    for seed in (0, 1, 2):
        ising_limit.run(tmp_path, quick=True, seed=seed)
    assert len(set(streams)) == len(streams) == 33
