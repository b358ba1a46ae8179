"""The conditional density: block by block on alternating sublattices, with a likelihood."""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, UInt32

from kadanoff.lattice import Lattice
from kadanoff.random import site_words, uniform
from kadanoff.renormalization.blocking import BlockingRule, to_blocks
from kadanoff.renormalization.inverse import mixture
from kadanoff.renormalization.inverse.base import Inverse, in_tiles, site_normals, site_numbers
from kadanoff.renormalization.inverse.consistent import rescale
from kadanoff.renormalization.inverse.network import OddNetwork, wrap

__all__ = ["ConditionalDensity", "MixtureHead"]


class MixtureHead(eqx.Module):
    """A network whose output is a Gaussian mixture over the sites of each block: odd means, even shapes."""

    network: OddNetwork
    mean: Float[Array, "width means"]
    skip: Float[Array, "channels means"]
    shape: Float[Array, "width shapes"]
    offset: Float[Array, " shapes"]
    components: int = eqx.field(static=True)

    @classmethod
    def random(
        cls,
        key: PRNGKeyArray,
        dimension: int,
        inputs: int,
        sites: int,
        width: int,
        kernels: tuple[int, ...],
        components: int,
    ) -> "MixtureHead":
        """Random weights; every mean starts as a copy of the coarse value."""
        first, second, third = jax.random.split(key, 3)
        shapes = 1 + sites + sites * (sites - 1) // 2
        offset = np.zeros((components, shapes), dtype=np.float32)
        offset[:, 1 : 1 + sites] = 0.5  # log of the inverse spread
        network = OddNetwork.random(first, dimension, inputs, width, width, kernels)
        return cls(
            eqx.tree_at(lambda n: n.skip, network, jnp.zeros_like(network.skip)),
            jax.random.normal(second, (width, components * sites)) / np.sqrt(width),
            jnp.zeros((inputs, components * sites)).at[0].set(1.0),
            0.1 * jax.random.normal(third, (width, components * shapes)) / np.sqrt(width),
            jnp.asarray(offset.reshape(-1)),
            components,
        )

    def __call__(self, padded: Float[Array, "n ..."]) -> mixture.Mixture:
        """The mixture of every block from inputs (n, *coarse, channels) padded by the network's reach."""
        reach = self.network.reach
        inputs = padded[(slice(None), *[slice(reach, -reach or None)] * self.network.dimension)]
        hidden = jnp.tanh(self.network(padded))
        sites = self.mean.shape[1] // self.components
        mean = (hidden @ self.mean + inputs @ self.skip).reshape(*hidden.shape[:-1], self.components, sites)
        shape = ((hidden**2) @ self.shape + self.offset).reshape(*hidden.shape[:-1], self.components, -1)
        return mixture.Mixture(
            jax.nn.log_softmax(shape[..., 0], axis=-1),
            mean,
            jnp.exp(shape[..., 1 : 1 + sites]),
            shape[..., 1 + sites :],
        )


