"""Whole numbers as a user may give them: Python's or NumPy's, as `int`, and never out of range."""

from operator import index
from typing import Any

from kadanoff.errors import InputError

__all__ = ["whole"]


def whole(name: str, value: Any, least: int | None = None) -> int:
    """Give a whole number as an `int`; `InputError` for another thing, or one below `least`.

    >>> whole("draws", 4, least=1)
    4
    """
    try:
        number = index(value)
    except TypeError:
        raise InputError(f"{name} must be a whole number, got {value!r}") from None
    if least is not None and number < least:
        raise InputError(f"{name} must be {least} or more, got {number}")
    return number
