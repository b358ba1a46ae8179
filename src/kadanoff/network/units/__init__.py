"""Units of a network: phi4, Gaussian, Bernoulli (0/1) and Ising (+-1), one type a file."""

from kadanoff.errors import InputError
from kadanoff.network.units.base import Unit
from kadanoff.network.units.bernoulli import BernoulliUnit
from kadanoff.network.units.gaussian import GaussianUnit
from kadanoff.network.units.ising import IsingUnit
from kadanoff.network.units.phi4 import Phi4Unit

__all__ = ["UNITS", "BernoulliUnit", "GaussianUnit", "IsingUnit", "Phi4Unit", "Unit", "unit_type"]

#: The types by name.
UNITS: dict[str, type[Unit]] = {
    kind.name: kind for kind in (Phi4Unit, GaussianUnit, BernoulliUnit, IsingUnit)
}


def unit_type(name: str) -> type[Unit]:
    """Give the type of a name; `InputError` for an unknown one.

    >>> unit_type("phi4").__name__
    'Phi4Unit'
    """
    if not isinstance(name, str) or name not in UNITS:
        raise InputError(f"unknown unit type {name!r}; choose one of {', '.join(UNITS)}")
    return UNITS[name]
