"""The experiment of neural observables: critical coupling, nu, both exponents of Y, and phi^4."""

from pathlib import Path

import pytest

from kadanoff.experiments import neural_observable


@pytest.mark.slow
@pytest.mark.statistical
def test_networks_find_the_transition_they_never_saw(tmp_path: Path) -> None:
    # Quick run, seed fixed: estimates within 4 sigma (1e-4 in all) plus the bias of few steps at that size.
    result = neural_observable.run(tmp_path, quick=True, seed=0)
    rows = {(row["label"], row.get("estimator")): row for row in result.rows}
    beta = rows["match in beta, n=1", "global"]
    assert abs(beta["beta_c"].value - 0.4406868) < 5e-4 + 4 * beta["beta_c"].error
    assert beta["beta_c"].error < 1e-3
    assert abs(beta["nu"].value - 1) < 0.05 + 4 * beta["nu"].error
    for kind, exponent in (("global", 15 / 8), ("local", 1.0)):
        y = rows["match in Y, n=1", kind]["y"]
        assert abs(y.value - exponent) < 0.1 + 4 * y.error, kind
    mass2 = rows["phi^4, n=1", "global"]["critical_mass2"]
    assert abs(mass2.value + 0.9515) < 0.005 + 4 * mass2.error
    assert result.figures[0].is_file()
