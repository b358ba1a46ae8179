"""Experiments that no other test runs, from the first simulation to the last figure, on next to no effort.

Their numbers mean nothing here: what is asked is that every stage still takes what the one before it gives.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kadanoff.experiments import (
    EXPERIMENTS,
    certificate,
    couplings,
    digits,
    inverse_ising,
    network_faces,
    recovery,
    table2,
)
from kadanoff.experiments.exponent_table import Effort
from kadanoff.report.rows import tables

TINY = Effort(draws=4, seeds=2, training_steps=2, configurations=8, stability_configurations=8)
FITS = {"QUICK": recovery.Effort(draws=2, steps=2)}

#: What makes an experiment small, and how many rows and figures it has then.
SMALL: dict[str, tuple[Any, dict[str, Any], int, int]] = {
    "table2": (
        table2,
        {"PLAN": replace(table2.PLAN, steps=2, chains=16, sweeps=1, quick=TINY)},
        3 + 3 + 5,
        4,
    ),
    "certificate": (
        certificate,
        {
            "_SIDE": 8,
            "_SWEEPS": 1,
            "_VARIANTS": {name: certificate._VARIANTS[name] for name in ("linear, relaxed", "recommended")},
            "_QUICK": certificate._Effort(
                {8: 2, 16: 2, 32: 2}, 2, compared=8, certified=128, judged=128, judging_steps=2
            ),
        },
        7 + 1 + 2 * 2,
        1,
    ),
    "network-faces": (
        network_faces,
        {"_HIDDEN": 4, "_QUICK": network_faces._Effort(images=400, epochs=1)},
        3,
        4,
    ),
    "inverse-ising": (
        inverse_ising,
        {
            "_QUICK": inverse_ising._Effort(
                {2: 16, 3: 2}, {2: 32, 3: 16}, {16: 16, 32: 4, 64: 16}, (1, 2), 2, 2, 2, search=(8, 32)
            ),
        },
        2 + 2 + 1 + 3 + 5 * 3 + 6 + 3,
        3,
    ),
    "recovery": (recovery, FITS, 4 + 4, 1),
    "couplings": (couplings, FITS, 4 + 4, 1),
    "digits": (digits, {"_REACH": 1.0, "_QUICK": digits._Effort(classes=(3,), draws=2)}, 1, 1),
}


@pytest.mark.exact
@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.filterwarnings("ignore::kadanoff.errors.KadanoffWarning")
@pytest.mark.parametrize("name", SMALL)
def test_an_experiment_runs_to_its_end(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment, small, rows, figures = SMALL[name]
    assert experiment.__name__ == EXPERIMENTS[name]
    for part, value in small.items():
        monkeypatch.setattr(experiment, part, value)
    told: list[str] = []

    def report(done: float, total: float | None, message: str) -> None:
        told.append(message)

    result = experiment.run(tmp_path, quick=True, seed=3, progress=report)
    assert result.name == name and told
    assert len(result.rows) == rows and tables(result.as_dict()["rows"])
    assert len(result.figures) == figures and all(path.stat().st_size > 0 for path in result.figures)
    assert json.loads(result.save(tmp_path).read_text())["notes"] == result.notes != []
