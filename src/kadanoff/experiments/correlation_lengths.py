"""Second-moment correlation lengths of grown levels off criticality, and their ratio from level to level."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from kadanoff.ensemble import Ensemble
from kadanoff.experiments.effective_coupling import Resamples, level_values
from kadanoff.lattice import Lattice
from kadanoff.observables import Observable

__all__ = ["CONNECTED_LENGTH", "length_rows"]


def _diagonal_structure_factor(field: Float[Array, "side side"]) -> Float[Array, "side side"]:
    """|sum phi exp(i k x)|^2 / V at k = 2 pi (1, 1) / L and (1, -1) / L, the same number at every site."""
    side = field.shape[0]
    angle = 2 * jnp.pi / side * jnp.arange(side)
    total = jnp.zeros((), field.dtype)
    for phase in (angle[:, None] + angle, angle[:, None] - angle):
        total += jnp.sum(field * jnp.cos(phase)) ** 2 + jnp.sum(field * jnp.sin(phase)) ** 2
    return jnp.broadcast_to(total / (2 * field.size), field.shape)


def _length(means: Any, lattice: Lattice) -> Any:
    """Xi of S(k) = A / (1 + xi^2 khat^2) from the two smallest momenta that are not zero."""
    first = 4 * np.sin(np.pi / lattice.longest) ** 2
    ratio = means[0] / means[1]
    return np.sqrt((ratio - 1) / (2 * first - ratio * first))


#: In lattice units. Momenta that are not zero see connected correlations, in the ordered phase too.
CONNECTED_LENGTH = Observable(
    "connected_length", ("structure_factor", _diagonal_structure_factor), _length, r"$\xi$"
)


def length_rows(
    levels: Sequence[Ensemble], label: str, rescaling: int, samples: int, seed: int, *, disordered: bool
) -> list[dict[str, Any]]:
    """Xi of levels i and j = i + 1 and their ratio, by two estimators.

    'zero-momentum' compares chi with the smallest momentum, which needs <phi> = 0 (in the `disordered` phase only);
    'connected' compares the two smallest momenta that are not zero.
    """
    sides = [level.lattice.longest for level in levels]
    values = level_values(levels, ("xi_over_L", CONNECTED_LENGTH), samples, seed)
    rows: list[dict[str, Any]] = []
    estimators = {"connected": ("connected_length", [1] * len(sides))}
    if disordered:
        estimators["zero-momentum"] = ("xi_over_L", sides)
    for estimator, (name, units) in estimators.items():
        found = [
            Resamples(values[level, name].value * unit, values[level, name].samples * unit)
            for level, unit in enumerate(units)
        ]
        for i, (small, large) in enumerate(zip(found[:-1], found[1:], strict=True)):
            ratio = Resamples(large.value / small.value, large.samples / small.samples)
            rows.append(
                {
                    "label": f"{sides[i]}/{sides[i + 1]} {label}",
                    "estimator": estimator,
                    "xi_i": small.estimate,
                    "xi_j": large.estimate,
                    "ratio": ratio.estimate,
                    "reference": {"ratio": float(rescaling)},
                }
            )
    return rows
