"""The free energy F = -ln Z of an action on a finite space."""

import warnings
from typing import Any, SupportsIndex

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from kadanoff import random
from kadanoff.actions import PairAction, as_action, has_spins
from kadanoff.errors import InputError, OverlapError, OverlapWarning
from kadanoff.graph import Graph
from kadanoff.lattice import Lattice
from kadanoff.learning.partition.annealed import annealed_importance_sampling
from kadanoff.learning.partition.integration import thermodynamic_integration
from kadanoff.learning.partition.starts import Blend, gaussian_start, on_graph, site_start
from kadanoff.sampling import default_sampler
from kadanoff.sampling.state import ChainState, Sampler
from kadanoff.sites import require_real, space_of
from kadanoff.statistics import Estimate
from kadanoff.whole import whole

__all__ = ["free_energy"]

METHODS = ("annealing", "integration")
_STARTS = {"sites": site_start, "gaussian": gaussian_start}
_FEWEST, _SMALL = 10, 0.05  # effective chains, and their fraction, as in reweighting


def free_energy(
    action: Any,
    space: Lattice | Graph | None = None,
    *,
    method: str = "annealing",
    start: str = "sites",
    chains: int = 256,
    steps: SupportsIndex | Float[np.ndarray, " step"] = 1000,
    nodes: int = 12,
    thermalize: int = 100,
    draws: int = 200,
    sampler: Sampler | None = None,
    seed: int = 0,
) -> Estimate:
    """F = -ln Z of an action, from a start whose Z is known exactly, with a statistical error.

    `space` is left out for an action with a graph of its own. `start` is "sites", the sites of the action without
    links, or "gaussian", its quadratic form. "annealing" weights `chains` chains over `steps` steps; its estimate of Z
    has no bias. "integration" averages dS/dt at `nodes` Gauss-Legendre nodes, `draws` after `thermalize` steps at
    each. Sites on a graph are updated colour by colour, other actions by hybrid Monte Carlo, unless `sampler` says so.

    Raises `InputError` for unknown names and for a start that has no density (it says which site or mode), and
    `OverlapError` when fewer than about 10 effective chains are left. Warns (`OverlapWarning`) below 5 % of them.

    >>> import kadanoff as kd
    >>> found = free_energy(kd.Ising(0.3), kd.Lattice((4, 4)), chains=64, steps=50)
    >>> abs(found.pull(-kd.exact.kaufman(0.3, (4, 4)).log_partition)) < 4
    True
    """
    action = as_action(action)
    space = space_of(action, space)
    if method not in METHODS:
        raise InputError(f"unknown method {method!r}; choose one of {', '.join(METHODS)}")
    if start not in _STARTS:
        raise InputError(f"unknown start {start!r}; choose one of {', '.join(_STARTS)}")
    if whole("chains", chains) < 2:
        raise InputError(f"an error needs 2 chains or more, got {chains}")
    require_real(action, space.shape)
    target = on_graph(action, space)
    if has_spins(target) and not isinstance(target, PairAction):
        raise InputError(
            f"free energies of spins are found for Ising and InhomogeneousIsing, not for {type(action).__name__}; for "
            "few sites kd.exact.enumerate_spins has ln Z, else give annealed_importance_sampling a path of your own"
        )
    draw_key, run_key = random.split(random.key(seed))
    begin = _STARTS[start](draw_key, action, space, chains)
    sampler = default_sampler(target) if sampler is None else sampler
    state = sampler.init(target, begin.fields)
    alike = jax.tree_util.tree_structure(begin.action) == jax.tree_util.tree_structure(target)
    path = _Straight(begin.action, target) if alike else _Blended(begin.action, target)
    if method == "annealing":
        result = annealed_importance_sampling(run_key, state, path, _energy, _Step(sampler), steps)
        _judge(result.effective_sample_size, chains)
        ratio = result.log_ratio
    else:
        ratio = thermodynamic_integration(
            run_key, state, path, _energy, _Step(sampler), nodes, thermalize, draws
        ).log_ratio
    return Estimate(-(begin.log_partition + ratio.value), ratio.error, ratio.tau_int)


class _Straight(eqx.Module):
    """Couplings on the straight line between two actions of one kind."""

    first: Any
    second: Any

    def __call__(self, t: Array) -> Any:
        return jax.tree_util.tree_map(lambda g, h: (1 - t) * g + t * h, self.first, self.second)


class _Blended(eqx.Module):
    """Sums of two actions of different kinds."""

    first: Any
    second: Any

    def __call__(self, t: Array) -> Any:
        return Blend(self.first, self.second, t)


class _Step(eqx.Module):
    sampler: Sampler

    def __call__(self, key: PRNGKeyArray, action: Any, state: ChainState) -> ChainState:
        return self.sampler.step(key, action, state)[0]


def _energy(action: Any, state: ChainState) -> Array:
    return jax.vmap(action.density)(state.fields)


def _judge(effective: float, chains: int) -> None:
    """Refuse or warn where the weights leave too few of the chains."""
    mend = "take more steps, more chains, or another start"
    if effective < min(_FEWEST, chains / 2):
        raise OverlapError(f"the annealing leaves {effective:.1f} effective chains of {chains}; {mend}")
    if effective < _SMALL * chains:
        warnings.warn(
            f"the annealing leaves {effective:.0f} effective chains of {chains} ({effective / chains:.1%}): rare "
            f"ones decide the mean, and the error may be too small; {mend}",
            OverlapWarning,
            stacklevel=3,
        )
