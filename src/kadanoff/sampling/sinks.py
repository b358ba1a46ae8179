"""Where the draws of a run go: into memory, or block by block into a run folder that can be resumed."""

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from kadanoff.action_records import action_record, as_recorded
from kadanoff.actions.base import has_spins
from kadanoff.graph import Graph
from kadanoff.graph_models import MODEL_FILE, pack_graph_model
from kadanoff.lattice import Lattice
from kadanoff.measuring import measure
from kadanoff.sampling.plan import Plan
from kadanoff.sampling.state import ChainState, Sampler
from kadanoff.store import Store
from kadanoff.store.durable import atomic_write, checksum

__all__ = ["FolderSink", "MemorySink", "magnetisation"]


def magnetisation(fields: np.ndarray) -> np.ndarray:
    """Magnetisation (chain, draw) of fields (chain, draw, *lattice)."""
    flat = fields.reshape(-1, *fields.shape[2:])
    return measure(flat, None, ("magnetization",))["magnetization"].reshape(fields.shape[:2])


class MemorySink:
    """Keep the blocks in memory."""

    def __init__(self) -> None:
        self.parts: list[np.ndarray] = []

    def resume(self, state: ChainState) -> tuple[ChainState, int] | None:
        """Nothing is left of an earlier run."""
        return None

    def magnetisation(self) -> list[np.ndarray]:
        """Nothing was drawn before."""
        return []

    def append(self, fields: np.ndarray, state: ChainState) -> None:
        """Keep a block."""
        self.parts.append(fields)

    def fields(self) -> np.ndarray:
        """All blocks as one array."""
        return np.concatenate(self.parts, axis=1)

    def close(self) -> None:
        """Let the blocks go."""
        self.parts.clear()


class FolderSink:
    """Keep the blocks in a run folder, and find the state of an interrupted run there."""

    def __init__(
        self, path: Path, action: Any, lattice: Lattice | Graph, sampler: Sampler, plan: Plan
    ) -> None:
        record = (
            as_recorded(action, lattice.shape, Store.open(path).config, path)
            if (path / "run.json").exists()
            else action_record(action, lattice.shape)
        )
        config = {
            **record,
            "lattice": list(lattice.shape),
            "sampler": repr(sampler),
            **vars(plan),
        }
        model = pack_graph_model(action) if isinstance(lattice, Graph) else None
        if model is not None:  # the arrays are in a file beside; the record knows them by their checksum
            config["model"] = {"file": MODEL_FILE, "checksum": checksum(model)}
        self.store = Store.open_or_create(
            path,
            "simulate",
            config,
            chains=plan.chains,
            lattice_shape=lattice.shape,
            dtype="int8" if has_spins(action) else "float32",
            block=plan.block,
        )
        if model is not None:
            atomic_write(path / MODEL_FILE, model)

    def resume(self, state: ChainState) -> tuple[ChainState, int] | None:
        """A state like `state` after the last block and the number of draws kept, None for a run that has none."""
        saved = self.store.state()
        if saved is None:
            return None
        arrays = {name: jnp.asarray(saved[name]) for name in vars(state)}
        return type(state)(**arrays), self.store.draws

    def magnetisation(self) -> list[np.ndarray]:
        """Magnetisation of the blocks that were kept before."""
        return [magnetisation(fields) for _, _, fields, _ in self.store.blocks()]

    def append(self, fields: np.ndarray, state: ChainState) -> None:
        """Commit a block with the state from which the next one goes on."""
        restart = {name: np.asarray(value) for name, value in vars(state).items()}
        self.store.append(fields, state=restart)

    def fields(self) -> Any:
        """All draws; they stay on disk."""
        return self.store.fields

    def close(self) -> None:
        """Release the folder."""
        self.store.close()
