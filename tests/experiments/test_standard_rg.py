"""The standard transformation: rules with a fixed point cross at the critical mass, mean and decimation do not."""

from pathlib import Path

import pytest

from kadanoff.experiments import standard_rg
from kadanoff.statistics import Estimate


@pytest.mark.slow
@pytest.mark.statistical
def test_rules_cross_at_the_critical_mass_or_not_at_all(tmp_path: Path) -> None:
    # One blocking step is biased by up to 0.001 (64/32) and more for 27/9; three crossings at 4 sigma: 2e-4.
    result = standard_rg.run(tmp_path, quick=True, seed=0)
    rows = {(row["label"], row.get("estimator")): row for row in result.rows}
    for rule in ("majority-mean", "random-majority-site", "sum"):
        found = rows["64/32", rule]["critical_mass2"]
        assert found.error < 0.003
        assert abs(found.pull(Estimate(-0.9515, 0.001))) < 4, f"{rule}: {found}"
        assert rows["64/32", rule]["pull"]["critical_mass2"] == found.pull(-0.9515)
    for label, rule in (("64/32", "mean"), ("64/32", "decimation"), ("27/9", "mean")):
        assert rows[label, rule]["critical_mass2"] is None
    checks = [row for row in result.rows if row["label"].startswith("direct at")]
    assert len(checks) == 2 and all(abs(row["pull"]) < 4 for row in checks)
    assert result.figures == [tmp_path / "standard_rg.png"] and result.figures[0].is_file()
