"""Chains on many devices: how a state lies there, updates that devices make alone, one writer for all processes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import equinox as eqx
import jax
import numpy as np
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, PRNGKeyArray

from kadanoff.devices import CHAIN, SLAB, from_first, is_first, on_host, spread, wait_for_all
from kadanoff.sampling.cluster import SwendsenWang, Wolff
from kadanoff.sampling.heat_bath import HeatBath
from kadanoff.sampling.hmc import HybridMonteCarlo
from kadanoff.sampling.metropolis import Metropolis
from kadanoff.sampling.mixture import Mixture
from kadanoff.sampling.sinks import FolderSink
from kadanoff.sampling.state import ChainState, Sampler
from kadanoff.store import Store
from kadanoff.store.state import pack_state, unpack_state

__all__ = ["SharedSink", "has_slabs", "shard", "sharded"]


class Alone(eqx.Module):
    """A sampler that every device applies to its own chains: nothing of it crosses devices, host callbacks included.

    For samplers that tell nothing of their acceptance, which would be that of one device.
    """

    sampler: Any
    mesh: Mesh = eqx.field(static=True)
    tuned: ClassVar[bool] = False

    def init(self, action: Any, fields: Array, chain: Array | None = None) -> ChainState:
        """Make the state."""
        return self.sampler.init(action, fields, chain)

    def step(self, key: PRNGKeyArray, action: Any, state: ChainState) -> tuple[ChainState, Any]:
        """Advance every chain once, each on its device."""
        arrays, rest = eqx.partition(action, eqx.is_array)
        lie = jax.tree_util.tree_map(
            lambda leaf: PartitionSpec(CHAIN) if leaf.ndim else PartitionSpec(), state
        )

        def local(words: Array, arrays: Any, state: ChainState) -> tuple[ChainState, Any]:
            return self.sampler.step(jax.random.wrap_key_data(words), eqx.combine(arrays, rest), state)

        whole = PartitionSpec()
        on_each = jax.shard_map(
            local, mesh=self.mesh, in_specs=(whole, whole, lie), out_specs=(lie, whole), check_vma=False
        )
        return on_each(jax.random.key_data(key), arrays, state)

    def tune(self, state: ChainState, info: Any) -> ChainState:
        """Leave it to the sampler."""
        return self.sampler.tune(state, info)


def has_slabs(sampler: Any) -> bool:
    """Whether an update can share a lattice: the local ones, and trajectories."""
    return isinstance(sampler, Metropolis | HeatBath | HybridMonteCarlo)


def sharded(sampler: Any, mesh: Mesh | None) -> Sampler:
    """The sampler for a mesh: clusters are built on the device of their chain."""
    if mesh is None:
        return sampler
    if isinstance(sampler, Mixture):
        return Mixture(tuple(sharded(each, mesh) for each in sampler.samplers))
    return Alone(sampler, mesh) if isinstance(sampler, SwendsenWang | Wolff) else sampler


def shard(state: ChainState, mesh: Mesh | None) -> ChainState:
    """Deal the chains out, cut their lattices into slabs, and copy the rest to every device."""
    if mesh is None:
        return state
    whole = jax.tree_util.tree_map(lambda leaf: spread(mesh, leaf), state)
    dealt = spread(mesh, state.fields, CHAIN, SLAB), spread(mesh, state.chain, CHAIN)
    return eqx.tree_at(lambda s: (s.fields, s.chain), whole, dealt)


class SharedSink:
    """The sink of a folder that several processes share: the first one writes, the others hear what it found."""

    def __init__(self, path: Path, make: Callable[[], FolderSink]) -> None:
        """Let the first process open the folder; if it cannot, all raise."""
        self._path, self._own = path, list[FolderSink]()

        def begin() -> bytes:
            self._own.append(make())
            return b""

        from_first(begin)

    def resume(self, state: ChainState) -> tuple[ChainState, int] | None:
        """The state after the last block, and the number of draws kept."""

        def saved() -> bytes:
            found = self._own[0].resume(state)
            if found is None:
                return pack_state({})
            arrays = {name: np.asarray(value) for name, value in vars(found[0]).items()}
            return pack_state({"draws of the run": found[1], **arrays})

        arrays = unpack_state(from_first(saved))
        if not arrays:
            return None
        done = int(arrays.pop("draws of the run"))
        return type(state)(**{name: jax.numpy.asarray(value) for name, value in arrays.items()}), done

    def magnetisation(self) -> list[np.ndarray]:
        """Magnetisation of the blocks that were kept before."""

        def series() -> bytes:
            return pack_state({f"{n:08d}": part for n, part in enumerate(self._own[0].magnetisation())})

        return list(unpack_state(from_first(series)).values())

    def append(self, fields: np.ndarray, state: ChainState) -> None:
        """Commit a block."""
        restart = jax.tree_util.tree_map(on_host, state)  # by all processes: each has a part
        from_first(lambda: self._own[0].append(fields, restart) or b"")

    def fields(self) -> Any:
        """All draws, on disk."""
        wait_for_all("drawn")
        return self._own[0].fields() if is_first() else Store.open(self._path).fields

    def close(self) -> None:
        """Release the folder."""
        for sink in self._own:
            sink.close()
