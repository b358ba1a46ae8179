"""Steps of couplings from gradients: plain descent, Adam, and the natural gradient."""

from functools import lru_cache
from numbers import Real
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from kadanoff.errors import InputError
from kadanoff.products import matmul
from kadanoff.programs import program_digest

__all__ = ["OPTIMISERS", "natural_gradient", "optimiser", "optimiser_program"]

#: By name, with the rate that `fit_variational` takes unless an object is given.
OPTIMISERS = ("descent", "adam", "natural")


@lru_cache
def _named(name: str) -> optax.GradientTransformationExtraArgs:
    made = {
        "descent": lambda: optax.sgd(0.05),
        "adam": lambda: optax.adam(0.005),
        "natural": natural_gradient,
    }[name]()
    return optax.with_extra_args_support(made)


def optimiser(choice: Any) -> optax.GradientTransformationExtraArgs:
    """Look an optimiser up by name, or take an optax transformation as it is; else `InputError`.

    >>> optimiser("adam") is optimiser("adam")
    True
    """
    if isinstance(choice, str) and choice in OPTIMISERS:
        return _named(choice)
    if isinstance(choice, optax.GradientTransformation):
        return optax.with_extra_args_support(choice)
    raise InputError(
        f"unknown optimiser {choice!r}; choose from {', '.join(OPTIMISERS)}, or give an optax transformation"
    )


def optimiser_program(choice: Any, vector: Float[Array, " P"]) -> str:
    """What an optimiser is: its name, or the digest of what it makes of a gradient; rates and schedules count.

    Raises `InputError` for one that asks for more than gradients and couplings.
    """
    if isinstance(choice, str):
        return choice
    rule = optimiser(choice)
    operators = jax.ShapeDtypeStruct((2, *vector.shape), vector.dtype)

    def first_step(vector: Array, operators: Array) -> Any:
        return rule.update(vector, rule.init(vector), vector, operators=operators)

    try:
        return program_digest(first_step, vector, operators)
    except (TypeError, KeyError, ValueError) as error:
        raise InputError(
            f"this optimiser makes no step of a gradient and couplings alone ({error}): choose one that does, such as "
            "'natural' or optax.adam(0.01); there is no value of KL(p||q) to search a line by"
        ) from None


def natural_gradient(
    rate: float = 0.2, damping: float = 1e-3, most: float = 1.0
) -> optax.GradientTransformationExtraArgs:
    """Steps -rate F^{-1} g, where F is the Fisher matrix, the covariance of the conjugate operators.

    F is estimated from the same configurations as the gradient g. Its diagonal is raised by the fraction
    `damping`, and it is solved by Cholesky. A step that would move the distribution by more than `most` nats,
    step F step / 2, is shortened to that. For actions linear in their couplings, -F^{-1} g is the regression of
    A - S on the conjugate operators: where the target lies within the family it points exactly at it.

    Raises `InputError` for numbers that are not positive.

    Source: S. Amari, Neural Computation 10 (1998) 251.
    """
    for name, value in (("rate", rate), ("damping", damping), ("most", most)):
        if not (isinstance(value, Real) and float(value) > 0):
            raise InputError(f"the {name} of a natural gradient must be a positive number, got {value!r}")

    def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, Any]:
        operators: Float[Array, "chain P"] = extra["operators"]
        fisher = _product(operators) / len(operators)
        diagonal = jnp.diag(fisher)
        raised = fisher + jnp.diag(damping * diagonal + jnp.finfo(fisher.dtype).tiny)
        # Operators differ by orders of magnitude (phi^2 and phi^4): solve for those of unit variance.
        scale = jnp.sqrt(jnp.diag(raised))
        factor = jax.scipy.linalg.cho_factor(raised / (scale[:, None] * scale), lower=True)
        step = -rate * jax.scipy.linalg.cho_solve(factor, updates / scale) / scale
        moved = jnp.maximum(0.5 * matmul(matmul(step, fisher), step), jnp.finfo(step.dtype).tiny)
        return step * jnp.minimum(1.0, jnp.sqrt(most / moved)), state

    return optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), update)


def _product(operators: Array) -> Array:
    return matmul(operators.T, operators)
