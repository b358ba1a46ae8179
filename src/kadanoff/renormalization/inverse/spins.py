"""The learnt inverse of the majority rule: spins drawn block by block, every block with its majority."""

from collections.abc import Sequence
from itertools import combinations, product
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from kadanoff.products import matmul
from kadanoff.random import site_words, split, uniform
from kadanoff.renormalization.inverse.block_spins import BlockSpins, draw_spins, log_probability, states
from kadanoff.renormalization.inverse.network import OddNetwork, random_weights
from kadanoff.renormalization.inverse.sublattice_density import Head, SublatticeDensity

__all__ = ["MinimalHead", "SpinDensity", "SpinHead"]


class SpinHead(Head):
    """A network that gives odd fields on the spins of a block and even couplings of their pairs."""

    network: OddNetwork
    linear: OddNetwork
    field: Float[Array, "width sites"]
    coupling: Float[Array, "width pairs"]
    offset: Float[Array, " pairs"]

    @classmethod
    def random(
        cls, key: PRNGKeyArray, dimension: int, inputs: int, sites: int, width: int, kernels: tuple[int, ...]
    ) -> "SpinHead":
        """Random weights; fields and couplings start small."""
        first, second, third, fourth = split(key, 4)
        network = OddNetwork.random(first, dimension, inputs, width, width, kernels)
        linear = OddNetwork.random(second, dimension, inputs, 1, sites, (max(kernels),))
        return cls(
            eqx.tree_at(lambda n: n.skip, network, jnp.zeros_like(network.skip)),
            eqx.tree_at(lambda n: n.skip, linear, jnp.zeros_like(linear.skip)),
            random_weights(third, width, sites, scale=0.1 / np.sqrt(width)),
            random_weights(fourth, width, sites * (sites - 1) // 2, scale=0.1 / np.sqrt(width)),
            jnp.zeros(sites * (sites - 1) // 2, jnp.float32),
        )

    def outputs(
        self, padded: Float[Array, "n ..."], places: Sequence[tuple[int, ...]] | None = None
    ) -> BlockSpins:
        """The law of every block, or of those at `places`, from inputs padded by the network's reach."""
        hidden = jnp.tanh(self.network(padded, places))
        spare = self.network.reach - self.linear.reach
        nearer = padded[(slice(None), *[slice(spare, -spare or None)] * self.network.dimension)]
        return BlockSpins(
            matmul(hidden, self.field) + self.linear(nearer, places),
            matmul(hidden**2, self.coupling) + self.offset,
        )


class MinimalHead(Head):
    """Three numbers: a field along the block's own spin, one along what lies beside a site, a coupling of links.

    What lies beside a site of a block is, for the first colour, the coarse spin of the block that it touches, for the
    others the very spin that it touches. The law has every symmetry of the square or the cube.
    """

    own: Float[Array, ""]
    beside: Float[Array, ""]
    coupling: Float[Array, ""]
    dimension: int = eqx.field(static=True)
    b: int = eqx.field(static=True)
    fine: bool = eqx.field(static=True)

    @property
    def network(self) -> OddNetwork:
        """The convolution of side 3 that these numbers make."""
        sites = self.b**self.dimension
        own, beside = _kernel_masks(self.dimension, self.b, self.fine)
        return OddNetwork(
            (self.own * own + self.beside * beside,), jnp.zeros((own.shape[-2], sites), self.own.dtype)
        )

    def outputs(
        self, padded: Float[Array, "n ..."], places: Sequence[tuple[int, ...]] | None = None
    ) -> BlockSpins:
        """The law of every block, or of those at `places`, from inputs padded by one site."""
        field = self.network(padded, places)
        inside = np.array(
            [
                sum(abs(x - y) for x, y in zip(*pair, strict=True)) == 1
                for pair in combinations(product(range(self.b), repeat=self.dimension), 2)
            ]
        )
        return BlockSpins(field, jnp.broadcast_to(self.coupling * inside, (*field.shape[:-1], len(inside))))


class SpinDensity(SublatticeDensity):
    """P(fine | coarse) of spins: in every block a Boltzmann law over the states that have its majority.

    p(s) ~ exp(sum h_i s_i + sum J_ij s_i s_j) K(coarse | s), normalised over the states of the block: fields h, odd
    under a global flip, and couplings J, even, are functions of the coarse field and of the blocks drawn before. Given
    all blocks around it the law of a block of an Ising lattice has this form exactly.
    """

    first: Any
    second: Any
    block_side: int = eqx.field(static=True)
    temperature: float = eqx.field(static=True, default=1.0)

    spins: ClassVar[bool] = True

    @classmethod
    def random(
        cls, key: PRNGKeyArray, dimension: int, b: int, width: int, kernels: tuple[int, ...]
    ) -> "SpinDensity":
        """Random weights; `InputError` for blocks of more than nine spins."""
        sites = b**dimension
        states(sites)
        one, two = split(key)
        first = SpinHead.random(one, dimension, 1, sites, width, kernels)
        second = SpinHead.random(two, dimension, 1 + sites, sites, width, kernels)
        return cls(first, second, block_side=b)

    @classmethod
    def minimal(cls, dimension: int, b: int) -> "SpinDensity":
        """Three parameters for each colour, all of them zero: independent blocks, every compatible state alike."""
        states(b**dimension)
        nought = jnp.zeros((), jnp.float32)
        first, second = (MinimalHead(nought, nought, nought, dimension, b, fine) for fine in (False, True))
        return cls(first, second, block_side=b)

    @property
    def b(self) -> int:
        """Rescaling factor."""
        return self.block_side

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
        lot = uniform(site_words(key, site, number)[0])
        return draw_spins(head(padded, places).tempered(self.temperature), coarse, lot)

    def _log_density(self, parts: BlockSpins, coarse: Array, blocks: Array) -> Array:
        return log_probability(parts, coarse, blocks)


def _kernel_masks(dimension: int, b: int, fine: bool) -> tuple[np.ndarray, np.ndarray]:
    """Where a kernel of side 3 reads the block's own spin, and where what lies beside each site of the block."""
    places = list(product(range(b), repeat=dimension))
    inputs = 1 + len(places) if fine else 1
    own = np.zeros((*[3] * dimension, inputs, len(places)), dtype=np.float32)
    own[(1,) * dimension][0] = 1
    beside = np.zeros_like(own)
    for site, place in enumerate(places):
        for axis in range(dimension):
            for step in (-1, 1):
                away, inside = divmod(place[axis] + step, b)
                if away:
                    block = tuple(1 + (away if other == axis else 0) for other in range(dimension))
                    facing = (*place[:axis], inside, *place[axis + 1 :])
                    beside[block][1 + places.index(facing) if fine else 0, site] = 1
    return own, beside
