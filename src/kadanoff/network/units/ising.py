"""Ising units: +1 and -1, with the energy r x."""

from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from kadanoff.network.units.base import Unit, average, require_finite, vectors
from kadanoff.network.units.levels import draw_level

__all__ = ["IsingUnit"]


class IsingUnit(Unit):
    """Units that are +1 or -1, with energy r x: mean tanh(h - r).

    >>> import jax.numpy as jnp
    >>> round(float(IsingUnit(r=jnp.zeros(1)).log_partition(jnp.zeros(1))[0]), 4)  # ln 2
    0.6931
    """

    name: ClassVar[str] = "ising"
    levels: ClassVar[tuple[float, ...] | None] = (-1.0, 1.0)

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
        """ln(2 cosh(h - r))."""
        size = jnp.abs(h - self.r)
        return size + jnp.log1p(jnp.exp(-2 * size))

    def mean(self, h: Float[Array, "... units"]) -> Float[Array, "... units"]:
        """The hyperbolic tangent of h - r."""
        return jnp.tanh(h - self.r)

    def variance(self, h: Float[Array, "... units"]) -> Float[Array, "... units"]:
        """One minus the square of the mean."""
        return 1 - self.mean(h) ** 2

    def draw(self, key: PRNGKeyArray, h: Float[Array, "... units"]) -> Float[Array, "... units"]:
        """Draw +1 with the probability 1/(1 + exp(-2 (h - r)))."""
        return draw_level(key, h, self.r, (-1.0, 1.0))

    def conjugate(self, x: Float[Array, "... units"]) -> dict[str, Float[Array, "... units"]]:
        """The value itself."""
        return {"r": x}

    def unconstrained(self) -> dict[str, Float[Array, " units"]]:
        """Give r, which may take any value."""
        return {"r": self.r}

    @classmethod
    def constrained(cls, values: dict[str, Float[Array, " units"]]) -> "IsingUnit":
        """Make the layer of r."""
        return cls(values["r"])

    @classmethod
    def start(cls, units: int) -> "IsingUnit":
        """No preference."""
        return cls(jnp.zeros(units, jnp.float32))

    @classmethod
    def fitted(
        cls, x: Float[Array, "sample units"], weight: Float[Array, " sample"] | None = None
    ) -> "IsingUnit":
        """Half the log-odds of the data, one half of a count away from certainty."""
        up = (len(x) * average((1 + x) / 2, weight) + 0.5) / (len(x) + 1)
        return cls((jnp.log1p(-up) - jnp.log(up)) / 2)
