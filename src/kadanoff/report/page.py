"""One HTML file that needs no other: tables, figures as base64 PNG, folded details, a style."""

import base64
import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["details", "figure", "page", "paragraph", "section", "table"]

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2rem; }
table { border-collapse: collapse; margin: 0.5rem 0 1rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: 0.3rem 0; }
th, td { padding: 0.2rem 0.8rem; border-bottom: 1px solid #8884; text-align: right; }
th:first-child, td:first-child { text-align: left; }
.wide { overflow-x: auto; }
figure { margin: 1rem 0; } img { max-width: 100%; height: auto; background: white; }
figcaption, footer, .warning { font-size: 0.9rem; opacity: 0.8; }
pre { overflow-x: auto; background: #8882; padding: 0.6rem; font-size: 0.85rem; }
"""


def page(title: str, parts: Sequence[str], footer: str) -> str:
    """Make the document."""
    name = html.escape(title)
    body = "\n".join(parts)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{name}</title>\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{name}</h1>\n{body}\n"
        f"<footer><p>{html.escape(footer)}</p></footer>\n</body>\n</html>\n"
    )


def section(title: str, *parts: str) -> str:
    """Put parts under a heading; nothing where there are none.

    >>> section("Figures")
    ''
    """
    inside = "\n".join(part for part in parts if part)
    return f"<section>\n<h2>{html.escape(title)}</h2>\n{inside}\n</section>" if inside else ""


def paragraph(text: str) -> str:
    """Write a paragraph of plain text."""
    return f"<p>{html.escape(text)}</p>"


def table(columns: Sequence[object], rows: Sequence[Sequence[object]], caption: str = "") -> str:
    """Write a table, one `str` a cell.

    >>> "<td>30.85(3)</td>" in table(["L", "chi"], [[8, "30.85(3)"]])
    True
    """
    head = "".join(f"<th>{html.escape(str(column))}</th>" for column in columns)
    lines = "\n".join(
        "<tr>" + "".join(f"<td>{html.escape(str(c))}</td>" for c in row) + "</tr>" for row in rows
    )
    label = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    top = f"{label}<thead><tr>{head}</tr></thead>"
    return f'<div class="wide"><table>{top}\n<tbody>\n{lines}\n</tbody></table></div>'


def figure(path: Path, caption: str) -> str:
    """Embed a PNG file."""
    data = base64.b64encode(path.read_bytes()).decode()
    text = html.escape(caption)
    image = f'<img alt="{text}" src="data:image/png;base64,{data}">'
    return f"<figure>{image}<figcaption>{text}</figcaption></figure>"


def details(title: str, content: Any) -> str:
    """Fold a record away, as JSON."""
    text = html.escape(json.dumps(content, indent=1, default=str))
    return f"<details><summary>{html.escape(title)}</summary><pre>{text}</pre></details>"
