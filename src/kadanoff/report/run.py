"""The page of a simulated or blocked run."""

import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kadanoff.ensemble import Ensemble
from kadanoff.report.page import details, figure, paragraph, section, table
from kadanoff.runs import open_ensemble
from kadanoff.sampling.thermalisation import start_disagreement
from kadanoff.store import Store

__all__ = ["certificate_of_run", "figures_of", "made_by", "provenance", "provenances", "run_page"]


def run_page(folder: Path) -> tuple[str, list[str]]:
    """Title and sections of the page of a run."""
    from kadanoff.plots.run import RUN_FIGURES

    store, ensemble = Store.open(folder), open_ensemble(folder)
    size = "x".join(map(str, ensemble.lattice.shape))
    what = (
        repr(ensemble.action) if ensemble.action is not None else f"blocked fields of depth {ensemble.depth}"
    )
    table_of = ensemble.observables()
    rows = [
        (name, estimate, "" if estimate.tau_int is None else f"{estimate.tau_int:.2f}")
        for name, estimate in table_of.items()
    ]
    about = f"{ensemble.chains} chains of {ensemble.draws} draws; {'; '.join(ensemble.history)}."
    parts = [
        paragraph(about),
        section("Observables", table(("observable", "value", "tau_int"), rows)),
        section("Figures", *_drawn(ensemble), *figures_of(folder, without=RUN_FIGURES)),
        section("Certificate", *certificate_of_run(ensemble)),
        section("Provenance", *provenance(store)),
    ]
    return f"{what} on {size}", parts


def certificate_of_run(ensemble: Ensemble) -> list[str]:
    """What speaks for the sample: identities that hold for its action, and starts that were forgotten."""
    rows: list[tuple[str, str, str]] = []
    if ensemble.action is not None and not ensemble.spins:  # an integration by parts: real sites only
        identity = ensemble.observe("schwinger_dyson")
        rows.append(
            ("Schwinger-Dyson identity", f"{identity}, exactly 1", f"{identity.pull(1.0):+.1f} sigma")
        )
    early = min(ensemble.draws, max(4, ensemble.draws // 4))
    if ensemble.parent is None:
        gap = start_disagreement(np.asarray(ensemble.series("abs_m"))[:, :early])
        rows.append(("even chains against odd ones, |m|", "early draws", f"{gap:.1f} sigma"))
    if ensemble.log_weight is not None:
        count = ensemble.chains * ensemble.draws
        rows.append(("effective sample size", f"{ensemble.effective_sample_size:.0f} of {count}", ""))
    return [table(("check", "found", "deviation"), rows)] if rows else []


def provenance(store: Store) -> list[str]:
    """Where the numbers come from, and whether the files still are what was written."""
    rows = [
        ("made by", store.kind),
        ("created", store.layout.created),
        ("seed", store.config.get("seed", "")),
        ("versions", _versions(store.layout.versions)),
        ("blocks, all with the checksums of their records", store.verify()),
        ("size", f"{store.size_bytes / 2**20:.1f} MiB"),
    ]
    return [
        _facts(rows),
        details("Configuration", store.config),
        details("Attributes", store.attributes) if store.attributes else "",
    ]


def provenances(folder: Path) -> list[str]:
    """Provenance of all simulations that a folder holds."""
    stores = map(Store.open, sorted(path.parent for path in folder.rglob("run.json")))
    return [
        part
        for store in stores
        if store.kind == "simulate"
        for part in (paragraph(str(store.path.relative_to(folder))), *provenance(store))
    ]


def made_by(header: Mapping[str, Any], time: str) -> list[str]:
    """Where a model or a network comes from, by its header; `time` is the entry that says when."""
    rows = [
        ("created", header[time]),
        ("seed", "" if header["seed"] is None else str(header["seed"])),
        ("versions", _versions(header["versions"])),
        ("data", header["data"] or ""),
    ]
    return [_facts(rows)]


def _facts(rows: list[tuple[str, Any]]) -> str:
    """A table without a heading, of what is known."""
    return table(("", ""), [row for row in rows if row[1] != ""])


def _versions(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def figures_of(folder: Path, without: Collection[str] = ()) -> list[str]:
    """PNG files of the folder and of its `figures`, embedded, but for those named."""
    found = sorted([*folder.glob("*.png"), *(folder / "figures").glob("*.png")])
    return [
        figure(path, path.stem.replace("_", " ").replace("-", " "))
        for path in found
        if path.name not in without
    ]


def _drawn(ensemble: Ensemble) -> list[str]:
    """The figures of the run, drawn for the page: those in its folder may be older than its last draws."""
    from kadanoff.plots.run import draw_run

    captions = (
        "The last configuration of the first chain.",
        "Magnetisation: mean of |m| over the chains by draw, and the histogram of m.",
    )
    with tempfile.TemporaryDirectory() as scratch:
        return [figure(*drawn) for drawn in zip(draw_run(ensemble, scratch), captions, strict=True)]
