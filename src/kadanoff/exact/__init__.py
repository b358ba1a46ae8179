"""Exact answers to test simulations against: Kaufman's finite Ising lattices, enumeration of small systems."""

from kadanoff.exact.enumeration import Enumeration, enumerate_spins
from kadanoff.exact.kaufman import ExactIsing, kaufman

__all__ = ["Enumeration", "ExactIsing", "enumerate_spins", "kaufman"]
