"""The exact distribution of every site given all others, for actions whose sites meet in pairs."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from kadanoff import quartic
from kadanoff.actions.base import NearestNeighbourAction, has_spins
from kadanoff.actions.inhomogeneous import InhomogeneousPhi4, PairAction
from kadanoff.errors import InputError
from kadanoff.lattice import sum_of_rolls

__all__ = ["has_conditionals", "log_conditionals", "require_conditionals", "require_normalisable"]

_DOUBLINGS = 8  # of the window, at which a potential must have risen
_NODES = 128  # of the trapezoidal rule for potentials that are not quartic


def has_conditionals(action: Any) -> bool:
    """Whether the conditional of a site is known: p(phi_x | rest) ~ exp(h_x phi_x - V(phi_x))."""
    if isinstance(action, NearestNeighbourAction | PairAction):
        return True
    return hasattr(action, "local_field") and hasattr(action, "potential")


def require_conditionals(action: Any) -> None:
    """`InputError` unless the conditional of a site is known."""
    if not has_conditionals(action):
        raise InputError(
            f"pseudo-likelihood needs the conditional of a site, and {type(action).__name__} offers no "
            "`local_field(field)` and `potential(phi, dimension)`: add them, or take score matching or likelihood"
        )


def require_normalisable(action: Any, dimension: int, window: np.floating) -> None:
    """`InputError` where the potential of a real site, if it is known, falls below its values in |phi| <= window.

    It is looked at far beyond the window: no data are there, and a fit does not notice.

    >>> import numpy as np, kadanoff as kd
    >>> require_normalisable(kd.Phi4(-0.9515, 0.7), 2, np.float32(5.0))
    """
    if has_spins(action) or not hasattr(action, "potential"):
        return
    inside = jnp.linspace(-1.0, 1.0, _NODES) * window
    beyond = jnp.outer(jnp.array([-1.0, 1.0]), window * 2.0 ** jnp.arange(1, _DOUBLINGS + 1))
    lowest = jnp.min(action.potential(inside, dimension))
    low = np.asarray(action.potential(beyond, dimension) <= lowest)
    if low.any():
        raise InputError(
            f"the potential of a site is lower at phi = {float(beyond[low][0]):.3g} than anywhere among the data, so "
            "that its density cannot be normalised; give fewer or other couplings to learn, or more fields"
        )


def log_conditionals(
    action: Any, field: Float[Array, "..."], window: Float[Array, ""]
) -> Float[Array, "..."]:
    """ln p(phi_x | rest) at every site of a field.

    A quartic site has its own log-partition function, a spin a sum of two terms; any other potential is integrated by
    the trapezoidal rule over |phi| <= window, outside of which the density must be negligible.

    >>> import jax.numpy as jnp, kadanoff as kd
    >>> field = jnp.ones((4, 4))
    >>> found = log_conditionals(kd.LongerRangePhi4(-0.9515, 0.7), field, jnp.asarray(6.0))
    >>> bool(jnp.allclose(found, log_conditionals(kd.Phi4(-0.9515, 0.7), field, jnp.asarray(6.0)), atol=1e-5))
    True
    """
    h = _local_field(action, field)
    if has_spins(action):
        up, down = (_spin_term(action, jnp.full_like(field, s)) for s in (1.0, -1.0))
        return jnp.where(field > 0, h - up, -h - down) - jnp.logaddexp(h - up, -h - down)
    if isinstance(action, InhomogeneousPhi4):
        a, b = action.a, action.b
    elif hasattr(action, "site_couplings"):
        a, b = action.site_couplings(field.ndim)
    else:
        return _integrated(action, field, h, window)
    square = field * field
    return h * field - square * (a + b * square) - quartic.log_partition(h, a, b)


def _local_field(action: Any, field: Array) -> Array:
    if hasattr(action, "local_field"):
        return action.local_field(field)
    return action.kappa * sum_of_rolls(field, field.ndim, (-1, 1))


def _spin_term(action: Any, spin: Array) -> Array:
    return action.potential(spin, spin.ndim) if hasattr(action, "potential") else jnp.zeros_like(spin)


def _integrated(action: Any, field: Array, h: Array, window: Array) -> Array:
    x = jnp.linspace(-1.0, 1.0, _NODES) * window
    spacing = 2 * window / (_NODES - 1)
    exponent = h[..., None] * x - action.potential(x, field.ndim)
    highest = jnp.max(exponent, axis=-1, keepdims=True)
    log_sum = highest[..., 0] + jnp.log(jnp.sum(jnp.exp(exponent - highest), axis=-1))
    return h * field - action.potential(field, field.ndim) - log_sum - jnp.log(spacing)
