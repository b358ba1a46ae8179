"""Where exp(h x - a x^2 - b x^4) lives: its highest mode, and which couplings make it a density."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Float

from kadanoff.errors import InputError

__all__ = ["check", "cube_root", "promote", "upper_mode"]

_NEWTON_STEPS = 7  # monotone and quadratic from within a factor two of the root: double precision


def check(h: ArrayLike, a: ArrayLike, b: ArrayLike) -> None:
    """Refuse couplings that make no density.

    Values that are being traced pass: where they are bad the results are NaN.

    Raises `InputError` for values that are not finite, b < 0 (unbounded), and b = 0 with a <= 0 (not
    normalisable).

    >>> check(0.3, -2.0, 1.0)
    >>> check(0.0, -1.0, 0.0)
    Traceback (most recent call last):
    kadanoff.errors.InputError: a=-1 with b=0 has no normalisable density; give a > 0 or b > 0
    """
    traced = [isinstance(value, Tracer) for value in (h, a, b)]
    for name, value, unknown in zip("hab", (h, a, b), traced, strict=True):
        if not unknown and not np.all(np.isfinite(np.asarray(value))):
            raise InputError(f"{name} holds NaN or infinity; give finite couplings h, a, b")
    if traced[2]:
        return
    quartic = np.asarray(b)
    if np.any(quartic < 0):
        raise InputError(f"b={quartic.min():g} < 0 leaves the density unbounded; give b >= 0")
    if not traced[1]:
        quadratic, quartic = np.broadcast_arrays(np.asarray(a), quartic)
        flat = quadratic[quartic == 0]
        if np.any(flat <= 0):
            raise InputError(f"a={flat.min():g} with b=0 has no normalisable density; give a > 0 or b > 0")


def promote(h: ArrayLike, a: ArrayLike, b: ArrayLike) -> tuple[Array, Array, Array]:
    """Promote the couplings to one floating type and one shape; h becomes NaN where they make no density."""
    dtype = jnp.result_type(h, a, b)
    dtype = dtype if jnp.issubdtype(dtype, jnp.floating) else jnp.result_type(float)
    h, a, b = jnp.broadcast_arrays(*(jnp.asarray(value, dtype=dtype) for value in (h, a, b)))
    return jnp.where((b > 0) | ((b == 0) & (a > 0)), h, jnp.nan), a, b


def upper_mode(
    h: Float[Array, "..."], a: Float[Array, "..."], b: Float[Array, "..."], steps: int = _NEWTON_STEPS
) -> Float[Array, "..."]:
    """The only maximum of h x - a x^2 - b x^4 on x >= 0, for h >= 0.

    Newton steps on 4 b x^3 + 2 a x - h from an upper bound of its largest root, where the cubic is convex.

    >>> import jax.numpy as jnp
    >>> float(upper_mode(jnp.array(0.0), jnp.array(-2.0), jnp.array(1.0)))
    1.0
    """
    tiny = jnp.finfo(h.dtype).tiny
    well = jnp.sqrt(jnp.where((a < 0) & (b > 0), -a / (2 * jnp.maximum(b, tiny)), 0.0))
    slope = jnp.where(a < 0, -4 * a, 2 * a)
    # Near the well the force is at least linear and at least cubic in the distance: both bound the root.
    linear = h / jnp.maximum(slope, tiny)
    cubic = jnp.where(b > 0, cube_root(h / (4 * jnp.maximum(b, tiny))), jnp.inf)
    mode = well + jnp.minimum(linear, cubic)

    def step(_: Array, mode: Array) -> Array:
        curvature = 12 * b * mode**2 + 2 * a
        force = (4 * b * mode**2 + 2 * a) * mode - h
        return mode - jnp.where(curvature > 0, force / jnp.where(curvature > 0, curvature, 1.0), 0.0)

    # Written out, every sum over nodes would repeat the steps before it, and take longer to compile.
    return jax.lax.fori_loop(0, steps, step, mode)


def cube_root(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """x^(1/3) for x >= 0, good enough to start an iteration and much cheaper than `jnp.cbrt` on a CPU."""
    return jnp.where(x > 0, jnp.exp(jnp.log(jnp.maximum(x, jnp.finfo(x.dtype).tiny)) / 3), 0.0)
