"""Growth: an inverse applied again and again, streamed in batches, with relaxation where it is asked for."""

import warnings
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from kadanoff.actions.base import has_spins
from kadanoff.arguments import require_ensembles
from kadanoff.devices import from_first
from kadanoff.ensemble import Ensemble
from kadanoff.errors import DepthWarning, InputError
from kadanoff.graph import Graph
from kadanoff.parallel import Deal
from kadanoff.renormalization.inverse.base import Inverse
from kadanoff.renormalization.inverse.given import GivenInverse, as_grower
from kadanoff.renormalization.inverse.growth_folder import Request, block_draws, growth_folder, open_level
from kadanoff.renormalization.inverse.growth_step import Step
from kadanoff.renormalization.inverse.learnt import LearntInverse
from kadanoff.renormalization.inverse.levels import Levels, level_folder, recorded, thinned
from kadanoff.renormalization.inverse.relaxation import Relaxation, require_relaxation
from kadanoff.store import Store
from kadanoff.whole import whole

__all__ = ["grow"]

Progress = Callable[[float, float | None, str], None]


def grow(
    ensemble: Ensemble,
    inverse: LearntInverse | GivenInverse | Inverse,
    steps: int = 1,
    relax: Relaxation | None = None,
    *,
    seed: int = 0,
    configurations: int | None = None,
    out: str | Path | None = None,
    amplitude: float = 1.0,
    progress: Progress | None = None,
    devices: int | None = None,
) -> Levels:
    """Apply an inverse `steps` times to every configuration: L, b L, ..., b^steps L.

    The inverse is a learnt one, or any `Inverse` as it is, such as `CompatibleMonteCarlo`. Spins stay spins.
    With `relax` each level is relaxed before the next step; without, the map is pure. `configurations` grows so many,
    spread over draws and chains; `amplitude` multiplies the start, to see whether results depend on it. With `out`
    the levels are kept in a folder, one store each, and an interrupted growth is continued by the same call, to the
    same bits: random numbers are keyed by (seed, step, configuration, site). Steps are counted from the simulation on:
    levels that are grown further are those of one growth.

    `devices` share the configurations, or, where these are fewer, the relaxation of each by slabs, which rounds
    otherwise; the first of several processes writes.

    Warns (`DepthWarning`) when the configurations were blocked another number of times than those the inverse was
    trained on. Raises `InputError` for what is no ensemble, counts or amplitudes that are not positive, an inverse of
    another dimension, relaxation on another graph,
    spins and an inverse of real fields (or the reverse), `StoreError` when `out` holds another run.

    >>> import kadanoff as kd
    >>> action = kd.Phi4(-0.9515, 0.7)
    >>> ensemble = kd.sample(action, kd.Lattice((16, 16)), chains=16, draws=4, seed=0)
    >>> inverse = kd.learn_inverse(ensemble, kd.MajorityMean(b=2), kind="linear")
    >>> levels = grow(kd.block(ensemble, kd.MajorityMean(b=2)), inverse, steps=2)
    >>> [level.lattice.shape for level in levels]
    [(8, 8), (16, 16), (32, 32)]
    """
    steps = whole("the number of steps", steps, least=1)
    if configurations is not None:
        configurations = whole("the number of configurations", configurations, least=1)
    if not (np.isfinite(amplitude) and amplitude > 0):
        raise InputError(f"the amplitude must be positive and finite, got {amplitude}")
    inverse = as_grower(inverse)
    require_ensembles(ensemble)
    require_relaxation(relax)
    inverse.check(ensemble.lattice.dimension)
    _require_sites(ensemble, inverse, relax, amplitude)
    if relax is not None:
        _require_graph(relax.action, ensemble, inverse.b, steps)
    _warn_of_depth(ensemble, inverse, relax)
    start = thinned(ensemble, configurations)
    if amplitude != 1.0:
        start = start.derive(
            np.asarray(start.fields) * np.float32(amplitude), f"times {amplitude}", start.depth
        )
    depths = [start.depth]
    for _ in range(steps):
        depths.append(depths[-1] - 1 if relax is None else inverse.depth)
    folder = None if out is None else Path(out)
    asked = Request(ensemble, inverse, steps, relax, seed, configurations, amplitude, tuple(depths))
    deal = Deal(devices)
    largest = [side * inverse.b**steps for side in start.lattice.shape]
    deal.require(start.chains * block_draws(start, int(np.prod(largest))), largest, relax is not None)
    with ExitStack() as stack:
        # The first process holds the folder for all.
        from_first(lambda: stack.enter_context(growth_folder(folder, start, asked)) or b"")
        ensembles, before = _grown(start, asked, folder, progress, deal)
    return Levels(ensembles, inverse.b, inverse, relax, amplitude, before)


