"""Several samples as one: free energies of all their distributions, and weights that lead to any other (MBAR).

All configurations together are a sample of the mixture of the distributions that they were drawn from. The free
energies in that mixture are what makes it consistent with every sample: the minimum of a convex function, found by
Newton's method.

Source: A. M. Ferrenberg, R. H. Swendsen, PRL 63 (1989) 1195; Z. Tan, J. Am. Stat. Assoc. 99 (2004) 1027, on the convex
function; M. R. Shirts, J. D. Chodera, J. Chem. Phys. 129 (2008) 124105.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike

from kadanoff.errors import InputError, OverlapError

__all__ = ["Mbar", "solve_mbar"]

_TOLERANCE = 1e-10  # largest relative gap of a self-consistent equation
_ITERATIONS = 200
_HALVINGS = 20


@dataclass(frozen=True, eq=False)
class Mbar:
    """Samples of several distributions p_k = exp(l_k) / Z_k, joined.

    - `log_densities`: (state, config) l_k of every configuration, whichever state it was drawn from. What is added
      to all l_k of one configuration cancels.
    - `counts`: (config,) how many independent configurations each one stands for.
    - `sizes`: (state,) the sum of the counts of those that were drawn from each state.
    - `free_energies`: (state,) -ln(Z_k / Z_0).
    """

    log_densities: Float[np.ndarray, "state config"]
    counts: Float[np.ndarray, " config"]
    sizes: Float[np.ndarray, " state"]
    free_energies: Float[np.ndarray, " state"]

    @property
    def log_mixture(self) -> Float[np.ndarray, " config"]:
        """ln sum_k N_k exp(f_k + l_k) of every configuration: the density that all of them follow together."""
        return _mixture(self.log_densities, self.sizes, self.free_energies)[1]

    @property
    def overlap(self) -> Float[np.ndarray, "state state"]:
        """Element (i, j): the probability that a configuration of state i might as well be one of the sample of j.

        Rows sum to one. P. V. Klimovich, M. R. Shirts, D. L. Mobley, J. Comput. Aided Mol. Des. 29 (2015) 397.
        """
        chances, _ = _mixture(self.log_densities, self.sizes, self.free_energies)
        return (chances * self.counts) @ chances.T / self.sizes[:, None]

    def log_weights(
        self, log_densities: Float[np.ndarray, "*point config"]
    ) -> Float[np.ndarray, "*point config"]:
        """Log-weights under which all configurations are a sample of exp(l); ln Z / Z_0 is their log-sum-exp."""
        return log_densities + np.log(self.counts) - self.log_mixture

    def resampled(
        self, multiplicity: Float[np.ndarray, " config"], owner: Int[np.ndarray, " config"]
    ) -> "Mbar":
        """The same with every configuration counted `multiplicity` times, solved from these free energies on."""
        counts = self.counts * multiplicity
        sizes = np.bincount(owner, counts, len(self.sizes))
        found = _newton(self.log_densities, counts, sizes, self.free_energies)
        return Mbar(self.log_densities, counts, sizes, found)


def solve_mbar(log_densities: ArrayLike, owner: ArrayLike, counts: ArrayLike | None = None) -> Mbar:
    """Free energies of several distributions from samples of all of them.

    **Arguments:**

    - `log_densities`: (state, config) ln of every density, without its normalisation, at every configuration.
    - `owner`: (config,) the state from which each configuration was drawn.
    - `counts`: (config,) how many independent configurations each one stands for, 1 / (2 tau_int) of its sample; by
        default 1.

    Raises `InputError` for shapes that do not fit, values that are not finite and states without configurations;
    `OverlapError` when no solution is found, as for samples that have nothing in common.

    Two normal distributions of widths 1 and 1/2, whose integrals differ by a factor of 2:

    >>> rng = np.random.default_rng(0)
    >>> x = np.concatenate([rng.normal(size=2000), rng.normal(size=2000) / 2])
    >>> found = solve_mbar([-(x**2) / 2, -2 * x**2], np.repeat([0, 1], 2000))
    >>> bool(abs(found.free_energies[1] - np.log(2)) < 0.05)
    True
    """
    densities, state = np.asarray(log_densities, dtype=np.float64), np.asarray(owner)
    if densities.ndim != 2 or state.shape != densities.shape[1:]:
        raise InputError(
            f"log-densities of shape {densities.shape} and owners of shape {state.shape} do not fit: pass (state, "
            "config) and (config,)"
        )
    count = np.ones(len(state)) if counts is None else np.asarray(counts, dtype=np.float64)
    if count.shape != state.shape or not np.all(count > 0):
        raise InputError("pass one positive count for every configuration")
    if not np.isfinite(densities).all():
        bad = int(np.count_nonzero(~np.isfinite(densities)))
        raise InputError(
            f"{bad} log-densities are NaN or infinite; look for the configurations that made them"
        )
    sizes = np.bincount(state, count, len(densities))
    if len(sizes) != len(densities) or not np.all(sizes > 0):
        raise InputError(f"every one of {len(densities)} states needs configurations of its own")
    # To first order in what lies between neighbours, ln Z_{k+1} / Z_k is the mean difference in either sample.
    gaps = np.diff(densities, axis=0)
    steps = [0.5 * sum(gap[state == k].mean() for k in (i, i + 1)) for i, gap in enumerate(gaps)]
    start = -np.concatenate([[0.0], np.cumsum(steps)])
    return Mbar(densities, count, sizes, _newton(densities, count, sizes, start))


def _mixture(densities: np.ndarray, sizes: np.ndarray, free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Probability (state, config) that a configuration is of each sample, and ln of the mixture's density."""
    terms = densities + (np.log(sizes) + free)[:, None]
    largest = terms.max(axis=0)
    chances = np.exp(terms - largest)
    total = chances.sum(axis=0)
    return chances / total, largest + np.log(total)


def _newton(densities: np.ndarray, counts: np.ndarray, sizes: np.ndarray, free: np.ndarray) -> np.ndarray:
    """The minimum of sum_n c_n ln sum_k N_k exp(f_k + l_kn) - sum_k N_k f_k with f_0 = 0."""

    def state(free: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        chances, _ = _mixture(densities, sizes, free)
        expected = chances @ counts
        return chances, expected, float(np.max(np.abs(expected / sizes - 1)))

    free = free - free[0]
    chances, expected, gap = state(free)
    for _ in range(_ITERATIONS):
        if gap < _TOLERANCE:
            return free
        hessian = np.diag(expected) - (chances * counts) @ chances.T
        step = np.zeros(len(free))
        step[1:] = np.linalg.lstsq(hessian[1:, 1:], (sizes - expected)[1:])[0]
        for halving in range(_HALVINGS):
            tried = free + step / 2**halving
            found = state(tried)
            if found[-1] < gap:
                break
        else:
            # Far from the minimum: one iteration of the self-consistent equations, which always leads towards it.
            tried = free + np.log(sizes / np.maximum(expected, 1e-300))
            tried -= tried[0]
            found = state(tried)
        free, (chances, expected, gap) = tried, found
    raise OverlapError(
        f"the free energies do not settle (relative gap {gap:.1g} after {_ITERATIONS} iterations): the samples have "
        "too little in common; add simulations between them"
    )
