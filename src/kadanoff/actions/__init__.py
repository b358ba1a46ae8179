"""Actions: one a file; anything with per-site terms `density(field)` is one."""

from kadanoff.actions.base import (
    Action,
    FunctionAction,
    HasDensity,
    HasInteractionGraph,
    NearestNeighbourAction,
    as_action,
    conjugate,
    couplings,
    difference,
    gradient,
    has_spins,
    total,
)
from kadanoff.actions.inhomogeneous import InhomogeneousIsing, InhomogeneousPhi4, PairAction
from kadanoff.actions.ising import Ising
from kadanoff.actions.longer_range import LongerRangePhi4
from kadanoff.actions.longer_range_ising import LongerRangeIsing
from kadanoff.actions.markov import MarkovRandomField
from kadanoff.actions.phi4 import Phi4

#: Actions of the library by the name of their class, as runs record it.
ACTIONS: dict[str, type[Action]] = {
    cls.__name__: cls for cls in (Phi4, Ising, LongerRangePhi4, LongerRangeIsing)
}

__all__ = [
    "ACTIONS",
    "Action",
    "FunctionAction",
    "HasDensity",
    "HasInteractionGraph",
    "InhomogeneousIsing",
    "InhomogeneousPhi4",
    "Ising",
    "LongerRangeIsing",
    "LongerRangePhi4",
    "MarkovRandomField",
    "NearestNeighbourAction",
    "PairAction",
    "Phi4",
    "as_action",
    "conjugate",
    "couplings",
    "difference",
    "gradient",
    "has_spins",
    "total",
]
