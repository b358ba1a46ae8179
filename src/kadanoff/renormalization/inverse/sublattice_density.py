"""Densities block by block: one sublattice of blocks given the coarse field, the next given that as well."""

import abc
from collections.abc import Sequence
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, UInt32

from kadanoff.lattice import Lattice
from kadanoff.random import site_words
from kadanoff.renormalization.inverse.base import Inverse, cut_blocks, in_tiles, site_numbers
from kadanoff.renormalization.inverse.network import wrap
from kadanoff.renormalization.inverse.sublattice import corners, merge, pick

__all__ = ["Head", "SublatticeDensity"]


class Head(eqx.Module):
    """A network that gives the parameters of every block's density, with `tempered`."""

    @abc.abstractmethod
    def outputs(self, padded: Float[Array, "n ..."], places: Sequence[tuple[int, ...]] | None = None) -> Any:
        """What the network says of every block, or of those at `places`, from inputs padded by its reach."""

    def law(self, outputs: Any) -> Any:
        """The parameters that outputs stand for, block by block."""
        return outputs

    def __call__(self, padded: Float[Array, "n ..."], places: Sequence[tuple[int, ...]] | None = None) -> Any:
        """The parameters of every block, or of those at `places`."""
        return self.law(self.outputs(padded, places))


class SublatticeDensity(Inverse):
    """p(fine | coarse) as a product over blocks; a head gives the parameters of every block's density.

    A head maps inputs (n, *padded, channels), padded by its network's reach, to parameters with `tempered`: the
    coarse field for the `first` colour, the coarse field and the sites of all blocks drawn before for the `second`
    (and, with an odd side, the third); outputs of both have the same shapes. Which sublattice comes
    first is drawn for each configuration, so the law is exactly translation-equivariant.
    `temperature` multiplies the spread of every component, not that between them, in draws and in the density alike.
    """

    first: eqx.AbstractVar[Any]
    second: eqx.AbstractVar[Any]
    temperature: eqx.AbstractVar[float]

    @property
    def dimension(self) -> int:
        """Dimension of the lattice."""
        return self.first.network.dimension

    @property
    def reach(self) -> int:
        """Reach of one of the networks; the second sublattice sees the first one's draws, hence as far again."""
        return self.first.network.reach

    def blocks(
        self, key: PRNGKeyArray, coarse: Float[Array, "n ..."], number: UInt32[Array, " n"]
    ) -> Float[Array, "n ..."]:
        """Sites of every block, (n, *coarse, b**d), sublattice after sublattice."""
        lattice = Lattice(coarse.shape[1:])
        choice, *keys = jax.random.split(key, 1 + lattice.colours)
        offsets = jnp.asarray(_offsets(lattice))
        offset = offsets[site_words(choice, jnp.uint32(0), number)[0] % len(offsets)]
        # Fields are translated, not colours: every configuration then has the same ones.
        shifted, site, label = (
            _roll(part, -offset) for part in (coarse, *site_numbers(coarse.shape[1:], number))
        )
        done = jnp.zeros((*coarse.shape, self.b**self.dimension), coarse.dtype)
        for colour in range(lattice.colours):
            inputs, places = self._inputs(shifted, done, colour), _places(lattice, colour)
            draw = partial(self._draw, self._head(colour), keys[colour], places)
            if places is None:
                drawn = in_tiles(draw, self.reach, inputs, shifted, site, label)
                done = jnp.where((jnp.asarray(lattice.colouring) == colour)[..., None], drawn, done)
            else:
                own = (pick(part, places) for part in (shifted, site, label))
                done = merge(done, in_tiles(draw, self.reach, inputs, *own), places)
        return _roll(done, offset)

    def _head(self, colour: int) -> Any:
        return self.first if colour == 0 else self.second

    def _inputs(self, coarse: Array, done: Array, colour: int) -> Array:
        return coarse[..., None] if colour == 0 else jnp.concatenate([coarse[..., None], done], axis=-1)

    @abc.abstractmethod
    def _draw(
        self,
        head: Any,
        key: PRNGKeyArray,
        places: Sequence[tuple[int, ...]] | None,
        padded: Array,
        coarse: Array,
        site: Array,
        number: Array,
    ) -> Array:
        """Sites of the blocks at `places`, (n, *places, b**d)."""

    def block_log_prob(
        self, fine_blocks: Float[Array, "n ..."], coarse: Float[Array, "n ..."]
    ) -> Float[Array, "n ..."]:
        """Log-density of every block (n, *coarse) given the coarse field and the blocks of lower colours."""
        lattice = Lattice(coarse.shape[1:])
        colouring, parts, where = jnp.asarray(lattice.colouring), [], []
        for colour in range(lattice.colours):
            known = jnp.where((colouring < colour)[..., None], fine_blocks, 0)
            padded, places = wrap(self._inputs(coarse, known, colour), self.reach), _places(lattice, colour)
            parts.append(self._head(colour).outputs(padded, places))
            where.append(places)
        # One density for all colours, stacked: compilers spend their time on its many small steps.
        outputs = jax.tree_util.tree_map(lambda *each: jnp.stack(each), *parts)
        stacked = self.first.law(outputs).tempered(self.temperature)
        if where[0] is None:
            terms = self._log_density(stacked, coarse, fine_blocks)
            return jnp.take_along_axis(terms, colouring[None, None], axis=0)[0]
        own = [jnp.stack([pick(part, places) for places in where]) for part in (coarse, fine_blocks)]
        terms = self._log_density(stacked, *own)
        return merge(jnp.zeros_like(coarse), jnp.concatenate(list(terms), axis=-1), [*where[0], *where[1]])

    @abc.abstractmethod
    def _log_density(self, parts: Any, coarse: Array, blocks: Array) -> Array:
        """Log-density of blocks (..., b**d) under the parameters of a head."""

    @eqx.filter_jit
    def log_prob(self, fine: Float[Array, "n ..."], coarse: Float[Array, "n ..."]) -> Float[Array, " n"]:
        """Log-density of fine fields (n, *fine) given coarse ones (n, *coarse).

        With the rule of a consistent density, it is with respect to delta(RG(fine) - coarse) d fine; for spins it is
        the log-probability. The order of the sublattices is summed over.
        """
        blocks = cut_blocks(fine, self.b)
        offsets = jnp.asarray(_offsets(Lattice(coarse.shape[1:])))
        axes = tuple(range(1, coarse.ndim))

        def one(offset: Array) -> Array:
            back = jnp.broadcast_to(-offset, (len(coarse), len(offset)))
            return jnp.sum(self.block_log_prob(_roll(blocks, back), _roll(coarse, back)), axis=axes)

        values = jax.lax.map(one, offsets)
        return jax.nn.logsumexp(values, axis=0) - jnp.log(len(offsets))


def _offsets(lattice: Lattice) -> list[tuple[int, ...]]:
    """Translations that give different colourings: two on a checkerboard, all with an odd side."""
    if lattice.is_bipartite:
        return [(0,) * lattice.dimension, (1, *(0,) * (lattice.dimension - 1))]
    return list(np.ndindex(*lattice.shape))


def _places(lattice: Lattice, colour: int) -> tuple[tuple[int, ...], ...] | None:
    """Where a colour lies on a checkerboard; None where colours take a mask: odd sides, and four dimensions.

    In four dimensions XLA's CPU backend (jax 0.10) crashes on some shapes of the packed arrays.
    """
    return corners(lattice.dimension, colour) if lattice.is_bipartite and lattice.dimension < 4 else None


def _roll(values: Array, offset: Array) -> Array:
    """Translate each of (n, *coarse, ...) by its own offset (n, d)."""
    axes = tuple(range(offset.shape[1]))
    return jax.vmap(lambda one, by: jnp.roll(one, by, axes))(values, offset)
