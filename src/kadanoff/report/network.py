"""The page of a trained network: what it looks for, what it draws, how it learnt."""

import tempfile
from pathlib import Path

from kadanoff.report.page import details, figure, paragraph, section, table
from kadanoff.report.rows import tables, thinned_rows
from kadanoff.report.run import made_by

__all__ = ["network_page"]

_SHOWN = 20  # epochs of a table; all are in the record below


def network_page(folder: Path) -> tuple[str, list[str]]:
    """Title and sections of the page of a network."""
    from kadanoff.network.saved import load_rbm, rbm_record
    from kadanoff.plots.rbm import draw_fit

    model, header = load_rbm(folder), rbm_record(folder)
    shape = header["record"].get("shape")
    shown = thinned_rows(header["history"], _SHOWN)
    ended = "" if header["ended"] else "; it has not ended"
    captions = {
        "features": "Links of the hidden units, the strongest first.",
        "samples": "Samples of the network, drawn for this page.",
        "monitors": "What was watched, by epoch.",
    }
    with tempfile.TemporaryDirectory() as scratch:
        drawn = draw_fit(model, None if shape is None else tuple(shape), scratch)
        figures = [figure(path, captions[path.stem]) for path in drawn]
    parts = [
        paragraph(
            f"{header['samples']} samples of {header['features']} features, {header['epochs']} epochs{ended}."
        ),
        section("Training", *[table(names, cells) for names, cells in tables(shown)]),
        section("Figures", *figures),
        section("Provenance", *made_by(header, "saved"), details("rbm.json", header)),
    ]
    return str(model.network_), parts
