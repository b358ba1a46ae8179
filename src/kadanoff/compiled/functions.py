"""How numba compiles the functions of kernels: with nothing that only other callers, or types of Python's, would need.

Its wrappers for Python and for C, of every function that a kernel calls, and its search for expressions of arrays
took a tenth of the time.
"""

from collections.abc import Callable
from typing import Any

import numba
from numba import types

__all__ = ["OPTIONS", "compile_for_c", "compiled", "inlined"]

_COMMON = {"error_model": "numpy", "no_rewrites": True}
#: Of functions that compiled code calls, and nobody else.
OPTIONS: dict[str, Any] = {**_COMMON, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}

compiled: Callable[[Callable[..., Any]], Any] = numba.njit(nogil=True, **OPTIONS)
inlined: Callable[[Callable[..., Any]], Any] = numba.njit(inline="always", **OPTIONS)


def compile_for_c(function: Callable[..., Any], words: int, *, cache: bool = False) -> Any:
    """Compile a function of so many words, with one as its result, for callers in C."""
    signature = types.int64(*[types.int64] * words)
    return numba.cfunc(signature, cache=cache, **_COMMON)(function)
