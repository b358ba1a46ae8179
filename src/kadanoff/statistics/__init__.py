"""Error bars: autocorrelation, derived quantities, resampling and weights, with numpy and scipy alone.

A *series* is an array (chain, draw); *primaries* are a stack of them (k, chain, draw); log-weights are
(chain, draw), real or complex.

- few long chains or many short ones: `gamma_method`, and `derived` for functions of several (weighted) means;
- vectors with their covariance, or functions too rough for a gradient: `jackknife`, `bootstrap`;
- several distributions at once: `solve_mbar`;
- reweighting: `normalised_weights`, `effective_sample_size`, `average_phase`, `tail_shape`.
"""

from kadanoff.statistics.estimate import Estimate
from kadanoff.statistics.gamma import (
    Autocorrelation,
    autocorrelation,
    derived,
    gamma_method,
    integrated_autocorrelation_time,
)
from kadanoff.statistics.mbar import Mbar, solve_mbar
from kadanoff.statistics.resampling import Resampled, bootstrap, jackknife, multiplicities
from kadanoff.statistics.weights import (
    average_phase,
    effective_sample_size,
    normalised_weights,
    tail_shape,
)

__all__ = [
    "Autocorrelation",
    "Estimate",
    "Mbar",
    "Resampled",
    "autocorrelation",
    "average_phase",
    "bootstrap",
    "derived",
    "effective_sample_size",
    "gamma_method",
    "integrated_autocorrelation_time",
    "jackknife",
    "multiplicities",
    "normalised_weights",
    "solve_mbar",
    "tail_shape",
]
