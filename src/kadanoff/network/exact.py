"""The exact log-partition function and log-likelihood of small networks: enumeration, quadrature, determinants."""

from collections.abc import Callable
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float
from scipy.ndimage import maximum_filter, minimum_filter

from kadanoff.errors import InputError
from kadanoff.network.model import Phi4Network
from kadanoff.network.units import GaussianUnit, Phi4Unit, Unit
from kadanoff.products import matmul

__all__ = ["exact_log_likelihood", "exact_log_partition", "visible_energy"]

#: `Phi4Network.visible_energy` and `Phi4Network.hidden_energy`, each as one program.
visible_energy = eqx.filter_jit(Phi4Network.visible_energy)
hidden_energy = eqx.filter_jit(Phi4Network.hidden_energy)

MOST_DISCRETE = 20  # units of a layer that are enumerated: a million states
MOST_CONTINUOUS = 3  # units of a layer that are integrated on a grid
_NODES = 97  # of an axis, intervals halved as often as needed; odd: one in the middle, where peaks often are
_MOST_NODES = 2**20  # in all
_RESOLVED = 1e-4  # nats by which the rule may differ from that on every second node
_CHUNK = 2**14
_DEPTH = 30.0
_SEARCHED = {1: 1025, 2: 129, 3: 33}  # nodes of an axis, by how many there are, of the search for a box
_SHRINKS = 40
_NEAR, _FAR, _LINE = 1e-3, 1e6, 512  # places on each half of an axis where energies are bounded


def exact_log_partition(network: Phi4Network) -> Float[Array, ""]:
    """ln Z without sampling, where one layer is small or both are Gaussian; differentiable by the couplings.

    One layer is traced out in closed form; the other is enumerated (up to 20 discrete units) or integrated by the
    trapezoidal rule (up to 3 real ones). Two Gaussian layers of any size give a determinant.

    Raises `InputError` where both layers are too large, or the integrand is too narrow for a grid.

    >>> network = Phi4Network.random("bernoulli", 3, "ising", 2, width=0.0)
    >>> round(float(exact_log_partition(network)), 4)  # 5 ln 2
    3.4657
    """
    visible, hidden = network.visible, network.hidden
    if _is_gaussian(visible) and _is_gaussian(hidden):
        return _gaussian(network, visible, hidden)
    layers = [(hidden, partial(hidden_energy, network)), (visible, partial(visible_energy, network))]
    feasible = [pair for pair in layers if pair[0].size <= _most(pair[0])]
    if not feasible:
        raise InputError(
            f"{network!r} is too large for an exact ln Z: one layer must have at most {MOST_DISCRETE} discrete or "
            f"{MOST_CONTINUOUS} real units; use annealed importance sampling"
        )
    layer, energy = min(feasible, key=lambda pair: pair[0].size * (1 if pair[0].levels else 6))
    if layer.levels is None:
        return _integrated(network, layer, layer is hidden)
    return _log_sum(_in_chunks(energy, _states(layer)))


def exact_log_likelihood(network: Phi4Network, v: Float[Array, "sample visible"]) -> Float[Array, " sample"]:
    """ln p(v) of every sample; as `exact_log_partition`, and with its errors."""
    return -visible_energy(network, v) - exact_log_partition(network)


def _most(layer: Unit) -> int:
    return MOST_CONTINUOUS if layer.levels is None else MOST_DISCRETE


def _states(layer: Unit) -> Float[Array, "state units"]:
    assert layer.levels is not None
    low, high = layer.levels
    bits = (np.arange(2**layer.size)[:, None] >> np.arange(layer.size)) & 1
    return jnp.asarray(low + (high - low) * bits, jnp.float32)


def _in_chunks(energy: Callable[[Array], Array], points: Array) -> Array:
    """The energies of all points; few at a time, for those of many would not fit into memory."""
    parts = [energy(points[start : start + _CHUNK]) for start in range(0, len(points), _CHUNK)]
    return jnp.concatenate(parts) if len(parts) > 1 else parts[0]


@jax.jit
def _log_sum(energies: Array) -> Float[Array, ""]:
    return jax.scipy.special.logsumexp(-energies)


def _is_gaussian(layer: Unit) -> bool:
    if isinstance(layer, Phi4Unit) and not isinstance(layer.b, Tracer):
        return not np.any(np.asarray(layer.b))
    return isinstance(layer, GaussianUnit)


@eqx.filter_jit
def _gaussian(network: Phi4Network, visible: Any, hidden: Any) -> Float[Array, ""]:
    """ln of the integral of exp(-z Q z/2 - r z), Q from both layers."""
    form = jnp.block([[2 * jnp.diag(visible.a), -network.w], [-network.w.T, 2 * jnp.diag(hidden.a)]])
    source = jnp.concatenate([visible.r, hidden.r])
    size = len(source)
    quadratic = matmul(source, jnp.linalg.solve(form, source)) / 2
    return quadratic + (size * jnp.log(2 * jnp.pi) - jnp.linalg.slogdet(form)[1]) / 2


