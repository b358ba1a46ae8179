"""What blocking does to the Ising model: crossings at beta_c, and half the correlation length."""

from pathlib import Path

import pytest

from kadanoff.experiments import blocking


@pytest.mark.slow
@pytest.mark.statistical
def test_blocking_crosses_at_the_critical_point_and_halves_lengths(tmp_path: Path) -> None:
    # Eight pulls at 4 sigma: 5e-4; the bias of one step, 2e-4, is half a standard error here.
    result = blocking.run(tmp_path, quick=True, seed=0)
    crossings = [row for row in result.rows if "beta_c" in row]
    lengths = [row for row in result.rows if "ratio" in row]
    assert len(crossings) == 2 and len(lengths) == 6
    for row in crossings:
        assert row["beta_c"].error < 0.001 and abs(row["pull"]["beta_c"]) < 4
    for row in lengths:
        assert row["ratio"].error < 0.3 and abs(row["pull"]["ratio"]) < 4
    assert all(path.is_file() for path in result.figures) and len(result.figures) == 2
