"""Timing of compiled functions, and the line of a table that it gives."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import jax

__all__ = ["Line", "seconds_a_call"]


@dataclass(frozen=True)
class Line:
    """One line of the table: what, how much in which unit, and how it was found."""

    what: str
    value: float
    unit: str
    how: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


def seconds_a_call(function: Callable[[], Any], seconds: float) -> float:
    """Mean time of a call over about so many seconds; the first call, which compiles, is left out.

    >>> 0 <= seconds_a_call(lambda: None, 0.001) < 0.001
    True
    """
    jax.block_until_ready(function())
    calls, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < seconds:
        jax.block_until_ready(function())
        calls += 1
    return (time.perf_counter() - begun) / max(calls, 1)
