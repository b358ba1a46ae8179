"""Learning of actions: from data, KL(q||p); and free energies of what is learnt."""

from kadanoff.learning.data import DataFit, fit_data

__all__ = ["DataFit", "fit_data"]
