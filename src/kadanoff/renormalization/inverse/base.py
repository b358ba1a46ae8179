"""What an inverse is: a map from a coarse field to a fine one, with its own random numbers."""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, UInt32

from kadanoff.errors import InputError
from kadanoff.random import normal, site_words
from kadanoff.renormalization.blocking import from_blocks
from kadanoff.renormalization.inverse.network import OddNetwork, wrap

__all__ = ["Inverse", "apply_tiled", "site_normals", "to_fine"]

#: Coarse sites of one tile of the network: bounds the memory of its hidden channels.
_TILE_SITES = 1 << 17


class Inverse(eqx.Module):
    """A scale transformation up: fine fields whose blocks the coarse field stands for.

    `blocks(key, coarse, number)` gives the sites of every block, (n, *coarse, b**d). `number` holds the global
    numbers of the configurations: with one key, a configuration's noise depends on its number and its sites only.
    """

    b: eqx.AbstractVar[int]

    @property
    @abc.abstractmethod
    def dimension(self) -> int:
        """Dimension of the lattice the inverse was made for."""

    @property
    @abc.abstractmethod
    def reach(self) -> int:
        """How many coarse sites it looks in each direction."""

    @property
    def receptive_field(self) -> int:
        """Side of the coarse neighbourhood that a fine block depends on."""
        return 2 * self.reach + 1

    @property
    def parameters(self) -> int:
        """Number of trained numbers."""
        return sum(leaf.size for leaf in jax.tree_util.tree_leaves(eqx.filter(self, eqx.is_inexact_array)))

    @abc.abstractmethod
    def blocks(
        self, key: PRNGKeyArray, coarse: Float[Array, "n ..."], number: UInt32[Array, " n"]
    ) -> Float[Array, "n ..."]:
        """Sites of every block."""

    def __call__(self, key: PRNGKeyArray, field: Float[Array, "..."]) -> Float[Array, "..."]:
        """Map one coarse field to one fine field."""
        return self.fine(key, field[None], jnp.zeros(1, dtype=jnp.uint32))[0]

    @eqx.filter_jit
    def fine(
        self, key: PRNGKeyArray, coarse: Float[Array, "n ..."], number: UInt32[Array, " n"]
    ) -> Float[Array, "n ..."]:
        """Map many coarse fields (n, *coarse) to fine ones (n, *fine)."""
        if coarse.ndim - 1 != self.dimension:
            raise InputError(
                f"the inverse was made for dimension {self.dimension}, the fields have {coarse.ndim - 1}; learn one "
                "on an ensemble of that dimension"
            )
        return to_fine(self.blocks(key, coarse, number), self.b)


def to_fine(blocks: Float[Array, "n ..."], b: int) -> Float[Array, "n ..."]:
    """Lay the blocks of many configurations out as fine fields."""
    return jax.vmap(lambda one: from_blocks(one, b))(blocks)


def site_normals(
    key: PRNGKeyArray, coarse: tuple[int, ...], number: UInt32[Array, " n"], channels: int
) -> Float[Array, "n ..."]:
    """Standard normals (n, *coarse, channels), keyed by site and configuration number."""
    site = jnp.arange(int(np.prod(coarse)), dtype=jnp.uint32).reshape(coarse)
    label = number.reshape(-1, *[1] * len(coarse))
    values: list[Array] = []
    for group in range(-(-channels // 4)):
        words = site_words(jax.random.fold_in(key, group), site, label)
        values += [*normal(words[0], words[1]), *normal(words[2], words[3])]
    return jnp.stack(values[:channels], axis=-1) if channels else jnp.zeros((len(number), *coarse, 0))


def apply_tiled(network: OddNetwork, inputs: Float[Array, "n ..."]) -> Float[Array, "n ..."]:
    """Apply a network to periodic inputs (n, *coarse, channels), slab by slab when they are large.

    Slabs along the first lattice axis carry a halo of `reach` sites, so the result does not depend on the tiling.
    """
    count, side = inputs.shape[:2]
    sites = int(np.prod(inputs.shape[:-1]))
    padded = wrap(inputs, network.reach)
    if sites <= _TILE_SITES:
        return network(padded)
    if sites // count > _TILE_SITES:
        pieces = next(p for p in range(1, side + 1) if side % p == 0 and sites // count // p <= _TILE_SITES)
        height = side // pieces

        def slab(index: Array) -> Array:
            which, piece = index // pieces, index % pieces
            one = jax.lax.dynamic_index_in_dim(padded, which, keepdims=True)
            return network(
                jax.lax.dynamic_slice_in_dim(one, piece * height, height + 2 * network.reach, axis=1)
            )[0]

        tiles = jax.lax.map(slab, jnp.arange(count * pieces))
        return tiles.reshape(count, side, *tiles.shape[2:])
    return jax.lax.map(
        lambda one: network(one[None])[0], padded, batch_size=max(1, _TILE_SITES * count // sites)
    )
