"""Options that take several names."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from kadanoff.errors import InputError

__all__ = ["several"]

Entry = TypeVar("Entry")


def several(option: str, given: Sequence[Entry]) -> tuple[Entry, ...]:
    """The entries of an option; `InputError` for a string, which would be read letter by letter, and for no sequence.

    >>> several("names", ["nearest"])
    ('nearest',)
    """
    if isinstance(given, str):
        raise InputError(f"{option} takes a sequence, and {given!r} is one name: write {option}=({given!r},)")
    if not isinstance(given, Iterable):
        raise InputError(f"{option} takes a sequence, and {given!r} is none")
    return tuple(given)
