"""Two-lattice matching as an experiment: rows beside exact values, parts that are kept and read again."""

from pathlib import Path

import pytest

from kadanoff.errors import StoreError
from kadanoff.experiments import matching


@pytest.mark.slow
@pytest.mark.statistical
def test_critical_couplings_and_nu_settle(tmp_path: Path) -> None:
    # Two couplings and nu of three observables that share their configurations, at 4 sigma: 2e-4.
    result = matching.run(tmp_path, quick=True, seed=0)
    rows = {(row["label"], row["observable"]): row for row in result.rows if "variant" not in row}
    for name in ("abs_magnetization", "magnetization_squared", "neighbours"):
        row = rows["ising n = 2", name]
        assert row["beta_c"].error < 5e-4 and row["nu"].error < 0.06
        assert abs(row["pull"]["beta_c"]) < 4 and abs(row["pull"]["nu"]) < 4
    assert rows["ising n = 0", "neighbours"]["pull"]["beta_c"] > 4, "the bias of one step"
    for label in ("phi4 n = 2", "phi4 signs n = 2"):
        row = rows[label, "abs_magnetization"]
        assert row["mass2_c"].error < 0.004 and abs(row["pull"]["mass2_c"]) < 4
    assert len(result.figures) == 6 and all(path.is_file() for path in result.figures)
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "totals").iterdir()}
    again = matching.run(tmp_path, quick=True, seed=0)
    assert [row.get("nu") for row in again.rows] == [row.get("nu") for row in result.rows]
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "totals").iterdir()} == kept
    half = next(iter(kept))
    half.write_bytes(half.read_bytes()[:-50])
    with pytest.raises(StoreError, match="is damaged: delete it"):
        matching.run(tmp_path, quick=True, seed=0)
