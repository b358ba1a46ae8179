"""Levels reduced to their measurements: what exponents and certificates need, a thousandth of the fields."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from kadanoff.ensemble import Ensemble
from kadanoff.errors import StoreError
from kadanoff.renormalization.inverse.levels import Levels
from kadanoff.renormalization.unknown_fields import UnknownFields
from kadanoff.reweighting.response import conjugate_series
from kadanoff.store.durable import atomic_write
from kadanoff.store.state import pack_state, unpack_state

__all__ = ["load_measurements", "measured", "save_measurements"]


def measured(levels: Levels) -> Levels:
    """Measure every level, and drop the fields: they take no memory, and reading them is an `InputError`.

    The response to the couplings of the simulated action is measured too, where there is one. `series`, `observe`,
    `critical_exponents` and `certificate` work as before.

    >>> import kadanoff as kd
    >>> levels = measured(kd.Levels((kd.Ensemble(np.ones((2, 3, 4, 4), dtype=np.float32)),)))
    >>> levels[0].observe("phi2").value, levels[0].lattice.shape
    (1.0, (4, 4))
    """
    root = levels[0].simulated
    if root.action is not None:
        conjugate_series(root)
    reduced: list[Ensemble] = []
    for level in levels:
        level.series("m")
        parent = reduced[-1] if reduced else None
        if not reduced and level.parent is not None:
            parent = _bare(root, root._series, None)
        reduced.append(_bare(level, level._series, parent))
    return replace(levels, ensembles=tuple(reduced))


def save_measurements(levels: Levels, path: str | Path) -> Path:
    """Write the measurements of every level into one npz file, whole or not at all."""
    path = Path(path)
    arrays: dict[str, np.ndarray] = {}
    for number, level in enumerate(levels):
        arrays[f"{number}/shape"] = np.array(level.fields.shape)
        arrays |= {f"{number}/series/{_label(name)}": values for name, values in level._series.items()}
        if number < len(levels.before):
            arrays |= {f"{number}/before/{name}": values for name, values in levels.before[number].items()}
    root = levels[0].simulated
    if root is not levels[0]:
        arrays |= {f"root/{_label(name)}": values for name, values in root._series.items()}
    atomic_write(path, pack_state(arrays))
    return path


def load_measurements(path: str | Path, like: Levels) -> Levels:
    """Read what `save_measurements` wrote; the start, the inverse and the relaxation are those of `like`.

    Raises `StoreError` for a file that is missing or damaged.
    """
    try:
        arrays = unpack_state(Path(path).read_bytes())
        count = 1 + max(int(name.split("/")[0]) for name in arrays if not name.startswith("root/"))
        reduced: list[Ensemble] = []
        target = None if like.relaxation is None else like.relaxation.action
        for number in range(count):
            start = like[0] if number == 0 else replace(like[0], action=target)
            fields = _dropped(start.fields, tuple(arrays[f"{number}/shape"].tolist()))
            parent = reduced[-1] if reduced else None
            root = {_name(n[5:]): v for n, v in arrays.items() if n.startswith("root/")}
            if not reduced and root:
                origin = like[0].simulated
                parent = Ensemble(_dropped(origin.fields), origin.action, origin.log_weight, _series=root)
            prefix = f"{number}/series/"
            series = {_name(n[len(prefix) :]): v for n, v in arrays.items() if n.startswith(prefix)}
            reduced.append(replace(start, fields=fields, parent=parent, _series=series))
        before = tuple(
            {n.split("/")[2]: v for n, v in arrays.items() if n.startswith(f"{number}/before/")}
            for number in range(count)
        )
    except (OSError, ValueError, KeyError) as error:
        raise StoreError(
            f"{path} holds no measurements ({type(error).__name__}): remove it, and measure again"
        ) from None
    return replace(like, ensembles=tuple(reduced), before=before)


def _bare(ensemble: Ensemble, series: dict[Any, np.ndarray], parent: Ensemble | None) -> Ensemble:
    return replace(ensemble, fields=_dropped(ensemble.fields), parent=parent, _series=dict(series))


def _dropped(fields: Any, shape: tuple[int, ...] | None = None) -> UnknownFields:
    """Fields of the type of these, of their shape or another, that nobody has."""
    why = (
        "of these levels only what was measured is kept, not the fields: grow again to measure anything else"
    )
    return UnknownFields(tuple(fields.shape) if shape is None else shape, fields.dtype, why)


def _label(name: Any) -> str:
    return ":".join(name) if isinstance(name, tuple) else str(name)


def _name(label: str) -> Any:
    return tuple(label.split(":")) if ":" in label else label
