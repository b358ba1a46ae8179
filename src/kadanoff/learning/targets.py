"""Target actions as users give them: checked once, before anything is simulated."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from kadanoff.actions.base import as_action, require_density
from kadanoff.errors import InputError
from kadanoff.graph import Graph
from kadanoff.sites import require_same_sites

__all__ = ["checked_target"]


def checked_target(target: Any, model: Any, fields: Float[Array, "chain ..."]) -> Any:
    """Give the target as an action that is real, scalar and finite on such fields of a model.

    Accepts an action or a bare function S(field). Raises `InputError` in one line for a function that fails on
    a field or returns no single number, for a graph of another shape, a density that has not one term a site,
    for values that are complex, NaN or infinite, and for spins where the model has real fields, or the reverse.

    >>> import jax.numpy as jnp, kadanoff as kd
    >>> checked_target(kd.Phi4(-0.9515, 0.7), kd.Phi4(1.0, 0.7), jnp.ones((2, 4, 4)))
    Phi4(mass2=-0.9515, quartic=0.7, kappa=1.0)
    """
    action = as_action(target)
    require_same_sites(model, action)
    name = getattr(target, "__name__", type(target).__name__)
    graph = getattr(action, "graph", None)
    if isinstance(graph, Graph) and graph.shape != fields.shape[1:]:
        raise InputError(
            f"the target {name} lives on {graph!r}, and fields of the model have the shape {fields.shape[1:]}: give "
            "model and target on one graph"
        )
    density = require_density(action, fields.shape[1:])
    if jnp.issubdtype(density.dtype, jnp.complexfloating):
        raise InputError(
            f"the target {name} is complex, and KL(p||q) needs a probability; learn its real part and reweight"
        )
    wrong = int(jnp.sum(~jnp.isfinite(jax.vmap(lambda field: jnp.sum(action.density(field)))(fields))))
    if wrong:
        raise InputError(
            f"the target {name} is not finite on {wrong} of {len(fields)} fields drawn from the model: "
            "define it for every real field"
        )
    return action
