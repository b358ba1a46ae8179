"""What stands for fields of which only measurements are known: their shape and type, and nothing to read."""

from typing import Any, NoReturn

import numpy as np

from kadanoff.errors import InputError

__all__ = ["UnknownFields"]


class UnknownFields:
    """Fields of an ensemble that nobody has; reading them is an `InputError` that says `why`.

    >>> UnknownFields((2, 3, 8, 8), np.int8, "the sites are gone").shape
    (2, 3, 8, 8)
    """

    def __init__(self, shape: tuple[int, ...], dtype: Any, why: str) -> None:
        self.shape, self.dtype, self._why = shape, np.dtype(dtype), why

    def __getitem__(self, draws: Any) -> NoReturn:
        raise InputError(self._why)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NoReturn:
        raise InputError(self._why)
