"""The quick run of `reproduce multi-histogram`: everything within its errors of the exact solution."""

from pathlib import Path

import pytest

from kadanoff.experiments import multi_histogram


@pytest.mark.slow
@pytest.mark.statistical
def test_a_quick_run_is_exact_within_its_errors(tmp_path: Path) -> None:
    # 20 pulls, correlated: 4 standard errors each, significance below 1.3e-3.
    result = multi_histogram.run(tmp_path, quick=True, seed=0)
    assert result.figures[0].is_file() and len(result.rows) == 4 + 2 * 4
    pulls = [value for row in result.rows for name, value in row.items() if name.endswith("_pull")]
    assert len(pulls) == 20 and all(abs(pull) < 4 for pull in pulls)
    joined, alone = (
        [row["energy"].error for row in result.rows if row["estimator"] == kind and "energy" in row]
        for kind in ("joined", "one simulation")
    )
    assert all(one < 0.8 * other for one, other in zip(joined, alone, strict=True))
