"""The page of a growth: fields of all sizes, the certificate of every level, exponents of every pair."""

import json
import tempfile
from pathlib import Path

import numpy as np

from kadanoff.errors import KadanoffError, StoreError
from kadanoff.report.page import details, figure, paragraph, section, table
from kadanoff.report.rows import tables
from kadanoff.report.run import figures_of, provenance
from kadanoff.store import Store

__all__ = ["certificate_tables", "grown_page"]

#: The largest side that is drawn: more cannot be seen.
_LARGEST_DRAWN = 1024


def grown_page(folder: Path) -> tuple[str, list[str]]:
    """Title and sections of the page of a growth."""
    from kadanoff.renormalization import Levels, critical_exponents

    levels = Levels.open(folder)
    sides = " -> ".join(str(level.lattice.longest) for level in levels)
    first = levels[0]
    relaxed = "relaxed after each step" if levels.relaxed else "by the pure map"
    try:
        rows = [
            {
                "label": row.label,
                "estimator": row.estimator,
                "gamma/nu": row.gamma_over_nu,
                "beta/nu": row.beta_over_nu,
            }
            for row in critical_exponents(levels).rows()
        ]
        exponents = [table(names, cells) for names, cells in tables(rows)]
    except KadanoffError as error:
        exponents = [paragraph(f"None: {error}.")]
    parts = [
        paragraph(f"{first.chains} chains of {first.draws} draws, grown {relaxed}, b = {levels.b}."),
        section("Figures", _gallery(levels), *figures_of(folder)),
        section("Certificate", *certificate_tables(folder)),
        section("Exponents", *exponents),
        section("Provenance", *_provenance(folder)),
    ]
    return f"Growth {sides}", parts


def certificate_tables(folder: Path) -> list[str]:
    """The certificate of a kept growth, a column a level."""
    from kadanoff.renormalization import Levels, certificate

    turned = [
        list(zip(names, *cells, strict=True)) for names, cells in tables(certificate(Levels.open(folder)))
    ]
    return [table(columns[0], columns[1:]) for columns in turned]


def _gallery(levels: object) -> str:
    """One configuration at all sizes."""
    from kadanoff.plots.run import configurations

    fields = {}
    for level in levels:  # type: ignore[attr-defined]
        if level.lattice.longest <= _LARGEST_DRAWN:
            fields[f"L = {level.lattice.longest}"] = np.asarray(level.fields[:1, :1])[0, 0]
    with tempfile.TemporaryDirectory() as scratch:
        path = configurations(fields, Path(scratch) / "levels.png")
        return figure(path, "The first configuration of the first chain at every level.")


def _provenance(folder: Path) -> list[str]:
    """The record of the growth, and of the store of every level."""
    try:
        record = json.loads((folder / "levels.json").read_text())
    except ValueError as error:
        raise StoreError(
            f"{folder / 'levels.json'} is damaged: grow again, or restore it from a copy"
        ) from error
    parts = [details("levels.json", record)]
    for path in sorted(folder.glob("level-*")):
        if (path / "run.json").is_file():
            parts += [paragraph(path.name), *provenance(Store.open(path))]
    return parts
