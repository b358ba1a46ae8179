"""Symplectic integrators of molecular dynamics: an integrator is a list of coefficients."""

from collections.abc import Callable

import jax
from jaxtyping import Array, Float

from kadanoff.errors import InputError

__all__ = ["INTEGRATORS", "coefficients", "integrate"]

_LAMBDA = 0.1931833275037836

#: Fractions of one step, alternately of the momentum and of the field, symmetric and beginning with the
#: momentum. Leapfrog: Duane et al., PLB 195 (1987) 216. Omelyan, Mryglod, Folk, CPC 151 (2003) 272, eq. (31).
INTEGRATORS: dict[str, tuple[float, ...]] = {
    "leapfrog": (0.5, 1.0, 0.5),
    "omelyan": (_LAMBDA, 0.5, 1 - 2 * _LAMBDA, 0.5, _LAMBDA),
}


def coefficients(integrator: str | tuple[float, ...]) -> tuple[float, ...]:
    """The coefficients of a named integrator, or the given ones once they are known to be reversible.

    Raises `InputError` for an unknown name, and for coefficients that are not a palindrome of odd length
    whose momentum and field parts each sum to one.

    >>> coefficients("leapfrog")
    (0.5, 1.0, 0.5)
    """
    if isinstance(integrator, str):
        if integrator not in INTEGRATORS:
            raise InputError(f"unknown integrator {integrator!r}; choose one of {', '.join(INTEGRATORS)}")
        return INTEGRATORS[integrator]
    fractions = tuple(float(fraction) for fraction in integrator)
    symmetric = len(fractions) % 2 == 1 and len(fractions) >= 3 and fractions == fractions[::-1]
    if not symmetric or abs(sum(fractions[::2]) - 1) > 1e-12 or abs(sum(fractions[1::2]) - 1) > 1e-12:
        raise InputError(
            f"integrator {fractions} is not reversible: give a palindrome (momentum, field, ..., momentum) "
            "whose momentum and field fractions each sum to 1"
        )
    return fractions


def integrate(
    gradient: Callable[[Array], Array],
    field: Float[Array, "..."],
    momentum: Float[Array, "..."],
    step_size: Float[Array, "..."],
    steps: int,
    fractions: tuple[float, ...],
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """Follow dphi/dt = pi, dpi/dt = -dS/dphi for `steps` steps; `step_size` broadcasts with the field.

    The last momentum update of a step is joined with the first of the next.

    >>> import jax.numpy as jnp
    >>> start, omelyan = (jnp.ones(1), jnp.zeros(1)), INTEGRATORS["omelyan"]
    >>> field, _ = integrate(lambda x: x, *start, jnp.array(0.01), 314, omelyan)
    >>> bool(abs(field[0] + 1) < 1e-5)
    True
    """
    edge, inner = fractions[0], fractions[1:-1]

    def kick(field: Array, momentum: Array, fraction: float) -> Array:
        return momentum - fraction * step_size * gradient(field)

    def step(_: Array, state: tuple[Array, Array]) -> tuple[Array, Array]:
        field, momentum = state
        for index, fraction in enumerate(inner):
            if index % 2:
                momentum = kick(field, momentum, fraction)
            else:
                field = field + fraction * step_size * momentum
        return field, kick(field, momentum, 2 * edge)

    field, momentum = jax.lax.fori_loop(0, steps, step, (field, kick(field, momentum, edge)))
    return field, kick(field, momentum, -edge)
