"""The folder of `fit`: which fit it holds, and whether that is the one asked for."""

import warnings
from pathlib import Path
from typing import Any

from kadanoff.cli.folders import require_same
from kadanoff.errors import KadanoffWarning, StoreError

__all__ = ["identity", "kept_fit", "sources"]


def identity(request: dict[str, Any]) -> dict[str, Any]:
    """What tells a fit from others: data count by what they are, wherever they lie."""
    return {name: value for name, value in request.items() if name != "target" or request["data"] is None}


def sources(*names: str) -> dict[str, dict[str, str]]:
    """Checksums of the files among actions and models, FILE.py:NAME, as an entry of the request; none without them."""
    from kadanoff.store.durable import checksum_of_file

    files = {name: Path(name.rpartition(":")[0]) for name in names if ".py:" in name}
    found = {name: checksum_of_file(file) for name, file in files.items() if file.is_file()}
    return {"sources": found} if found else {}


def kept_fit(out: Path, request: dict[str, Any]) -> dict[str, Any] | None:
    """What the folder tells of a fit that it holds; `StoreError` if that is another one than was asked for."""
    from kadanoff.saved_models import load_model, model_record
    from kadanoff.store.durable import visible_names
    from kadanoff.store.layout import jsonable

    if out.exists() and not out.is_dir():
        raise StoreError(f"{out} is a file, but a model is kept in a folder: give another path")
    if not (out / "model.json").exists():
        if any(not name.startswith(("arrays-", "source.py")) for name in visible_names(out)):
            raise StoreError(f"{out} holds something else than a model: give a new or empty folder")
        return None
    load_model(out)
    record = dict(model_record(out)["record"])
    there = record.pop("request", {})
    asked = jsonable(identity(request), "request")
    if "data" not in there:  # a fit of an older version knows its data by name alone
        asked = {name: value for name, value in jsonable(request, "request").items() if name in there}
    changed = [
        name
        for name, source in asked.pop("sources", {}).items()
        if there.get("sources", {}).get(name, source) != source
    ]
    if changed:
        raise StoreError(
            f"{out} holds a fit with another version of {', '.join(changed)}; "
            "give that version to see its answer, or another folder"
        )
    if there.get("data", asked.get("data")) != asked.get("data"):
        raise StoreError(f"{out} holds a fit of other data; give the same data, or another folder")
    require_same(out, "fit", there, asked)
    for text in record.pop("warnings", ()):
        warnings.warn(text, KadanoffWarning, stacklevel=2)
    return record
