"""What an inverse is: a map from a coarse field to a fine one, with its own random numbers."""

import abc
from collections.abc import Callable
from functools import partial
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Num, PRNGKeyArray, UInt32

from kadanoff.compiled.foreign import on_cpu
from kadanoff.errors import InputError
from kadanoff.random import normal, site_words
from kadanoff.renormalization.blocking import from_blocks, to_blocks
from kadanoff.renormalization.inverse.network import wrap

__all__ = ["Inverse", "cut_blocks", "in_tiles", "site_normals", "site_numbers", "to_fine"]

#: Coarse sites of one tile: bounds the memory of hidden channels and of the parameters of a density.
_TILE_SITES = 1 << 16
#: The same on a GPU, which smaller ones would leave idle while it is told what to do.
_GPU_TILE_SITES = 1 << 20


class Inverse(eqx.Module):
    """A scale transformation up: fine fields whose blocks the coarse field stands for.

    `blocks(key, coarse, number)` gives the sites of every block, (n, *coarse, b**d). `number` holds the global
    numbers of the configurations: with one key, a configuration's noise depends on its number and its sites only.
    """

    #: Whether it maps spins to spins, all +1 or -1; else real fields to real fields.
    spins: ClassVar[bool] = False

    @property
    @abc.abstractmethod
    def b(self) -> int:
        """Rescaling factor."""

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
        return self._drawn(key, coarse, number)

    def _drawn(self, key: PRNGKeyArray, coarse: Array, number: Array) -> Array:
        return to_fine(self.blocks(key, coarse, number), self.b)


@partial(jax.jit, static_argnums=1)
def cut_blocks(fine: Num[Array, "n ..."], b: int) -> Num[Array, "n ..."]:
    """Cut many fine fields into blocks, (n, *coarse, b**d): undoes `to_fine`."""
    return jax.vmap(lambda field: to_blocks(field, b))(fine)


def to_fine(blocks: Float[Array, "n ..."], b: int) -> Float[Array, "n ..."]:
    """Lay the blocks of many configurations out as fine fields."""
    return jax.vmap(lambda one: from_blocks(one, b))(blocks)


def site_numbers(coarse: tuple[int, ...], number: UInt32[Array, " n"]) -> tuple[Array, Array]:
    """Global numbers of sites and configurations, each (n, *coarse): what keys the noise."""
    site = jnp.arange(int(np.prod(coarse)), dtype=jnp.uint32).reshape(coarse)
    label = number.reshape(-1, *[1] * len(coarse))
    sites, numbers = jnp.broadcast_arrays(site, label)
    return sites, numbers


def site_normals(
    key: PRNGKeyArray, site: UInt32[Array, "..."], number: UInt32[Array, "..."], channels: int
) -> Float[Array, "... channels"]:
    """Standard normals, keyed by site and configuration number, with a last axis of channels."""
    values: list[Array] = []
    for group in range(-(-channels // 4)):
        words = site_words(jax.random.fold_in(key, group), site, number)
        values += [*normal(words[0], words[1]), *normal(words[2], words[3])]
    # Sites innermost in memory, where the compiler may choose: rows of a few channels make no vectors.
    return (
        jnp.moveaxis(jnp.stack(values[:channels]), 0, -1)
        if channels
        else jnp.zeros((*site.shape, 0), jnp.float32)
    )


def in_tiles(
    function: Callable[..., Array], reach: int, wide: Float[Array, "n ..."], *plain: Array
) -> Float[Array, "n ..."]:
    """Apply a function of periodic inputs tile by tile, so that its temporaries stay small.

    `wide` (n, *coarse, channels) is padded periodically by `reach`; each of `plain`, (n, *coarse, ...) or of one
    colour of a checkerboard (n, *coarse/2, ...), is not. The function maps tiles of all of them to
    (n', *tile, ...). Large configurations are cut into slabs along the first
    lattice axis, with a halo, many small ones into groups; the result does not depend on the cut.
    """
    count, side = wide.shape[:2]
    sites = int(np.prod(wide.shape[1:-1]))
    padded, most = wrap(wide, reach), _TILE_SITES if on_cpu() else _GPU_TILE_SITES
    if sites * count <= most:
        return function(padded, *plain)
    if sites <= most:
        return jax.lax.map(
            lambda one: function(*(part[None] for part in one))[0],
            (padded, *plain),
            batch_size=most // sites,
        )
    # Slabs of an even side have an even height, so that a checkerboard is the same in all of them.
    unit = 2 if side % 2 == 0 else 1
    cuts = [p for p in range(1, side // unit + 1) if side % (unit * p) == 0]
    pieces = next((p for p in cuts if sites // p <= most), cuts[-1])
    height = side // pieces

    def slab(index: Array) -> Array:
        which, place = index // pieces, index % pieces

        def cut(array: Array, step: int, rows: int) -> Array:
            one = jax.lax.dynamic_index_in_dim(array, which, keepdims=True)
            return jax.lax.dynamic_slice_in_dim(one, place * step, rows, axis=1)

        rows = [part.shape[1] // pieces for part in plain]
        own = (cut(part, step, step) for part, step in zip(plain, rows, strict=True))
        return function(cut(padded, height, height + 2 * reach), *own)[0]

    tiles = jax.lax.map(slab, jnp.arange(count * pieces))
    return tiles.reshape(count, pieces * tiles.shape[1], *tiles.shape[2:])
