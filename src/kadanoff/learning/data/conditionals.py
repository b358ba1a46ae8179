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
    "NODES",
    "across",
    "has_conditionals",
    "is_quartic_graph",
    "is_resolved",
    "log_conditionals",
    "require_conditionals",
    "require_normalisable",
    "unresolved",
    "window",
]

_DOUBLINGS = 8  # of the window, at which a potential must have risen
#: Of the trapezoidal rule for potentials that are not quartic: as few as resolve them.
NODES = (128, 1024, 8192)
_RESOLVED = 1e-3  # nats that eight times as many nodes may move ln p of a site
_LOOKED_AT = 512  # sites at which this is seen


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


def require_normalisable(action: Any, dimension: int, inside: Float[np.ndarray, "2"]) -> None:
    """`InputError` where the potential of a real site, if it is known, falls below its values within a window.

    It is looked at far beyond the window: no data are there, and a fit does not notice.

    >>> import numpy as np, kadanoff as kd
    >>> require_normalisable(kd.Phi4(-0.9515, 0.7), 2, np.array([-5.0, 5.0]))
    """
    if has_spins(action) or not hasattr(action, "potential"):
        return
    centre, half = np.mean(inside), np.ptp(inside) / 2
    near = jnp.asarray(centre + half * np.linspace(-1.0, 1.0, NODES[0]), jnp.float32)
    far = half * 2.0 ** np.arange(1, _DOUBLINGS + 1)
    beyond = jnp.asarray(centre + np.outer([-1.0, 1.0], far), jnp.float32).ravel()
    lowest = jnp.min(_potentials(action, near, dimension), axis=-1, keepdims=True)
    low = np.asarray(_potentials(action, beyond, dimension) <= lowest).reshape(-1, len(beyond)).any(axis=0)
    if low.any():
        raise InputError(
            f"the potential of a site is lower at phi = {float(beyond[low][0]):.3g} than anywhere among the data, so "
            "that its density cannot be normalised; give fewer or other couplings to learn, or more fields"
        )


def window(*fields: np.ndarray) -> Float[np.ndarray, "2"]:
    """The interval that the conditionals of potentials in general are integrated over: that of the data, and more."""
    low, high = min(each.min() for each in fields), max(each.max() for each in fields)
    more = (high - low) / 4 if high > low else 1.0
    return np.array([low - more, high + more], np.float32)


def is_resolved(
    action: Any, fields: Float[np.ndarray, "n ..."], inside: Float[np.ndarray, "2"], count: int
) -> bool:
    """Whether so many nodes across a window resolve the potential of a site, as eight times as many tell."""
    if has_spins(action) or is_quartic_graph(action) or has_quartic_sites(action):
        return True
    some = jnp.asarray(fields[:: max(1, len(fields) * fields[0].size // _LOOKED_AT)])
    found, finer = (_of_fields(action, some, across(inside, nodes)) for nodes in (count, 8 * count))
    return bool(jnp.all(jnp.abs(finer - found) < _RESOLVED))


def unresolved(action: Any) -> InputError:
    """What is said of a potential that the most nodes do not resolve."""
    return InputError(
        f"the potential of a site of {type(action).__name__} has wells so narrow that {NODES[-1]} nodes across the "
        "range of the data do not resolve them: leave out data that are far off, or take score matching"
    )


def across(inside: Float[np.ndarray, "2"], count: int = NODES[0]) -> Float[Array, " node"]:
    """Nodes at equal distances across a window."""
    low, high = np.asarray(inside, np.float32)
    return jnp.asarray(low + (high - low) * np.linspace(0, 1, count, dtype=np.float32))


@eqx.filter_jit
def _of_fields(action: Any, fields: Array, nodes: Array) -> Array:
    return jax.lax.map(lambda field: log_conditionals(action, field, nodes), fields)


def log_conditionals(
    action: Any, field: Float[Array, "..."], nodes: Float[Array, " node"]
) -> Float[Array, "..."]:
    """ln p(phi_x | rest) at every site of a field.

    A quartic site has its own log-partition function, a spin a sum of two terms; any other potential is integrated by
    the trapezoidal rule with these nodes, outside of which the density must be negligible.

    >>> import jax.numpy as jnp, kadanoff as kd
    >>> field, nodes = jnp.ones((4, 4)), jnp.linspace(-6, 6, 128)
    >>> found = log_conditionals(kd.LongerRangePhi4(-0.9515, 0.7), field, nodes)
    >>> bool(jnp.allclose(found, log_conditionals(kd.Phi4(-0.9515, 0.7), field, nodes), atol=1e-5))
    True
    """
    return _log_conditionals(action, field, nodes)


@eqx.filter_jit
def _log_conditionals(action: Any, field: Array, nodes: Array) -> Array:
    h = _local_field(action, field)
    if has_spins(action):
        up, down = (_spin_term(action, jnp.full_like(field, s)) for s in (1.0, -1.0))
        return jnp.where(field > 0, h - up, -h - down) - jnp.logaddexp(h - up, -h - down)
    if is_quartic_graph(action):
        a, b = action.a, action.b
    elif has_quartic_sites(action):
        a, b = action.site_couplings(field.ndim)
    else:
        return _integrated(action, field, h, nodes)
    square = field * field
    return h * field - square * (a + b * square) - quartic.log_partition(h, a, b)


def _local_field(action: Any, field: Array) -> Array:
    if hasattr(action, "local_field"):
        return action.local_field(field)
    return action.kappa * sum_of_rolls(field, field.ndim, (-1, 1))


def _spin_term(action: Any, spin: Array) -> Array:
    return action.potential(spin, spin.ndim) if hasattr(action, "potential") else jnp.zeros_like(spin)


def _integrated(action: Any, field: Array, h: Array, x: Array) -> Array:
    spacing = (x[-1] - x[0]) / (len(x) - 1)
    exponent = h[..., None] * x - _potentials(action, x, field.ndim)
    highest = jnp.max(exponent, axis=-1, keepdims=True)
    log_sum = highest[..., 0] + jnp.log(jnp.sum(jnp.exp(exponent - highest), axis=-1))
    return h * field - action.potential(field, field.ndim) - log_sum - jnp.log(spacing)


def _potentials(action: Any, x: Array, dimension: int) -> Array:
    """V of all sites at the values x (n,): (n,), or (*shape, n) where couplings differ from site to site."""
    return jnp.moveaxis(jax.vmap(lambda value: action.potential(value, dimension))(x), 0, -1)
