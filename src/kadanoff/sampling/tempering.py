"""Parallel tempering: every chain climbs a ladder of easier actions, and comes back decorrelated.

Source: R. H. Swendsen, J.-S. Wang, PRL 57 (1986) 2607; C. J. Geyer (1991); even and odd pairs in turn: S. Syed et al.,
J. R. Statist. Soc. B 84 (2022) 321.
"""

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from kadanoff.actions.base import with_array_leaves
from kadanoff.actions.coupling import coupling_of, with_couplings
from kadanoff.errors import InputError
from kadanoff.random import site_words, uniform
from kadanoff.sampling.heated import heated
from kadanoff.sampling.state import ChainState, Info, Sampler, require_sampler
from kadanoff.summation import compensated_sum

__all__ = ["LadderReport", "Tempering", "TemperingInfo", "TemperingState"]


class TemperingState(ChainState):
    """The chains of the first rung, as every sampler has them, with what the higher rungs hold.

    `higher` is (rung - 1, chain, *lattice) and `step_sizes` has those of every rung. `climbing` (rung, chain) says
    of each field whether it was last at the top, not the bottom. `odd` tells which pairs swap next; the rest counts.
    """

    higher: Float[Array, "up chain ..."]
    step_sizes: Float[Array, "rung ..."]
    climbing: Int[Array, "rung chain"]
    odd: Int[Array, ""]
    swaps: Float[Array, " up"]
    round_trips: Int[Array, ""]
    steps: Int[Array, ""]


class TemperingInfo(Info):
    """Acceptance on every rung, `acceptance` being the first one's, and of the swaps between neighbouring rungs.

    `each` is what the inner sampler tells, with the rung first.
    """

    rungs: Float[Array, " rung"]
    each: Any
    swaps: Float[Array, " up"]


@dataclass(frozen=True)
class LadderReport:
    """How well a ladder works: mean acceptance of each swap, and round trips from bottom to top and back.

    Counted since the end of thermalisation, over `steps` steps of `chains` chains.
    """

    swap_rates: Float[np.ndarray, " up"]
    round_trips: int
    steps: int
    chains: int

    def __str__(self) -> str:
        """One line."""
        rates = " ".join(f"{rate:.2f}" for rate in self.swap_rates)
        return f"swap rates {rates}; {self.round_trips} round trips of {self.chains} chains in {self.steps} steps"


