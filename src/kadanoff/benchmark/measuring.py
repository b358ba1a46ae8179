"""Sites a second of measuring: the sums that every analysis takes, and those that need an action."""

from collections.abc import Iterator

import numpy as np

from kadanoff.benchmark.clock import Line, seconds_a_call
from kadanoff.benchmark.material import ACTION
from kadanoff.field_sums import smallest_wave
from kadanoff.measuring import measure, measurement_names

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
        time = seconds_a_call(lambda fields=fields: _by_numpy(fields), seconds)
        yield Line("sums of fields by NumPy", _SITES / time, "sites/s", f"{how}, in double precision")


def _by_numpy(fields: np.ndarray) -> list[np.ndarray]:
    """What one writes without a library: two longest axes, as a square has."""
    wave = smallest_wave(fields.shape[-1])
    near = np.roll(fields, -1, axis=1) + np.roll(fields, -1, axis=2)
    square = fields * fields
    rows, columns = (fields.sum(axis=axis, dtype=np.float64) @ wave.T for axis in (1, 2))
    terms = (fields, square, square * square, fields * near)
    sums = [each.sum(axis=(1, 2), dtype=np.float64) for each in terms]
    return [*sums, np.sum(rows**2 + columns**2, axis=-1) / (2 * fields[0].size)]
