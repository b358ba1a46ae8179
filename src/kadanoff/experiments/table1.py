"""Table I of the talk: exponents of all pairs of levels from 32 x 32 grown to 512 x 512, critical phi^4."""

from pathlib import Path

from kadanoff.experiments.exponent_table import Effort, Plan, run_table
from kadanoff.experiments.result import Result
from kadanoff.sampling.run import Progress

__all__ = ["PLAN", "run"]

#: gamma/nu and beta/nu with their errors, as the talk prints them.
_TALK: dict[str, tuple[float | None, ...]] = {
    "32/64": (1.735, 0.005, 0.132, 0.002),
    "32/128": (1.738, 0.005, 0.130, 0.002),
    "32/256": (1.741, 0.005, 0.128, 0.002),
    "32/512": (1.742, 0.005, 0.128, 0.002),
    "64/128": (1.742, 0.005, 0.128, 0.002),
    "64/256": (1.744, 0.005, 0.127, 0.002),
    "64/512": (1.744, 0.005, 0.127, 0.002),
    "128/256": (1.745, 0.005, 0.126, 0.002),
    "128/512": (1.745, 0.005, 0.126, 0.002),
    "256/512": (1.746, 0.005, 0.126, 0.002),
}

PLAN = Plan(
    name="table1",
    side=32,
    mass2=-0.9515,
    quartic=0.7,
    steps=4,
    talk=_TALK,
    quick=Effort(draws=32, seeds=2, training_steps=150, configurations=32, stability_configurations=32),
    full=Effort(draws=128, seeds=4, training_steps=600, configurations=256, stability_configurations=64),
)


def run(out: Path, *, quick: bool, seed: int, progress: Progress | None = None) -> Result:
    """Simulate, learn, grow and compare with the talk's Table I and the exact exponents."""
    return run_table(PLAN, out, quick=quick, seed=seed, progress=progress)
