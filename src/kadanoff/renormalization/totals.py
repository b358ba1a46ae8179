"""Ensembles of which only total energies and magnetisations are known: a user's own columns, or a thrifty experiment.

They are all that two-lattice matching needs: the energy is the operator conjugate to beta, so it gives the weights,
and both give |m|, m^2 and the correlation of neighbours.
"""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Real

from kadanoff.actions.base import has_spins
from kadanoff.actions.ising import Ising
from kadanoff.ensemble import Ensemble
from kadanoff.errors import InputError
from kadanoff.lattice import Lattice
from kadanoff.renormalization.unknown_fields import UnknownFields
from kadanoff.store.formats import load_npy

__all__ = ["ising_from_files", "read_totals", "totals_ensemble"]

_WHY = (
    "of these configurations only the total energy and magnetisation are known, not the sites: choose among "
    "abs_magnetization, magnetization_squared, susceptibility, binder and neighbours"
)


def totals_ensemble(
    magnetization: Real[np.ndarray, "chain draw"],
    neighbours: Real[np.ndarray, "chain draw"],
    lattice: Lattice,
    *,
    action: Any = None,
    conjugates: Mapping[str, Float[np.ndarray, "chain draw"]] | None = None,
    parent: Ensemble | None = None,
    spins: bool = True,
) -> Ensemble:
    """Make an ensemble from sums over the sites: of phi_x, and of phi_x phi_y over links.

    `conjugates` are dS/dg by the name of the coupling, for an ensemble that was simulated with `action`; `parent` is
    the ensemble that this one was blocked from, row by row. Whatever needs the sites themselves raises `InputError`.

    >>> import kadanoff as kd
    >>> up = np.full((1, 5), 16.0)
    >>> totals_ensemble(up, 2 * up, kd.Lattice((4, 4))).observe("neighbours").value
    2.0
    """
    series: dict[Any, np.ndarray] = {
        "magnetization": np.asarray(magnetization, dtype=np.float64) / lattice.volume,
        "neighbours": np.asarray(neighbours, dtype=np.float64) / lattice.volume,
    }
    series |= {("conjugate", name): values for name, values in (conjugates or {}).items()}
    real = not (spins if action is None else has_spins(action))
    fields = UnknownFields((*np.shape(magnetization), *lattice.shape), np.float32 if real else np.int8, _WHY)
    return Ensemble(
        fields, action, depth=0 if parent is None else parent.depth + 1, parent=parent, _series=series
    )


def read_totals(path: str | Path, lattice: Lattice) -> Float[np.ndarray, "row 2"]:
    """Read total energy H = -sum_<xy> s_x s_y and total magnetisation of Ising configurations on a lattice, one a row.

    The file is text (columns apart by spaces, tabs or commas; # starts a comment) or .npy.

    Raises `InputError` when it is missing or no table of two columns of finite numbers, has fewer than 16 rows, or
    holds what no Ising configuration of this lattice has: an energy is -d V plus a multiple of four, a magnetisation
    V less a multiple of two.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "cold.txt"
    >>> _ = file.write_text("# energy magnetisation\\n" + "-32 16\\n" * 20)
    >>> read_totals(file, Lattice((4, 4))).shape
    (20, 2)
    """
    path = Path(path)
    table = load_npy(path) if path.suffix == ".npy" else _load_text(path)
    if not isinstance(table, np.ndarray) or table.ndim != 2 or table.shape[1] != 2:
        shape = getattr(table, "shape", "several arrays")
        raise InputError(
            f"{path} is a table of shape {shape}: give two columns, total energy and total magnetisation, "
            "one configuration a row"
        )
    if table.dtype.kind not in "iuf":
        raise InputError(f"{path} holds {table.dtype}: give real numbers")
    table = table.astype(np.float64)
    if not np.all(np.isfinite(table)):
        row = int(np.flatnonzero(~np.isfinite(table).all(axis=1))[0])
        raise InputError(
            f"{path}: row {row + 1} is not finite: mend or remove it, and its partner if there is one"
        )
    if len(table) < 16:
        raise InputError(
            f"{path} has {len(table)} rows, too few for an error bar: give 16 or more, better thousands"
        )
    _require_ising(path, table, lattice)
    return table


def ising_from_files(
    original: str | Path,
    blocked: str | Path,
    direct: str | Path,
    *,
    beta: float,
    shape: tuple[int, ...],
    b: int = 2,
) -> tuple[Ensemble, Ensemble]:
    """Read (blocked, direct) ensembles for `match` from columns of energy and magnetisation.

    Row i of `blocked` is row i of `original` blocked once, from the lattice of `shape` to one whose sides are b times
    smaller; `direct` was simulated on that one. Both were simulated at `beta`. The rows of a file are one Markov chain
    in order: errors then know their autocorrelation.

    Raises `InputError` as `read_totals` does, when original and blocked differ in their number of rows, or blocked and
    direct are the same data.
    """
    fine = Lattice(shape)
    coarse = fine.blocked(b)
    tables = [
        read_totals(path, lattice)
        for path, lattice in ((original, fine), (blocked, coarse), (direct, coarse))
    ]
    if len(tables[0]) != len(tables[1]):
        raise InputError(
            f"{original} has {len(tables[0])} rows and {blocked} has {len(tables[1])}: row i of the second must be "
            "row i of the first, blocked once"
        )
    if np.array_equal(tables[1], tables[2]):
        raise InputError(
            f"{blocked} and {direct} hold the same numbers: the direct lattice is a simulation of its own"
        )
    action = Ising(beta)
    root, end = (
        totals_ensemble(
            table[None, :, 1],
            -table[None, :, 0],
            lattice,
            action=action,
            conjugates={"beta": table[None, :, 0]},
        )
        for table, lattice in ((tables[0], fine), (tables[2], coarse))
    )
    return totals_ensemble(tables[1][None, :, 1], -tables[1][None, :, 0], coarse, parent=root), end


def _load_text(path: Path) -> np.ndarray:
    try:
        text = path.read_text()
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist: check the path") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as text: give numbers in columns, or a .npy file") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # an empty file: said below, as too few columns
            return np.loadtxt(text.replace(",", " ").splitlines(), dtype=np.float64, ndmin=2)
    except ValueError as error:
        raise InputError(
            f"{path} is no table of numbers ({error}): give two columns, and start comments with #"
        ) from error


def _require_ising(path: Path, table: np.ndarray, lattice: Lattice) -> None:
    """Refuse totals that no spins on this lattice have."""
    links, sites = lattice.dimension * lattice.volume, lattice.volume
    where = f"on {'x'.join(map(str, lattice.shape))}"
    for name, column, bound, step in (("energy", 0, links, 4), ("magnetisation", 1, sites, 2)):
        values = table[:, column]
        beyond = np.flatnonzero(np.abs(values) > bound)
        if len(beyond):
            raise InputError(
                f"{path}: row {beyond[0] + 1} has the total {name} {values[beyond[0]]:g}, and {where} it lies within "
                f"+-{bound}: check the size and the order of the columns, energy first"
            )
        wrong = np.flatnonzero((values + bound) % step != 0)
        if len(wrong):
            raise InputError(
                f"{path}: row {wrong[0] + 1} has the total {name} {values[wrong[0]]:g}, which no spins +-1 {where} "
                f"have ({bound} less a multiple of {step}): give totals, not means, of Ising data of this size"
            )
