"""The quick run of `reproduce importance`: weighted energies and free energies within their errors of exact ones."""

from pathlib import Path

import pytest

from kadanoff.experiments import importance


@pytest.mark.slow
@pytest.mark.statistical
def test_a_quick_run_is_exact_within_its_errors(tmp_path: Path) -> None:
    # 12 pulls, correlated: 4 standard errors each, significance below 1e-3.
    result = importance.run(tmp_path, quick=True, seed=0)
    assert result.figures[0].is_file() and len(result.rows) == 2 * 2 * 2
    pulls = [value for row in result.rows for name, value in row.items() if name.endswith("_pull")]
    assert len(pulls) == 4 + 8 and all(abs(pull) < 4 for pull in pulls)
    assert any(note.endswith(")") and "diagonal" in note and "cubic" not in note for note in result.notes)
    left = {(row["label"], row["variant"]): row["effective"] for row in result.rows}
    for variant in {variant for _, variant in left}:
        assert left["4 -> 8", variant] > left["8 -> 16", variant] > 0.2
