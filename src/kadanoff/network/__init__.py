"""The phi^4 neural network: units, the machine, its training, and its scikit-learn face."""

from kadanoff.network.chains import ContrastiveDivergence, Persistent, Tempered
from kadanoff.network.exact import exact_log_likelihood, exact_log_partition
from kadanoff.network.likelihood import log_likelihood, log_partition, mean_log_likelihood
from kadanoff.network.model import Phi4Network, interpolated
from kadanoff.network.training import Training, TrainingState

__all__ = [
    "ContrastiveDivergence",
    "Persistent",
    "Phi4Network",
    "Tempered",
    "Training",
    "TrainingState",
    "exact_log_likelihood",
    "exact_log_partition",
    "interpolated",
    "log_likelihood",
    "log_partition",
    "mean_log_likelihood",
]
