"""The conditional density: block by block on alternating sublattices, with a likelihood."""

from collections.abc import Sequence
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
from kadanoff.renormalization.inverse.consistent import require_function, rescale
from kadanoff.renormalization.inverse.network import OddNetwork, wrap
from kadanoff.renormalization.inverse.sublattice import corners, merge, pick

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

    def __call__(
        self, padded: Float[Array, "n ..."], places: Sequence[tuple[int, ...]] | None = None
    ) -> mixture.Mixture:
        """The mixture of every block, or of those at `places`, from inputs padded by the network's reach."""
        inputs = self.network.core(padded, places)
        hidden = jnp.tanh(self.network(padded, places))
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

    def __check_init__(self) -> None:
        """Refuse rules that have no function to invert."""
        if self.rule is not None:
            require_function(self.rule)

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

    def _head(self, colour: int) -> MixtureHead:
        return self.first if colour == 0 else self.second

    def _inputs(self, coarse: Array, done: Array, colour: int) -> Array:
        return coarse[..., None] if colour == 0 else jnp.concatenate([coarse[..., None], done], axis=-1)

    def _draw(
        self,
        head: MixtureHead,
        key: PRNGKeyArray,
        places: Sequence[tuple[int, ...]] | None,
        padded: Array,
        coarse: Array,
        site: Array,
        number: Array,
    ) -> Array:
        component, values = jax.random.split(key)
        lot = uniform(site_words(component, site, number)[0])
        normals = site_normals(values, site, number, self.b**self.dimension)
        drawn = mixture.draw(head(padded, places).tempered(self.temperature), lot, normals)
        return drawn if self.rule is None else rescale(self.rule, coarse, drawn)

    def block_log_prob(
        self, fine_blocks: Float[Array, "n ..."], coarse: Float[Array, "n ..."]
    ) -> Float[Array, "n ..."]:
        """Log-density of every block (n, *coarse) given the coarse field and the blocks of lower colours."""
        lattice = Lattice(coarse.shape[1:])
        colouring = jnp.asarray(lattice.colouring)
        total = jnp.zeros(coarse.shape, coarse.dtype)
        for colour in range(lattice.colours):
            known = jnp.where((colouring < colour)[..., None], fine_blocks, 0)
            padded, places = wrap(self._inputs(coarse, known, colour), self.reach), _places(lattice, colour)
            parts = self._head(colour)(padded, places).tempered(self.temperature)
            if places is None:
                total = jnp.where(colouring == colour, self._log_density(parts, coarse, fine_blocks), total)
            else:
                here = self._log_density(parts, pick(coarse, places), pick(fine_blocks, places))
                total = merge(total, here, places)
        return total

    def _log_density(self, parts: mixture.Mixture, coarse: Array, blocks: Array) -> Array:
        if self.rule is None:
            return mixture.log_density(parts, blocks)
        return mixture.log_shape_density(parts, coarse, blocks)

    @eqx.filter_jit
    def log_prob(self, fine: Float[Array, "n ..."], coarse: Float[Array, "n ..."]) -> Float[Array, " n"]:
        """Log-density of fine fields (n, *fine) given coarse ones (n, *coarse).

        With `rule`, the density is with respect to delta(RG(fine) - coarse) d fine. The order of the sublattices is
        summed over.
        """
        blocks = jax.vmap(lambda field: to_blocks(field, self.b))(fine)
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
