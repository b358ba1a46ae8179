"""Partition functions: annealed importance sampling and thermodynamic integration from exactly known starts."""

from kadanoff.learning.partition.annealed import Annealed, annealed_importance_sampling
from kadanoff.learning.partition.free_energy import free_energy
from kadanoff.learning.partition.integration import Integrated, thermodynamic_integration
from kadanoff.learning.partition.starts import Blend, Start, gaussian_start, site_start

__all__ = [
    "Annealed",
    "Blend",
    "Integrated",
    "Start",
    "annealed_importance_sampling",
    "free_energy",
    "gaussian_start",
    "site_start",
    "thermodynamic_integration",
]
