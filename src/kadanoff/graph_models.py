"""Actions on graphs as the file that a run keeps: the graph and the couplings of every edge and site, bit for bit."""

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from kadanoff.actions import InhomogeneousIsing, InhomogeneousPhi4
from kadanoff.errors import StoreError
from kadanoff.graph import Graph
from kadanoff.store.state import pack_state, unpack_state

__all__ = ["MODELS", "MODEL_FILE", "load_graph", "load_graph_model", "pack_graph_model"]

#: Name of the file in the folder of a run.
MODEL_FILE = "model.npz"

#: Actions on graphs by the name of their class, with the names of their couplings.
MODELS: dict[str, tuple[type, tuple[str, ...]]] = {
    "InhomogeneousIsing": (InhomogeneousIsing, ("w", "r")),
    "InhomogeneousPhi4": (InhomogeneousPhi4, ("w", "a", "b", "r")),
}


def pack_graph_model(action: Any) -> bytes:
    """The bytes of an action's file: the same for the same action. Other actions on graphs keep their graph only.

    Couplings are kept in single precision, as fields are, also where `jax_enable_x64` gave them more digits.

    >>> import tempfile, kadanoff as kd
    >>> action = kd.InhomogeneousPhi4.random(kd.Graph.grid((4, 4)), seed=3)
    >>> path = Path(tempfile.mkdtemp()) / "model.npz"
    >>> _ = path.write_bytes(pack_graph_model(action))
    >>> load_graph_model(path).graph == action.graph
    True
    """
    graph: Graph = action.graph
    names = MODELS.get(type(action).__name__, (None, ()))[1]
    arrays = {
        "action": np.asarray(type(action).__name__),
        "shape": np.asarray(graph.shape),
        "steps": np.asarray(graph.steps, np.int64).reshape(len(graph.steps), graph.dimension),
        "edges": graph.edges,
    }
    return pack_state({**arrays, **{name: np.asarray(getattr(action, name), np.float32) for name in names}})


def load_graph_model(path: str | Path) -> Any:
    """Read an action from its file; `StoreError` for files that hold none.

    >>> load_graph_model("nowhere.npz")
    Traceback (most recent call last):
    kadanoff.errors.StoreError: nowhere.npz cannot be read (No such file or directory): give the file of a saved model
    """
    arrays = _arrays(Path(path))
    kind = str(arrays["action"])
    if kind not in MODELS:
        raise StoreError(
            f"{path} holds the graph of {kind}, whose potentials are functions: make it anew in Python; a run of it "
            "opens by kd.open_ensemble(path, action)"
        )
    made, names = MODELS[kind]
    try:
        return made(load_graph(path), **{name: jnp.asarray(arrays[name]) for name in names})
    except (KeyError, ValueError) as error:
        raise StoreError(f"{path} is damaged ({error}): restore it from a copy") from error


def load_graph(path: str | Path) -> Graph:
    """Read the graph alone; `StoreError` as `load_graph_model`."""
    arrays = _arrays(Path(path))
    try:
        shape, steps, edges = (arrays[name] for name in ("shape", "steps", "edges"))
        made = Graph.periodic(shape.tolist(), steps.tolist()) if len(steps) else Graph(edges, int(shape[0]))
        if not np.array_equal(made.edges, edges):
            raise ValueError("its edges are not those of its steps")
    except (KeyError, ValueError) as error:
        raise StoreError(f"{path} is damaged ({error}): restore it from a copy") from error
    return made


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        arrays = unpack_state(path.read_bytes())
    except OSError as error:
        raise StoreError(
            f"{path} cannot be read ({error.strerror}): give the file of a saved model"
        ) from error
    except Exception as error:  # whatever zip and numpy say of bytes that are no archive of arrays
        raise StoreError(f"{path} is no saved model: give the model.npz of a run") from error
    if not {"action", "shape", "steps", "edges"} <= set(arrays):
        raise StoreError(f"{path} holds arrays, but no model: give the model.npz of a run")
    return arrays
