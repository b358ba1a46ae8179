"""The phi^4 neural network: units, the machine, its training, and its scikit-learn face."""

from kadanoff.network.exact import exact_log_likelihood, exact_log_partition
from kadanoff.network.model import Phi4Network, interpolated

__all__ = ["Phi4Network", "exact_log_likelihood", "exact_log_partition", "interpolated"]
