"""What a run folder says about itself: `run.json`, its version, and when two requests mean the same run."""

import json
import math
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from kadanoff.errors import InputError, StoreError

__all__ = ["FORMAT", "VERSION", "Layout", "jsonable", "read_layout"]

FORMAT = "kadanoff-run"
VERSION = 1
DTYPES = ("float32", "float64", "int8", "int16", "int32")
# The last chunk is written anew by every append that does not end on its border, so the default stays small:
# 8 MiB, and 1024 draws of a small lattice.
TARGET_CHUNK = 8 * 2**20
TARGET_DRAWS = 1024
LARGEST_CHUNK = 32 * 2**20
WEIGHT_DTYPES = {"real": "float64", "complex": "complex128"}


def jsonable(value: Any, name: str) -> Any:
    """Plain JSON form of a configuration entry: tuples and arrays become lists, numpy scalars numbers.

    Non-finite numbers become the words "nan", "inf", "-inf", which strict JSON can hold.
    Raises `InputError` naming the entry that has no such form.

    >>> jsonable({"shape": (8, 8), "mass2": np.float64(-0.5)}, "config")
    {'shape': [8, 8], 'mass2': -0.5}
    """
    if hasattr(value, "__array__"):
        value = np.asarray(value).tolist()
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise InputError(f"{name} has the key {key!r}, and JSON keys are strings: use {str(key)!r}")
        return {key: jsonable(entry, f"{name}.{key}") for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(entry, f"{name}[{i}]") for i, entry in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, complex):
        return [jsonable(value.real, name), jsonable(value.imag, name)]
    if isinstance(value, PathLike):
        return str(value)
    raise InputError(
        f"{name} is a {type(value).__name__}, which JSON cannot hold: give numbers, strings, lists, mappings"
    )


