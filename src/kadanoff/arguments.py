"""What public functions ask of the ensembles they are given."""

from typing import Any

from kadanoff.ensemble import Ensemble
from kadanoff.errors import InputError

__all__ = ["require_ensembles"]


def require_ensembles(*given: Any) -> None:
    """`InputError` unless all are ensembles.

    >>> require_ensembles([[1.0, 2.0]])
    Traceback (most recent call last):
        ...
    kadanoff.errors.InputError: a list is no ensemble: kd.sample draws one, kd.open_ensemble reads one, and \
kd.Ensemble(fields, action) makes one of fields (chain, draw, *lattice)
    """
    for each in given:
        if not isinstance(each, Ensemble):
            name = type(each).__name__
            article = "an" if name[0] in "aeiouAEIOU" else "a"
            raise InputError(
                f"{article} {name} is no ensemble: kd.sample draws one, kd.open_ensemble "
                "reads one, and kd.Ensemble(fields, action) makes one of fields (chain, draw, *lattice)"
            )
