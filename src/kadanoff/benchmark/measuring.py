"""Sites a second of measuring: the sums that every analysis takes, and those that need an action."""

from collections.abc import Iterator

import numpy as np

from kadanoff.benchmark.clock import Line, seconds_a_call
from kadanoff.benchmark.material import ACTION
from kadanoff.observables import measure, measurement_names

__all__ = ["measuring_lines"]

_SITES = 1 << 22


def measuring_lines(seconds: float) -> Iterator[Line]:
    """Four million sites as many small lattices and as few large ones, from NumPy's memory."""
    for side in (32, 512):
        fields = np.random.default_rng(0).normal(size=(_SITES // side**2, side, side)).astype(np.float32)
        how = f"{len(fields)} configurations of {side} x {side}"
        for action, what in ((None, "sums of fields"), (ACTION, "and of an action's terms")):
            names = measurement_names(action is not None)
            time = seconds_a_call(lambda fields=fields, a=action, n=names: measure(fields, a, n), seconds)
            yield Line(what, _SITES / time, "sites/s", how)
