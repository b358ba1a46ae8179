"""Heat-bath updates: every site is drawn from its conditional, the quartic site."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from kadanoff import quartic
from kadanoff.actions.base import NearestNeighbourAction
from kadanoff.errors import InputError
from kadanoff.sampling.local import SiteLabels, local_sweeps
from kadanoff.sampling.metropolis import require_nearest_neighbour
from kadanoff.sampling.state import ChainState, Info, chain_state

__all__ = ["HeatBath"]


class HeatBath(eqx.Module):
    """Sweeps of exact draws from p(phi_x | neighbours) ~ exp(h x - a x^2 - b x^4), h = kappa sum of
    neighbours.

    An action offers it by `site_couplings(dimension)`, the pair (a, b).

    >>> import jax, kadanoff as kd
    >>> sampler, action = kd.HeatBath(), kd.Phi4(-0.9515, 0.7)
    >>> state = sampler.init(action, jax.numpy.zeros((2, 8, 8)))
    >>> state, info = sampler.step(jax.random.key(0), action, state)
    >>> float(info.acceptance)
    1.0

    Source: M. Creutz, PRD 21 (1980) 2308.
    """

    sweeps: int = eqx.field(static=True, default=1)

    def init(self, action: Any, fields: Array, chain: Array | None = None) -> ChainState:
        """Make the state of many chains; `InputError` for an action whose sites are not quartic."""
        require_nearest_neighbour(action, "HeatBath")
        if not hasattr(action, "site_couplings"):
            raise InputError(
                f"HeatBath draws from the quartic site, but {type(action).__name__} offers no "
                "`site_couplings`; use Metropolis or HybridMonteCarlo"
            )
        return chain_state(fields, chain, 1.0)

    @eqx.filter_jit
    def step(
        self, key: PRNGKeyArray, action: NearestNeighbourAction, state: ChainState
    ) -> tuple[ChainState, Info]:
        """Sweep every chain `sweeps` times."""
        a, b = action.site_couplings(state.fields.ndim - 1)  # type: ignore[attr-defined]

        def rule(labels: SiteLabels, phi: Array, neighbours: Array) -> tuple[Array, Array]:
            new = quartic.draw(labels.key, action.kappa * neighbours, a, b, labels.site, labels.chain)
            return new, jnp.ones_like(new)

        fields, _ = local_sweeps(rule, key, state.fields, state.chain, self.sweeps)
        return eqx.tree_at(lambda s: s.fields, state, fields), Info(jnp.ones(()))

    def tune(self, state: ChainState, info: Info) -> ChainState:
        """Nothing to tune."""
        return state
