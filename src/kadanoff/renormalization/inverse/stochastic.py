"""The stochastic inverse: transposed convolutions of the coarse field and noise channels."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, UInt32

from kadanoff.renormalization.inverse.base import Inverse, in_tiles, site_normals, site_numbers
from kadanoff.renormalization.inverse.network import OddNetwork

__all__ = ["StochasticInverse"]


class StochasticInverse(Inverse):
    """Fine blocks from the coarse field and `noise` channels of normals: f(-x, -z) = -f(x, z), exactly equivariant.

    Without noise channels it is the deterministic inverse, the talk's set of transposed convolutions, which returns
    the conditional mean. `temperature` multiplies the noise. Source: D. Bachtis et al., PRL 128 (2022) 081603.
    """

    network: OddNetwork
    noise: int = eqx.field(static=True, default=4)
    temperature: float = eqx.field(static=True, default=1.0)

    @property
    def b(self) -> int:
        """Rescaling factor: a block has b**d sites, the outputs of the network."""
        return round(self.network.kernels[-1].shape[-1] ** (1 / self.dimension))

    @property
    def dimension(self) -> int:
        """Dimension of the lattice."""
        return self.network.dimension

    @property
    def reach(self) -> int:
        """Reach of the network."""
        return self.network.reach

    def blocks(
        self, key: PRNGKeyArray, coarse: Float[Array, "n ..."], number: UInt32[Array, " n"]
    ) -> Float[Array, "n ..."]:
        """Sites of every block, (n, *coarse, b**d)."""
        noise = self.temperature * site_normals(key, *site_numbers(coarse.shape[1:], number), self.noise)
        return in_tiles(self.network, self.reach, jnp.concatenate([coarse[..., None], noise], axis=-1))