def _integrated(network: Phi4Network, layer: Unit, is_hidden: bool) -> Float[Array, ""]:
    """The trapezoidal rule, which converges exponentially for these integrands, on a box that leaves nothing out.

    As it does, the rule on every second node tells whether there are enough.
    """
    energy = partial(hidden_energy if is_hidden else visible_energy, network)
    box, nodes = _box(jax.tree_util.tree_map(jax.lax.stop_gradient, network), is_hidden), _NODES
    while nodes**layer.size <= _MOST_NODES:
        axes = [np.linspace(*ends, nodes) for ends in box]
        values = _values(energy, axes)
        if _is_resolved(np.asarray(jax.lax.stop_gradient(values), np.float64)):
            spacing = sum(np.log(axis[1] - axis[0]) for axis in axes)
            return _log_sum(values) + spacing
        nodes = 2 * nodes - 1
    raise InputError(
        f"the density of {network!r} is too narrow for the largest grid of an exact ln Z, its links are too strong; "
        "use annealed importance sampling"
    )


def _is_resolved(values: Float[np.ndarray, "..."]) -> bool:
    """Whether every second node of a grid of energies gives the same integral, and the faces give none of it."""
    weights = np.exp(values.min() - values)
    second = weights[(slice(None, None, 2),) * weights.ndim]
    ratio = second.sum() * 2**weights.ndim / weights.sum()
    faces = max(np.take(weights, [0, -1], axis=axis).max() for axis in range(weights.ndim))
    return bool(abs(np.log(max(ratio, 1e-300))) < _RESOLVED and faces < np.exp(-_DEPTH / 2))


def _box(network: Phi4Network, is_hidden: bool) -> list[tuple[float, float]]:
    """The ends, on every axis, of a box outside of which exp(-energy) is exp(-30) of its largest value, or less.

    It shrinks from where no mode can be, and so holds all of them, however far apart they are. What energies differ
    by from a node to its neighbours is how much lower they may be in between.
    """
    energy = partial(hidden_energy if is_hidden else visible_energy, network)
    box = _outer(network, is_hidden)
    for _ in range(_SHRINKS):
        before = box
        axes = [np.linspace(low, high, _SEARCHED[len(box)]) for low, high in box]
        values = np.asarray(_values(energy, axes), np.float64)
        least = values + minimum_filter(values, 3) - maximum_filter(values, 3)
        inside = np.argwhere(least < values.min() + _DEPTH)
        first, last = inside.min(axis=0), inside.max(axis=0)
        box = [
            (float(nodes[max(i - 1, 0)]), float(nodes[min(j + 1, len(nodes) - 1)]))
            for nodes, i, j in zip(axes, first, last, strict=True)
        ]
        if all(np.diff(now) > 0.9 * np.diff(old) for now, old in zip(box, before, strict=True)):
            break
    return box


def _outer(network: Phi4Network, is_hidden: bool) -> list[tuple[float, float]]:
    """The ends of a box outside of which a bound from below says that energies are above that at zero.

    What the other layer is summed to, ln Z_j(sum_i w_ij x_i), is convex: at most the mean of ln Z_j(d w_ij x_i) over
    the d axes. Between two places on an axis it is at most the larger one there.
    """
    pair = (network.hidden, network.visible) if is_hidden else (network.visible, network.hidden)
    (layer, other), w = pair, network.w.T if is_hidden else network.w
    axis = np.geomspace(_NEAR, _FAR, _LINE)
    x = jnp.asarray(np.concatenate([-axis[::-1], [0.0], axis]), jnp.float32)
    site = layer.energy(jnp.repeat(x[:, None], layer.size, axis=1))
    traced = jax.lax.map(lambda value: other.log_partition(layer.size * value * w).mean(axis=-1), x)
    site, traced = (np.asarray(each, np.float64) for each in (site, traced * other.size / layer.size))
    bound = np.minimum(site[1:], site[:-1]) - np.maximum(traced[1:], traced[:-1])
    at_zero = (site - traced)[len(axis)].sum()
    others = bound.min(axis=0).sum() - bound.min(axis=0)
    places = [np.flatnonzero(column < at_zero + _DEPTH) for column in (bound + others).T]
    return [(float(x[place[0]]), float(x[place[-1] + 1])) for place in places]


def _values(energy: Callable[[Array], Array], axes: list[np.ndarray]) -> Float[Array, "..."]:
    """Energies on a grid."""
    return _in_chunks(energy, _grid(axes)).reshape([len(axis) for axis in axes])


def _grid(axes: list[np.ndarray]) -> Float[Array, "node axis"]:
    return jnp.asarray(
        np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes)), jnp.float32
    )
