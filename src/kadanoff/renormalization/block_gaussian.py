"""Linear block spins with Gaussian noise."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Num, PRNGKeyArray

from kadanoff.errors import InputError
from kadanoff.random import along_one_axis
from kadanoff.renormalization.blocking_rule import BlockingRule, required_key

__all__ = ["BlockGaussian"]


class BlockGaussian(BlockingRule):
    """A Gaussian of the given spread around the mean of the block: the linear rule of Bell and Wilson.

    The noise smooths the action of the blocked fields, so that one of a few couplings comes near to it, and the rule
    has a density: growths of its inverses have importance weights.

    Raises `InputError` for a spread that is not positive and finite.

    >>> import jax, jax.numpy as jnp, kadanoff as kd
    >>> blocked = kd.BlockGaussian(b=2, spread=0.1)(jax.random.key(0), jnp.ones((64, 64)))
    >>> blocked.shape, bool(abs(blocked.mean() - 1) < 0.02), bool(abs(blocked.std() - 0.1) < 0.01)
    ((32, 32), True, True)

    Source: T. L. Bell, K. G. Wilson, PRB 10 (1974) 3935.
    """

    spread: float = eqx.field(static=True, default=0.3)

    def __check_init__(self) -> None:
        """Refuse a spread that makes no density."""
        if not 0 < self.spread < np.inf:
            raise InputError(f"the spread of a Gaussian block must be positive and finite, got {self.spread}")

    @property
    def deterministic(self) -> bool:
        """It draws."""
        return False

    @property
    def homogeneous(self) -> bool:
        """The noise does not scale."""
        return False

    def reduce(self, key: PRNGKeyArray | None, blocks: Num[Array, "*coarse sites"]) -> Num[Array, "*coarse"]:
        """Mean and noise."""
        mean = jnp.mean(blocks, axis=-1)
        noise = along_one_axis(jax.random.normal, required_key(key), mean.shape)
        return mean + self.spread * noise.astype(mean.dtype)

    def log_probability(
        self, coarse: Float[Array, "*coarse"], blocks: Float[Array, "*coarse sites"]
    ) -> Float[Array, "*coarse"]:
        """Log-density of a normal distribution."""
        return jax.scipy.stats.norm.logpdf(coarse, jnp.mean(blocks, axis=-1), self.spread)
