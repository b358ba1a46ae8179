"""Exactly known starts of a path to an action: decoupled sites, and the Gaussian of its quadratic form."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from kadanoff import quartic
from kadanoff.actions import InhomogeneousIsing, InhomogeneousPhi4, Ising, PairAction, Phi4, has_spins
from kadanoff.actions.base import Action
from kadanoff.errors import InputError
from kadanoff.graph import Graph
from kadanoff.lattice import Lattice, site_name
from kadanoff.products import matmul

__all__ = ["Blend", "Start", "gaussian_start", "on_graph", "site_start"]

_MOST = 4096  # sites of a start that takes all second derivatives


class Start(eqx.Module):
    """A distribution that is known exactly: its `action`, ln Z, and independent draws `fields` (chain, *shape)."""

    action: Any
    log_partition: float
    fields: Float[Array, "chain ..."]


class Blend(Action):
    """S = (1 - t) S_first + t S_second: the path between any two actions of the same fields."""

    first: Any
    second: Any
    t: Any

    def density(self, field: Float[Array, "..."]) -> Float[Array, "..."]:
        """Terms of both, weighted."""
        return (1 - self.t) * self.first.density(field) + self.t * self.second.density(field)


def on_graph(action: Any, space: Lattice | Graph) -> Any:
    """A homogeneous phi^4 or Ising action of the library as one of pairs on the grid; any other as it is.

    >>> import kadanoff as kd
    >>> on_graph(kd.Phi4(-0.9515, 0.7), kd.Lattice((4, 4)))
    InhomogeneousPhi4(Graph(shape=(4, 4), edges=32))
    """
    if type(action) is Phi4:
        return InhomogeneousPhi4(
            Graph.grid(space.shape), action.kappa, *action.site_couplings(len(space.shape))
        )
    if type(action) is Ising:
        return InhomogeneousIsing(Graph.grid(space.shape), action.beta)
    return action


def site_start(key: PRNGKeyArray, action: Any, space: Lattice | Graph, chains: int) -> Start:
    """Sites without links: ln Z is the sum of those of quartic sites, or of ln 2 cosh r_i for spins.

    The site terms of an action of pairs are its own; of any other action they are its derivatives by one site at
    phi = 0 up to the fourth, so that phi^4 theories with further terms start from their own sites too.

    Raises `InputError` where these terms make no density; the message names the site.

    >>> import jax, kadanoff as kd
    >>> start = site_start(jax.random.key(0), kd.Ising(0.3), kd.Lattice((4, 4)), chains=2)
    >>> round(start.log_partition / 16, 4)  # ln 2
    0.6931
    """
    action = on_graph(action, space)
    if has_spins(action):
        graph = action.graph if isinstance(action, PairAction) else _graph(space)
        r = action.r if isinstance(action, PairAction) else jnp.zeros(space.shape)
        up = jax.random.uniform(key, (chains, *space.shape)) * (1 + jnp.exp(2 * r)) < 1
        log_partition = np.logaddexp(*(np.asarray(sign * r, np.float64) for sign in (1, -1))).sum()
        return Start(InhomogeneousIsing(graph, 0.0, r), float(log_partition), jnp.where(up, 1.0, -1.0))
    graph = action.graph if isinstance(action, InhomogeneousPhi4) else _graph(space)
    r, a, b = (
        (action.r, action.a, action.b)
        if isinstance(action, InhomogeneousPhi4)
        else _site_terms(action, space.shape)
    )
    bad = np.flatnonzero(~np.asarray((b > 0) | ((b == 0) & (a > 0))).ravel())
    if bad.size:
        raise InputError(
            f"site {site_name(space.shape, bad[0])} alone has no normalisable density (a={a.ravel()[bad[0]]:.3g}, "
            f"b={b.ravel()[bad[0]]:.3g}): its free energy cannot start from decoupled sites; "
            "start from a Gaussian, start='gaussian'"
        )
    site = InhomogeneousPhi4(graph, 0.0, a, b, r)
    fields = quartic.draw(key, jnp.broadcast_to(-r, (chains, *r.shape)), a, b)
    log_partition = np.asarray(quartic.log_partition(-r, a, b), np.float64).sum()
    return Start(site, float(log_partition), fields)


def gaussian_start(key: PRNGKeyArray, action: Any, space: Lattice | Graph, chains: int) -> Start:
    """The Gaussian of the linear and quadratic terms of an action: its derivatives at phi = 0.

    Raises `InputError` for spins, for more than 4096 sites, and for a quadratic form that is not positive; the
    message names the mode.

    >>> import jax, kadanoff as kd
    >>> start = gaussian_start(jax.random.key(0), kd.Phi4(1.0, 0.5), kd.Lattice((4, 4)), chains=2)
    >>> start.fields.shape
    (2, 4, 4)
    """
    action = on_graph(action, space)
    size = int(np.prod(space.shape))
    if has_spins(action):
        raise InputError("spins have no Gaussian to start from; use start='sites'")
    if size > _MOST:
        raise InputError(f"a Gaussian start takes {_MOST} sites or fewer, got {size}; use start='sites'")

    form, source = (np.asarray(part, np.float64) for part in _quadratic_form(action, space.shape))
    values, modes = np.linalg.eigh(form)
    if not values[0] > 0:
        where = site_name(space.shape, np.argmax(np.abs(modes[:, 0])))
        shape = (
            "the uniform mode" if np.ptp(modes[:, 0]) < 1e-4 else f"the mode with its peak at site {where}"
        )
        raise InputError(
            f"the quadratic form is not positive: {shape} has the eigenvalue {values[0]:.3g}, so that there is no "
            "Gaussian to start from; use start='sites'"
        )
    centre = -np.linalg.solve(form, source)
    log_partition = size / 2 * np.log(2 * np.pi) - np.log(values).sum() / 2 - source @ centre / 2
    noise = np.asarray(jax.random.normal(key, (chains, size)), np.float64)
    fields = centre + noise / np.sqrt(values) @ modes.T
    if isinstance(action, InhomogeneousPhi4):
        start: Any = InhomogeneousPhi4(action.graph, action.w, action.a, 0.0, action.r)
    else:
        start = _Gaussian(jnp.asarray(form, jnp.float32), jnp.asarray(source, jnp.float32))
    return Start(start, float(log_partition), jnp.asarray(fields, jnp.float32).reshape(chains, *space.shape))


class _Gaussian(Action):
    form: Float[Array, "n n"]
    source: Float[Array, " n"]

    def density(self, field: Float[Array, "..."]) -> Float[Array, "..."]:
        flat = field.reshape(-1)
        half = matmul(self.form, flat) / 2
        return (flat * (half + self.source)).reshape(field.shape)


@eqx.filter_jit
def _quadratic_form(action: Any, shape: tuple[int, ...]) -> tuple[Array, Array]:
    """Second and first derivatives of S at phi = 0."""

    def value(flat: Array) -> Array:
        return jnp.sum(action.density(flat.reshape(shape)))

    zero = jnp.zeros(int(np.prod(shape)))
    return jax.hessian(value)(zero), jax.grad(value)(zero)


@eqx.filter_jit
def _site_terms(action: Any, shape: tuple[int, ...]) -> tuple[Array, Array, Array]:
    """r, a, b of every site: first, half the second and a 24th of the fourth derivative by it at phi = 0."""

    def alone(x: Array, site: Array) -> Array:
        return jnp.sum(action.density(jnp.zeros(size).at[site].set(x).reshape(shape)))

    size = int(np.prod(shape))
    first = jax.grad(alone)
    second = jax.grad(first)
    fourth = jax.grad(jax.grad(second))
    site = jnp.arange(size)
    terms = jax.lax.map(
        lambda i: jnp.stack([d(0.0, i) for d in (first, second, fourth)]), site, batch_size=64
    )
    r, a, b = (terms / jnp.array([1, 2, 24])).T
    return r.reshape(shape), a.reshape(shape), b.reshape(shape)


def _graph(space: Lattice | Graph) -> Graph:
    return space if isinstance(space, Graph) else Graph.grid(space.shape)
