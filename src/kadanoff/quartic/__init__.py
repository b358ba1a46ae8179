"""The quartic site exp(h x - a x^2 - b x^4): log-partition function, moments, exact draws.

The one-dimensional density under the heat bath, the Markov random field, and hidden and visible units;
Gaussian for b = 0, Ising for a = -2 b with b large.
"""

from kadanoff.quartic.modes import check
from kadanoff.quartic.partition import covariance, log_partition, mean, moments, variance
from kadanoff.quartic.rejection import acceptance, draw
from kadanoff.quartic.site import QuarticSite

__all__ = [
    "QuarticSite",
    "acceptance",
    "check",
    "covariance",
    "draw",
    "log_partition",
    "mean",
    "moments",
    "variance",
]
