"""Growth: an inverse applied again and again, streamed in batches, with relaxation where it is asked for."""

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from kadanoff.actions.base import has_spins
from kadanoff.ensemble import Ensemble
from kadanoff.errors import DepthWarning, InputError
from kadanoff.observables import measure
from kadanoff.parallel import in_parallel
from kadanoff.random import key as make_key
from kadanoff.renormalization.blocking import BlockingRule, to_blocks
from kadanoff.renormalization.inverse.base import Inverse
from kadanoff.renormalization.inverse.given import GivenInverse, as_grower
from kadanoff.renormalization.inverse.growth_folder import Request, block_draws, growth_folder, open_level
from kadanoff.renormalization.inverse.learnt import LearntInverse
from kadanoff.renormalization.inverse.levels import Levels, recorded, thinned
from kadanoff.renormalization.inverse.relaxation import Relaxation

__all__ = ["grow"]

Progress = Callable[[float, float | None, str], None]

_BATCH_SITES = 1 << 22  # fine sites that are made at once, by one thread
_ROUND = 64  # sweeps of one compiled call


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
) -> Levels:
    """Apply an inverse `steps` times to every configuration: L, b L, ..., b^steps L.

    The inverse is a learnt one, or any `Inverse` as it is, such as `CompatibleMonteCarlo`. Spins stay spins.
    With `relax` each level is relaxed before the next step; without, the map is pure. `configurations` grows so many,
    spread over draws and chains; `amplitude` multiplies the start, to see whether results depend on it. With `out`
    the levels are kept in a folder, one store each, and an interrupted growth is continued by the same call, to the
    same bits: random numbers are keyed by (seed, step, configuration, site).

    Warns (`DepthWarning`) when the configurations were blocked another number of times than those the inverse was
    trained on. Raises `InputError` for counts or amplitudes that are not positive, an inverse of another dimension,
    spins and an inverse of real fields (or the reverse), `StoreError` when `out` holds another run.

    >>> import kadanoff as kd
    >>> action = kd.Phi4(-0.9515, 0.7)
    >>> ensemble = kd.sample(action, kd.Lattice((16, 16)), chains=16, draws=4, seed=0)
    >>> inverse = kd.learn_inverse(ensemble, kd.MajorityMean(b=2), kind="linear")
    >>> levels = grow(kd.block(ensemble, kd.MajorityMean(b=2)), inverse, steps=2)
    >>> [level.lattice.shape for level in levels]
    [(8, 8), (16, 16), (32, 32)]
    """
    if steps < 1:
        raise InputError(f"the number of steps must be positive, got {steps}")
    if configurations is not None and configurations < 1:
        raise InputError(f"the number of configurations must be positive, got {configurations}")
    if not (np.isfinite(amplitude) and amplitude > 0):
        raise InputError(f"the amplitude must be positive and finite, got {amplitude}")
    inverse = as_grower(inverse)
    inverse.check(ensemble.lattice.dimension)
    _require_sites(ensemble, inverse, relax, amplitude)
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
    with growth_folder(folder, start, asked):
        ensembles, before = _grown(start, asked, folder, progress)
    return Levels(ensembles, inverse.b, inverse, relax, amplitude, before)


def _grown(
    start: Ensemble, asked: Request, out: Path | None, progress: Progress | None
) -> tuple[tuple[Ensemble, ...], tuple[dict[str, np.ndarray], ...]]:
    """The levels, and the series that were taken before relaxation."""
    inverse, relax, steps = asked.inverse, asked.relax, asked.steps
    ensembles, before = [start], [dict[str, np.ndarray]()]
    total = float(sum(_volume(start, inverse.b, step + 1) for step in range(steps)))
    done = 0.0
    for step in range(steps):
        level = _Step(inverse, relax, ensembles[-1], step, asked.seed)

        def report(share: float, base: float = done, level: "_Step" = level) -> None:
            if progress is not None:
                progress(base + share * level.sites, total, f"growing to {'x'.join(map(str, level.shape))}")

        fields, series = _in_memory(level, report) if out is None else _on_disk(level, out, report)
        done += level.sites
        action = None if relax is None else relax.action
        ensembles.append(
            ensembles[-1].derive(fields, f"grown by {inverse.kind}", asked.depths[step + 1], action)
        )
        before.append(series)
    return tuple(ensembles), tuple(before)


