"""The run loop: thermalise, judge, draw block by block until the error is small enough, store, resume."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, PRNGKeyArray

from kadanoff import random
from kadanoff.actions.base import (
    NearestNeighbourAction,
    as_action,
    has_spins,
    with_array_leaves,
)
from kadanoff.actions.inhomogeneous import PairAction
from kadanoff.actions.markov import MarkovRandomField
from kadanoff.devices import is_alone, layout, on_host, spread, use
from kadanoff.ensemble import Ensemble
from kadanoff.errors import InputError
from kadanoff.graph import Graph
from kadanoff.lattice import Lattice
from kadanoff.sampling.cluster import SwendsenWang
from kadanoff.sampling.colour_block import ColourBlock, has_interaction_graph, has_known_sites
from kadanoff.sampling.heat_bath import HeatBath
from kadanoff.sampling.hmc import HybridMonteCarlo
from kadanoff.sampling.mixture import LocalAndCluster
from kadanoff.sampling.plan import Plan, plan_of
from kadanoff.sampling.sharded import SharedSink, has_slabs, shard, sharded
from kadanoff.sampling.sinks import FolderSink, MemorySink, magnetisation
from kadanoff.sampling.state import ChainState, Sampler, require_sampler
from kadanoff.sampling.state import start as starting_fields
from kadanoff.sampling.target import reached, warn_unless_reached
from kadanoff.sampling.tempering import Tempering, TemperingState
from kadanoff.sampling.thermalisation import warn_of_unmoved, warn_unless_thermalised
from kadanoff.sites import require_real, space_of
from kadanoff.store.durable import deferred_interrupt

__all__ = ["Progress", "advance", "default_sampler", "sample"]

#: Called with (done, total, message); total is None while it is not known.
Progress = Callable[[float, float | None, str], None]

_TUNING_ROUND = 10  # steps between two adaptations of the step size
_ATTEMPTS = 4  # to free chains that every proposal leaves where they are


def default_sampler(action: Any) -> Sampler:
    """Local and cluster updates where the action offers them and is even, else hybrid Monte Carlo;
    colour by colour on a graph, also on the interaction graph of an action that gives one.

    Spins need no local updates beside the clusters; spins that are not even under a flip take a heat bath.

    >>> import kadanoff as kd
    >>> type(default_sampler(kd.Phi4(-0.9515, 0.7))).__name__
    'Mixture'
    """
    if has_interaction_graph(action):
        return HeatBath()
    if isinstance(action, NearestNeighbourAction):
        clusters = SwendsenWang() if has_spins(action) else LocalAndCluster()
        try:
            _require_sampler(clusters, action, (2,))
        except InputError:
            return HeatBath() if has_spins(action) else HybridMonteCarlo()
        return clusters
    if isinstance(action, PairAction):
        return ColourBlock() if has_known_sites(action) else HybridMonteCarlo()
    if isinstance(action, MarkovRandomField) and has_spins(action):
        return ColourBlock("metropolis")
    return HeatBath() if has_spins(action) else HybridMonteCarlo()


def sample(
    action: Any,
    lattice: Lattice | int | Sequence[int] | None = None,
    *,
    chains: int | None = None,
    draws: int | None = None,
    target_error: float | None = None,
    thin: int = 4,
    thermalize: int | None = None,
    sampler: Sampler | None = None,
    start: str = "mixed",
    seed: int = 0,
    out: str | Path | None = None,
    max_draws: int = 20_000,
    progress: Progress | None = None,
    devices: int | None = None,
) -> Ensemble:
    """Draw an ensemble from exp(-S)/Z on a lattice (or its sides), or on the graph of the action, where `lattice` is
    left out.

    Runs `chains` Markov chains at once, `thermalize` steps (default 300; the step size is tuned in the first
    two thirds and then left alone), then keeps every `thin`-th state until `draws` are kept from every chain,
    or, with `target_error`, until <|m|> has that relative error (default 0.003 when neither is given), and,
    of fewer than 16 chains, holds 128 independent draws, so that the error is known. Chains
    start half hot and half cold; a `ThermalisationWarning` is given when the halves still disagree. With
    `out` the run is a folder: the same call continues an interrupted run and gives the same bits as an
    unbroken one. `devices` deals the chains out to so many devices, and cuts lattices into slabs where those divide
    more than the chains; the fields do not depend on how many there are, but for rounding where a device has a single
    chain on a graph (without it CPUs take updates compiled for one process, which round otherwise). Processes that
    `kadanoff.devices.join_processes` joined call alike, and the first one writes.

    A run that reaches `max_draws` before its `target_error` ends with a `KadanoffWarning`.

    Raises `InputError` for counts that are not positive whole numbers, seeds outside 0 to 2**32 - 1, unknown starts
    and actions that the sampler cannot update; nothing has been written by then.

    >>> import kadanoff as kd
    >>> ensemble = kd.sample(kd.Phi4(-0.9515, 0.7), kd.Lattice((8, 8)), chains=16, draws=8, seed=0)
    >>> ensemble.chains, ensemble.draws
    (16, 8)
    """
    action = as_action(action)
    space = space_of(action, lattice)
    plan = plan_of(space.volume, chains, draws, thin, thermalize, target_error, start, seed, max_draws)
    sampler = default_sampler(action) if sampler is None else sampler
    require_real(action, space.shape)
    _require_sampler(sampler, action, space.shape)  # before a folder is made for the run
    mesh = None if devices is None else layout(devices, plan.chains, space.shape, has_slabs(sampler))
    sink = _sink(out, action, space, sampler, plan)
    report = progress or (lambda done, total, message: None)
    try:
        with use(mesh):
            state = _run(action, space, sharded(sampler, mesh), plan, sink, report, mesh)
        history = [f"simulated {action!r} on {space.shape}"]
        if isinstance(sampler, Tempering) and isinstance(state, TemperingState):
            history.append(f"tempered, {sampler.report(state)}")
        ensemble = Ensemble(sink.fields(), action, history=tuple(history))
    finally:
        sink.close()
    if not ensemble.spins:
        warn_of_unmoved(ensemble.fields)
    if plan.start == "mixed":
        early = min(ensemble.draws, max(4, ensemble.draws // 4))
        head = ensemble.select(draws=slice(0, early)).raw(("magnetization", "action_density"))
        warn_unless_thermalised(
            {"abs_m": np.abs(head["magnetization"]), "action_density": head["action_density"]}
        )
    return ensemble


def _require_sampler(sampler: Sampler, action: Any, shape: tuple[int, ...]) -> None:
    """Raise `InputError` for what is no sampler, or cannot update the action on fields of a shape."""
    require_sampler(sampler)
    sampler.init(action, jnp.asarray(np.zeros((1, *shape), np.float32)))


def _sink(
    out: str | Path | None, action: Any, space: Lattice | Graph, sampler: Sampler, plan: Plan
) -> MemorySink | FolderSink | SharedSink:
    if out is None:
        return MemorySink()

    def make() -> FolderSink:
        return FolderSink(Path(out), action, space, sampler, plan)

    return make() if is_alone() else SharedSink(Path(out), make)


def _run(
    action: Any,
    lattice: Lattice | Graph,
    sampler: Sampler,
    plan: Plan,
    sink: MemorySink | FolderSink | SharedSink,
    progress: Progress,
    mesh: Mesh | None,
) -> ChainState:
    fields = starting_fields(random.key(plan.seed, 0), lattice, plan.chains, plan.start, has_spins(action))
    state, done = sampler.init(action, fields), 0
    resumed = sink.resume(state)
    if mesh is not None:
        action = jax.tree_util.tree_map(lambda leaf: spread(mesh, leaf), with_array_leaves(action))
    if resumed is None:
        state = shard(state, mesh)
        state = _thermalise(sampler, random.key(plan.seed, 1), action, state, plan.thermalize, progress, mesh)
    else:
        state, done = shard(resumed[0], mesh), resumed[1]
    series = sink.magnetisation()
    while not _finished(plan, series, progress):
        count = plan.next_block(done)
        key = _placed(random.key(plan.seed, 2, done), mesh)
        state, fields = _whole(_draw_block, sampler, key, action, state, count, plan.thin)
        drawn = on_host(fields)
        sink.append(drawn, state)
        series.append(magnetisation(drawn))
        done += count
    warn_unless_reached(plan, series)
    return state


def _finished(plan: Plan, series: list[np.ndarray], progress: Progress) -> bool:
    done = sum(part.shape[1] for part in series)
    if plan.draws is not None:
        progress(done, plan.draws, "drawing")
        return done >= plan.draws
    if done == 0:
        return False
    assert plan.target_error is not None
    error, needed = reached(series, plan.target_error)
    progress(done, max(needed, done), f"drawing, error {100 * error:.2f} %")
    return done >= needed or done >= plan.max_draws


def _thermalise(
    sampler: Sampler,
    key: PRNGKeyArray,
    action: Any,
    state: ChainState,
    steps: int,
    progress: Progress,
    mesh: Mesh | None,
) -> ChainState:
    tuned = 2 * steps // 3
    real = not has_spins(action)
    progress(0, steps, "thermalising")
    for begin in range(0, steps, _TUNING_ROUND):
        count = min(_TUNING_ROUND, steps - begin)
        looked_at = real and 0 < begin <= tuned // 2 < begin + count
        before = _totals(state) if looked_at else None
        own = _placed(random.fold_in(key, begin), mesh)
        state, info = _whole(advance, sampler, own, action, state, count)
        if before is not None and np.any(_totals(state) == before):
            state = _freed(sampler, own, action, state, count)
        if begin + count <= tuned:
            state = sampler.tune(state, info)
        progress(begin + count, steps, "thermalising")
    return state


def _freed(sampler: Sampler, key: PRNGKeyArray, action: Any, state: ChainState, steps: int) -> ChainState:
    """Chains that began where forces are too steep for the step that suits the others, led away by smaller ones."""
    size = state.step_size
    for attempt in range(_ATTEMPTS):
        for place, share in enumerate((1 / 256, 1 / 64, 1 / 16, 1 / 4, 1.0)):
            before = _totals(state)
            own = random.fold_in(key, attempt, place)
            state = eqx.tree_at(lambda s: s.step_size, state, size * share)
            state, _ = _whole(advance, sampler, own, action, state, steps)
        if not np.any(_totals(state) == before):
            break
    return state


def _totals(state: ChainState) -> np.ndarray:
    """A number of every chain that no accepted move leaves as it is."""
    fields = on_host(state.fields)
    return fields.sum(axis=tuple(range(1, fields.ndim)))


def _placed(key: PRNGKeyArray, mesh: Mesh | None) -> PRNGKeyArray:
    return key if mesh is None else spread(mesh, key)


def _whole(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a compiled function; a Ctrl-C waits for its end: within a host callback it would be a crash."""
    with deferred_interrupt():
        return jax.block_until_ready(function(*arguments))


@eqx.filter_jit
def advance(
    sampler: Sampler, key: PRNGKeyArray, action: Any, state: ChainState, steps: int
) -> tuple[ChainState, Any]:
    """Take `steps` steps of a sampler; give the state after them, and what the steps tell of themselves on average."""

    def body(state: ChainState, key: Array) -> tuple[ChainState, Any]:
        return sampler.step(key, action, state)

    state, infos = jax.lax.scan(body, state, jax.random.split(key, steps))
    return state, jax.tree_util.tree_map(lambda x: jnp.mean(x, axis=0), infos)


@eqx.filter_jit
def _draw_block(
    sampler: Sampler, key: PRNGKeyArray, action: Any, state: ChainState, draws: int, thin: int
) -> tuple[ChainState, Array]:
    def body(state: ChainState, key: Array) -> tuple[ChainState, Array]:
        state, _ = advance(sampler, key, action, state, thin)
        return state, state.fields.astype(jnp.int8) if has_spins(action) else state.fields

    state, fields = jax.lax.scan(body, state, jax.random.split(key, draws))
    return state, jnp.swapaxes(fields, 0, 1)
