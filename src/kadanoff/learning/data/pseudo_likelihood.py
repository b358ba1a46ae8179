"""Pseudo-likelihood: the exact probability of every site given the others, without any simulation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from kadanoff.errors import InputError
from kadanoff.learning.data.conditionals import (
    NODES,
    across,
    is_quartic_graph,
    is_resolved,
    log_conditionals,
    require_conditionals,
    unresolved,
    window,
)
from kadanoff.learning.data.newton import Objective, minimise, solve_any
from kadanoff.learning.data.pair_sites import PairSites
from kadanoff.learning.data.parameters import Parameters
from kadanoff.learning.data.samples import Samples
from kadanoff.learning.data.solution import Solution, require_counts
from kadanoff.sampling.run import Progress
from kadanoff.store.checkpoint import Checkpoint

__all__ = ["PseudoLikelihood"]

_TERMS = 1 << 24  # handled at once: sites times nodes
_FOR_HESSIAN = 1000  # fields that make the Hessian of an action in general: it needs one pass a coupling
_MANY = 2048  # couplings beyond which errors are left out


@dataclass(frozen=True)
class PseudoLikelihood:
    """Maximise sum_x ln p(phi_x | rest), deterministic and consistent, by Newton's method.

    Couplings that must be positive stay at 0.0001 where the data want less; errors are as if there were no bound.

    - `steps`: at most so many.
    - `ridge`: by name of a coupling, the precision of a Gaussian prior about zero for each of its components, as if
        for one field: where data leave couplings nearly free it keeps them small, at the price of a bias.

    Raises `InputError` for actions whose conditionals are not known (see `kadanoff.learning.data.conditionals`), for
    fewer than one step, and for a `ridge` that names no couplings.

    Source: J. Besag, The Statistician 24 (1975) 179.
    """

    steps: int = 60
    ridge: Any = field(default_factory=dict)  # Mapping[str, float], as is checked

    def __post_init__(self) -> None:
        """Refuse what are no options."""
        require_counts(self, "steps")
        if not isinstance(self.ridge, Mapping):
            raise InputError(
                f"ridge={self.ridge!r} does not say of which coupling: give precisions by name, such as "
                "ridge={'w': 1.0}"
            )

    def solve(
        self, parameters: Parameters, samples: Samples, seed: int, progress: Progress, checkpoint: Checkpoint
    ) -> Solution:
        """Minimise; nothing is random."""
        require_conditionals(parameters.action)
        ridge = self._precisions(parameters)
        start, inside = parameters.within(parameters.values), window(samples.fields)
        for count in NODES:
            if is_quartic_graph(parameters.action):
                objective: Any = PairSites(parameters, samples.fields, samples.weights, ridge)
            else:
                nodes = across(inside, count)
                objective = _AnyConditionals(parameters, samples.fields, samples.weights, ridge, nodes)
            vector, history = minimise(
                objective,
                start,
                len(samples.fields),
                self.steps,
                parameters.lower,
                lambda step, distance: progress(
                    step + 1, None, f"pseudo-likelihood, distance {distance:.3g}"
                ),
                checkpoint,
            )
            if is_resolved(parameters.at(vector), samples.fields, inside, count):
                break
            checkpoint = Checkpoint()  # too few nodes lead anywhere: again from the start
        else:
            raise unresolved(parameters.action)
        if len(vector) > _MANY:
            return Solution(vector, None, history=history)
        hessian, terms = objective.slopes(vector)[1], objective.terms(vector)
        return Solution(vector, -solve_any(hessian, np.ascontiguousarray(terms.T)).T, history=history)

    def _precisions(self, parameters: Parameters) -> Float[np.ndarray, " K"]:
        ridge = np.zeros(len(parameters.values))
        for name, precision in self.ridge.items():
            places = parameters.places(name)
            if places is None or not (isinstance(precision, Real) and 0 <= float(precision) < np.inf):
                raise InputError(
                    f"ridge gives {name!r} the precision {precision!r}: name a trained coupling, 0 or more"
                )
            ridge[places] = precision
        return ridge


class _AnyConditionals(Objective):
    """-ln p of all sites given the others, by automatic differentiation: for actions of few couplings."""

    def __init__(
        self,
        parameters: Parameters,
        fields: np.ndarray,
        weights: np.ndarray,
        ridge: np.ndarray,
        nodes: Float[Array, " node"],
    ) -> None:
        self._parameters, self._fields, self._weights, self._ridge = parameters, fields, weights, ridge
        self._nodes, self._sites = nodes, _TERMS // len(nodes)
        rows = max(1, self._sites // fields[0].size)
        self._parts = [slice(i, i + rows) for i in range(0, len(fields), rows)]
        step = max(1, len(fields) // _FOR_HESSIAN)
        self._some = fields[::step]

    def value(self, vector: Float[np.ndarray, " K"]) -> float:
        values = np.concatenate(self._map(_energy, vector))
        return float(self._weights @ values + self._ridge @ vector**2 / 2)

    def slopes(self, vector: Float[np.ndarray, " K"]) -> tuple[np.ndarray, np.ndarray]:
        rows = max(1, self._sites // (len(vector) * self._fields[0].size))
        weights = self._weights[:: max(1, len(self._fields) // _FOR_HESSIAN)]
        hessian = sum(
            np.einsum(
                "n,nkl->kl", weights[i : i + rows], self._call(_hessian, vector, self._some[i : i + rows])
            )
            for i in range(0, len(self._some), rows)
        ) / np.sum(weights)
        gradient = self._weights @ self.terms(vector)
        return gradient, np.asarray(hessian) + np.diag(self._ridge)

    def terms(self, vector: Float[np.ndarray, " K"]) -> Float[np.ndarray, "n K"]:
        """The gradient of every field, the ridge included."""
        return np.concatenate(self._map(_slope, vector)) + self._ridge * vector

    def _map(self, function: Any, vector: np.ndarray) -> list[np.ndarray]:
        return [self._call(function, vector, self._fields[part]) for part in self._parts]

    def _call(self, function: Any, vector: np.ndarray, fields: np.ndarray) -> np.ndarray:
        values = jnp.asarray(vector, jnp.float32)
        return np.asarray(function(self._parameters, values, jnp.asarray(fields), self._nodes), np.float64)


def _one(parameters: Parameters, vector: Array, field: Array, nodes: Array) -> Array:
    return -jnp.sum(log_conditionals(parameters.at(vector), field, nodes))


@eqx.filter_jit
def _energy(parameters: Parameters, vector: Array, fields: Array, nodes: Array) -> Array:
    return jax.vmap(lambda field: _one(parameters, vector, field, nodes))(fields)


@eqx.filter_jit
def _slope(parameters: Parameters, vector: Array, fields: Array, nodes: Array) -> Array:
    return jax.vmap(lambda field: jax.grad(_one, 1)(parameters, vector, field, nodes))(fields)


@eqx.filter_jit
def _hessian(parameters: Parameters, vector: Array, fields: Array, nodes: Array) -> Array:
    return jax.vmap(lambda field: jax.hessian(_one, 1)(parameters, vector, field, nodes))(fields)