class _Step:
    """One step of a growth: blocks of draws of the next level, from those of the level below."""

    def __init__(
        self,
        inverse: LearntInverse | GivenInverse,
        relax: Relaxation | None,
        below: Ensemble,
        step: int,
        seed: int,
    ) -> None:
        self.inverse, self.relax, self.below, self.step = inverse, relax, below, step
        self.shape = below.lattice.refined(inverse.b).shape
        self.volume = int(np.prod(self.shape))
        self.sites = float(self.volume) * below.chains * below.draws
        self.block = block_draws(below, self.volume)
        self.keys = (make_key(seed, 21, step, 0), make_key(seed, 21, step, 1))
        self.action = below.simulated.action if relax is None else relax.action

    def blocks(
        self, start: int, report: Callable[[float], None]
    ) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
        """Fields (chain, n, *fine) and series (chain, n) taken before relaxation, from draw `start` on."""
        chains, draws = self.below.chains, self.below.draws
        while start < draws:
            stop = min(start + self.block, draws)
            coarse = np.asarray(self.below.fields[:, start:stop])
            flat = coarse.reshape(-1, *coarse.shape[2:])
            number = (np.arange(start, stop) * chains + np.arange(chains)[:, None]).ravel().astype(np.uint32)
            fine = np.empty((len(flat), *self.shape), dtype=np.int8 if self.below.spins else np.float32)
            batch = max(1, min(len(flat), _BATCH_SITES // self.volume))
            begins = range(0, len(flat), batch)
            series: dict[int, dict[str, np.ndarray]] = {}

            def make(
                begin: int,
                flat: np.ndarray = flat,
                number: np.ndarray = number,
                fine: np.ndarray = fine,
                series: dict[int, dict[str, np.ndarray]] = series,
                batch: int = batch,
            ) -> None:
                here = slice(begin, begin + batch)
                fine[here], series[begin] = self._batch(flat[here], number[here], batch)

            for finished in in_parallel(make, begins, alone=1):
                report((start + (stop - start) * finished / len(begins)) / draws)
            shape = (chains, stop - start)
            yield (
                fine.reshape(*shape, *self.shape),
                {
                    name: np.concatenate([series[begin][name] for begin in begins]).reshape(shape)
                    for name in series[0]
                },
            )
            start = stop

    def _batch(
        self, coarse: np.ndarray, number: np.ndarray, batch: int
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        count = len(coarse)
        if count < batch:  # one compiled shape serves the last batch too
            coarse = np.concatenate([coarse, coarse[np.zeros(batch - count, dtype=int)]])
            number = np.concatenate([number, np.zeros(batch - count, dtype=np.uint32)])
        given, labels = jnp.asarray(coarse, jnp.float32), jnp.asarray(number)
        drawn = self.inverse.map.fine(self.keys[0], given, labels)
        before: dict[str, np.ndarray] = {}
        if self.action is not None and not has_spins(self.action):
            before |= measure(drawn, self.action, ("schwinger_dyson",))
        rule = self.inverse.rule
        if rule is not None and rule.deterministic:
            before["inconsistency"] = np.asarray(_inconsistency(rule, drawn, given), np.float64)
        if self.relax is not None:
            drawn = _relaxed(self.relax, self.keys[1], drawn, labels)
        fine = np.asarray(drawn)[:count]
        if not np.isfinite(fine).all():
            raise InputError(
                f"growth to {self.shape} made fields that are not finite: the inverse is unstable on this input; "
                "relax after each step, or learn it on pairs of the depth of the input"
            )
        return fine, {name: values[:count] for name, values in before.items()}


@eqx.filter_jit
def _inconsistency(rule: BlockingRule, fine: Array, coarse: Array) -> Array:
    """Mean square of RG(fine) - coarse of each configuration."""
    values = jax.vmap(lambda field: rule.reduce(None, to_blocks(field, rule.b)))(fine)
    return jnp.mean((values - coarse) ** 2, axis=tuple(range(1, coarse.ndim)))


def _relaxed(relax: Relaxation, key: Array, fields: Array, number: Array) -> Array:
    """Relax in rounds, so that one compiled round serves every number of sweeps, and an interrupt is soon heard."""
    for begin in range(0, relax.sweeps, _ROUND):
        count = min(_ROUND, relax.sweeps - begin)
        fields = _round(relax.for_sweeps(count), jax.random.fold_in(key, begin), fields, number)
    return fields


@eqx.filter_jit
def _round(relax: Relaxation, key: Array, fields: Array, number: Array) -> Array:
    return relax(key, fields, number)


def _in_memory(level: _Step, report: Callable[[float], None]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    parts = list(level.blocks(0, report))
    names = parts[0][1]
    joined = parts[0][0] if len(parts) == 1 else np.concatenate([fields for fields, _ in parts], axis=1)
    return joined, {name: np.concatenate([series[name] for _, series in parts], axis=1) for name in names}


def _on_disk(level: _Step, out: Path, report: Callable[[float], None]) -> tuple[Any, dict[str, np.ndarray]]:
    with open_level(out, level.step + 1, level.below, level.shape) as store:
        first = store.draws
        for fields, series in level.blocks(first, report):
            start, stop = store.draws, store.draws + fields.shape[1]
            weights = None if level.below.log_weight is None else level.below.log_weight[:, start:stop]
            info = {"before": {name: values.tolist() for name, values in series.items()}}
            store.append(fields, log_weight=weights, info=info)
        report(1.0)
        return store.fields, recorded(store)


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
