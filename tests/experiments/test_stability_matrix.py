"""The quick run of `reproduce stability-matrix`: rows of both systems, and the exponents at the last step."""

import pytest

from kadanoff.experiments.stability_matrix import run


@pytest.mark.slow
@pytest.mark.statistical
def test_a_quick_run(tmp_path):
    result = run(tmp_path, quick=True, seed=0)
    assert len(result.rows) == (3 + 4) * (6 + 5) and result.figures[0].is_file()
    # 4 standard errors, and what is left of corrections after the last step
    for name, label, bias in (("ising", "16x16->8x8", 0.01), ("phi4", "16x16->8x8", 0.02)):
        rows = [row for row in result.rows if row["label"] == f"{name} {label}"]
        for sector in ("even", "odd"):
            largest = max((row for row in rows if row["sector"] == sector), key=lambda row: row["operators"])
            assert abs(largest["y"].value - largest["reference"]["y"]) < bias + 4 * largest["y"].error
