"""Pseudo-likelihood of phi^4 on graphs: sites that are quartic, with gradient and sparse Hessian from their moments.

Given the others, a site has the energy sum_k u_k m_k(x) with m = (x, x^2, x^4) and u linear in the couplings: those
of its edges enter by -phi_j. So the gradient is a residual of moments and the Hessian their covariance, in closed
form, and both are sparse: couplings meet only at a site they share.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.sparse import coo_array, csr_array

from kadanoff import quartic
from kadanoff.actions.inhomogeneous import InhomogeneousPhi4
from kadanoff.learning.data.parameters import Parameters
from kadanoff.products import einsum

__all__ = ["PairSites"]

_SITES = 1 << 17  # handled at once, times some 64 nodes each


class PairSites:
    """-ln p of all sites given the others, a mean over fields, as a function of the trained couplings."""

    def __init__(
        self, parameters: Parameters, fields: np.ndarray, weights: np.ndarray, ridge: np.ndarray
    ) -> None:
        self._parameters, self._ridge = parameters, ridge
        self._flat, self._weights = fields.reshape(len(fields), -1), weights
        graph = parameters.action.graph
        self._near, edges, valid = graph.neighbours
        places = {name: parameters.places(name) for name in "wrab"}
        # Where the local couplings of each site (edges, r, a, b) stand in the vector; -1 where there is none to train.
        columns = [np.where(valid, -1 if places["w"] is None else np.append(places["w"], -1)[edges], -1)]
        for name in "rab":
            place = places[name]
            columns.append(np.full((graph.volume, 1), -1) if place is None else place.reshape(-1, 1))
        self._index = np.concatenate(columns, axis=1)
        self._valid = valid
        rows = max(1, _SITES // graph.volume)
        self._parts = [slice(i, i + rows) for i in range(0, len(self._flat), rows)]

    def value(self, vector: Float[np.ndarray, " K"]) -> float:
        """The objective, with the ridge."""
        action = self._parameters.at(vector)
        found = sum(
            float(self._weights[p] @ np.asarray(_energies(action, jnp.asarray(self._flat[p])), np.float64))
            for p in self._parts
        )
        return found + float(self._ridge @ vector**2) / 2

    def slopes(self, vector: Float[np.ndarray, " K"]) -> tuple[np.ndarray, csr_array]:
        """Gradient and Hessian."""
        action, size = self._parameters.at(vector), len(vector)
        gradient, blocks = np.zeros(size), 0.0
        for p in self._parts:
            residual, covariance = _moments(action, jnp.asarray(self._flat[p]))
            weights, ahead = jnp.asarray(self._weights[p], jnp.float32), self._ahead(p)
            gradient += self._weights[p] @ self._scattered(p, residual)
            blocks = blocks + np.asarray(_blocks(ahead, covariance, weights), np.float64)
        rows, columns = np.broadcast_arrays(self._index[:, :, None], self._index[:, None, :])
        kept = (rows >= 0) & (columns >= 0)
        hessian = coo_array((np.asarray(blocks)[kept], (rows[kept], columns[kept])), shape=(size, size))
        ridge = coo_array((self._ridge, (np.arange(size), np.arange(size))), shape=(size, size))
        return gradient + self._ridge * vector, (hessian + ridge).tocsr()

    def terms(self, vector: Float[np.ndarray, " K"]) -> Float[np.ndarray, "n K"]:
        """The gradient of every field, the ridge included."""
        action = self._parameters.at(vector)
        parts = [self._scattered(p, _moments(action, jnp.asarray(self._flat[p]))[0]) for p in self._parts]
        return np.concatenate(parts) + self._ridge * vector

    def _ahead(self, part: slice) -> Array:
        """-phi_j of the far ends of every site's edges, (n, site, D)."""
        return -jnp.asarray(self._flat[part])[:, self._near] * self._valid

    def _scattered(self, part: slice, residual: Array) -> np.ndarray:
        """Residuals of the moments as residuals of the couplings, (n, K)."""
        x, square, fourth = (np.asarray(residual[..., k], np.float64) for k in range(3))
        edges = np.asarray(self._ahead(part), np.float64) * x[..., None]
        local = np.concatenate([edges, np.stack([x, square, fourth], axis=-1)], axis=-1)
        kept = self._index >= 0
        size = len(self._parameters.values)
        places, flat = self._index[kept], local[:, kept]
        collect = coo_array(
            (np.ones(len(places)), (places, np.arange(len(places)))), shape=(size, len(places))
        )
        return np.asarray((collect.tocsr() @ flat.T).T)


def _couplings(action: InhomogeneousPhi4, flat: Array) -> tuple[Array, Array, Array]:
    sites, edges, valid = action.graph.neighbours
    strength = jnp.where(valid, action.w[edges], 0)
    h = jnp.sum(strength * flat[:, sites], axis=-1) - action.r.ravel()
    return h, action.a.ravel(), action.b.ravel()


@jax.jit
def _energies_of(h: Array, a: Array, b: Array, flat: Array) -> Array:
    square = flat * flat
    return jnp.sum(quartic.log_partition(h, a, b) - h * flat + square * (a + b * square), axis=-1)


def _energies(action: InhomogeneousPhi4, flat: Array) -> Array:
    return _energies_of(*_couplings(action, flat), flat)


@jax.jit
def _moments_of(h: Array, a: Array, b: Array, flat: Array) -> tuple[Array, Array]:
    mean = quartic.mean(h, a, b)
    second, fourth = quartic.moments(h, a, b, (2, 4))
    residual = jnp.stack([flat - mean, flat**2 - second, flat**4 - fourth], axis=-1)
    return residual, quartic.covariance(h, a, b, (1, 2, 4))


def _moments(action: InhomogeneousPhi4, flat: Array) -> tuple[Array, Array]:
    """What the moments of every site miss, m(phi_i) - <m>, (n, site, 3), and their covariance (n, site, 3, 3)."""
    return _moments_of(*_couplings(action, flat), flat)


@jax.jit
def _blocks(ahead: Array, covariance: Array, weights: Array) -> Array:
    """Sum over fields of the Hessian of every site, (site, D + 3, D + 3)."""
    weighted = covariance * weights[:, None, None, None]
    edges = einsum("nid,nie,ni->ide", ahead, ahead, weighted[..., 0, 0])
    mixed = einsum("nid,nik->idk", ahead, weighted[..., 0, :])
    own = jnp.sum(weighted, axis=0)
    return jnp.concatenate(
        [
            jnp.concatenate([edges, mixed], axis=2),
            jnp.concatenate([jnp.swapaxes(mixed, 1, 2), own], axis=2),
        ],
        axis=1,
    )
