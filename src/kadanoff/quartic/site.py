"""The quartic site as an object: its couplings, and what can be asked of them."""

from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from kadanoff.quartic import modes, partition, rejection

__all__ = ["QuarticSite"]


class QuarticSite(eqx.Module):
    """The density exp(h x - a x^2 - b x^4)/Z, for couplings that broadcast.

    Gaussian for b = 0; +-1 with mean tanh(h) for a = -2 b, b large. Raises `InputError` as `check` does.

    >>> site = QuarticSite(h=0.5, a=1.52425, b=0.175)
    >>> bool(site.mean() > 0)
    True
    """

    h: Float[Array, "..."]
    a: Float[Array, "..."]
    b: Float[Array, "..."]

    def __init__(self, h: ArrayLike, a: ArrayLike, b: ArrayLike) -> None:
        modes.check(h, a, b)
        self.h, self.a, self.b = (
            jnp.asarray(value, dtype=jnp.result_type(value, float)) for value in (h, a, b)
        )

    def log_density(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """The normalised log-density at x."""
        return self.h * x - self.a * x**2 - self.b * x**4 - self.log_partition()

    def log_partition(self) -> Float[Array, "..."]:
        """See `kadanoff.quartic.log_partition`."""
        return partition.log_partition(self.h, self.a, self.b)

    def mean(self) -> Float[Array, "..."]:
        """See `kadanoff.quartic.mean`."""
        return partition.mean(self.h, self.a, self.b)

    def variance(self) -> Float[Array, "..."]:
        """See `kadanoff.quartic.variance`."""
        return partition.variance(self.h, self.a, self.b)

    def moments(self, orders: Sequence[int]) -> tuple[Float[Array, "..."], ...]:
        """See `kadanoff.quartic.moments`."""
        return partition.moments(self.h, self.a, self.b, orders)

    def draw(self, key: PRNGKeyArray) -> Float[Array, "..."]:
        """See `kadanoff.quartic.draw`."""
        return rejection.draw(key, self.h, self.a, self.b)
