"""Print rows of nested results as tables."""

from collections.abc import Mapping, Sequence
from typing import Any

from kadanoff.cli.console import print_table

__all__ = ["print_rows"]


def print_rows(title: str, rows: Sequence[Mapping[str, Any]], across: bool = False) -> None:
    """Print rows as tables; `across` turns them, a column a row, for few rows of many quantities."""
    from kadanoff.report.rows import LABELS, tables

    for names, cells in tables(rows):
        if across:
            columns = list(zip(names, *cells, strict=True))
            print_table(title, columns[0], columns[1:])
        else:
            print_table(title, names, cells, labels=sum(name in LABELS for name in names) or 1)
