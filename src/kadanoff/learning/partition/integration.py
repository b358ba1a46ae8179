"""Thermodynamic integration along any path of models: ln(Z_1/Z_0) = -integral of <dS/dt>_t over t from 0 to 1.

Source: J. G. Kirkwood, J. Chem. Phys. 3 (1935) 300.
"""

from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from kadanoff.errors import InputError
from kadanoff.learning.partition.annealed import Energy, Path, Transition, chain_totals
from kadanoff.statistics import Estimate, gamma_method
from kadanoff.whole import whole

__all__ = ["Integrated", "thermodynamic_integration"]


@dataclass(frozen=True)
class Integrated:
    """Slopes dS/dt (node, chain, draw) at the nodes t of a quadrature rule, and the weights of the rule."""

    t: Float[np.ndarray, " node"]
    weight: Float[np.ndarray, " node"]
    slope: Float[np.ndarray, "node chain draw"]

    @property
    def log_ratio(self) -> Estimate:
        """ln(Z_1/Z_0) with the statistical error, which knows autocorrelation; the rule itself adds none.

        The error of the rule falls exponentially with the number of nodes, for a smooth path.
        """
        return gamma_method(-np.einsum("k,kcd->cd", self.weight, self.slope))

    @property
    def mean_slopes(self) -> list[Estimate]:
        """<dS/dt> at every node."""
        return [gamma_method(series) for series in self.slope]


def thermodynamic_integration(
    key: PRNGKeyArray,
    state: Any,
    path: Path,
    energy: Energy,
    transition: Transition,
    nodes: int = 12,
    thermalize: int = 100,
    draws: int = 200,
) -> Integrated:
    """Carry many chains through the nodes of a Gauss-Legendre rule, and average dS/dt at each.

    The first five arguments as in `annealed_importance_sampling`; at every node `thermalize` steps are left out and
    `draws` are kept. dS/dt comes by automatic differentiation through `path`.

    Raises `InputError` for counts that are not positive.

    >>> import jax, jax.numpy as jnp
    >>> key, width = jax.random.key(0), lambda t: 1 + 3 * t  # exp(-x^2/(2 width^2)): Z_1/Z_0 = 4
    >>> result = thermodynamic_integration(
    ...     key, jax.random.normal(key, (64,)), width, lambda w, x: (x / w) ** 2 / 2,
    ...     lambda key, w, x: w * jax.random.normal(key, x.shape), thermalize=1)
    >>> abs(result.log_ratio.pull(jnp.log(4.0).item())) < 4
    True
    """
    for name, count in (("nodes", nodes), ("thermalize", thermalize), ("draws", draws)):
        if whole(name, count) < (0 if name == "thermalize" else 1):
            raise InputError(f"{name} must be positive, got {count}")
    point, weight = np.polynomial.legendre.leggauss(nodes)
    times = (1 + point) / 2
    keys = jax.random.split(key, nodes)
    arrays = (keys, jnp.asarray(times, jnp.float32))
    slope = _visit(state, path, energy, transition, arrays, thermalize, draws)
    return Integrated(times, weight / 2, np.asarray(slope, np.float64).transpose(0, 2, 1))


@eqx.filter_jit
def _visit(
    state: Any,
    path: Path,
    energy: Energy,
    transition: Transition,
    nodes: tuple[Array, Array],
    thermalize: int,
    draws: int,
) -> Array:
    def visit(state: Any, node: tuple[Array, Array]) -> tuple[Any, Array]:
        key, t = node
        model = path(t)

        def step(state: Any, key: Array) -> tuple[Any, Array]:
            state = transition(key, model, state)
            slope = jax.jvp(lambda t: energy(path(t), state), (t,), (jnp.ones_like(t),))[1]
            return state, chain_totals(slope)

        state, slopes = jax.lax.scan(step, state, jax.random.split(key, thermalize + draws))
        return state, slopes[thermalize:]

    return jax.lax.scan(visit, state, nodes)[1]
