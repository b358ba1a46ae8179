"""What `match` found, as tables and figures; an error where it found nothing."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kadanoff.errors import InputError

if TYPE_CHECKING:
    from kadanoff.cli.task import Task
    from kadanoff.renormalization.matching import Matching

__all__ = ["draw_matchings", "keep_matchings", "print_matchings", "require_crossing", "told"]


def require_crossing(found: "Sequence[Sequence[Matching]]") -> None:
    """Refuse to answer without a single crossing; say what was searched."""
    every = [(step, each) for step, line in enumerate(found) for each in line]
    if all(each.critical is None for _, each in every):
        said = "; ".join(f"{each.observable} (n = {step}): {each.reason}" for step, each in every)
        raise InputError(
            f"no observable crosses: {said}; simulate nearer to the critical point, or take more rows"
        )


def told(found: "Sequence[Sequence[Matching]]", seed: int, warned: Sequence[str]) -> dict[str, Any]:
    """What the verb tells of its matchings, a row each."""
    return {
        "rows": [{"label": f"n = {step}", **each.row()} for step, line in enumerate(found) for each in line],
        "coupling": found[0][0].crossing.coupling,
        "b": found[0][0].b,
        "seed": seed,
        "warnings": list(warned),
    }


def keep_matchings(answer: dict[str, Any], out: Path | None) -> None:
    """Write what is told into the folder of the runs."""
    if out is not None:
        from kadanoff.cli.console import as_json
        from kadanoff.store.durable import atomic_write

        atomic_write(out / "match.json", as_json(answer, indent=1).encode() + b"\n")


def draw_matchings(found: "Sequence[Sequence[Matching]]", out: Path | None) -> list[Path]:
    """Draw curves and flow into the folder of the run."""
    if out is None:
        return []
    from kadanoff.plots.matching import plot_flow, plot_matchings

    figures, by_step = out / "figures", dict(enumerate(found))
    return [plot_matchings(by_step, figures / "matching.png"), plot_flow(by_step, figures / "flow.png")]


def print_matchings(rows: list[dict[str, Any]], task: "Task", out: Path | None, figures: list[Path]) -> None:
    """Tables, and the reasons of what was not found below them."""
    from kadanoff.cli.rows import print_rows
    from kadanoff.cli.task import print_end

    print_rows("two-lattice matching", [{k: v for k, v in row.items() if k != "reason"} for row in rows])
    for row in rows:
        if row["reason"]:
            print(f"{row['label']}, {row['observable']}: {row['reason']}")
    print_end(task, out, figures)
