"""The exact distribution of every site given all others, for actions whose sites meet in pairs."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from kadanoff import quartic
from kadanoff.actions.base import NearestNeighbourAction, has_quartic_sites, has_spins
from kadanoff.actions.inhomogeneous import InhomogeneousIsing, InhomogeneousPhi4
from kadanoff.errors import InputError
from kadanoff.lattice import sum_of_rolls

__all__ = [
    "has_conditionals",
    "is_quartic_graph",
    "log_conditionals",
    "require_conditionals",
    "require_normalisable",
]

_DOUBLINGS = 8  # of the window, at which a potential must have risen
_NODES = 128  # of the trapezoidal rule for potentials that are not quartic


def has_conditionals(action: Any) -> bool:
    """Whether the conditional of a site is known: p(phi_x | rest) ~ exp(h_x phi_x - V(phi_x)).

    A class that changes the density of its parent must give `local_field` and `potential` again to be believed.
    """
    given: set[str] = set()
    for kind in type(action).__mro__:
        given |= set(vars(kind))
        if "density" in vars(kind):
            if kind is NearestNeighbourAction and np.ndim(action.kappa) == 0:
                return True
            return kind in (InhomogeneousPhi4, InhomogeneousIsing) or {"local_field", "potential"} <= given
    return False


def is_quartic_graph(action: Any) -> bool:
    """Whether the sites are those of `InhomogeneousPhi4`, not those of a subclass that has a density of its own."""
    return isinstance(action, InhomogeneousPhi4) and type(action).density is InhomogeneousPhi4.density


def require_conditionals(action: Any) -> None:
    """`InputError` unless the conditional of a site is known."""
    if not has_conditionals(action):
        raise InputError(
            f"pseudo-likelihood needs the conditional of a site, and beside its `density` {type(action).__name__} "
            "offers no `local_field(field)` and `potential(phi, dimension)`: add them, or take score matching or "
            "likelihood"
        )


def require_normalisable(action: Any, dimension: int, window: Float[np.ndarray, "2"]) -> None:
    """`InputError` where the potential of a real site, if it is known, falls below its values within the window.

    It is looked at far beyond the window: no data are there, and a fit does not notice.

    >>> import numpy as np, kadanoff as kd
    >>> require_normalisable(kd.Phi4(-0.9515, 0.7), 2, np.array([-5.0, 5.0]))
    """
    if has_spins(action) or not hasattr(action, "potential"):
        return
    centre, half = np.mean(window), np.ptp(window) / 2
    inside = jnp.asarray(centre + half * np.linspace(-1.0, 1.0, _NODES), jnp.float32)
    far = half * 2.0 ** np.arange(1, _DOUBLINGS + 1)
    beyond = jnp.asarray(centre + np.outer([-1.0, 1.0], far), jnp.float32).ravel()
    lowest = jnp.min(_potentials(action, inside, dimension), axis=-1, keepdims=True)
    low = np.asarray(_potentials(action, beyond, dimension) <= lowest).reshape(-1, len(beyond)).any(axis=0)
    if low.any():
        raise InputError(
            f"the potential of a site is lower at phi = {float(beyond[low][0]):.3g} than anywhere among the data, so "
            "that its density cannot be normalised; give fewer or other couplings to learn, or more fields"
        )


def log_conditionals(
    action: Any, field: Float[Array, "..."], window: Float[Array, "2"]
) -> Float[Array, "..."]:
    """ln p(phi_x | rest) at every site of a field.

    A quartic site has its own log-partition function, a spin a sum of two terms; any other potential is integrated by
    the trapezoidal rule from one end of the window to the other, outside of which the density must be negligible.

    >>> import jax.numpy as jnp, kadanoff as kd
    >>> field, window = jnp.ones((4, 4)), jnp.array([-6.0, 6.0])
    >>> found = log_conditionals(kd.LongerRangePhi4(-0.9515, 0.7), field, window)
    >>> bool(jnp.allclose(found, log_conditionals(kd.Phi4(-0.9515, 0.7), field, window), atol=1e-5))
    True
    """
    return _log_conditionals(action, field, window)


@eqx.filter_jit
def _log_conditionals(action: Any, field: Array, window: Array) -> Array:
    h = _local_field(action, field)
    if has_spins(action):
        up, down = (_spin_term(action, jnp.full_like(field, s)) for s in (1.0, -1.0))
        return jnp.where(field > 0, h - up, -h - down) - jnp.logaddexp(h - up, -h - down)
    if is_quartic_graph(action):
        a, b = action.a, action.b
    elif has_quartic_sites(action):
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
    x = window[0] + (window[1] - window[0]) * jnp.linspace(0.0, 1.0, _NODES)
    spacing = (window[1] - window[0]) / (_NODES - 1)
    exponent = h[..., None] * x - _potentials(action, x, field.ndim)
    highest = jnp.max(exponent, axis=-1, keepdims=True)
    log_sum = highest[..., 0] + jnp.log(jnp.sum(jnp.exp(exponent - highest), axis=-1))
    return h * field - action.potential(field, field.ndim) - log_sum - jnp.log(spacing)


def _potentials(action: Any, x: Array, dimension: int) -> Array:
    """V of all sites at the values x (n,): (n,), or (*shape, n) where couplings differ from site to site."""
    return jnp.moveaxis(jax.vmap(lambda value: action.potential(value, dimension))(x), 0, -1)
