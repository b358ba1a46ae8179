"""Learning of actions: from another action, KL(p||q), and free energies of what is learnt."""

from kadanoff.learning.fit import VariationalFit
from kadanoff.learning.optimisers import natural_gradient
from kadanoff.learning.variational import bound_gradient, fit_variational

__all__ = ["VariationalFit", "bound_gradient", "fit_variational", "natural_gradient"]
