"""Thermalisation, judged: chains from opposite starts must agree, and each must move."""

import warnings
from typing import Any

import numpy as np
from jaxtyping import Float

from kadanoff.errors import ThermalisationWarning

__all__ = ["start_disagreement", "warn_of_unmoved", "warn_unless_thermalised"]


def start_disagreement(series: Float[np.ndarray, "chain draw"]) -> float:
    """How many standard errors the means of even (hot) and odd (cold) chains lie apart.

    Chains are independent, so their means give the error without any autocorrelation time; with fewer than
    four chains there is nothing to judge by, and the answer is 0.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> start_disagreement(rng.normal(size=(64, 10))) < 4
    True
    """
    if len(series) < 4:
        return 0.0
    means = series.mean(axis=1)
    hot, cold = means[::2], means[1::2]
    spread = np.sqrt(hot.var(ddof=1) / len(hot) + cold.var(ddof=1) / len(cold))
    gap = abs(hot.mean() - cold.mean())
    # Student's t for few chains: widen the spread by the ratio of the 4-sigma quantiles' leading term.
    freedom = max(len(means) - 2, 1)
    return float(gap / (spread * (1 + 6.0 / freedom))) if spread > 0 else (0.0 if gap == 0 else float("inf"))


def warn_unless_thermalised(series: dict[str, Float[np.ndarray, "chain draw"]], limit: float = 4.0) -> bool:
    """Warn when hot and cold starts still disagree in any series by more than `limit` standard errors."""
    gaps = {name: start_disagreement(values) for name, values in series.items()}
    name = max(gaps, key=lambda key: gaps[key])
    if gaps[name] <= limit:
        return True
    warnings.warn(
        f"chains from hot and cold starts disagree in {name} by {gaps[name]:.1f} standard errors: "
        "the ensemble is not thermalised; raise `thermalize`, or choose a sampler with a shorter autocorrelation "
        "time: clusters where the action allows them (LocalAndCluster, SwendsenWang), or Tempering",
        ThermalisationWarning,
        stacklevel=3,
    )
    return False


def warn_of_unmoved(fields: Any) -> bool:
    """Warn of chains of fields (chain, draw, *lattice) whose first and last draw are the same; whether there are any.

    >>> import numpy as np
    >>> warn_of_unmoved(np.random.default_rng(0).normal(size=(4, 2, 8)))
    False
    """
    chains, draws = fields.shape[:2]
    if draws < 2:
        return False
    unmoved = sum(np.array_equal(fields[chain, 0], fields[chain, -1]) for chain in range(chains))
    if unmoved:
        warnings.warn(
            f"{unmoved} of {chains} chains never moved: all that was proposed to them was refused, and means that "
            "hold them are wrong; raise `thermalize`, start='cold', or give the sampler a smaller step",
            ThermalisationWarning,
            stacklevel=3,
        )
    return unmoved > 0
