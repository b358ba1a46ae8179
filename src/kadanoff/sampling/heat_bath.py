"""Heat-bath updates: every site is drawn from its conditional, the quartic site."""

from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from kadanoff.actions.base import NearestNeighbourAction, has_quartic_sites, has_spins
from kadanoff.compiled.rows import TABLE
from kadanoff.errors import InputError
from kadanoff.quartic.rejection import envelopes, redrawn
from kadanoff.random import uniform
from kadanoff.sampling.colour_block import ColourBlock, has_graph
from kadanoff.sampling.local import Compiled, SiteRule, local_sweeps
from kadanoff.sampling.metropolis import require_nearest_neighbour
from kadanoff.sampling.state import ChainState, Info, chain_state, require_proposals

__all__ = ["HeatBath", "spin_odds"]


class HeatBath(eqx.Module):
    """Sweeps of exact draws of every site given its neighbours, h = kappa sum of neighbours.

    A real site follows p(x) ~ exp(h x - a x^2 - b x^4), which an action offers by `site_couplings(dimension)`, the
    pair (a, b); a spin follows p(s) ~ exp(h s - V(s)). Two trials are made for a real site; where both are refused
    (one site in a hundred at criticality, one in four at worst) it waits for the next sweep, whatever it holds. The
    acceptance tells how many were drawn. An action that is not of nearest neighbours is updated colour by colour of
    its graph, see `HasInteractionGraph`.

    >>> import jax, kadanoff as kd
    >>> sampler, action = kd.HeatBath(), kd.Phi4(-0.9515, 0.7)
    >>> state = sampler.init(action, jax.numpy.zeros((2, 8, 8)))
    >>> state, info = sampler.step(jax.random.key(0), action, state)
    >>> bool(info.acceptance > 0.9)
    True

    Source: M. Creutz, PRD 21 (1980) 2308.
    """

    tuned: ClassVar[bool] = False
    sweeps: int = eqx.field(static=True, default=1)

    def __check_init__(self) -> None:
        """Refuse options out of range."""
        require_proposals(self.sweeps)

    def init(self, action: Any, fields: Array | np.ndarray, chain: Array | None = None) -> ChainState:
        """Make the state of many chains; `InputError` for an action whose sites are not quartic."""
        if has_graph(action):
            return ColourBlock(sweeps=self.sweeps).init(action, fields, chain)
        require_nearest_neighbour(action, "HeatBath", graphs=True)
        if not (has_quartic_sites(action) or has_spins(action)):
            raise InputError(
                f"HeatBath draws spins or quartic sites, but {type(action).__name__} has no spins and offers no "
                "`site_couplings`; use Metropolis or HybridMonteCarlo"
            )
        return chain_state(fields, chain, 1.0)

    @eqx.filter_jit
    def step(self, key: PRNGKeyArray, action: Any, state: ChainState) -> tuple[ChainState, Info]:
        """Sweep every chain `sweeps` times."""
        if has_graph(action):
            return ColourBlock(sweeps=self.sweeps).step(key, action, state)
        dimension, spins = state.fields.ndim - 1, has_spins(action)
        rule, compiled = (_spin if spins else _quartic_site)(action, dimension)
        fields, drawn = local_sweeps(
            rule, key, state.fields, state.chain, self.sweeps, 1 if spins else 4, compiled
        )
        return eqx.tree_at(lambda s: s.fields, state, fields), Info(drawn)

    def tune(self, state: ChainState, info: Info) -> ChainState:
        """Nothing to tune."""
        return state


def _quartic_site(action: Any, dimension: int) -> tuple[SiteRule, Compiled]:
    a, b = action.site_couplings(dimension)
    scale, table = envelopes(2 * dimension * action.kappa, a, b, TABLE)

    def rule(words: tuple[Array, ...], phi: Array, neighbours: Array) -> tuple[Array, Array]:
        first, second, third, fourth = words
        return redrawn((first, second, third, fourth), phi, action.kappa * neighbours, a, b, (scale, table))

    numbers = jnp.stack([jnp.asarray(number, jnp.float32) for number in (action.kappa, a, b, scale)])
    return rule, Compiled("heat bath", jnp.concatenate([numbers, table.astype(jnp.float32)]))


def _spin(action: NearestNeighbourAction, dimension: int) -> tuple[SiteRule, Compiled]:
    odds = spin_odds(action, dimension)

    def up(neighbours: Array) -> Array:
        return 1 / (1 + odds(neighbours))

    def rule(words: tuple[Array, ...], phi: Array, neighbours: Array) -> tuple[Array, Array]:
        one = jnp.ones((), phi.dtype)
        return jnp.where(uniform(words[0]) < up(neighbours), one, -one), one

    sums = jnp.arange(-6, 7, 2, dtype=jnp.float32)  # of neighbours, in up to three dimensions
    return rule, Compiled.of_spins("spin heat bath", up(sums))


def spin_odds(action: NearestNeighbourAction, dimension: int) -> Callable[[Array], Array]:
    """The function of the sum of its neighbours that gives p(-1)/p(+1) of a spin.

    >>> import jax.numpy as jnp, kadanoff as kd
    >>> float(spin_odds(kd.Ising(0.5), 2)(jnp.asarray(0.0)))
    1.0
    """
    up = jnp.ones((), jnp.float32)
    bias = action.potential(-up, dimension) - action.potential(up, dimension)
    return lambda neighbours: jnp.exp(-(2 * action.kappa * neighbours + bias))