def _grown(
    start: Ensemble, asked: Request, out: Path | None, progress: Progress | None, deal: Deal
) -> tuple[tuple[Ensemble, ...], tuple[dict[str, np.ndarray], ...]]:
    """The levels, and the series that were taken before relaxation."""
    inverse, relax, steps = asked.inverse, asked.relax, asked.steps
    ensembles, before = [start], [dict[str, np.ndarray]()]
    total = float(sum(_volume(start, inverse.b, step + 1) for step in range(steps)))
    done = 0.0
    for step in range(steps):
        level = Step(inverse, relax, ensembles[-1], step, asked.seed, deal)

        def report(share: float, base: float = done, level: "Step" = level) -> None:
            if progress is not None:
                progress(base + share * level.sites, total, f"growing to {'x'.join(map(str, level.shape))}")

        depth = asked.depths[step + 1]
        fields, series = _in_memory(level, report) if out is None else _on_disk(level, out, depth, report)
        done += level.sites
        action = None if relax is None else relax.action
        ensembles.append(ensembles[-1].derive(fields, level.told, depth, action))
        before.append(series)
    return tuple(ensembles), tuple(before)


def _in_memory(level: Step, report: Callable[[float], None]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    parts = list(level.blocks(0, report))
    names = parts[0][1]
    joined = parts[0][0] if len(parts) == 1 else np.concatenate([fields for fields, _ in parts], axis=1)
    return joined, {name: np.concatenate([series[name] for _, series in parts], axis=1) for name in names}


def _on_disk(
    level: Step, out: Path, depth: int, report: Callable[[float], None]
) -> tuple[Any, dict[str, np.ndarray]]:
    with ExitStack() as stack:
        stores: list[Store] = []

        def begin() -> bytes:
            told = (*level.below.history, level.told)
            stores.append(
                stack.enter_context(open_level(out, level.step + 1, level.below, level.shape, depth, told))
            )
            return str(stores[0].draws).encode()

        for fields, series in level.blocks(int(from_first(begin)), report):
            from_first(lambda given=(fields, series): _append(stores[0], level.below, *given))
        report(1.0)
        store = stores[0] if stores else Store.open(level_folder(out, level.step + 1))
        return store.fields, recorded(store)


def _append(store: Store, below: Ensemble, fields: np.ndarray, series: dict[str, np.ndarray]) -> bytes:
    start, stop = store.draws, store.draws + fields.shape[1]
    weights = None if below.log_weight is None else below.log_weight[:, start:stop]
    info = {"before": {name: values.tolist() for name, values in series.items()}}
    store.append(fields, log_weight=weights, info=info)
    return b""


def _require_sites(
    ensemble: Ensemble, inverse: LearntInverse | GivenInverse, relax: Relaxation | None, amplitude: float
) -> None:
    """`InputError` where spins meet an inverse, an action or an amplitude of real fields, or the reverse."""
    names = ("real numbers", "spins")
    if ensemble.spins != inverse.map.spins:
        raise InputError(
            f"the inverse is one of {names[inverse.map.spins]}, and the sites of the ensemble are "
            f"{names[ensemble.spins]}: give an inverse that was learnt or made for them"
        )
    if relax is not None and has_spins(relax.action) != ensemble.spins:
        raise InputError(
            f"{type(relax.action).__name__} is no action of {names[ensemble.spins]}: relax by one that is"
        )
    if ensemble.spins and amplitude != 1.0:
        raise InputError(f"spins have no amplitude to multiply by {amplitude}: leave it out")


def _require_graph(action: Any, start: Ensemble, b: int, steps: int) -> None:
    """`InputError` for relaxation by an action of a graph on which not all levels lie."""
    graph = getattr(action, "graph", None)
    if isinstance(graph, Graph) and (
        steps > 1 or graph.shape != tuple(b * side for side in start.lattice.shape)
    ):
        raise InputError(
            f"{type(action).__name__} lives on {graph!r}, and every step of a growth makes larger fields: relax by an "
            "action of any lattice"
        )


def _warn_of_depth(
    ensemble: Ensemble, inverse: LearntInverse | GivenInverse, relax: Relaxation | None
) -> None:
    relaxed_pairs = bool(inverse.relaxed_pairs)
    if relaxed_pairs and relax is None:
        told = "it was trained on relaxed coarse fields, and growth without relaxation hands it others"
    elif ensemble.depth != inverse.input_depth:
        told = (
            f"it was made for fields blocked {inverse.input_depth} times, and these were blocked {ensemble.depth} "
            "times"
        )
    else:
        return
    warnings.warn(
        f"the inverse sees another distribution than it should: {told}; the certificate says how much it matters",
        DepthWarning,
        stacklevel=3,
    )


def _volume(start: Ensemble, b: int, step: int) -> float:
    return float(start.lattice.volume) * b ** (start.lattice.dimension * step) * start.chains * start.draws
