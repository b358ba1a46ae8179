"""The Zarr v3 group `fields.zarr`: its metadata, durable appends and checked reads.

Zarr encodes and decodes; the files are written here, one atomic replacement each, so that no moment exists at
which a committed draw is not on disk. The length in `zarr.json` is advanced after the manifest: whoever opens
the group with Zarr or xarray sees committed draws only.
"""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.storage import LocalStore, MemoryStore, StorePath

from kadanoff.errors import StoreError
from kadanoff.store.durable import atomic_write, sync_folder
from kadanoff.store.layout import WEIGHT_DTYPES, Layout

__all__ = ["DrawArray", "create_arrays", "declare", "dimension_names", "is_declared"]


def dimension_names(lattice_shape: tuple[int, ...]) -> list[str]:
    """Names of the axes of the field array; beyond four dimensions the sides are x0, x1, ...

    >>> dimension_names((8, 8))
    ['chain', 'draw', 'x', 'y']
    """
    count = len(lattice_shape)
    return ["chain", "draw", *("xyzt"[:count] if count <= 4 else (f"x{i}" for i in range(count)))]


def _json_bytes(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, indent=1, allow_nan=False) + "\n").encode()


def _fill_value(dtype: np.dtype) -> Any:
    return {"f": "NaN", "c": ["NaN", "NaN"]}.get(dtype.kind, 0)


