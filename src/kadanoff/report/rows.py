"""Rows of nested results as text: what `certificate`, `critical_exponents` and experiments give."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from kadanoff.statistics import Estimate

__all__ = ["as_text", "coupling_rows", "flatten", "tables", "thinned_rows"]

#: Columns that say which row it is, wherever they stand in the mapping.
LABELS = ("label", "side", "level", "epoch", "variant", "estimator", "observable")


def flatten(row: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """One level of names: `{"reference": {"nu": 1}}` becomes `{"nu (reference)": 1}`; estimates stay whole.

    >>> flatten({"label": "32/64", "reference": {"nu": 1.0}})
    {'label': '32/64', 'nu (reference)': 1.0}
    """
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Mapping) and not _is_estimate(value):
            flat |= flatten(value, f"{prefix} {name}".strip())
        else:
            flat[f"{name} ({prefix})" if prefix else str(name)] = value
    return flat


def as_text(value: Any) -> str:
    """Write a cell: estimates in shorthand, numbers with four significant digits, nothing for None.

    >>> as_text({"value": 0.5439, "error": 0.0004, "tau_int": None}), as_text(2.0), as_text(1 - 2j), as_text(None)
    ('0.5439(4)', '2', '1-2i', '')
    """
    if (estimate := _estimate(value)) is not None:
        return str(estimate)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, complex):
        return f"{value.real:.4g}{value.imag:+.4g}i"
    if isinstance(value, list | tuple):
        return ", ".join(map(as_text, value))
    return str(value)


def coupling_rows(couplings: Mapping[str, Any]) -> list[tuple[str, str]]:
    """One row a component: estimates by their names, arrays by their places.

    >>> coupling_rows({"kappa": 1.0, "w": [0.5, 0.25]})
    [('kappa', '1'), ('w[0]', '0.5'), ('w[1]', '0.25')]
    """
    return [row for name, value in couplings.items() for row in _components(name, value)]


def tables(rows: Sequence[Mapping[str, Any]]) -> list[tuple[list[str], list[list[str]]]]:
    """Columns and cells; rows that are labelled by other columns, or tell of other quantities, make another table.

    Rows share a table as long as either has all the quantities of the other; what a row has no value of is None.
    A reference without an error is written to a digit more than the estimate that it stands beside.

    >>> tables([{"side": 8, "binder": 0.55}, {"side": 16, "binder": 0.58}])
    [(['side', 'binder'], [['8', '0.55'], ['16', '0.58']])]
    >>> [names for names, _ in tables([{"label": "ising", "beta_c": 0.44}, {"label": "phi4", "mass2_c": -0.95}])]
    [['label', 'beta_c'], ['label', 'mass2_c']]
    >>> tables([{"beta_c": Estimate(0.44055, 0.00003), "reference": {"beta_c": 0.4406867935}}])[0][1]
    [['0.44055(3)', '0.440687']]
    """
    groups: list[tuple[dict[str, None], list[dict[str, Any]]]] = []
    for row in map(_with_exact_references, map(flatten, rows)):
        for columns, group in groups:
            if _labels(row) == _labels(columns) and (
                row.keys() <= columns.keys() or row.keys() >= columns.keys()
            ):
                columns |= dict.fromkeys(row)
                group.append(row)
                break
        else:
            groups.append((dict.fromkeys(row), [row]))
    found = []
    for columns, group in groups:
        names = list(columns)
        names.sort(key=lambda name: LABELS.index(name) if name in LABELS else len(LABELS))
        found.append((names, [[as_text(row.get(name)) for name in names] for row in group]))
    return found


def thinned_rows(rows: Sequence[Any], about: int) -> list[Any]:
    """About so many of the rows, evenly spaced, and the last one.

    >>> thinned_rows(range(10), 3)
    [0, 3, 6, 9]
    """
    kept = list(rows[:: max(1, len(rows) // about)])
    return kept if not rows or kept[-1] is rows[-1] else [*kept, rows[-1]]


def _labels(row: Mapping[str, Any]) -> list[str]:
    """The columns that say which row it is."""
    return [name for name in LABELS if name in row]


def _with_exact_references(row: Mapping[str, Any]) -> dict[str, Any]:
    """The flat row, with those of its references that have no error as text."""
    ending = " (reference)"
    exact = {
        name: text
        for name, value in row.items()
        if name.endswith(ending) and (text := _exact(value, row.get(name.removesuffix(ending)))) is not None
    }
    return {**row, **exact}


def _exact(reference: Any, beside: Any) -> str | None:
    """A real number without an error, to a digit more than an estimate shows; None of anything else."""
    known = Estimate(reference, 0.0) if isinstance(reference, float) else _estimate(reference)
    if (
        known is None
        or known.error != 0
        or isinstance(known.value, complex)
        or not math.isfinite(known.value)
    ):
        return None
    found = _estimate(beside)
    shown = math.nan if found is None else abs(found.error)
    if not 0 < shown < math.inf:
        return None if isinstance(reference, float) else f"{known.value:.10g}"
    mantissa, exponent = f"{shown:.6e}".split("e")
    decimals = 1 - int(exponent) + (mantissa[0] == "1")
    rounded = round(known.value, decimals)
    ends_there = math.isclose(rounded, known.value, rel_tol=2**-23)  # couplings may be in single precision
    return f"{rounded:.10g}" if ends_there else f"{rounded:.{max(decimals, 0)}f}"


def _estimate(value: Any) -> Estimate | None:
    """The estimate in a cell, which may come from JSON."""
    if isinstance(value, Mapping) and _is_estimate(value):
        return Estimate(_number(value["value"]), _number(value["error"]))
    return value if isinstance(value, Estimate) else None


def _components(name: str, value: Any, place: tuple[int, ...] = ()) -> list[tuple[str, str]]:
    """What a coupling holds, nested as `tolist` does it."""
    if isinstance(value, list):
        return [row for i, each in enumerate(value) for row in _components(name, each, (*place, i))]
    return [(f"{name}[{','.join(map(str, place))}]" if place else name, as_text(value))]


def _is_estimate(value: Mapping[str, Any]) -> bool:
    return {"value", "error"} <= set(value) <= {"value", "error", "tau_int"}


def _number(value: Any) -> float | complex:
    """A number as JSON keeps it: complex ones are pairs, those not finite are None."""
    if isinstance(value, list):
        return complex(*map(_number, value))
    return float("nan") if value is None else value
