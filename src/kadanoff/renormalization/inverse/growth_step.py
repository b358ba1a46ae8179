"""One step of a growth: an inverse, and relaxation after it, in batches, on one device or dealt out over many."""

from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array

from kadanoff.actions.base import has_spins, with_array_leaves
from kadanoff.devices import SLAB, on_host, spread, use
from kadanoff.ensemble import Ensemble
from kadanoff.errors import InputError
from kadanoff.measuring import measure
from kadanoff.parallel import Deal, in_parallel
from kadanoff.random import fold_in
from kadanoff.random import key as make_key
from kadanoff.renormalization.inverse.base import cut_blocks
from kadanoff.renormalization.inverse.given import GivenInverse
from kadanoff.renormalization.inverse.growth_folder import block_draws
from kadanoff.renormalization.inverse.learnt import LearntInverse
from kadanoff.renormalization.inverse.relaxation import Relaxation
from kadanoff.reweighting.response import RELAXED
from kadanoff.summation import compensated_sum

__all__ = ["Step"]

_GROWN = "grown"  # how a step of the history of an ensemble begins that grew its fields

_BATCH_SITES = 1 << 22  # fine sites that are made at once, by one thread
_ROUND = 64  # sweeps of one compiled call


class Step:
    """One step of a growth: blocks of draws of the next level, from those of the level below."""

    def __init__(
        self,
        inverse: LearntInverse | GivenInverse,
        relax: Relaxation | None,
        below: Ensemble,
        step: int,
        seed: int,
        deal: Deal,
    ) -> None:
        """Plan the step; nothing is computed yet."""
        self.deal = deal
        self.inverse, self.relax, self.below, self.step = inverse, relax, below, step
        self.shape = below.lattice.refined(inverse.b).shape
        self.volume = int(np.prod(self.shape))
        self.sites = float(self.volume) * below.chains * below.draws
        self.block = block_draws(below, self.volume)
        # Of all steps that made the fields, in whichever calls: a growth that goes on repeats no random number.
        number = sum(told.startswith(_GROWN) for told in below.history)
        self.keys = (make_key(seed, 21, number, 0), make_key(seed, 21, number, 1))
        self.told = f"{_GROWN} by {inverse.kind}" + ("" if relax is None else f", {RELAXED}")
        self.action = below.simulated.action if relax is None else relax.action
        if getattr(getattr(self.action, "graph", None), "shape", self.shape) != self.shape:
            self.action = None  # of a graph that larger fields do not lie on

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
            begins = list(range(0, len(flat), batch))
            series = {name: np.zeros(len(flat)) for name in self.names}
            self.mesh = self.deal.slabs(len(flat), self.shape)

            def make(
                begin: int,
                flat: np.ndarray = flat,
                number: np.ndarray = number,
                fine: np.ndarray = fine,
                series: dict[str, np.ndarray] = series,
                batch: int = batch,
            ) -> None:
                here = slice(begin, begin + batch)
                with self.deal.place(begin // batch):
                    fine[here], found = self._batch(flat[here], number[here], batch)
                for name, values in found.items():
                    series[name][here] = values

            if self.mesh is not None:  # all devices and processes work at each batch
                for begin in begins:
                    make(begin)
                    report((start + (stop - start) * (begin + batch) / len(flat)) / draws)
            else:
                mine = [begin for begin in begins if self.deal.is_mine(begin // batch)]
                for finished in in_parallel(make, mine, alone=1, workers=self.deal.workers):
                    report((start + (stop - start) * finished / len(mine)) / draws)
                fine, *rows = self.deal.together([fine, *series.values()], batch)
                series = dict(zip(series, rows, strict=True))
            shape = (chains, stop - start)
            yield (
                fine.reshape(*shape, *self.shape),
                {name: values.reshape(shape) for name, values in series.items()},
            )
            start = stop

    def _batch(
        self, coarse: np.ndarray, number: np.ndarray, batch: int
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        count = len(coarse)
        if count < batch:  # one compiled shape serves the last batch too
            coarse = np.concatenate([coarse, coarse[np.zeros(batch - count, dtype=int)]])
            number = np.concatenate([number, np.zeros(batch - count, dtype=np.uint32)])
        given, labels = jax.device_put(coarse.astype(np.float32)), jax.device_put(number)
        drawn = self.inverse.map.fine(self.keys[0], given, labels)
        before: dict[str, np.ndarray] = {}
        if "schwinger_dyson" in self.names:
            before |= measure(drawn, self.action, ("schwinger_dyson",))
        if "inconsistency" in self.names:
            before["inconsistency"] = np.asarray(_inconsistency(self.inverse.rule, drawn, given), np.float64)
        if self.relax is not None:
            drawn = self._relaxed(self.relax, drawn, labels)
        fine = on_host(drawn)[:count]
        if not np.isfinite(fine).all():
            raise InputError(
                f"growth to {self.shape} made fields that are not finite: the inverse is unstable on this input; "
                "relax after each step, or learn it on pairs of the depth of the input"
            )
        return fine, {name: values[:count] for name, values in before.items()}

    def _relaxed(self, relax: Relaxation, fields: Array, number: Array) -> Array:
        """Relax in rounds: one compiled round serves every number of sweeps, and an interrupt is soon heard."""
        key, mesh = self.keys[1], self.mesh
        if mesh is not None:
            fields, number = spread(mesh, fields, None, SLAB), spread(mesh, number)
            relax = jax.tree_util.tree_map(lambda leaf: spread(mesh, leaf), with_array_leaves(relax))
        for begin in range(0, relax.sweeps, _ROUND):
            count = min(_ROUND, relax.sweeps - begin)
            word = fold_in(key, begin)
            with use(mesh):
                word = word if mesh is None else spread(mesh, word)
                fields = _round(relax.for_sweeps(count), word, fields, number)
        return fields

    @property
    def names(self) -> list[str]:
        """Series that are taken before relaxation."""
        rule = self.inverse.rule
        exact = rule is not None and rule.deterministic
        measured = self.action is not None and not has_spins(self.action)
        return ["schwinger_dyson"] * measured + ["inconsistency"] * exact


@eqx.filter_jit
def _inconsistency(rule: Any, fine: Array, coarse: Array) -> Array:
    """Mean square of RG(fine) - coarse of each configuration."""
    values = jax.vmap(lambda blocks: rule.reduce(None, blocks))(cut_blocks(fine, rule.b))
    return compensated_sum((values - coarse) ** 2, coarse.ndim - 1) / coarse[0].size


@eqx.filter_jit
def _round(relax: Relaxation, key: Array, fields: Array, number: Array) -> Array:
    return relax(key, fields, number)
