"""The page of a reproduced experiment: its rows beside references, its figures, its notes."""

import json
from pathlib import Path
from typing import Any

from kadanoff.errors import StoreError
from kadanoff.report.grown import certificate_tables
from kadanoff.report.page import details, figure, paragraph, section, table
from kadanoff.report.rows import tables
from kadanoff.report.run import provenances

__all__ = ["experiment_page"]


def experiment_page(folder: Path) -> tuple[str, list[str]]:
    """Title and sections of the page of an experiment."""
    path = folder / "result.json"
    try:
        result = json.loads(path.read_text())
        name, rows, seconds = str(result["name"]), tables(result["rows"]), float(result.get("seconds") or 0)
        notes = [paragraph(str(note)) for note in result.get("notes", [])]
        figures, told = [str(figure) for figure in result.get("figures", [])], _told(result)
    except (AttributeError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path} is damaged: reproduce the experiment again") from error
    parts = [
        paragraph(f'Our values, and as "reference" published or exact ones; {seconds:.1f} s.'),
        section("Results", *[table(names, cells) for names, cells in rows], *notes),
        section("Figures", *_figures(folder, figures)),
        section("Certificate", *told, *_certificates(folder)),
        section(
            "Provenance",
            *_asked(folder / "reproduce.json"),
            *provenances(folder),
            details("result.json", result),
        ),
    ]
    return f"reproduce {name}", parts


def _figures(folder: Path, named: list[str]) -> list[str]:
    """The figures that the result names, in its order, then any other PNG file of the folder."""
    found: dict[str, Path] = {}
    for path in [
        *map(Path, named),
        *sorted(folder.glob("*.png")),
        *sorted((folder / "figures").glob("*.png")),
    ]:
        # A folder that was moved still holds its figures under their names.
        places = [place for place in (path, folder / path, folder / path.name) if place.is_file()]
        if places and path.suffix == ".png":
            found.setdefault(path.name, places[0])
    return [figure(path, path.stem.replace("_", " ").replace("-", " ")) for path in found.values()]


def _asked(path: Path) -> list[str]:
    """The command that the folder answers, and the checksum of an image of the user's."""
    if not path.is_file():
        return []
    try:
        request = json.loads(path.read_text())
        quick, image = " --quick" if request["quick"] else "", request.get("image")
        command = f"kadanoff reproduce {request['name']}{quick} --seed {request['seed']}"
    except (AttributeError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path} is damaged: reproduce the experiment again in another folder") from error
    told = "" if image is None else f", on an image of your own, whose checksum is {image}"
    return [paragraph(f"Asked for by: {command}{told}.")]


def _told(result: dict[str, Any]) -> list[str]:
    """The certificate that the result carries, a column a level."""
    found = tables(result.get("certificate", []))
    turned = [list(zip(names, *cells, strict=True)) for names, cells in found]
    return [table(columns[0], columns[1:]) for columns in turned]


def _certificates(folder: Path) -> list[str]:
    """The certificate of the first growth that the experiment kept, and where the others are."""
    grown = sorted(path.parent for path in folder.rglob("levels.json"))
    if not grown:
        return []
    others = ", ".join(str(path.relative_to(folder)) for path in grown[1:])
    where = paragraph(
        f"Of the growth in {grown[0].relative_to(folder)}" + (f"; others: {others}." if others else ".")
    )
    return [where, *certificate_tables(grown[0])]
