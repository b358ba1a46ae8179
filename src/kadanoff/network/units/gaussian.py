"""Gaussian units: every real number, with the energy r x + a x^2, a > 0."""

from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from kadanoff.errors import InputError
from kadanoff.network.units.base import Unit, average, blur, require_finite, vectors

__all__ = ["GaussianUnit"]

SMALLEST = 1e-3  # of a in training


class GaussianUnit(Unit):
    """Real units with energy r x + a x^2: mean (h - r)/(2 a), variance 1/(2 a).

    Raises `InputError` for a <= 0.

    >>> import jax.numpy as jnp
    >>> layer = GaussianUnit(r=jnp.zeros(2), a=0.5)
    >>> layer.variance(jnp.ones(2)).tolist()
    [1.0, 1.0]
    """

    name: ClassVar[str] = "gaussian"

    r: Float[Array, " units"]
    a: Float[Array, " units"]

    def __init__(self, r: ArrayLike, a: ArrayLike) -> None:
        self.r, self.a = vectors(r, a)

    def __check_init__(self) -> None:
        """Refuse couplings that make no density."""
        require_finite(self, a=self.a, r=self.r)
        if not isinstance(self.a, Tracer) and np.any(np.asarray(self.a) <= 0):
            raise InputError(
                f"a={np.asarray(self.a).min():g} makes no Gaussian; give a > 0, or phi4 units with b > 0"
            )

    def energy(self, x: Float[Array, "... units"]) -> Float[Array, "... units"]:
        """r x + a x^2."""
        return x * (self.r + self.a * x)

    def log_partition(self, h: Float[Array, "... units"]) -> Float[Array, "... units"]:
        """(h - r)^2/(4 a) + ln(pi/a)/2."""
        return (h - self.r) ** 2 / (4 * self.a) + 0.5 * jnp.log(jnp.pi / self.a)

    def mean(self, h: Float[Array, "... units"]) -> Float[Array, "... units"]:
        """(h - r)/(2 a)."""
        return (h - self.r) / (2 * self.a)

    def variance(self, h: Float[Array, "... units"]) -> Float[Array, "... units"]:
        """1/(2 a)."""
        return jnp.broadcast_to(1 / (2 * self.a), h.shape)

    def draw(self, key: PRNGKeyArray, h: Float[Array, "... units"]) -> Float[Array, "... units"]:
        """Draw normal numbers about the mean."""
        noise = jax.random.normal(key, h.shape, h.dtype)
        return self.mean(h) + noise * jax.lax.rsqrt(2 * self.a)

    def conjugate(self, x: Float[Array, "... units"]) -> dict[str, Float[Array, "... units"]]:
        """x and x^2."""
        return {"r": x, "a": x**2}

    def unconstrained(self) -> dict[str, Float[Array, " units"]]:
        """r as it is; a by the inverse of the softplus that keeps it positive."""
        above = jnp.maximum(self.a - SMALLEST, 1e-6)
        return {"r": self.r, "free_a": above + jnp.log(-jnp.expm1(-above))}

    @classmethod
    def constrained(cls, values: dict[str, Float[Array, " units"]]) -> "GaussianUnit":
        """a = 0.001 + softplus(free_a)."""
        return cls(values["r"], SMALLEST + jax.nn.softplus(values["free_a"]))

    @classmethod
    def start(cls, units: int) -> "GaussianUnit":
        """Unit variance."""
        return cls(jnp.zeros(units, jnp.float32), 0.5)

    @classmethod
    def fitted(
        cls, x: Float[Array, "sample units"], weight: Float[Array, " sample"] | None = None
    ) -> "GaussianUnit":
        """The mean and the blurred variance of the data."""
        mean = average(x, weight)
        a = 0.5 / (average((x - mean) ** 2, weight) + blur(x, weight) ** 2)
        return cls(-2 * a * mean, a)
