"""Heat-bath updates: every site is drawn from its conditional, the quartic site."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from kadanoff import quartic
from kadanoff.actions.base import NearestNeighbourAction, has_spins
from kadanoff.errors import InputError
from kadanoff.random import site_words, uniform
from kadanoff.sampling.local import SiteLabels, local_sweeps
from kadanoff.sampling.metropolis import require_nearest_neighbour
from kadanoff.sampling.state import ChainState, Info, chain_state

__all__ = ["HeatBath", "spin_odds"]


class HeatBath(eqx.Module):
    """Sweeps of exact draws of every site given its neighbours, h = kappa sum of neighbours.

    A real site follows p(x) ~ exp(h x - a x^2 - b x^4), which an action offers by `site_couplings(dimension)`, the
    pair (a, b); a spin follows p(s) ~ exp(h s - V(s)).

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
        if not (hasattr(action, "site_couplings") or has_spins(action)):
            raise InputError(
                f"HeatBath draws spins or quartic sites, but {type(action).__name__} has no spins and offers no "
                "`site_couplings`; use Metropolis or HybridMonteCarlo"
            )
        return chain_state(fields, chain, 1.0)

    @eqx.filter_jit
    def step(
        self, key: PRNGKeyArray, action: NearestNeighbourAction, state: ChainState
    ) -> tuple[ChainState, Info]:
        """Sweep every chain `sweeps` times."""
        draw = (_spin if has_spins(action) else _quartic_site)(action, state.fields.ndim - 1)

        def rule(labels: SiteLabels, phi: Array, neighbours: Array) -> tuple[Array, Array]:
            new = draw(labels, neighbours)
            return new, jnp.ones_like(new)

        fields, _ = local_sweeps(rule, key, state.fields, state.chain, self.sweeps)
        return eqx.tree_at(lambda s: s.fields, state, fields), Info(jnp.ones(()))

    def tune(self, state: ChainState, info: Info) -> ChainState:
        """Nothing to tune."""
        return state


def _quartic_site(action: Any, dimension: int) -> Callable[[SiteLabels, Array], Array]:
    a, b = action.site_couplings(dimension)
    return lambda labels, neighbours: quartic.draw(
        labels.key, action.kappa * neighbours, a, b, labels.site, labels.chain
    )


def _spin(action: NearestNeighbourAction, dimension: int) -> Callable[[SiteLabels, Array], Array]:
    odds = spin_odds(action, dimension)
    up = jnp.ones((), jnp.float32)

    def draw(labels: SiteLabels, neighbours: Array) -> Array:
        word = site_words(*labels)[0]
        return jnp.where(uniform(word) * (1 + odds(neighbours)) < 1, up, -up)

    return draw


def spin_odds(action: NearestNeighbourAction, dimension: int) -> Callable[[Array], Array]:
    """The function of the sum of its neighbours that gives p(-1)/p(+1) of a spin.

    >>> import jax.numpy as jnp, kadanoff as kd
    >>> float(spin_odds(kd.Ising(0.5), 2)(jnp.asarray(0.0)))
    1.0
    """
    up = jnp.ones((), jnp.float32)
    bias = action.potential(-up, dimension) - action.potential(up, dimension)
    return lambda neighbours: jnp.exp(-(2 * action.kappa * neighbours + bias))
