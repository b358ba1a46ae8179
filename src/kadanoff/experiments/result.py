"""What an experiment gives back: rows of estimates beside references, figures, notes."""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Result"]


@dataclass(frozen=True)
class Result:
    """The outcome of an experiment.

    - `rows`: one dictionary a row, with a "label", quantities by name (estimates, numbers, text) and
      "reference",
        the published or exact values by the same names.
    - `figures`: paths of the figures drawn.
    - `seconds`: how long it took.
    - `notes`: sentences that a reader needs beside the rows.
    - `certificate`: rows of `kadanoff.certificate`, where something was grown.

    >>> from kadanoff.statistics import Estimate
    >>> Result("demo", [{"label": "32/64", "nu": Estimate(1.0, 0.1)}]).as_dict()["rows"]
    [{'label': '32/64', 'nu': {'value': 1.0, 'error': 0.1, 'tau_int': None}}]
    """

    name: str
    rows: list[dict[str, Any]]
    figures: list[Path] = field(default_factory=list)
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)
    certificate: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Give the result ready for JSON."""
        return {
            "name": self.name,
            "rows": _plain(self.rows),
            "figures": [str(path) for path in self.figures],
            "seconds": round(self.seconds, 2),
            "notes": list(self.notes),
            "certificate": _plain(self.certificate),
        }

    def save(self, out: str | Path) -> Path:
        """Write `result.json` into a folder, whole or not at all; give its path."""
        folder = Path(out)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "result.json"
        draft = path.with_suffix(".json.part")
        draft.write_text(json.dumps(self.as_dict(), indent=2, allow_nan=False) + "\n")
        draft.replace(path)
        return path


def _plain(content: Any) -> Any:
    """Estimates, arrays and paths as JSON has them; numbers that JSON lacks become null."""
    if hasattr(content, "as_dict"):
        return _plain(content.as_dict())
    if isinstance(content, dict):
        return {str(key): _plain(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_plain(value) for value in content]
    if hasattr(content, "tolist"):
        return _plain(content.tolist())
    if isinstance(content, complex):
        return [_plain(content.real), _plain(content.imag)]
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    if isinstance(content, Path):
        return str(content)
    return content
