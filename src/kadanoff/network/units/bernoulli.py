"""Bernoulli units: 0 and 1, with the energy r x."""

from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from kadanoff.network.units.base import Unit, average, require_finite, vectors
from kadanoff.network.units.levels import draw_level

__all__ = ["BernoulliUnit"]


class BernoulliUnit(Unit):
    """Units that are 0 or 1, with energy r x: mean 1/(1 + exp(r - h)).

    >>> import jax.numpy as jnp
    >>> BernoulliUnit(r=jnp.zeros(1)).mean(jnp.zeros(1)).tolist()
    [0.5]
    """

    name: ClassVar[str] = "bernoulli"
    levels: ClassVar[tuple[float, ...] | None] = (0.0, 1.0)

    r: Float[Array, " units"]

    def __init__(self, r: ArrayLike) -> None:
        (self.r,) = vectors(r)

    def __check_init__(self) -> None:
        """Refuse couplings that are not finite."""
        require_finite(self, r=self.r)

    def energy(self, x: Float[Array, "... units"]) -> Float[Array, "... units"]:
        """r x."""
        return self.r * x

    def log_partition(self, h: Float[Array, "... units"]) -> Float[Array, "... units"]:
        """ln(1 + exp(h - r))."""
        # Its derivative takes one exponential in this form.
        x = h - self.r
        return jnp.maximum(x, 0) + jnp.log1p(jnp.exp(-jnp.abs(x)))

    def mean(self, h: Float[Array, "... units"]) -> Float[Array, "... units"]:
        """The logistic function of h - r."""
        return jax.nn.sigmoid(h - self.r)

    def variance(self, h: Float[Array, "... units"]) -> Float[Array, "... units"]:
        """Mean times one minus mean."""
        mean = self.mean(h)
        return mean * (1 - mean)

    def draw(self, key: PRNGKeyArray, h: Float[Array, "... units"]) -> Float[Array, "... units"]:
        """Draw 1 with the probability of the mean."""
        return draw_level(key, h, self.r, (0.0, 1.0))

    def conjugate(self, x: Float[Array, "... units"]) -> dict[str, Float[Array, "... units"]]:
        """The value itself."""
        return {"r": x}

    def unconstrained(self) -> dict[str, Float[Array, " units"]]:
        """Give r, which may take any value."""
        return {"r": self.r}

    @classmethod
    def constrained(cls, values: dict[str, Float[Array, " units"]]) -> "BernoulliUnit":
        """Make the layer of r."""
        return cls(values["r"])

    @classmethod
    def start(cls, units: int) -> "BernoulliUnit":
        """Half of the units at 1."""
        return cls(jnp.zeros(units, jnp.float32))

    @classmethod
    def fitted(
        cls, x: Float[Array, "sample units"], weight: Float[Array, " sample"] | None = None
    ) -> "BernoulliUnit":
        """The log-odds of the data, one half of a count away from certainty."""
        ones = (len(x) * average(x, weight) + 0.5) / (len(x) + 1)
        return cls(jnp.log1p(-ones) - jnp.log(ones))
