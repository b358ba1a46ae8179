"""Metropolis updates of nearest-neighbour actions, and of others colour by colour of their graph."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from kadanoff.actions.base import NearestNeighbourAction, has_quartic_sites, has_spins
from kadanoff.compiled.rows import FLIPPED
from kadanoff.errors import InputError
from kadanoff.random import uniform
from kadanoff.sampling.colour_block import ColourBlock, has_graph
from kadanoff.sampling.local import Compiled, local_sweeps
from kadanoff.sampling.state import ChainState, Info, chain_state, require_proposals, tuned_width

__all__ = ["Metropolis"]


class Metropolis(eqx.Module):
    """Sweeps of single-site proposals phi + width (u - 1/2), accepted with probability min(1, exp(-dS)).

    The width is tuned during thermalisation only, towards `target_acceptance`. A spin is proposed its opposite with
    probability 3/4: proposed always, flips that cost nothing would happen together for ever, and most states never.
    An action that is not of nearest neighbours is updated colour by colour of its graph, see `HasInteractionGraph`.

    >>> import jax, kadanoff as kd
    >>> sampler, action = kd.Metropolis(), kd.Phi4(-0.9515, 0.7)
    >>> state = sampler.init(action, jax.numpy.zeros((2, 8, 8)))
    >>> state, info = sampler.step(jax.random.key(0), action, state)
    >>> 0 < float(info.acceptance) < 1
    True

    Source: N. Metropolis et al., J. Chem. Phys. 21 (1953) 1087.
    """

    sweeps: int = eqx.field(static=True, default=1)
    width: float = eqx.field(static=True, default=3.0)
    target_acceptance: float = eqx.field(static=True, default=0.5)

    def __check_init__(self) -> None:
        """Refuse options out of range."""
        require_proposals(self.sweeps, self.width, self.target_acceptance)

    def init(self, action: Any, fields: Array | np.ndarray, chain: Array | None = None) -> ChainState:
        """Make the state of many chains; `InputError` for an action without nearest-neighbour form or graph."""
        if has_graph(action):
            return self._on_graph.init(action, fields, chain)
        require_nearest_neighbour(action, "Metropolis", graphs=True)
        return chain_state(fields, chain, self.width)

    @property
    def _on_graph(self) -> ColourBlock:
        return ColourBlock("metropolis", self.sweeps, self.width, self.target_acceptance)

    @eqx.filter_jit
    def step(self, key: PRNGKeyArray, action: Any, state: ChainState) -> tuple[ChainState, Info]:
        """Sweep every chain `sweeps` times."""
        if has_graph(action):
            return self._on_graph.step(key, action, state)
        dimension, spins = state.fields.ndim - 1, has_spins(action)

        def odds(new: Array, phi: Array, neighbours: Array) -> Array:
            change = new - phi
            ratio = jnp.exp(
                action.potential(phi, dimension)
                - action.potential(new, dimension)
                + action.kappa * change * neighbours
            )
            return FLIPPED * jnp.minimum(ratio, 1) if spins else ratio

        def rule(words: tuple[Array, ...], phi: Array, neighbours: Array) -> tuple[Array, Array]:
            new = -phi if spins else phi + state.step_size * (uniform(words[0]) - 0.5)
            accept = uniform(words[-1]) < odds(new, phi, neighbours)
            return jnp.where(accept, new, phi), accept.astype(phi.dtype)

        if spins:
            # Sums of neighbours that may be, given spins down and up.
            phi, sums = jnp.float32([[-1], [1]]), jnp.arange(-6, 7, 2, dtype=jnp.float32)
            compiled = Compiled.of_spins("spin metropolis", odds(-phi, phi, sums))
        elif has_quartic_sites(action):
            a, b = action.site_couplings(dimension)
            numbers = (action.kappa, a, b, state.step_size)
            compiled = Compiled("metropolis", jnp.stack([jnp.asarray(n, jnp.float32) for n in numbers]))
        else:
            compiled = None
        fields, acceptance = local_sweeps(
            rule, key, state.fields, state.chain, self.sweeps, 1 if spins else 2, compiled
        )
        return eqx.tree_at(lambda s: s.fields, state, fields), Info(acceptance)

    def tune(self, state: ChainState, info: Info) -> ChainState:
        """Widen or narrow the proposal by how far the acceptance is from its target."""
        return tuned_width(state, info, self.target_acceptance)


def require_nearest_neighbour(action: Any, sampler: str, graphs: bool = False) -> None:
    """Raise unless an action is `potential` and `kappa`, alike at all sites, which is all that local updates look at.

    The message names graphs to samplers that take them.
    """
    name, spins = type(action).__name__, has_spins(action)
    other = "use HybridMonteCarlo, which needs only `density`"
    if spins:  # no forces
        other = "give it an interaction graph, `on(lattice)`, which HeatBath and Metropolis take"
    elif graphs:
        other = f"give it an interaction graph, `on(lattice)`, or {other}"
    if not isinstance(action, NearestNeighbourAction):
        raise InputError(
            f"{sampler} needs local differences, which {name} does not offer: derive it from "
            f"NearestNeighbourAction, or {other}"
        )
    if type(action).density is not NearestNeighbourAction.density:
        raise InputError(
            f"{sampler} looks at the potential and kappa only, and {name} has a `density` of its own: leave `density` "
            f"as it is, or {other}"
        )
    site = jax.eval_shape(lambda phi: action.potential(phi, 2), jax.ShapeDtypeStruct((), jnp.float32))
    if site.shape != () or np.ndim(action.kappa) != 0:
        raise InputError(
            f"{sampler} updates sites that are all alike, and {name} has couplings that differ from site to site "
            f"(its potential of one site has the shape {site.shape}): use "
            + ("InhomogeneousIsing" if spins else "InhomogeneousPhi4, or HybridMonteCarlo")
        )
