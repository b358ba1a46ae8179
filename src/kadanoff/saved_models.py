"""Models on disk: any module of the library, or of a user's file, as a folder that says what it is and where from."""

import importlib
import inspect
import io
import sys
from collections.abc import Mapping
from dataclasses import fields as fields_of
from dataclasses import is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from kadanoff.actions.base import couplings, with_array_leaves
from kadanoff.ensemble import Ensemble
from kadanoff.errors import InputError, StoreError
from kadanoff.graph import Graph
from kadanoff.runs import action_from_file, fingerprint
from kadanoff.store.durable import atomic_write, checksum, visible_names
from kadanoff.store.layout import jsonable, versions
from kadanoff.store.weights_folder import is_sealed, read_content, read_header, replace_content
from kadanoff.whole import whole

__all__ = ["data_fingerprint", "load_model", "model_record", "save_model"]

_KIND, _MAKE, _PACKAGE = "model", "`kd.save_model` or `kadanoff fit`", "kadanoff"
_SOURCE = "source.py"  # copy of the file that defines a user's class


def save_model(
    model: Any,
    folder: str | Path,
    *,
    seed: int | None = None,
    data: Any = None,
    record: Mapping[str, Any] | None = None,
) -> Path:
    """Keep a model, an action or any other module, in a folder; one that the folder holds already is replaced.

    Beside the arrays the folder tells the class, couplings, graph, versions, time, `seed`, a fingerprint of the `data`
    (an ensemble, an array, or the folder of a run) and `record`, whatever else is worth knowing (JSON). A class from
    a user's file is kept with a copy of that file. A kill at any moment leaves the old model or the new one.

    Raises `StoreError` for a folder that holds something else, `InputError` for what cannot be written down, such as
    functions, and classes that no file defines.

    >>> import tempfile, kadanoff as kd
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = save_model(kd.Phi4(-0.9515, 0.7), folder + "/phi4", seed=1)
    ...     load_model(folder + "/phi4")
    Phi4(mass2=-0.9515, quartic=0.7, kappa=1.0)
    """
    path = Path(folder)
    foreign = [name for name in visible_names(path) if name != _SOURCE and not name.startswith("arrays-")]
    if foreign and not (path / f"{_KIND}.json").exists():
        raise StoreError(f"{path} holds something else than a model: give a new or empty folder")
    arrays: list[np.ndarray] = []
    sources: set[Path] = set()
    structure = _encode(with_array_leaves(model), arrays, sources)
    if len(sources) > 1:
        raise InputError(f"the model has classes from {len(sources)} files of yours: define them in one")
    known = {name: _plain(value) for name, value in couplings(model).items()}
    buffer = io.BytesIO()
    np.savez(buffer, *arrays)
    header = {
        "class": type(model).__name__,
        "couplings": known,
        "structure": structure,
        "versions": versions(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": None if seed is None else whole("seed", seed),
        "data": None if data is None else data_fingerprint(data),
        "record": jsonable(dict(record or {}), "record"),
    }
    header["source"] = None
    if sources:
        source = sources.pop().read_bytes()
        header["source"] = checksum(source)
        path.mkdir(parents=True, exist_ok=True)
        atomic_write(path / _SOURCE, source)
    return replace_content(path, _KIND, buffer.getvalue(), header, "arrays", "npz")


def load_model(folder: str | Path) -> Any:
    """Read a model that `save_model` wrote.

    A class of a user's is the one that is imported, where a module with the same source is; else that source is run.

    Raises `StoreError` for a folder without one, damaged, or written by a newer version.
    """
    path, header = Path(folder), model_record(folder)
    try:
        content = read_content(path, header, header["file"])
        with np.load(io.BytesIO(content)) as stored:
            arrays = [stored[f"arr_{number}"] for number in range(len(stored.files))]
        if header["source"] is not None and checksum((path / _SOURCE).read_bytes()) != header["source"]:
            raise ValueError("the source is another one")
        return _decode(header["structure"], arrays, path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError) as error:
        raise StoreError(
            f"{path} holds a damaged model ({type(error).__name__}: {error}); restore it from a copy or fit it again"
        ) from None


def model_record(folder: str | Path) -> dict[str, Any]:
    """What a folder tells of its model: class, couplings, versions, seed, data, record.

    Raises `StoreError` as `load_model` does.
    """
    path = Path(folder)
    header = read_header(path, _KIND, _MAKE)
    if not is_sealed(header):
        raise StoreError(f"{path}/{_KIND}.json is damaged; restore it from a copy or fit the model again")
    return header


def data_fingerprint(data: Any) -> str:
    """Digest of data: that of a run for a folder, of the shape and the bytes for an ensemble or an array."""
    if isinstance(data, str | Path):
        return fingerprint(data)
    fields = np.ascontiguousarray(data.fields if isinstance(data, Ensemble) else data)
    return checksum(repr((fields.shape, fields.dtype.str)).encode(), fields.reshape(-1).view("u1").data)


def _encode(value: Any, arrays: list[np.ndarray], sources: set[Path]) -> Any:
    """JSON of a value; its arrays, and the files of its classes, are collected."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if eqx.is_array_like(value):
        arrays.append(np.asarray(value))
        return {"array": len(arrays) - 1}
    if isinstance(value, tuple | list):
        return {type(value).__name__: [_encode(entry, arrays, sources) for entry in value]}
    if isinstance(value, dict):
        return {"dict": [[_encode(part, arrays, sources) for part in pair] for pair in value.items()]}
    if isinstance(value, Graph):
        steps = [list(step) for step in value.steps]
        return {
            "graph": {"shape": value.shape, "steps": steps, "edges": _encode(value.edges, arrays, sources)}
        }
    if is_dataclass(value) and not isinstance(value, type):
        content = {
            entry.name: _encode(getattr(value, entry.name), arrays, sources) for entry in fields_of(value)
        }
        return {"class": _home(type(value), sources), "fields": content}
    raise InputError(
        f"a model with a {type(value).__name__} ({value!r}) cannot be written down: leave it out"
    )


def _home(cls: type, sources: set[Path]) -> str:
    """Module and name of a class; a class of a user's is looked for in the copy of its file."""
    if cls.__module__.split(".")[0] == _PACKAGE:
        return f"{cls.__module__}:{cls.__qualname__}"
    try:
        file = inspect.getsourcefile(cls)
    except TypeError:
        file = None
    if file is None or not Path(file).is_file() or "." in cls.__qualname__:
        raise InputError(
            f"{cls.__qualname__} is defined in no file: put the class in a Python file and import it"
        )
    sources.add(Path(file))
    return f"{_SOURCE}:{cls.__qualname__}"


def _decode(content: Any, arrays: list[np.ndarray], path: Path) -> Any:
    if not isinstance(content, dict):
        return content
    if "array" in content:
        return jnp.asarray(arrays[content["array"]])
    for kind in (tuple, list):
        if kind.__name__ in content:
            return kind(_decode(entry, arrays, path) for entry in content[kind.__name__])
    if "dict" in content:
        return {_decode(k, arrays, path): _decode(v, arrays, path) for k, v in content["dict"]}
    if "graph" in content:
        return _graph(content["graph"], arrays)
    cls = _class(content["class"], path)
    made = object.__new__(cls)
    # As a fit left it: the checks of a constructor may refuse what an error bar allows.
    for name, value in content["fields"].items():
        object.__setattr__(made, name, _decode(value, arrays, path))
    return made


def _class(home: str, path: Path) -> type:
    module, _, name = home.partition(":")
    if module == _SOURCE:
        return _imported(path / _SOURCE, name) or action_from_file(path / _SOURCE, name)
    if module.split(".")[0] != _PACKAGE:
        raise ValueError(f"the class {home} is not of this package")
    return getattr(importlib.import_module(module), name)


def _imported(source: Path, name: str) -> type | None:
    """The class of a module that is imported, from a file with the same bytes: running a script again runs it all."""
    content = source.read_bytes()
    for module in list(sys.modules.values()):
        cls, file = getattr(module, "__dict__", {}).get(name), getattr(module, "__file__", None)
        if isinstance(cls, type) and cls.__module__ == module.__name__ and file and Path(file).is_file():
            if Path(file).read_bytes() == content:
                return cls
    return None


def _plain(value: Any) -> Any:
    """A coupling as JSON has it: of a complex one both parts, of an array the shape."""
    if isinstance(value, list):
        return f"array {np.shape(value)}"
    return [value.real, value.imag] if isinstance(value, complex) else value


def _graph(content: dict[str, Any], arrays: list[np.ndarray]) -> Graph:
    edges, steps = arrays[content["edges"]["array"]], tuple(map(tuple, content["steps"]))
    shape = tuple(content["shape"])
    return Graph.periodic(shape, steps) if steps else Graph(edges, sites=shape[0])
