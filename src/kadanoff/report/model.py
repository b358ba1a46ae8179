"""The page of a model that was fitted to data or to another action."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from kadanoff.actions import couplings
from kadanoff.report.page import details, figure, paragraph, section, table
from kadanoff.report.rows import as_text, coupling_rows
from kadanoff.report.run import figures_of, made_by

__all__ = ["model_page"]

_SHOWN = 64  # couplings of a table; all are in the record below
#: What is told of a fit beside its couplings, and how it is called.
_TOLD = {
    "method": "method",
    "fields": "fields that it learnt from",
    "held_out": "held out",
    "bound": "bound, last epoch",
    "variance": "variance, last epoch",
    "reason": "it ended because",
    "epochs": "epochs",
    "fit_seconds": "seconds",
}


def model_page(folder: Path) -> tuple[str, list[str]]:
    """Title and sections of the page of a model."""
    from kadanoff.saved_models import load_model, model_record

    values, header = couplings(load_model(folder)), model_record(folder)
    record = dict(header["record"])  # what a fit tells, or whatever else was worth knowing
    fitted, warned = record.get("couplings"), []
    rows = coupling_rows(
        fitted if isinstance(fitted, dict) and fitted else values
    )  # a fit knows their errors
    told = [
        (
            f"{record['score']}, {name}" if key == "held_out" and "score" in record else name,
            as_text(record[key]),
        )
        for key, name in _TOLD.items()
        if record.get(key) is not None
    ]
    more = [paragraph(f"And {len(rows) - _SHOWN} more in the record below.")] if len(rows) > _SHOWN else []
    if isinstance(record.get("warnings"), list):
        warned = [paragraph(f"Warning: {text}") for text in record.pop("warnings")]
    parts = [
        section("Couplings", table(("coupling", "value"), rows[:_SHOWN]) if rows else "", *more),
        section("Fit", *warned, table(("", ""), told) if told else ""),
        section("Figures", *_drawn(values), *figures_of(folder)),
        section("Provenance", *made_by(header, "created"), details("Record", record)),
    ]
    return f"Model {header['class']}", parts


def _drawn(values: dict[str, Any]) -> list[str]:
    """Histograms of the arrays among the couplings, of complex ones by their parts."""
    from kadanoff.plots.couplings import plot_couplings

    arrays: dict[str, np.ndarray] = {}
    for name, value in values.items():
        array = np.asarray(value)
        parts = {f"{name}, {part}": getattr(array, part) for part in ("real", "imag")}
        arrays |= parts if np.iscomplexobj(array) else {name: array}
    arrays = {name: array for name, array in arrays.items() if array.size > 1 and np.isfinite(array).all()}
    if not arrays:
        return []
    with tempfile.TemporaryDirectory() as scratch:
        path = plot_couplings(arrays, Path(scratch) / "couplings.png")
        return [figure(path, "The couplings of each kind.")]
