"""The stochastic inverse: transposed convolutions of the coarse field and noise channels."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, UInt32

from kadanoff.renormalization.inverse.base import Inverse, apply_tiled, site_normals
from kadanoff.renormalization.inverse.network import OddNetwork

__all__ = ["StochasticInverse"]


class StochasticInverse(Inverse):
    """Fine blocks from the coarse field and `noise` channels of normals: f(-x, -z) = -f(x, z), exactly equivariant.

    Without noise channels it is the deterministic inverse, the talk's set of transposed convolutions, which returns
    the conditional mean. Source: D. Bachtis et al., PRL 128 (2022) 081603.
    """

    network: OddNetwork
    b: int = eqx.field(static=True, default=2)
    noise: int = eqx.field(static=True, default=4)

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
        noise = site_normals(key, coarse.shape[1:], number, self.noise)
        return apply_tiled(self.network, jnp.concatenate([coarse[..., None], noise], axis=-1))
