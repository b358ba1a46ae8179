"""phi^4 units: every real number, with the energy r x + a x^2 + b x^4."""

from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from kadanoff import quartic
from kadanoff.network.units.base import Unit, average, blur, require_finite, vectors
from kadanoff.network.units.quartic import draw_quartic, redraw_quartic

__all__ = ["Phi4Unit"]

SMALLEST = 1e-3  # of b in training: it bounds the quartic site and the fields that it can draw
_NEWTON_STEPS = 60
_ORDERS = (1, 2, 4)  # of the moments conjugate to r, a, b


class Phi4Unit(Unit):
    """Real units with energy r x + a x^2 + b x^4; Gaussian for b = 0, +-1 for a = -2 b with b large.

    Raises `InputError` for b < 0 (unbounded), and for b = 0 with a <= 0.

    >>> import jax.numpy as jnp
    >>> layer = Phi4Unit(r=0.0, a=jnp.array([0.5, -1.0]), b=jnp.array([0.0, 0.5]))
    >>> layer.mean(jnp.array([1.0, 0.0])).round(3).tolist()
    [1.0, 0.0]
    """

    name: ClassVar[str] = "phi4"

    r: Float[Array, " units"]
    a: Float[Array, " units"]
    b: Float[Array, " units"]

    def __init__(self, r: ArrayLike, a: ArrayLike, b: ArrayLike) -> None:
        self.r, self.a, self.b = vectors(r, a, b)

    def __check_init__(self) -> None:
        """Refuse couplings that make no density."""
        require_finite(self, a=self.a, b=self.b, r=self.r)
        quartic.check(0.0, self.a, self.b)

    def energy(self, x: Float[Array, "... units"]) -> Float[Array, "... units"]:
        """r x + a x^2 + b x^4."""
        square = x * x
        return self.r * x + square * (self.a + self.b * square)

    def log_partition(self, h: Float[Array, "... units"]) -> Float[Array, "... units"]:
        """See `kadanoff.quartic.log_partition`."""
        return quartic.log_partition(h - self.r, self.a, self.b)

    def mean(self, h: Float[Array, "... units"]) -> Float[Array, "... units"]:
        """See `kadanoff.quartic.mean`."""
        return quartic.mean(h - self.r, self.a, self.b)

    def variance(self, h: Float[Array, "... units"]) -> Float[Array, "... units"]:
        """See `kadanoff.quartic.variance`."""
        return quartic.variance(h - self.r, self.a, self.b)

    def draw(self, key: PRNGKeyArray, h: Float[Array, "... units"]) -> Float[Array, "... units"]:
        """See `kadanoff.quartic.draw`; compiled on CPUs."""
        return draw_quartic(key, h - self.r, self.a, self.b)

    def redraw(
        self, key: PRNGKeyArray, current: Float[Array, "... units"], h: Float[Array, "... units"]
    ) -> Float[Array, "... units"]:
        """See `kadanoff.quartic.redraw`: at least 3/4 of the units, in one pass; compiled on CPUs."""
        return redraw_quartic(key, current, h - self.r, self.a, self.b)

    def conjugate(self, x: Float[Array, "... units"]) -> dict[str, Float[Array, "... units"]]:
        """x, x^2 and x^4."""
        return {"r": x, "a": x**2, "b": x**4}

    def unconstrained(self) -> dict[str, Float[Array, " units"]]:
        """r and a as they are; b by the inverse of the softplus that keeps it positive."""
        above = jnp.maximum(self.b - SMALLEST, 1e-6)
        return {"r": self.r, "a": self.a, "free_b": above + jnp.log(-jnp.expm1(-above))}

    @classmethod
    def constrained(cls, values: dict[str, Float[Array, " units"]]) -> "Phi4Unit":
        """b = 0.001 + softplus(free_b)."""
        return cls(values["r"], values["a"], SMALLEST + jax.nn.softplus(values["free_b"]))

    @classmethod
    def start(cls, units: int) -> "Phi4Unit":
        """A shallow double well, <x^2> about 0.9."""
        return cls(jnp.zeros(units, jnp.float32), -0.5, 0.5)

    @classmethod
    def fitted(
        cls, x: Float[Array, "sample units"], weight: Float[Array, " sample"] | None = None
    ) -> "Phi4Unit":
        """Maximum likelihood of the three couplings, a convex problem, by damped Newton steps; b >= 0.001."""
        width = blur(x, weight)
        scale = jnp.sqrt(average(x**2, weight) + width**2)
        y, noise = x / scale, (width / scale) ** 2
        first, second, fourth = (average(y**order, weight) for order in (1, 2, 4))
        data = jnp.stack([first, second + noise, fourth + 6 * second * noise + 3 * noise**2], axis=-1)
        g = _most_likely(data)
        return cls(g[:, 0] / scale, g[:, 1] / scale**2, jnp.maximum(g[:, 2] / scale**4, SMALLEST))


def _most_likely(data: Float[Array, "unit 3"]) -> Float[Array, "unit 3"]:
    """The couplings (r, a, b) at which <x>, <x^2>, <x^4> are the given ones, or b meets its bound."""

    def loss(g: Array) -> Array:
        return jnp.sum(g * data, axis=-1) + quartic.log_partition(-g[..., 0], g[..., 1], g[..., 2])

    def step(g: Array, _: None) -> tuple[Array, None]:
        # The slope is that of the moments, the curvature the covariance of x, x^2, x^4.
        site = (-g[:, 0], g[:, 1], g[:, 2])
        slope = data - jnp.stack(quartic.moments(*site, _ORDERS), axis=-1)
        curvature = quartic.covariance(*site, _ORDERS)
        held = (g[:, 2] <= SMALLEST) & (slope[:, 2] > 0)  # at the bound, and pushed against it
        free = (jnp.array(_ORDERS) != 4) | ~held[:, None]
        curvature = jnp.where(free[:, :, None] & free[:, None], curvature, 0.0)
        curvature = curvature + jnp.eye(3, dtype=g.dtype) * jnp.where(free, 1e-5, 1.0)[:, None]
        lower, slope = jnp.linalg.cholesky(curvature), jnp.where(free, slope, 0.0)[..., None]
        move = jax.scipy.linalg.cho_solve((lower, True), slope)[..., 0]
        # Halved until it goes down: the log-likelihood is concave, so that a short enough step always does.
        trials = jnp.concatenate([g[None], jnp.maximum(g - shares[:, None, None] * move, least)])
        values = jnp.nan_to_num(jax.lax.map(loss, trials), nan=jnp.inf)
        best = jnp.argmin(values, axis=0)  # the first of equal ones: where nothing is better, it stays
        return jnp.take_along_axis(trials, best[None, :, None], axis=0)[0], None

    start = jnp.broadcast_to(jnp.array([0.0, 0.5, 0.05], data.dtype), data.shape)
    shares = jnp.array([0.5**halved for halved in range(8)], data.dtype)
    least = jnp.array([-jnp.inf, -jnp.inf, SMALLEST], data.dtype)
    return jax.lax.scan(step, start, None, length=_NEWTON_STEPS)[0]
