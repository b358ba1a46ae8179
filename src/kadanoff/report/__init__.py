"""One self-contained HTML page of a run: figures, tables, certificate, provenance."""

from collections.abc import Callable
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from kadanoff.errors import InputError, StoreError
from kadanoff.report.experiment import experiment_page
from kadanoff.report.grown import grown_page
from kadanoff.report.inverse import inverse_page
from kadanoff.report.matching import matching_page
from kadanoff.report.model import model_page
from kadanoff.report.network import network_page
from kadanoff.report.page import page
from kadanoff.report.run import run_page

__all__ = ["write_report"]

#: The file that tells what a folder holds, in the order of looking, and what makes its page.
PAGES: dict[str, Callable[[Path], tuple[str, list[str]]]] = {
    "result.json": experiment_page,
    "levels.json": grown_page,
    "match.json": matching_page,
    "run.json": run_page,
    "rbm.json": network_page,
    "inverse.json": inverse_page,
    "model.json": model_page,
}


def write_report(folder: str | Path, out: str | Path | None = None) -> Path:
    """Write the page of a folder that a verb made by `--out`; by default into the folder.

    The page needs no other file and no network. Raises `StoreError` for a folder that is missing, damaged or
    holds no result, `InputError` for an `out` that cannot be written.
    """
    folder = Path(folder)
    target = folder / "report.html" if out is None else Path(out)
    if not folder.exists():
        raise StoreError(f"{folder} does not exist: give the folder of a run")
    make = next((make for name, make in PAGES.items() if (folder / name).is_file()), None)
    if make is None:
        raise StoreError(
            f"{folder} holds no result (none of {', '.join(PAGES)}): give a folder that a verb made by --out"
        )
    if target.is_dir() or not target.parent.is_dir():
        raise InputError(f"{target} cannot be written: give the name of a file in a folder that exists")
    title, parts = make(folder)
    try:
        version = metadata.version("kadanoff")
    except metadata.PackageNotFoundError:
        version = "unknown"
    now = datetime.now(UTC).isoformat(timespec="seconds")
    draft = target.with_name(f".{target.name}.part")
    draft.write_text(page(title, parts, f"Written by kadanoff {version} at {now}."), encoding="utf-8")
    draft.replace(target)
    return target
