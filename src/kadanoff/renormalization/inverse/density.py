"""The conditional density of real fields: Gaussian mixtures block by block, with a likelihood."""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, UInt32

from kadanoff.products import matmul
from kadanoff.random import site_words, split, uniform
from kadanoff.renormalization.blocking import BlockingRule
from kadanoff.renormalization.inverse import mixture
from kadanoff.renormalization.inverse.base import site_normals, to_fine
from kadanoff.renormalization.inverse.compiled_draws import draw_fine
from kadanoff.renormalization.inverse.consistent import require_function, rescale
from kadanoff.renormalization.inverse.network import OddNetwork, random_weights
from kadanoff.renormalization.inverse.sublattice_density import Head, SublatticeDensity

__all__ = ["ConditionalDensity", "MixtureHead"]


class MixtureHead(Head):
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
        first, second, third = split(key, 3)
        shapes = 1 + sites + sites * (sites - 1) // 2
        offset = np.zeros((components, shapes), dtype=np.float32)
        offset[:, 1 : 1 + sites] = 0.5  # log of the inverse spread
        skip = np.zeros((inputs, components * sites), dtype=np.float32)
        skip[0] = 1
        network = OddNetwork.random(first, dimension, inputs, width, width, kernels)
        return cls(
            eqx.tree_at(lambda n: n.skip, network, jnp.asarray(np.zeros((inputs, width), np.float32))),
            random_weights(second, width, components * sites, scale=1 / np.sqrt(width)),
            jnp.asarray(skip),
            random_weights(third, width, components * shapes, scale=0.1 / np.sqrt(width)),
            jnp.asarray(offset.reshape(-1)),
            components,
        )

    def outputs(
        self, padded: Float[Array, "n ..."], places: Sequence[tuple[int, ...]] | None = None
    ) -> tuple[Array, Array]:
        """Means and shapes of every block, or of those at `places`, from inputs padded by the network's reach."""
        inputs = self.network.core(padded, places)
        hidden = jnp.tanh(self.network(padded, places))
        mean = matmul(hidden, self.mean) + matmul(inputs, self.skip)
        return mean, matmul(hidden**2, self.shape) + self.offset

    def law(self, outputs: tuple[Array, Array]) -> mixture.Mixture:
        """The mixture that outputs stand for."""
        mean, shape = (part.reshape(*part.shape[:-1], self.components, -1) for part in outputs)
        weight, diagonal, lower = jnp.split(shape, (1, 1 + mean.shape[-1]), axis=-1)
        return mixture.Mixture(jax.nn.log_softmax(weight[..., 0], axis=-1), mean, jnp.exp(diagonal), lower)


class ConditionalDensity(SublatticeDensity):
    """p(fine | coarse) of real fields: a Gaussian mixture over the sites of each block.

    With `rule` (deterministic and homogeneous) every block is rescaled to its coarse value, RG(inverse(x)) = x, and
    the density is that on the surface RG(fine) = coarse; without, it is the density of the fine sites.
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
        one, two = split(key)
        first = MixtureHead.random(one, dimension, 1, sites, width, kernels, components)
        second = MixtureHead.random(two, dimension, 1 + sites, sites, width, kernels, components)
        return cls(first, second, rule=rule)

    @property
    def b(self) -> int:
        """Rescaling factor: a block has b**d sites, as many as a component has means."""
        return round((self.first.mean.shape[1] // self.first.components) ** (1 / self.dimension))

    def generic_fine(
        self, key: PRNGKeyArray, coarse: Float[Array, "n ..."], number: UInt32[Array, " n"]
    ) -> Float[Array, "n ..."]:
        """Fine fields (n, *fine) by the code that knows every device, rule and derivative."""
        return to_fine(self.blocks(key, coarse, number), self.b)

    def _drawn(self, key: PRNGKeyArray, coarse: Array, number: Array) -> Array:
        return draw_fine(self, key, coarse, number)

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

    def _log_density(self, parts: mixture.Mixture, coarse: Array, blocks: Array) -> Array:
        if self.rule is None:
            return mixture.log_density(parts, blocks)
        return mixture.log_shape_density(parts, coarse, blocks)
