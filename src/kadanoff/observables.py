"""Observables: functions of means of what is measured of a field."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Array

from kadanoff.errors import InputError
from kadanoff.lattice import Lattice

__all__ = [
    "OBSERVABLES",
    "PRIMARIES",
    "Observable",
    "observable",
]


@dataclass(frozen=True)
class Observable:
    """A function of means of primary series, e.g. the Binder cumulant of <m^2> and <m^4>.

    `primaries` name series of `PRIMARIES`, or are functions of a field: of per-site terms the mean over sites is
    the series, and one number is the number of the whole field; `function` maps their (weighted) means and the
    lattice to the value; `symbol` labels axes; `sites` tells whether it is defined for "real" sites only, for
    "spins" only, or for "any"; `needs_lattice` whether it means something on hypercubic lattices only.

    >>> Observable("phi6", (lambda field: field**6,), lambda means, lattice: means[0], "phi^6").name
    'phi6'
    """

    name: str
    primaries: tuple[str | Callable[[Array], Array], ...]
    function: Callable[[Any, Lattice], Any]
    symbol: str
    needs_action: bool = False
    sites: str = "any"
    needs_lattice: bool = False

    def symbol_of(self, spins: bool) -> str:
        r"""The symbol for the sites of an ensemble: spins are called s.

        >>> observable("neighbours").symbol_of(spins=True)
        '$\\langle s s_{nn}\\rangle$'
        """
        return self.symbol.replace(r"\phi", " s") if spins else self.symbol


#: Per-configuration series computed from the raw measurements of a field.
PRIMARIES: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray]]] = {
    "m": ("magnetization", lambda m: m),
    "abs_m": ("magnetization", np.abs),
    "m2": ("magnetization", lambda m: m**2),
    "m4": ("magnetization", lambda m: m**4),
    "structure_factor": ("structure_factor", lambda f: f),
    "phi2": ("phi2", lambda x: x),
    "phi4": ("phi4", lambda x: x),
    "neighbours": ("neighbours", lambda x: x),
    "energy": ("neighbours", lambda x: -x),
    "action_density2": ("action_density", lambda x: x**2),
    "action_density": ("action_density", lambda x: x),
    "schwinger_dyson": ("schwinger_dyson", lambda x: x),
}


_ROUNDING = 1e-24  # of a power of waves that cancel, in units of that of the mean


def _xi_over_l(means: Any, lattice: Lattice) -> Any:
    """Second-moment correlation length over the longest side, from the smallest momentum.

    Where noise makes its square negative it is minus the root of the modulus: zero would have no error. Where nothing
    but rounding is left at the smallest momentum it is infinite.
    """
    uniform = lattice.volume * means[0]
    power = means[1] if abs(means[1]) > _ROUNDING * abs(uniform) else 0 * means[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = uniform / power - 1
        sign = np.where(np.real(ratio) < 0, -1.0, 1.0)
        return sign * np.sqrt(sign * ratio) / (2 * np.sin(np.pi / lattice.longest)) / lattice.longest


#: The named observables, with the definitions of the field (K. Binder, Z. Phys. B 43 (1981) 119: `binder`).
OBSERVABLES: dict[str, Observable] = {
    entry.name: entry
    for entry in (
        Observable("abs_magnetization", ("abs_m",), lambda a, _: a[0], r"$\langle|m|\rangle$"),
        Observable("susceptibility", ("m2",), lambda a, lattice: lattice.volume * a[0], r"$\chi$"),
        Observable("magnetization_squared", ("m2",), lambda a, _: a[0], r"$\langle m^2\rangle$"),
        Observable(
            "connected_susceptibility",
            ("m2", "abs_m"),
            lambda a, lattice: lattice.volume * (a[0] - a[1] ** 2),
            r"$\chi_c$",
        ),
        Observable("binder", ("m2", "m4"), lambda a, _: 1 - a[1] / (3 * a[0] ** 2), r"$U_4$"),
        Observable("xi_over_L", ("m2", "structure_factor"), _xi_over_l, r"$\xi/L$", needs_lattice=True),
        Observable("phi2", ("phi2",), lambda a, _: a[0], r"$\langle\phi^2\rangle$", sites="real"),
        Observable("phi4", ("phi4",), lambda a, _: a[0], r"$\langle\phi^4\rangle$", sites="real"),
        Observable(
            "neighbours",
            ("neighbours",),
            lambda a, _: a[0],
            r"$\langle\phi\phi_{nn}\rangle$",
            needs_lattice=True,
        ),
        Observable("action_density", ("action_density",), lambda a, _: a[0], r"$S/V$", True),
        Observable(
            "schwinger_dyson",
            ("schwinger_dyson",),
            lambda a, _: a[0],
            r"$\langle\phi\,\partial S/\partial\phi\rangle$",
            True,
            "real",
        ),
        Observable(
            "energy",
            ("energy",),
            lambda a, _: a[0],
            r"$\langle H\rangle/V$",
            sites="spins",
            needs_lattice=True,
        ),
        Observable(
            "specific_heat",
            ("action_density", "action_density2"),
            lambda a, lattice: lattice.volume * (a[1] - a[0] ** 2),
            r"$c$",
            True,
            "spins",
        ),
    )
}


def observable(name: "str | Observable") -> Observable:
    """Look an observable up by name; `InputError` lists the names when there is none.

    >>> observable("binder").symbol
    '$U_4$'
    """
    if isinstance(name, Observable):
        return name
    if not isinstance(name, str) or name not in OBSERVABLES:
        raise InputError(f"unknown observable {name!r}; choose from {', '.join(OBSERVABLES)}")
    return OBSERVABLES[name]


def series_of(raw: Mapping[Any, np.ndarray], primary: str) -> np.ndarray:
    """A primary series from the raw measurements."""
    source, function = PRIMARIES[primary]
    return function(raw[source])


def evaluate(entry: Observable, lattice: Lattice) -> Callable[[np.ndarray], Any]:
    """The function of means of an observable on a lattice."""
    return partial(_evaluate, entry, lattice)


def _evaluate(entry: Observable, lattice: Lattice, means: np.ndarray) -> Any:
    return entry.function(means, lattice)
