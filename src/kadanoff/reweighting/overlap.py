"""How far two ensembles overlap: differences of their actions, effective samples and KL divergences both ways.

The difference d = A_q - A_p of every configuration is all that matters: p(d) exp(-d) Z_p/Z_q = q(d), so that the two
histograms cross at the difference of free energies, which Bennett's acceptance ratio reads off both samples at once.

Source: C. H. Bennett, J. Comput. Phys. 22 (1976) 245.
"""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.optimize import brentq
from scipy.special import expit

from kadanoff.arguments import require_ensembles
from kadanoff.ensemble import Ensemble
from kadanoff.errors import InputError, OverlapError, OverlapWarning
from kadanoff.reweighting.response import simulated_action
from kadanoff.reweighting.target import log_ratio
from kadanoff.statistics import Estimate, effective_sample_size, gamma_method

__all__ = ["Overlap", "overlap"]

_FEWEST = 10  # effective configurations, below which no error bar can be believed


@dataclass(frozen=True, eq=False)
class Overlap:
    """Two ensembles, of p and of q, compared by d = A_q - A_p.

    - `under_p`, `under_q`: d of every configuration, (chain, draw).
    - `free_energy_difference`: F_q - F_p = ln(Z_p/Z_q), by Bennett's acceptance ratio.
    - `divergence_pq`, `divergence_qp`: KL(p||q) and KL(q||p), in nats.
    - `effective_pq`: fraction of the configurations of p that is left when they are reweighted to q; `effective_qp`
        the other way.
    """

    under_p: Float[np.ndarray, "chain_p draw_p"]
    under_q: Float[np.ndarray, "chain_q draw_q"]
    free_energy_difference: Estimate
    divergence_pq: Estimate
    divergence_qp: Estimate
    effective_pq: float
    effective_qp: float

    def row(self) -> dict[str, Any]:
        """The numbers by name, for tables."""
        return {
            "free_energy_difference": self.free_energy_difference,
            "divergence_pq": self.divergence_pq,
            "divergence_qp": self.divergence_qp,
            "effective_pq": self.effective_pq,
            "effective_qp": self.effective_qp,
        }

    def __str__(self) -> str:
        """One line a number."""
        return (
            f"F_q - F_p        {self.free_energy_difference}\n"
            f"KL(p||q)         {self.divergence_pq}, {self.effective_pq:.1%} of p left on the way to q\n"
            f"KL(q||p)         {self.divergence_qp}, {self.effective_qp:.1%} of q left on the way to p"
        )

    def __repr__(self) -> str:
        """Say the numbers, not every difference."""
        return f"Overlap(KL(p||q)={self.divergence_pq}, KL(q||p)={self.divergence_qp})"


def overlap(ensemble_p: Ensemble, ensemble_q: Ensemble) -> Overlap:
    """Compare two independent ensembles of fields of one shape, each with the action that it was simulated with.

    Blocked and grown ensembles are compared by their simulated ancestors. Errors know autocorrelation, and that the
    difference of free energies comes from the same configurations as the means.

    Raises `InputError` for ensembles without an action, of different shapes, with weights, or with complex actions;
    `OverlapError` where no configuration of either could belong to the other. Warns (`OverlapWarning`) where fewer
    than about 10 effective configurations are left either way: free energies and divergences then rest on them.

    >>> import kadanoff as kd
    >>> noise = np.random.default_rng(0).normal(size=(2, 32, 64, 2, 2)).astype(np.float32)
    >>> p = kd.Ensemble(noise[0], kd.Phi4(1.0, 0.0, kappa=0.0))
    >>> q = kd.Ensemble(noise[1] / 1.1, kd.Phi4(1.21, 0.0, kappa=0.0))
    >>> found = overlap(p, q)
    >>> abs(found.free_energy_difference.pull(2 * np.log(1.21))) < 4, found.effective_pq > 0.9
    (True, True)
    """
    require_ensembles(ensemble_p, ensemble_q)
    ensembles = ensemble_p.simulated, ensemble_q.simulated
    actions = [simulated_action(ensemble) for ensemble in ensembles]
    shapes = [ensemble.lattice.shape for ensemble in ensembles]
    if shapes[0] != shapes[1]:
        raise InputError(
            f"the fields have the shapes {shapes[0]} and {shapes[1]}: compare ensembles of one shape"
        )
    if any(ensemble.log_weight is not None for ensemble in ensembles):
        raise InputError(
            "the overlap is that of two plain samples, and one has weights: give what was simulated"
        )
    under_p, under_q = -log_ratio(ensembles[0], actions[1]), log_ratio(ensembles[1], actions[0])
    if np.iscomplexobj(under_p) or np.iscomplexobj(under_q):
        raise InputError("the overlap of complex actions is not defined: compare their real parts")
    found = _compare(under_p, under_q)
    left = max(found.effective_pq * under_p.size, found.effective_qp * under_q.size)
    if left < _FEWEST:
        warnings.warn(
            f"the two ensembles hardly overlap: {left:.1f} effective configurations are left either way, so that "
            "divergences and their errors are rough; put ensembles of actions between them",
            OverlapWarning,
            stacklevel=2,
        )
    return found


def _compare(p: np.ndarray, q: np.ndarray) -> Overlap:
    shift = np.log(p.size / q.size)

    def unbalance(difference: float) -> float:
        return float(expit(difference - p - shift).sum() - expit(q - difference + shift).sum())

    reach = max(p.max(), q.max()) - min(p.min(), q.min()) + abs(shift) + 1
    low, high = min(p.min(), q.min()) - reach, max(p.max(), q.max()) + reach
    if not np.isfinite([low, high]).all():
        raise OverlapError(
            "differences of the actions are not finite on these fields: check both actions there"
        )
    root: Any = brentq(unbalance, low, high, xtol=1e-12)
    difference = float(root)
    # How the root moves with each configuration, to first order, summed over both samples.
    of_p, of_q = expit(difference - p - shift), expit(q - difference + shift)
    slope = np.sum(of_p * (1 - of_p)) + np.sum(of_q * (1 - of_q))
    if not slope > 0:
        raise OverlapError("the two ensembles have no configuration in common: put others between them")
    move_p, move_q = -of_p * p.size / slope, of_q * q.size / slope
    return Overlap(
        p,
        q,
        _estimate(difference, move_p, move_q),
        _estimate(p.mean() - difference, p - move_p, -move_q),
        _estimate(difference - q.mean(), move_p, move_q - q),
        effective_sample_size(-p) / p.size,
        effective_sample_size(q) / q.size,
    )


def _estimate(value: float, of_p: np.ndarray, of_q: np.ndarray) -> Estimate:
    """A value whose fluctuations are the sum of the means of two independent series."""
    parts = gamma_method(of_p), gamma_method(of_q)
    return Estimate(
        value, np.hypot(parts[0].error, parts[1].error), max(part.tau_int or 0.5 for part in parts)
    )