class DrawArray:
    """One array (chain, draw, ...) that grows along draw, stored under `folder`.

    Chunks end at multiples of the chunk length whatever the sizes of the appends were, so that the files
    depend on the data alone.
    """

    def __init__(
        self, folder: Path, shape: tuple[int, ...], chunks: tuple[int, ...], names: list[str], dtype: str
    ):
        """Describe the array; `shape` excludes draws: (chain, *rest). Nothing is read or written yet."""
        self.folder = folder
        self.shape = shape
        self.chunks = chunks
        self.names = names
        self.dtype = np.dtype(dtype)

    @property
    def draw_bytes(self) -> int:
        """Bytes of one draw of every chain."""
        return math.prod(self.shape) * self.dtype.itemsize

    def metadata(self, draws: int) -> dict[str, Any]:
        """Zarr v3 array metadata, spelled out so that no library default can change it."""
        return {
            "zarr_format": 3,
            "node_type": "array",
            "shape": [self.shape[0], draws, *self.shape[1:]],
            "data_type": self.dtype.name,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(self.chunks)}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "."}},
            "fill_value": _fill_value(self.dtype),
            "codecs": [
                {"name": "bytes", "configuration": {"endian": "little"}},
                # Level 1 is cheap, makes the padding of a partial chunk free, and checks each read.
                {"name": "zstd", "configuration": {"level": 1, "checksum": True}},
            ],
            "attributes": {},
            "dimension_names": self.names,
        }

    def declared_draws(self) -> int:
        """Draws that `zarr.json` declares; raises `StoreError` when it is unusable or of another array."""
        file = self.folder / "zarr.json"
        try:
            found = json.loads(file.read_bytes())
            draws = int(found["shape"][1])
        except (OSError, ValueError, TypeError, LookupError) as error:
            raise StoreError(f"{file} is missing or damaged") from error
        if found != self.metadata(draws):
            raise StoreError(f"{file} is damaged (it does not describe the array of run.json)")
        return draws

    def _keys(self, start: int, stop: int) -> Iterator[str]:
        """File names of the chunks that hold draws [start, stop)."""
        sides = [range(-(-side // chunk)) for side, chunk in zip(self.shape, self._other_chunks, strict=True)]
        if stop > start:
            draws = range(start // self.chunks[1], (stop - 1) // self.chunks[1] + 1)
            counts = [len(sides[0]), len(draws), *map(len, sides[1:])]
            for index in np.ndindex(*counts):
                yield ".".join(map(str, ("c", index[0], draws[index[1]], *index[2:])))

    @property
    def _other_chunks(self) -> tuple[int, ...]:
        return (self.chunks[0], *self.chunks[2:])

    def missing(self, start: int, stop: int) -> str | None:
        """Name of the first absent chunk file among those of draws [start, stop), None when all are there."""
        if not self.folder.is_dir():
            return self.folder.name
        present = {file.name for file in self.folder.iterdir()}
        return next((key for key in self._keys(start, stop) if key not in present), None)

    def write(self, start: int, values: np.ndarray) -> None:
        """Put draws [start, start + n) on disk; draws before `start` are kept, any after are dropped."""
        stop, length = start + values.shape[1], self.chunks[1]
        for first in range(start - start % length, stop, length):
            low, last = max(first, start), min(first + length, stop)
            part = values[:, low - start : last - start]
            if low > first:
                # Built anew from its committed draws, so leftovers of a killed write cannot stay.
                part = np.concatenate([self.read(first, low), part], axis=1)
            for name, data in self._encode(part):
                number = name.split(".")
                number[2] = str(first // length)
                atomic_write(self.folder / ".".join(number), data, sync_name=False)
        sync_folder(self.folder)

    def _encode(self, part: np.ndarray) -> Iterator[tuple[str, bytes]]:
        """Chunk files of one chunk length of draws, named as if it were the first."""
        files: dict[str, Any] = {}
        array = zarr.Array.from_dict(StorePath(MemoryStore(files)), self.metadata(part.shape[1]))
        # A chunk equal to the fill value would not be stored, and absence must mean damage.
        array.with_config({"write_empty_chunks": True})[...] = part
        for name, buffer in files.items():
            yield name, buffer.to_bytes()

    def read(self, start: int, stop: int) -> np.ndarray:
        """Draws [start, stop) as (chain, draw, ...); raises `StoreError` when a chunk is unusable."""
        absent = next((key for key in self._keys(start, stop) if not (self.folder / key).exists()), None)
        if absent is not None:
            raise StoreError(f"{self.folder / absent} is missing")
        store = StorePath(LocalStore(self.folder, read_only=True))
        array = zarr.Array.from_dict(store, self.metadata(stop))
        try:
            return np.asarray(array[:, start:stop])
        except Exception as error:  # the codecs raise whatever they like
            damaged = next((key for key in self._keys(start, stop) if not self._readable(array, key)), "")
            raise StoreError(f"{self.folder / damaged}, of draws {start} to {stop}, is damaged") from error

    def _readable(self, array: zarr.Array, key: str) -> bool:
        """Whether a chunk can be decoded."""
        places = [
            int(number) * length for number, length in zip(key.split(".")[1:], self.chunks, strict=True)
        ]
        try:
            array[tuple(slice(place, place + 1) for place in places)]
        except Exception:  # as above
            return False
        return True


def _group_metadata(root: Path, layout: Layout, draws: int) -> bytes:
    """Content of the group's `zarr.json`, with the metadata of its arrays as zarr-python consolidates them.

    The copy keeps the lengths of the two arrays equal for every reader, and spares xarray a search.
    """
    arrays = {a.folder.name: a.metadata(draws) for a in create_arrays(root, layout) if a is not None}
    group = {
        "zarr_format": 3,
        "node_type": "group",
        "attributes": {"kind": layout.kind, "config": layout.config, "attributes": layout.attributes},
        "consolidated_metadata": {"kind": "inline", "must_understand": False, "metadata": arrays},
    }
    return _json_bytes(group)


def is_declared(root: Path, layout: Layout, draws: int) -> bool:
    """Tell whether every reader of the Zarr group sees exactly `draws` draws."""
    declared = [a.declared_draws() for a in create_arrays(root, layout) if a is not None]
    return set(declared) == {draws} and (root / "zarr.json").read_bytes() == _group_metadata(
        root, layout, draws
    )


def declare(root: Path, layout: Layout, draws: int) -> None:
    """Let readers of the Zarr group see `draws` draws.

    The names are not synced: a power cut may lose the step, and the next writer repeats it.
    """
    for array in create_arrays(root, layout):
        if array is not None:
            array.folder.mkdir(parents=True, exist_ok=True)
            atomic_write(array.folder / "zarr.json", _json_bytes(array.metadata(draws)), sync_name=False)
    atomic_write(root / "zarr.json", _group_metadata(root, layout, draws), sync_name=False)


def create_arrays(root: Path, layout: Layout) -> tuple[DrawArray, DrawArray | None]:
    """Field array and log-weight array (or None) of a run; touches no file."""
    names = dimension_names(layout.lattice_shape)
    chunks, chains = layout.chunk_shape, layout.chains
    field = DrawArray(root / "field", (chains, *layout.lattice_shape), chunks, names, layout.dtype)
    if layout.weights is None:
        return field, None
    weight_chunks = (chains, chunks[1])
    return field, DrawArray(
        root / "log_weight", (chains,), weight_chunks, names[:2], WEIGHT_DTYPES[layout.weights]
    )
