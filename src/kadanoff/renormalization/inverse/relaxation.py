"""Relaxation: a few local sweeps of a target action, which repair short distances and keep the long modes."""

import math
from typing import Any, TypeGuard

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, UInt32

from kadanoff.actions.base import NearestNeighbourAction, as_action
from kadanoff.errors import InputError
from kadanoff.sampling.colour_block import has_interaction_graph
from kadanoff.sampling.heat_bath import HeatBath
from kadanoff.sampling.hmc import HybridMonteCarlo
from kadanoff.sampling.metropolis import Metropolis
from kadanoff.sampling.state import ChainState
from kadanoff.whole import whole

__all__ = ["Relaxation", "require_relaxation"]


class Relaxation(eqx.Module):
    """`sweeps` sweeps of a target action, applied to grown fields.

    Actions with local differences are swept by Metropolis with proposals of the given `width`, those with an
    interaction graph by a heat bath colour by colour, others by hybrid Monte Carlo, one trajectory a sweep. Nothing is
    tuned on the fields, so a relaxation is a fixed Markov kernel.

    Raises `InputError` for sweeps below 1.

    >>> import kadanoff as kd
    >>> kd.Relaxation(kd.Phi4(-0.9515, 0.7), sweeps=32).sweeps
    32
    """

    action: Any
    sweeps: int = eqx.field(static=True, default=64)
    width: float = eqx.field(static=True, default=2.7)

    def __init__(self, action: Any, sweeps: int = 64, width: float = 2.7) -> None:
        """Set the target."""
        if whole("the sweeps of a relaxation", sweeps) < 1:
            raise InputError(
                f"relaxation needs at least one sweep, got {sweeps}; give relax=None for a pure map"
            )
        if not 0 < width < math.inf:
            raise InputError(f"the proposal width must be positive and finite, got {width}")
        self.action, self.sweeps, self.width = as_action(action), sweeps, width

    def for_sweeps(self, sweeps: int) -> "Relaxation":
        """The same relaxation for another number of sweeps."""
        return Relaxation(self.action, sweeps, self.width)

    def __call__(
        self, key: PRNGKeyArray, fields: Float[Array, "n ..."], number: UInt32[Array, " n"]
    ) -> Float[Array, "n ..."]:
        """Relax fields (n, *lattice); random numbers are keyed by the configurations' global numbers."""
        if isinstance(self.action, NearestNeighbourAction):
            sampler = Metropolis(sweeps=self.sweeps)
            state = sampler.init(self.action, fields, number)
            width = jnp.asarray(self.width, fields.dtype)
            state = eqx.tree_at(lambda s: s.step_size, state, width)
            return sampler.step(key, self.action, state)[0].fields
        if has_interaction_graph(self.action):
            bath = HeatBath(sweeps=self.sweeps)
            return bath.step(key, self.action, bath.init(self.action, fields, number))[0].fields
        trajectory = HybridMonteCarlo(step_size=0.1)
        state = trajectory.init(self.action, fields, number)

        def sweep(index: Array, state: ChainState) -> ChainState:
            return trajectory.step(jax.random.fold_in(key, index), self.action, state)[0]

        return jax.lax.fori_loop(0, self.sweeps, sweep, state).fields


def require_relaxation(relax: Relaxation | None) -> TypeGuard[Relaxation]:
    """Whether there is a relaxation; `InputError` for what is neither one nor None.

    >>> require_relaxation(None)
    False
    """
    if not (relax is None or isinstance(relax, Relaxation)):
        raise InputError(
            f"{relax!r} is no relaxation: give kd.Relaxation(action, sweeps=64), or None for a pure map"
        )
    return relax is not None