def versions() -> dict[str, str]:
    """Versions of what decides the numbers; read from the installed metadata, since importing jax is slow."""
    found = {"python": platform.python_version()}
    for package in ("kadanoff", "jax", "numpy", "zarr"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "unknown"
    return found


@dataclass(frozen=True)
class Layout:
    """The immutable description of a run, one to one with `run.json`.

    `weights` is None, "real" or "complex"; `block` is the number of draws in a chunk of the arrays.
    """

    kind: str
    config: dict[str, Any]
    attributes: dict[str, Any]
    chains: int
    lattice_shape: tuple[int, ...]
    dtype: str
    weights: str | None
    block: int
    versions: dict[str, str]
    created: str

    @classmethod
    def build(
        cls,
        kind: str,
        config: Mapping[str, Any],
        chains: int,
        lattice_shape: Sequence[int],
        dtype: str = "float32",
        weights: bool | str = False,
        attributes: Mapping[str, Any] | None = None,
        block: int | None = None,
    ) -> "Layout":
        """Validate a request for a run; raises `InputError` naming the argument that cannot be used."""
        shape = tuple(int(side) for side in lattice_shape)
        if not shape or min(shape) < 1:
            raise InputError(f"lattice_shape is {shape}, but needs at least one side, each >= 1")
        if chains < 1:
            raise InputError(f"chains is {chains}, but a run holds at least one chain")
        name = np.dtype(dtype).name
        if name not in DTYPES:
            raise InputError(f"dtype {name!r} cannot hold fields here: use one of {', '.join(DTYPES)}")
        kept = ("real" if weights else None) if isinstance(weights, bool) else weights
        if kept is not None and kept not in WEIGHT_DTYPES:
            raise InputError(f"weights is {weights!r}: use False, True, 'real' or 'complex'")
        if block is not None and block < 1:
            raise InputError(f"block is {block}, but a chunk holds at least one draw")
        if block is None:
            fitting = TARGET_CHUNK // (chains * math.prod(shape) * np.dtype(name).itemsize)
            block = min(max(1, fitting), TARGET_DRAWS)
        return cls(
            kind=kind,
            config=jsonable(dict(config), "config"),
            attributes=jsonable(dict(attributes or {}), "attributes"),
            chains=int(chains),
            lattice_shape=shape,
            dtype=name,
            weights=kept,
            block=int(block),
            versions=versions(),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    @property
    def chunk_shape(self) -> tuple[int, ...]:
        """Chunk of the field array, (chain, draw, *lattice): chains, then sides, are split above 32 MiB."""
        chunk = [self.chains, self.block, *self.lattice_shape]
        itemsize = np.dtype(self.dtype).itemsize
        for axis in (0, *range(2, len(chunk))):
            parts = -(-math.prod(chunk) * itemsize // LARGEST_CHUNK)
            if parts <= 1:
                break
            chunk[axis] = max(1, -(-chunk[axis] // parts))
        return tuple(chunk)

    def to_bytes(self) -> bytes:
        """Content of `run.json`."""
        content = {"format": FORMAT, "version": VERSION, **asdict(self)}
        return (json.dumps(content, indent=2, allow_nan=False) + "\n").encode()

    def first_difference(self, other: "Layout") -> tuple[str, Any, Any] | None:
        """First entry that makes `other` a different run: its dotted name, the value here, the value there.

        Attributes, versions, creation time and chunk length describe a run without deciding its numbers.
        """
        for name in ("kind", "chains", "lattice_shape", "dtype", "weights", "config"):
            found = _difference(name, getattr(self, name), getattr(other, name))
            if found is not None:
                return found
        return None


def _difference(name: str, here: Any, there: Any) -> tuple[str, Any, Any] | None:
    if isinstance(here, dict) and isinstance(there, dict):
        for key in dict.fromkeys([*here, *there]):
            found = _difference(f"{name}.{key}", here.get(key, "(absent)"), there.get(key, "(absent)"))
            if found is not None:
                return found
        return None
    return (
        None if here == there and isinstance(here, bool) == isinstance(there, bool) else (name, here, there)
    )


def read_layout(path: Path) -> Layout:
    """Read `run.json` of the folder `path`; raises `StoreError` for every way in which it can be unusable."""
    if not path.exists():
        raise StoreError(f"{path} does not exist: check the path, or start a run there")
    if not path.is_dir():
        raise StoreError(f"{path} is a file, but a run is a folder: give the folder that holds run.json")
    file = path / "run.json"
    if not file.exists():
        if not any(path.iterdir()):
            raise StoreError(f"{path} is empty: check the path, or start a run there")
        if (path / "manifest").is_dir() and any((path / "manifest").iterdir()):
            raise StoreError(
                f"{path} is damaged: it holds blocks but run.json is missing; restore it from a copy"
            )
        inner = sorted(path.glob("*/run.json"))
        hint = f", such as {inner[-1].parent}" if inner else ""
        raise StoreError(
            f"{path} is not a kadanoff run: it has no run.json; give the folder that holds one{hint}"
        )
    try:
        content = json.loads(file.read_bytes())
    except ValueError as error:
        raise StoreError(f"{file} is damaged (not valid JSON): restore it from a copy") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise StoreError(f"{path} is not a kadanoff run: its run.json belongs to something else")
    version = content.get("version")
    if isinstance(version, int) and version > VERSION:
        raise StoreError(
            f"{path} is in run format {version}, written by a newer kadanoff, and this one reads format "
            f"{VERSION}: upgrade kadanoff"
        )
    flawed = _first_flaw(content) if version == VERSION else "version"
    if flawed is not None:
        raise StoreError(f"{file} is damaged (no usable entry {flawed!r}): restore it from a copy")
    known = {name: content[name] for name in Layout.__dataclass_fields__}
    return Layout(**{**known, "lattice_shape": tuple(known["lattice_shape"])})


def _first_flaw(content: dict[str, Any]) -> str | None:
    """Name of the first entry of `run.json` that is absent or of the wrong kind."""

    def is_count(value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and value >= 1

    sound: dict[str, Callable[[Any], bool]] = {
        "kind": lambda v: isinstance(v, str),
        "config": lambda v: isinstance(v, dict),
        "attributes": lambda v: isinstance(v, dict),
        "chains": is_count,
        "lattice_shape": lambda v: isinstance(v, list) and len(v) > 0 and all(map(is_count, v)),
        "dtype": lambda v: v in DTYPES,
        "weights": lambda v: v is None or v in list(WEIGHT_DTYPES),
        "block": is_count,
        "versions": lambda v: isinstance(v, dict),
        "created": lambda v: isinstance(v, str),
    }
    return next(
        (name for name, test in sound.items() if name not in content or not test(content[name])), None
    )