class Tempering(eqx.Module):
    """Run a sampler on every rung of a ladder of actions, and swap fields between neighbouring rungs.

    Rung 0 is the action itself, and its fields are the chains of the run. `ladder` begins with 1 and holds
    temperatures T (S/T) or, where `coupling` names one, factors of that coupling; `coupling` may also be a function of
    (action, value) that gives the action of a rung, and then the first value is one that gives the action back. The
    pairs of rungs (0, 1), (2, 3), .. and (1, 2), .. swap in turn, with probability min(1, exp(dS)).

    Raises `InputError` for ladders that do not begin with 1 or hold what is not positive, for couplings that there are
    not, and what the inner sampler refuses on any rung.

    >>> import jax, kadanoff as kd
    >>> action = kd.InhomogeneousPhi4(kd.Graph.grid((4, 4)), w=1.0, a=1.2, b=0.2)
    >>> sampler = Tempering(kd.ColourBlock(), (1.0, 0.8, 0.6), coupling="w")
    >>> state = sampler.init(action, jax.numpy.ones((8, 4, 4)))
    >>> state, info = sampler.step(jax.random.key(0), action, state)
    >>> info.swaps.shape
    (2,)
    """

    sampler: Sampler
    ladder: tuple[float, ...] = eqx.field(static=True)
    coupling: str | Callable[[Any, Any], Any] | None = eqx.field(static=True, default=None)

    def __check_init__(self) -> None:
        """Refuse what is no ladder, and no sampler."""
        require_sampler(self.sampler)
        named = not callable(self.coupling)
        numbers = isinstance(self.ladder, tuple) and all(isinstance(value, Real) for value in self.ladder)
        if not numbers or len(self.ladder) < 2 or not np.all(np.isfinite(self.ladder)):
            raise InputError(f"a ladder is a tuple of two finite values or more, got {self.ladder!r}")
        if named and self.ladder[0] != 1:
            raise InputError(f"a ladder begins with 1, the action itself, got {self.ladder}")
        if self.coupling is None and min(self.ladder) <= 0:
            raise InputError(f"temperatures are positive, got {self.ladder}")

    def rungs(self, action: Any) -> Any:
        """The actions of all rungs as one module whose arrays begin with the rung."""
        made = [self._rung(action, value) for value in self.ladder]
        return jax.tree_util.tree_map(
            lambda *leaves: jnp.stack(leaves) if eqx.is_array(leaves[0]) else leaves[0],
            *[with_array_leaves(rung) for rung in made],
        )

    def _rung(self, action: Any, value: float) -> Any:
        if callable(self.coupling):
            return self.coupling(action, value)
        if self.coupling is not None:
            old = coupling_of(with_array_leaves(action), self.coupling)
            if not eqx.is_array(old):
                raise InputError(f"{type(action).__name__} has no coupling {self.coupling!r} for a ladder")
            return with_couplings(action, {self.coupling: value * old})
        return heated(action, value)

    def init(self, action: Any, fields: Array, chain: Array | None = None) -> TemperingState:
        """Make the state; every rung starts from the same fields, and the sampler checks each."""
        states = []
        for value in self.ladder:
            rung = self._rung(action, value)
            getattr(rung, "__check_init__", lambda: None)()  # a factor may leave no distribution
            states.append(self.sampler.init(rung, fields, chain))
        first, up = states[0], len(states) - 1
        whole = jnp.zeros((), jnp.int32)
        climbing = jnp.zeros((up + 1, len(first.fields)), jnp.int32)
        return TemperingState(
            fields=first.fields,
            chain=first.chain,
            step_size=first.step_size,
            higher=jnp.stack([state.fields for state in states[1:]]),
            step_sizes=jnp.stack([state.step_size for state in states]),
            climbing=climbing,
            odd=whole,
            swaps=jnp.zeros(up, jnp.float32),
            round_trips=whole,
            steps=whole,
        )

    @eqx.filter_jit
    def step(
        self, key: PRNGKeyArray, action: Any, state: TemperingState
    ) -> tuple[TemperingState, TemperingInfo]:
        """Update every rung once, then swap the pairs whose turn it is."""
        rungs, (move_key, swap_key) = self.rungs(action), jax.random.split(key)
        arrays, rest = eqx.partition(rungs, eqx.is_array)
        fields = jnp.concatenate([state.fields[None], state.higher])

        def move(rung: tuple[Array, Any, Array, Array]) -> tuple[Array, Info]:
            key, couplings, fields, size = rung
            inner, info = self.sampler.step(
                key, eqx.combine(couplings, rest), ChainState(fields, state.chain, size)
            )
            return inner.fields, info

        keys = jax.random.split(move_key, len(self.ladder))
        fields, told = jax.lax.map(move, (keys, arrays, fields, state.step_sizes))
        probability = jnp.minimum(1, jnp.exp(_gains(arrays, rest, fields)))
        order = _swap(swap_key, probability, state.chain, state.odd)
        fields = jnp.take_along_axis(fields, order.reshape(*order.shape, *[1] * (fields.ndim - 2)), axis=0)
        climbing = jnp.take_along_axis(state.climbing, order, axis=0)
        trips = climbing[0].sum(dtype=state.round_trips.dtype)
        climbing = climbing.at[-1].set(1).at[0].set(0)
        state = TemperingState(
            fields=fields[0],
            chain=state.chain,
            step_size=state.step_size,
            higher=fields[1:],
            step_sizes=state.step_sizes,
            climbing=climbing,
            odd=1 - state.odd,
            swaps=state.swaps + probability.mean(axis=1).astype(state.swaps.dtype),
            round_trips=state.round_trips + trips,
            steps=state.steps + 1,
        )
        return state, TemperingInfo(told.acceptance[0], told.acceptance, told, probability.mean(axis=1))

    def tune(self, state: TemperingState, info: TemperingInfo) -> TemperingState:
        """Let the sampler tune its step on every rung, and count swaps and round trips anew."""

        def one(rung: int) -> Array:
            inner = ChainState(state.fields, state.chain, state.step_sizes[rung])
            told = jax.tree_util.tree_map(lambda leaf: leaf[rung], info.each)
            return self.sampler.tune(inner, told).step_size

        sizes = jnp.stack([one(rung) for rung in range(len(self.ladder))])
        fresh = (jnp.zeros_like(state.swaps), jnp.zeros_like(state.round_trips), jnp.zeros_like(state.steps))
        return eqx.tree_at(
            lambda s: (s.step_size, s.step_sizes, s.swaps, s.round_trips, s.steps),
            state,
            (sizes[0], sizes, *fresh),
        )

    def report(self, state: TemperingState) -> LadderReport:
        """Swap rates and round trips so far."""
        steps = int(state.steps)
        rates = np.asarray(state.swaps, np.float64) / max(steps, 1)
        return LadderReport(rates, int(state.round_trips), steps, len(state.fields))


def _gains(arrays: Any, rest: Any, fields: Array) -> Float[Array, "up chain"]:
    """S_k(x_k) + S_k+1(x_k+1) - S_k(x_k+1) - S_k+1(x_k) of neighbouring rungs, without loss."""
    lower = jax.tree_util.tree_map(lambda leaf: leaf[:-1], arrays)
    upper = jax.tree_util.tree_map(lambda leaf: leaf[1:], arrays)

    def gap(pair: tuple[Any, Any, Array, Array]) -> Array:
        one, other = (eqx.combine(couplings, rest) for couplings in pair[:2])

        def terms(own: Array, next_up: Array) -> Array:
            excess = one.density(own) - other.density(own)
            return compensated_sum(excess - (one.density(next_up) - other.density(next_up)))

        return jax.vmap(terms)(*pair[2:])

    return jax.lax.map(gap, (lower, upper, fields[:-1], fields[1:]))


def _swap(key: PRNGKeyArray, probability: Array, chain: Array, odd: Array) -> Int[Array, "rung chain"]:
    """The rung from which every rung takes its field."""
    pair = jnp.arange(len(probability), dtype=jnp.uint32)[:, None]
    turn = pair % 2 == odd.astype(jnp.uint32)
    swapped = turn & (uniform(site_words(key, pair, chain[None])[0]) < probability)
    none = jnp.zeros((1, swapped.shape[1]), bool)
    rung = jnp.arange(len(probability) + 1, dtype=jnp.int32)[:, None]
    return rung + jnp.concatenate([swapped, none]) - jnp.concatenate([none, swapped])
