"""Exact answers to test simulations against: finite Ising lattices, enumeration of small systems."""

from kadanoff.exact.enumeration import Enumeration, enumerate_spins
from kadanoff.exact.kaufman import ExactIsing, kaufman
from kadanoff.exact.magnetization import magnetization_distribution

__all__ = ["Enumeration", "ExactIsing", "enumerate_spins", "kaufman", "magnetization_distribution"]
