"""Fine sites a second of growth: the default inverse alone, and with the relaxation that is recommended."""

import time
import warnings
from collections.abc import Iterator

from kadanoff.benchmark.clock import Line
from kadanoff.benchmark.material import ACTION, small_run
from kadanoff.errors import DepthWarning
from kadanoff.renormalization import LearntInverse, MajorityMean, Relaxation, grow, learn_inverse

__all__ = ["growth_lines"]

_SWEEPS = 64


def growth_lines(seconds: float) -> Iterator[Line]:
    """Two steps from 32 x 32, the second call timed: the first one compiles."""
    # What the weights are changes no time.
    inverse = learn_inverse(small_run(), MajorityMean(b=2), steps=1)
    count = 64 if seconds >= 1 else 16
    alone = _rate(inverse, None, count)
    relaxed = _rate(inverse, Relaxation(ACTION, sweeps=_SWEEPS), count)
    how = f"{count} configurations, 32 to 128"
    yield Line("growth, the map alone", alone, "sites/s", how)
    yield Line(f"growth, {_SWEEPS} sweeps a step", relaxed, "sites/s", how)


def _rate(inverse: LearntInverse, relax: Relaxation | None, count: int) -> float:
    rate = 0.0
    for _ in range(2):
        begun = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DepthWarning)
            levels = grow(small_run(), inverse, 2, relax, configurations=count)
        sites = sum(level.lattice.volume * level.chains * level.draws for level in levels[1:])
        rate = sites / (time.perf_counter() - begun)
    return rate
