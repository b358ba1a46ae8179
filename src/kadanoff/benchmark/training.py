"""Seconds that the default inverse takes to train: a short piece is timed, and scaled to all of its steps."""

import time
from collections.abc import Iterator

from kadanoff.benchmark.clock import Line
from kadanoff.benchmark.material import small_run
from kadanoff.renormalization import MajorityMean, learn_inverse

__all__ = ["training_lines"]

_STEPS, _ROUND = 600, 50  # of `learn_inverse` unless told otherwise; steps between two reports


def training_lines(seconds: float) -> Iterator[Line]:
    """Time of the steps after the first round, which compiles, and what comes before and after them."""
    rounds = 3 if seconds >= 1 else 2
    moments: list[float] = []
    begun = time.perf_counter()
    learn_inverse(
        small_run(),
        MajorityMean(b=2),
        steps=rounds * _ROUND,
        progress=lambda done, total, message: moments.append(time.perf_counter()),
    )
    whole = time.perf_counter() - begun
    step = (moments[-1] - moments[0]) / ((rounds - 1) * _ROUND)
    once = whole - rounds * _ROUND * step
    how = f"{(rounds - 1) * _ROUND} steps timed, scaled to {_STEPS} (it may stop earlier)"
    yield Line("training", once + _STEPS * step, "s", how)
    yield Line(
        "training, compilation and pairs", once, "s", "of the seconds above, with the code of the first round"
    )
