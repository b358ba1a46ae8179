"""Learning actions: from data, KL(q||p)."""

from kadanoff.learning.data import DataFit, fit_data

__all__ = ["DataFit", "fit_data"]
