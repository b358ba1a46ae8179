"""Connected components of bonds on periodic lattices, for many chains at once.

On a CPU a union-find compiled by numba is ten times faster than label propagation; on an accelerator the
labels are propagated by hooking and pointer jumping. Both give the smallest site number of each component.
"""

from functools import lru_cache
from typing import Any, no_type_check

import jax
import jax.numpy as jnp
import numba
import numpy as np
from jaxtyping import Array, Bool, Int32

__all__ = ["components", "components_by_propagation", "components_by_union_find"]


def components(bonds: Bool[Array, "chain d *lattice"]) -> Int32[Array, "chain *lattice"]:
    """Label every site by the smallest site number of its component; bonds[:, mu] joins x and x + e_mu.

    >>> import jax.numpy as jnp
    >>> components(jnp.array([[[True, False, False, True]]])).tolist()
    [[0, 0, 2, 0]]
    """
    return jax.lax.platform_dependent(bonds, cpu=components_by_union_find, default=components_by_propagation)


def components_by_union_find(bonds: Bool[Array, "chain d *lattice"]) -> Int32[Array, "chain *lattice"]:
    """Label components by union-find with path halving (R. E. Tarjan, J. ACM 22 (1975) 215), on the host."""
    shape = jax.ShapeDtypeStruct((bonds.shape[0], *bonds.shape[2:]), jnp.int32)
    return jax.pure_callback(_host_components, shape, bonds)


def components_by_propagation(bonds: Bool[Array, "chain d *lattice"]) -> Int32[Array, "chain *lattice"]:
    """Label components by hooking onto the smallest neighbouring label and pointer jumping, on any device."""
    chains, dimension, *shape = bonds.shape
    volume = int(np.prod(shape))
    sites = jnp.arange(volume, dtype=jnp.int32).reshape(shape)
    first = jnp.broadcast_to(sites, (chains, *shape))
    backward = jnp.stack([jnp.roll(bonds[:, mu], 1, mu + 1) for mu in range(dimension)], axis=1)

    def smallest(labels: Array) -> Array:
        best = labels
        for mu in range(dimension):
            best = jnp.where(bonds[:, mu], jnp.minimum(best, jnp.roll(labels, -1, mu + 1)), best)
            best = jnp.where(backward[:, mu], jnp.minimum(best, jnp.roll(labels, 1, mu + 1)), best)
        return best

    def body(state: tuple[Array, Array]) -> tuple[Array, Array]:
        labels, _ = state
        flat, hooked = labels.reshape(chains, volume), smallest(labels).reshape(chains, volume)
        roots = jax.vmap(lambda own, at, new: own.at[at].min(new))(flat, flat, hooked)
        roots = jnp.minimum(roots, hooked)
        for _ in range(2):
            roots = jnp.take_along_axis(roots, roots, axis=1)
        new = roots.reshape(labels.shape)
        return new, jnp.any(new != labels)

    return jax.lax.while_loop(lambda state: state[1], body, (first, jnp.array(True)))[0]


@lru_cache(maxsize=32)
def _forward(shape: tuple[int, ...]) -> np.ndarray:
    sites = np.arange(int(np.prod(shape)), dtype=np.int32).reshape(shape)
    return np.stack([np.roll(sites, -1, mu).ravel() for mu in range(len(shape))])


def _host_components(bonds: Any) -> np.ndarray:
    bonds = np.asarray(bonds)  # a callback hands over a JAX array
    chains, dimension, *shape = bonds.shape
    labels = np.empty((chains, int(np.prod(shape))), dtype=np.int32)
    _union_find(bonds.reshape(chains, dimension, -1), _forward(tuple(shape)), labels)
    return labels.reshape(chains, *shape)


@numba.njit(parallel=True, cache=True)
@no_type_check  # numba compiles the function itself, not a wrapper that checks it
def _union_find(bonds, forward, labels):  # pragma: no cover - compiled
    chains, dimension, volume = bonds.shape
    for chain in numba.prange(chains):
        parent = labels[chain]
        for site in range(volume):
            parent[site] = site
        for mu in range(dimension):
            for site in range(volume):
                if bonds[chain, mu, site]:
                    left, right = site, forward[mu, site]
                    while parent[left] != left:
                        parent[left] = parent[parent[left]]
                        left = parent[left]
                    while parent[right] != right:
                        parent[right] = parent[parent[right]]
                        right = parent[right]
                    if left < right:
                        parent[right] = left
                    else:
                        parent[left] = right
        # Parents are never larger than their sites, so one ascending pass reaches every root.
        for site in range(volume):
            parent[site] = parent[parent[site]]
