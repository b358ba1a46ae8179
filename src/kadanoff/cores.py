"""How many cores there are to use; told without importing anything."""

import os

__all__ = ["cores"]


def cores() -> int:
    """Cores that this process may use.

    >>> cores() > 0
    True
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
