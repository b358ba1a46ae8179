"""Actions: one a file; anything with per-site terms `density(field)` is one."""

from kadanoff.actions.base import (
    Action,
    FunctionAction,
    HasDensity,
    NearestNeighbourAction,
    as_action,
    conjugate,
    couplings,
    difference,
    gradient,
    total,
)
from kadanoff.actions.phi4 import Phi4

__all__ = [
    "Action",
    "FunctionAction",
    "HasDensity",
    "NearestNeighbourAction",
    "Phi4",
    "as_action",
    "conjugate",
    "couplings",
    "difference",
    "gradient",
    "total",
]
