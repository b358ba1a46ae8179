"""The folder of `reproduce`: the request that it answers, kept beside the result."""

import json
from pathlib import Path
from typing import Any

from kadanoff.cli.console import ProgressCallback
from kadanoff.cli.folders import require_own_kind, require_same
from kadanoff.errors import StoreError

__all__ = ["digest", "keep", "keeping", "require_own"]

REQUEST = "reproduce.json"


def digest(image: Path | None) -> str | None:
    """A checksum of an image of the user's; None without one, and of one that cannot be read."""
    from kadanoff.store.durable import checksum_of_file

    return None if image is None or not image.is_file() else checksum_of_file(image)


def require_own(folder: Path, request: dict[str, Any]) -> None:
    """Raise `StoreError` for a folder that holds something else, or an answer to another request."""
    require_own_kind(folder, "an experiment")
    record = next((path for path in (folder / REQUEST, folder / "result.json") if path.exists()), None)
    if record is None:
        return
    try:
        found = dict(json.loads(record.read_text()))
    except (ValueError, TypeError) as error:
        raise StoreError(f"{record} is damaged: reproduce the experiment again in another folder") from error
    # A result of an older version tells its name alone.
    asked = {name: value for name, value in request.items() if name in found}
    require_same(folder, "reproduction", found, asked)


def keeping(request: dict[str, Any], folder: Path, report: ProgressCallback) -> ProgressCallback:
    """Report progress, and keep the request once the work has begun: what is refused before leaves nothing."""

    def keep_and_report(done: float, total: float | None, message: str) -> None:
        keep(request, folder)
        report(done, total, message)

    return keep_and_report


def keep(request: dict[str, Any], folder: Path) -> None:
    """Keep the request that a folder answers, unless it is there."""
    from kadanoff.store.durable import atomic_write

    if not (folder / REQUEST).exists():
        atomic_write(folder / REQUEST, json.dumps(request).encode() + b"\n")
