"""Inverse renormalization of Ising spins, at the quick effort: exact where it must be, near where it may be."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from kadanoff.ensemble import Ensemble
from kadanoff.experiments import fixed_point_growth, inverse_ising
from kadanoff.statistics import Estimate


@pytest.mark.slow
@pytest.mark.statistical
def test_compatible_growth_inverts_and_gives_exponents_near_the_known_ones(tmp_path: Path) -> None:
    # Pulls of one step below 4; slopes within what the nearest-neighbour action misses (0.006 in 2D, 0.025 in 3D), at
    # the fixed point in 3D within 0.02 and four of their errors.
    result = inverse_ising.run(tmp_path, quick=True, seed=0)
    assert all(path.is_file() for path in result.figures) and len(result.figures) == 3
    inverted = {row["variant"]: row for row in result.rows if "energy_p_value" in row}
    assert inverted["1 sweeps"]["energy_p_value"] < 1e-6
    assert inverted["16 sweeps"]["energy_p_value"] > 1e-3
    for name in ("energy", "binder", "xi_over_L", "abs_magnetization"):
        assert abs(inverted["16 sweeps"][f"{name}_pull"]) < 4
    slopes = {(row["label"], row["variant"]): row for row in result.rows if row.get("estimator") == "slope"}
    flat = slopes["2D 32..256", "compatible, 16 sweeps"]["beta_over_nu"]
    cube = slopes["3D 8..32", "compatible, 16 sweeps"]["beta_over_nu"]
    assert abs(flat.value - 0.125) < 0.01 and abs(cube.value - 0.51815) < 0.035
    fixed = slopes["3D 8..32", "fixed point, 16 sweeps"]["beta_over_nu"]
    assert abs(fixed.value - 0.51815) < 0.02 + 4 * fixed.error and fixed.error < 0.02
    found = next(row for row in result.rows if row["label"] == "3D fixed point, 8 -> 4")
    for name in ("beta_over_nu", "gamma_over_nu"):
        error = slopes["3D 8..32", "fixed point, 16 sweeps"][name].error
        assert 0 < found[f"{name}_systematic"].value < error, "the error of the couplings is part of it"
    assert abs(found["abs_magnetization_pull"]) < 4 and abs(found["cubic"].value) < found["diagonal"].value
    first = [row for row in result.rows if row["label"] == "8 -> 16"]
    assert len(first) == 5
    assert all(abs(row["binder_pull"]) < 4 for row in first)
    eigenvalues = {row["variant"]: row for row in result.rows if row["label"].endswith(", blocked")}
    assert len(eigenvalues) == 6 and abs(eigenvalues["direct"]["y_H"].value - 1.875) < 0.01
    # Growth keeps the exponents of direct fields but for its bias, which is of the size that slopes show.
    for row in eigenvalues.values():
        assert abs(row["y_T_pull"]) < 4 and abs(row["y_H"].value - eigenvalues["direct"]["y_H"].value) < 0.01


@pytest.mark.exact
@pytest.mark.usefixtures("unchecked")
def test_the_error_of_couplings_reaches_both_exponents(monkeypatch: pytest.MonkeyPatch) -> None:
    start = Ensemble(np.ones((2, 3, 4, 4, 4), np.int8))
    samples = np.array([[-1.0], [0.0], [1.0], [2.0]])
    found: Any = SimpleNamespace(samples=samples, couplings={"nearest": None}, at=lambda values: values)
    rows = iter(
        SimpleNamespace(gamma_over_nu=Estimate(gamma, 0.0), beta_over_nu=Estimate(beta, 0.0))
        for gamma, beta in ((1.9, 0.55), (2.0, 0.5))
    )
    table = SimpleNamespace(slope=lambda first, last: next(rows))
    monkeypatch.setattr(fixed_point_growth, "conjugate_series", lambda ensemble: {"nearest": np.ones((2, 3))})
    monkeypatch.setattr(fixed_point_growth, "start_of", lambda *arguments: start)
    monkeypatch.setattr(fixed_point_growth, "_inverse", lambda *arguments: None)
    monkeypatch.setattr(fixed_point_growth, "grow_quietly", lambda *arguments: [start, start])
    monkeypatch.setattr(fixed_point_growth, "critical_exponents", lambda *arguments, **options: table)
    errors = fixed_point_growth.coupling_error(found, start, 4, 0, None)
    share = samples.std(ddof=1) / 3
    assert errors["gamma_over_nu"].value == pytest.approx(0.1 * share)
    assert errors["beta_over_nu"].value == pytest.approx(0.05 * share)
