"""The page of a two-lattice matching."""

import json
from pathlib import Path

from kadanoff.errors import StoreError
from kadanoff.report.page import details, paragraph, section, table
from kadanoff.report.rows import tables
from kadanoff.report.run import figures_of, provenances

__all__ = ["matching_page"]


def matching_page(folder: Path) -> tuple[str, list[str]]:
    """Title and sections of the page of a matching."""
    path = folder / "match.json"
    try:
        found = json.loads(path.read_text())
        rows, coupling = list(found["rows"]), str(found["coupling"])
        warned = [str(text) for text in found["warnings"]]
        reasons = [
            paragraph(f"{row['label']}, {row['observable']}: {row['reason']}")
            for row in rows
            if row.get("reason")
        ]
        kept = tables([{name: value for name, value in row.items() if name != "reason"} for row in rows])
    except (AttributeError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path} is damaged: give the command that made it again") from error
    parts = [
        section("Results", *[table(names, cells) for names, cells in kept], *reasons),
        section("Figures", *figures_of(folder)),
        section("Warnings", *map(paragraph, warned)),
        section("Provenance", *provenances(folder), details("match.json", found)),
    ]
    return f"Two-lattice matching of {coupling}", parts
