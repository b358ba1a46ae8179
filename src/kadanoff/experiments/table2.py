"""Table II of the talk: exponents of all pairs of levels from 8 x 8 grown to 512 x 512, critical phi^4."""

from pathlib import Path

from kadanoff.experiments.exponent_table import Effort, Plan, run_table
from kadanoff.experiments.result import Result
from kadanoff.sampling.run import Progress

__all__ = ["PLAN", "run"]

#: gamma/nu and beta/nu with their errors, as the talk prints them; its last block lacks beta/nu.
_TALK: dict[str, tuple[float | None, ...]] = {
    "8/16": (1.694, 0.006, 0.154, 0.002),
    "8/32": (1.708, 0.006, 0.147, 0.002),
    "8/64": (1.717, 0.006, 0.142, 0.002),
    "8/128": (1.723, 0.006, 0.139, 0.002),
    "8/256": (1.727, 0.006, 0.137, 0.002),
    "8/512": (1.730, 0.006, 0.135, 0.002),
    "16/32": (1.721, 0.006, 0.140, 0.002),
    "16/64": (1.728, 0.006, 0.136, 0.002),
    "16/128": (1.732, 0.006, 0.134, 0.002),
    "16/256": (1.735, 0.006, 0.132, 0.002),
    "16/512": (1.737, 0.006, 0.131, 0.002),
    "32/64": (1.735, 0.006, None, None),
    "32/128": (1.738, 0.006, None, None),
    "32/256": (1.740, 0.006, None, None),
    "32/512": (1.740, 0.006, None, None),
    "64/128": (1.741, 0.006, None, None),
    "64/256": (1.742, 0.006, None, None),
    "64/512": (1.742, 0.007, None, None),
    "128/256": (1.743, 0.006, None, None),
    "128/512": (1.743, 0.007, None, None),
    "256/512": (1.743, 0.007, None, None),
}

PLAN = Plan(
    name="table2",
    side=8,
    mass2=-1.2723,
    quartic=1.0,
    steps=6,
    talk=_TALK,
    quick=Effort(draws=64, seeds=2, training_steps=150, configurations=32, stability_configurations=32),
    full=Effort(draws=256, seeds=4, training_steps=600, configurations=256, stability_configurations=64),
)


def run(out: Path, *, quick: bool, seed: int, progress: Progress | None = None) -> Result:
    """Simulate, learn, grow and compare with the talk's Table II and the exact exponents."""
    return run_table(PLAN, out, quick=quick, seed=seed, progress=progress)
