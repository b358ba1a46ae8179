"""Inverse transformations: one member of the family a file, their training, and growth by them."""

from kadanoff.renormalization.inverse.base import Inverse
from kadanoff.renormalization.inverse.compatible import CompatibleMonteCarlo
from kadanoff.renormalization.inverse.consistent import ConsistentInverse
from kadanoff.renormalization.inverse.density import ConditionalDensity
from kadanoff.renormalization.inverse.growth import grow
from kadanoff.renormalization.inverse.learnt import LearntInverse, TrainingRecord
from kadanoff.renormalization.inverse.levels import Levels
from kadanoff.renormalization.inverse.relaxation import Relaxation
from kadanoff.renormalization.inverse.spins import SpinDensity
from kadanoff.renormalization.inverse.stochastic import StochasticInverse
from kadanoff.renormalization.inverse.training import learn_inverse

__all__ = [
    "CompatibleMonteCarlo",
    "ConditionalDensity",
    "ConsistentInverse",
    "Inverse",
    "LearntInverse",
    "Levels",
    "Relaxation",
    "SpinDensity",
    "StochasticInverse",
    "TrainingRecord",
    "grow",
    "learn_inverse",
]
