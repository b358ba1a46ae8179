"""Embedded cluster updates of Z2-symmetric nearest-neighbour actions: Swendsen-Wang and Wolff."""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, PRNGKeyArray

from kadanoff.actions.base import NearestNeighbourAction, has_spins
from kadanoff.compiled.clusters import clusters
from kadanoff.compiled.foreign import call, either, threads
from kadanoff.compiled.frames import Work
from kadanoff.errors import InputError
from kadanoff.lattice import Lattice
from kadanoff.random import site_words, uniform
from kadanoff.sampling.components import components
from kadanoff.sampling.metropolis import require_nearest_neighbour
from kadanoff.sampling.state import ChainState, Info, chain_state

__all__ = ["SwendsenWang", "Wolff"]


@eqx.filter_jit
def _potentials(action: NearestNeighbourAction, phi: Array, dimension: int) -> tuple[Array, Array]:
    return action.potential(phi, dimension), action.potential(-phi, dimension)


class _EmbeddedCluster(eqx.Module):
    """Freeze bonds with probability 1 - exp(-2 kappa phi_x phi_y) where positive, then flip signs of
    clusters.
    """

    #: Whether one cluster flips, or each with probability 1/2.
    single: ClassVar[bool] = False
    tuned: ClassVar[bool] = False

    def init(self, action: Any, fields: Array | np.ndarray, chain: Array | None = None) -> ChainState:
        """Make the state; `InputError` for an action without nearest-neighbour form or without phi -> -phi
        symmetry.
        """
        require_nearest_neighbour(action, type(self).__name__)
        probe = np.linspace(0.1, 2.0, 7, dtype=np.float32)
        # an even potential is the same to rounding; a weak external field moves large lattices
        if not np.allclose(*_potentials(action, jax.device_put(probe), fields.ndim - 1), rtol=1e-6, atol=0):
            raise InputError(
                f"{type(self).__name__} flips signs of clusters, but the potential of "
                f"{type(action).__name__} is not even; use Metropolis or "
                + ("HeatBath" if has_spins(action) else "HybridMonteCarlo")
            )
        return chain_state(fields, chain, 1.0)

    @eqx.filter_jit
    def step(
        self, key: PRNGKeyArray, action: NearestNeighbourAction, state: ChainState
    ) -> tuple[ChainState, Info]:
        """Build the clusters of every chain once and flip."""
        keys = jax.random.key_data(jax.random.split(key))
        given, single = (keys, state.fields, state.chain, action.kappa), state.fields.dtype == jnp.float32
        fields = either(self._compiled, self._generic, *given, when=single, shards=True)
        return eqx.tree_at(lambda s: s.fields, state, fields), Info(jnp.ones(()))

    def _compiled(self, keys: Array, fields: Array, chain: Array, kappa: ArrayLike) -> Array:
        chains = len(fields)
        work = Work(max(min(threads(), chains), 1), shared=chains > 1, form=int(self.single))
        result = jax.ShapeDtypeStruct(fields.shape, fields.dtype)
        strength = jnp.asarray(kappa, jnp.float32).reshape(1)
        return call(clusters, result, (fields, chain, keys, strength), work)

    def _generic(self, keys: Array, fields: Array, chain: Array, kappa: ArrayLike) -> Array:
        bond_key, flip_key = jax.random.wrap_key_data(keys)
        lattice = Lattice(fields.shape[1:])
        site = jnp.arange(lattice.volume, dtype=jnp.uint32).reshape(lattice.shape)
        chain = chain.reshape(-1, *[1] * lattice.dimension)
        random = site_words(bond_key, site, chain)
        bonds = []
        for mu in range(lattice.dimension):
            strength = 2 * kappa * fields * jnp.roll(fields, -1, mu + 1)
            # exp loses nothing beside the 24 bits of a uniform, and is three times faster than expm1 on a CPU
            bonds.append(uniform(random[mu]) >= jnp.exp(-strength))
        labels = components(jnp.stack(bonds, axis=1))
        return jnp.where(self._flip(flip_key, labels, chain), -fields, fields)

    def _flip(self, key: PRNGKeyArray, labels: Array, chain: Array) -> Array:
        raise NotImplementedError

    def tune(self, state: ChainState, info: Info) -> ChainState:
        """Nothing to tune."""
        return state


class SwendsenWang(_EmbeddedCluster):
    """Swendsen-Wang update of the signs of the field: every cluster flips with probability 1/2.

    Source: R. Swendsen, J.-S. Wang, PRL 58 (1987) 86; embedded in phi^4: R. Brower, P. Tamayo, PRL 62 (1989)
    1087.
    """

    def _flip(self, key: PRNGKeyArray, labels: Array, chain: Array) -> Array:
        return site_words(key, labels.astype(jnp.uint32), chain)[0] >= jnp.uint32(2**31)


class Wolff(_EmbeddedCluster):
    """Wolff update of the signs of the field: the cluster of one random site of every chain flips.

    Source: U. Wolff, PRL 62 (1989) 361.
    """

    single: ClassVar[bool] = True

    def _flip(self, key: PRNGKeyArray, labels: Array, chain: Array) -> Array:
        volume = labels[0].size
        words = site_words(key, jnp.uint32(0), chain.reshape(-1))[0]
        seed = jnp.minimum((uniform(words) * volume).astype(jnp.int32), volume - 1)
        chosen = jnp.take_along_axis(labels.reshape(len(labels), -1), seed[:, None], axis=1)
        return labels == chosen.reshape(-1, *[1] * (labels.ndim - 1))
