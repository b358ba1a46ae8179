"""Learnt arrays on disk: a folder with a header that says what they are, written last and whole."""

import io
import json
from pathlib import Path
from typing import Any, TypeVar

import equinox as eqx

from kadanoff.errors import StoreError
from kadanoff.store.durable import atomic_write, checksum

__all__ = [
    "is_sealed",
    "read_content",
    "read_header",
    "read_weights",
    "remove_replaced",
    "replace_content",
    "write_content",
    "write_weights",
]

_FORMAT = 1

Tree = TypeVar("Tree")


def write_weights(path: str | Path, kind: str, weights: Any, header: dict[str, Any]) -> Path:
    """Write weights and a header `kind`.json into a folder; `StoreError` when the path is a file."""
    buffer = io.BytesIO()
    eqx.tree_serialise_leaves(buffer, weights)
    return write_content(path, kind, buffer.getvalue(), header)


def write_content(
    path: str | Path, kind: str, content: bytes, header: dict[str, Any], file: str = "weights.eqx"
) -> Path:
    """Write content into a file of a folder, and a header `kind`.json; `StoreError` when the path is a file."""
    folder = Path(path)
    if folder.exists() and not folder.is_dir():
        raise StoreError(f"{folder} is a file, but {_one(kind)} is a folder: give another path")
    folder.mkdir(parents=True, exist_ok=True)
    atomic_write(folder / file, content)
    header = {"format": _FORMAT, "kind": kind, "checksum": checksum(content), **header}
    # The header comes last and whole: a folder that has one has its content.
    atomic_write(folder / f"{kind}.json", (json.dumps(header, indent=1) + "\n").encode())
    return folder


def replace_content(
    path: str | Path, kind: str, content: bytes, header: dict[str, Any], stem: str, suffix: str
) -> Path:
    """Write content and a sealed header in place of those that a folder holds; a kill leaves the old or the new.

    Raises `StoreError` when the path is a file.
    """
    # A name of its own for every content: the header, replaced at once, then tells the new from the old.
    file = f"{stem}-{checksum(content)}.{suffix}"
    header = {**header, "file": file}
    folder = write_content(path, kind, content, {**header, "header_checksum": _seal(header)}, file)
    remove_replaced(folder, file)
    return folder


def remove_replaced(folder: Path, file: str) -> None:
    """Remove what a file of `replace_content` has replaced, which a kill may have left beside it."""
    stem, suffix = file.rpartition("-")[0], Path(file).suffix
    for old in folder.glob(f"{stem}-*{suffix}"):
        if old.name != file:
            old.unlink()


def is_sealed(header: dict[str, Any]) -> bool:
    """Whether a header is as `replace_content` wrote it."""
    return header.get("header_checksum") == _seal(header)


def _seal(header: dict[str, Any]) -> str:
    outer = ("format", "kind", "checksum", "header_checksum")
    return checksum(json.dumps({k: v for k, v in header.items() if k not in outer}, sort_keys=True).encode())


def read_header(path: str | Path, kind: str, make: str) -> dict[str, Any]:
    """The header that `write_weights` wrote; `StoreError`, which says how to `make` one, when there is none."""
    folder = Path(path)
    try:
        header = json.loads((folder / f"{kind}.json").read_text())
        written = int(header["format"])
    except (FileNotFoundError, NotADirectoryError):
        if not folder.exists():
            raise StoreError(
                f"{folder} does not exist: check the path, or make {_one(kind)} with {make}"
            ) from None
        if not folder.is_dir():
            raise StoreError(
                f"{folder} is a file, but {_one(kind)} is a folder: give the one with {kind}.json"
            ) from None
        raise StoreError(f"{folder} holds no {kind} (no {kind}.json); make one with {make}") from None
    except (OSError, ValueError, KeyError, TypeError):
        raise StoreError(f"{folder}/{kind}.json is damaged; learn the {kind} again") from None
    if written > _FORMAT:
        raise StoreError(f"{folder} was written by a newer version of kadanoff (format {written}): update it")
    return header


def _one(kind: str) -> str:
    """The kind with its article: an inverse, an rbm (spoken by its letters), a model."""
    return f"{'an' if kind[0] in 'aeiou' or kind == 'rbm' else 'a'} {kind}"


def read_weights(path: str | Path, header: dict[str, Any], like: Tree) -> Tree:
    """The weights, in a tree of the shape of `like`; ValueError when they are not those of the header."""
    return eqx.tree_deserialise_leaves(io.BytesIO(read_content(path, header)), like)


def read_content(path: str | Path, header: dict[str, Any], file: str = "weights.eqx") -> bytes:
    """The content that `write_content` wrote; ValueError when it is not that of the header."""
    content = (Path(path) / file).read_bytes()
    # Folders of the first release have no checksum.
    if header.get("checksum", checksum(content)) != checksum(content):
        raise ValueError("the checksum of the weights differs")
    return content