class ConditionalDensity(Inverse):
    """p(fine | coarse), block by block: one sublattice of blocks given the coarse field, the next given that as well.

    With `rule` (deterministic and homogeneous) every block is rescaled to its coarse value, RG(inverse(x)) = x, and
    the density is that on the surface RG(fine) = coarse; without, it is the density of the fine sites. Which
    sublattice comes first is drawn for each configuration, so the law is exactly translation-equivariant.
    `temperature` multiplies the spread of every component, in draws and in the density alike.
    """

    first: MixtureHead
    second: MixtureHead
    rule: BlockingRule | None = None
    temperature: float = eqx.field(static=True, default=1.0)

    @classmethod
    def random(
        cls,
        key: PRNGKeyArray,
        dimension: int,
        b: int,
        width: int,
        kernels: tuple[int, ...],
        components: int,
        rule: BlockingRule | None,
    ) -> "ConditionalDensity":
        """Random weights."""
        sites = b**dimension
        one, two = jax.random.split(key)
        first = MixtureHead.random(one, dimension, 1, sites, width, kernels, components)
        second = MixtureHead.random(two, dimension, 1 + sites, sites, width, kernels, components)
        return cls(first, second, rule)

    @property
    def b(self) -> int:
        """Rescaling factor: a block has b**d sites, as many as a component has means."""
        return round((self.first.mean.shape[1] // self.first.components) ** (1 / self.dimension))

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
        offsets = _offsets(lattice)
        words = site_words(choice, jnp.uint32(0), number)[0]
        colouring = _colourings(lattice)[words % len(offsets)]
        labels = site_numbers(coarse.shape[1:], number)
        done = jnp.zeros((*coarse.shape, self.b**self.dimension), coarse.dtype)
        for colour in range(lattice.colours):
            draw = partial(self._draw, self._head(colour), keys[colour])
            drawn = in_tiles(draw, self.reach, self._inputs(coarse, done, colour), coarse, *labels)
            done = jnp.where((colouring == colour)[..., None], drawn, done)
        return done

    def _head(self, colour: int) -> MixtureHead:
        return self.first if colour == 0 else self.second

    def _inputs(self, coarse: Array, done: Array, colour: int) -> Array:
        return coarse[..., None] if colour == 0 else jnp.concatenate([coarse[..., None], done], axis=-1)

    def _draw(
        self, head: MixtureHead, key: PRNGKeyArray, padded: Array, coarse: Array, site: Array, number: Array
    ) -> Array:
        component, values = jax.random.split(key)
        lot = uniform(site_words(component, site, number)[0])
        normals = site_normals(values, site, number, self.b**self.dimension)
        drawn = mixture.draw(head(padded).tempered(self.temperature), lot, normals)
        return drawn if self.rule is None else rescale(self.rule, coarse, drawn)

    def block_log_prob(
        self, fine_blocks: Float[Array, "n ..."], coarse: Float[Array, "n ..."], colouring: Array
    ) -> Float[Array, "n ..."]:
        """Log-density of every block (n, *coarse) given the coarse field and the blocks of lower colours."""
        total = jnp.zeros(coarse.shape, coarse.dtype)
        for colour in range(Lattice(coarse.shape[1:]).colours):
            known = jnp.where((colouring < colour)[..., None], fine_blocks, 0)
            parts = self._head(colour)(wrap(self._inputs(coarse, known, colour), self.reach))
            parts = parts.tempered(self.temperature)
            if self.rule is None:
                here = mixture.log_density(parts, fine_blocks)
            else:
                here = mixture.log_shape_density(parts, coarse, fine_blocks)
            total = jnp.where(colouring == colour, here, total)
        return total

    @eqx.filter_jit
    def log_prob(self, fine: Float[Array, "n ..."], coarse: Float[Array, "n ..."]) -> Float[Array, " n"]:
        """Log-density of fine fields (n, *fine) given coarse ones (n, *coarse).

        With `rule`, the density is with respect to delta(RG(fine) - coarse) d fine. The order of the sublattices is
        summed over.
        """
        blocks = jax.vmap(lambda field: to_blocks(field, self.b))(fine)
        colourings = _colourings(Lattice(coarse.shape[1:]))
        axes = tuple(range(1, coarse.ndim))
        values = jax.lax.map(lambda c: jnp.sum(self.block_log_prob(blocks, coarse, c), axis=axes), colourings)
        return jax.nn.logsumexp(values, axis=0) - jnp.log(len(colourings))


def _offsets(lattice: Lattice) -> list[tuple[int, ...]]:
    """Translations that give different colourings: two on a checkerboard, all with an odd side."""
    if lattice.is_bipartite:
        return [(0,) * lattice.dimension, (1, *(0,) * (lattice.dimension - 1))]
    return list(np.ndindex(*lattice.shape))


def _colourings(lattice: Lattice) -> Array:
    axes = tuple(range(lattice.dimension))
    return jnp.asarray(np.stack([np.roll(lattice.colouring, offset, axes) for offset in _offsets(lattice)]))
