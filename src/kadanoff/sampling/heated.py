"""An action at another temperature, S/T, which the samplers of S take, too."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from kadanoff.actions.base import (
    Action,
    NearestNeighbourAction,
    has_quartic_sites,
    has_spins,
)
from kadanoff.actions.inhomogeneous import PairAction
from kadanoff.actions.ising import Ising
from kadanoff.actions.phi4 import Phi4
from kadanoff.lattice import Lattice
from kadanoff.sampling.colour_block import has_interaction_graph

__all__ = ["heated"]


def heated(action: Any, temperature: float) -> Any:
    """S/T, which offers all that local, cluster and hybrid Monte Carlo updates ask of S.

    >>> import kadanoff as kd
    >>> heated(kd.Ising(0.5), 2.0)
    Ising(beta=0.25)
    """
    if isinstance(action, PairAction) or type(action) in (Phi4, Ising):  # linear in all their couplings
        return jax.tree_util.tree_map(lambda coupling: coupling / temperature, action)
    kind: Any = _Heated
    if has_interaction_graph(action):
        kind = _HeatedGraph
    elif isinstance(action, NearestNeighbourAction):
        if type(action).density is NearestNeighbourAction.density:
            kind = _HeatedQuartic if has_quartic_sites(action) else _HeatedNeighbours
    return kind(action, jnp.asarray(temperature, jnp.float32))


class _Heated(Action):
    """S/T for an action that need not be linear in its couplings."""

    action: Any
    temperature: Float[Array, ""]

    @property
    def spins(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return has_spins(self.action)

    def density(self, field: Array) -> Array:
        return self.action.density(field) / self.temperature


class _HeatedGraph(_Heated):
    """With the interaction graph that the action gives."""

    def on(self, lattice: Lattice) -> Any:
        return jax.tree_util.tree_map(lambda coupling: coupling / self.temperature, self.action.on(lattice))


class _HeatedNeighbours(NearestNeighbourAction):
    """With the potential and the hopping term of the action."""

    action: Any
    temperature: Float[Array, ""]

    @property
    def spins(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return has_spins(self.action)

    @property
    def kappa(self) -> Array:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.action.kappa / self.temperature

    def potential(self, phi: Array, dimension: int) -> Array:
        return self.action.potential(phi, dimension) / self.temperature


class _HeatedQuartic(_HeatedNeighbours):
    """With the quartic sites of the action."""

    def site_couplings(self, dimension: int) -> tuple[Array, Array]:
        a, b = self.action.site_couplings(dimension)
        return a / self.temperature, b / self.temperature
