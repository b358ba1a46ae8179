"""Learning of actions: from another action, KL(p||q), from data, KL(q||p), and free energies of what is learnt."""

from kadanoff.learning.data import DataFit, fit_data
from kadanoff.learning.fit import VariationalFit
from kadanoff.learning.optimisers import natural_gradient
from kadanoff.learning.variational import bound_gradient, fit_variational

__all__ = ["DataFit", "VariationalFit", "bound_gradient", "fit_data", "fit_variational", "natural_gradient"]
