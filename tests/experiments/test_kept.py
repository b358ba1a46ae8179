"""Experiments that are interrupted: what was simulated is read again, and the end is that of an unbroken run."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kadanoff.actions import InhomogeneousPhi4
from kadanoff.experiments import ising_limit, multi_histogram
from kadanoff.experiments.recovery import fits
from kadanoff.graph import Graph
from kadanoff.learning import fit_variational
from kadanoff.learning.data import DataFit
from kadanoff.sampling import sample
from kadanoff.store.checkpoint import Checkpoint

pytestmark = pytest.mark.exact

#: What makes them small.
SMALL: dict[Any, dict[str, Any]] = {
    multi_histogram: {
        "_SIDE": 4,
        "_CHAINS": 16,
        "_POINTS": 5,
        "_BETAS": (0.40, 0.42, 0.44),
        "_BETWEEN": (0.41,),
    },
    ising_limit: {
        "_SIDE": 4,
        "_CHAINS": 16,
        "_DRAWS": (16, 16),
        "_QUARTICS": (1.0, 10.0, 20.0, 50.0, 100.0, 1000.0),
    },
}


@pytest.mark.parametrize(
    "experiment",
    [
        pytest.param(multi_histogram, marks=[pytest.mark.slow, pytest.mark.ci]),
        pytest.param(ising_limit, marks=pytest.mark.slow),
    ],
    ids=lambda module: module.__name__.split(".")[-1],
)
def test_an_interrupted_experiment_goes_on(
    experiment: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SMALL[experiment].items():
        monkeypatch.setattr(experiment, name, value)
    whole = experiment.run(tmp_path / "whole", quick=True, seed=3).as_dict()
    simulate, calls = experiment.sample, 0

    def interrupted(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return simulate(*arguments, **options)

    monkeypatch.setattr(experiment, "sample", interrupted)
    broken = tmp_path / "broken"
    with pytest.raises(KeyboardInterrupt):
        experiment.run(broken, quick=True, seed=3)
    kept = {path: path.stat().st_mtime_ns for path in broken.rglob("manifest/*")}
    assert len({path.parent for path in kept}) == 2
    again = experiment.run(broken, quick=True, seed=3).as_dict()
    assert again["rows"] == whole["rows"] and again["notes"] == whole["notes"]
    assert {path: path.stat().st_mtime_ns for path in kept} == kept, "simulated again"


@pytest.mark.slow
@pytest.mark.ci
def test_a_training_goes_on_from_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kadanoff.store.checkpoint._EVERY", 0.0)
    graph = Graph.complete(3)
    start, target = InhomogeneousPhi4.random(graph), InhomogeneousPhi4(graph, w=0.2, a=1.0, b=0.5)
    whole = fit_variational(start, target, "adam", chains=64, epochs=60)

    def stop(done: float, total: float | None, message: str) -> None:
        if done == 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_variational(
            start, target, "adam", chains=64, epochs=60, progress=stop, checkpoint=Checkpoint(tmp_path / "a")
        )
    told: list[float] = []
    again = fit_variational(
        start,
        target,
        "adam",
        chains=64,
        epochs=60,
        progress=lambda done, total, message: told.append(done),
        checkpoint=Checkpoint(tmp_path / "a"),
    )
    assert told == [40.0, 60.0]
    np.testing.assert_array_equal(np.asarray(again.model.w), np.asarray(whole.model.w))


@pytest.mark.slow
@pytest.mark.ci
def test_fits_by_every_method_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kadanoff.store.checkpoint._EVERY", 0.0)
    graph = Graph.complete(3)
    data = sample(InhomogeneousPhi4(graph, w=0.2, a=1.0, b=0.5), chains=32, draws=8, thermalize=20, seed=2)
    told: list[str] = []

    def fitted(out: Path, stop_after: int) -> dict[str, DataFit]:
        told.clear()

        def report(done: float, total: float | None, message: str) -> None:
            told.append(message)
            if len(told) == stop_after:
                raise KeyboardInterrupt

        return fits(InhomogeneousPhi4.random(graph, 1), data, 6, 3, out, report)

    whole = fitted(tmp_path / "whole", 0)
    reports = len(told)
    for stop in (reports // 3, reports // 2):
        with pytest.raises(KeyboardInterrupt):
            fitted(tmp_path / "broken", stop)
    again = fitted(tmp_path / "broken", 0)
    assert len(told) < reports
    assert list(again) == list(whole)
    for name, fit in again.items():
        np.testing.assert_array_equal(fit.values, whole[name].values, err_msg=name)
        np.testing.assert_array_equal(fit.covariance, whole[name].covariance, err_msg=name)
