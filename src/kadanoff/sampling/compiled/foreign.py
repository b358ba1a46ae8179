"""Functions compiled by numba as custom calls of XLA: no copies, no Python and no lock of the interpreter on the way.

XLA hands a handler one pointer, to a call frame of 64-bit words. What is read here is its stable part:

    frame[1]             the question for the version, where it is one
    frame[9], frame[14]  addresses of the arrays of arguments and results, each an address of a buffer
    buffer[3], buffer[5] the address of the data, and of the sides

Source: the C interface of XLA custom calls, xla/ffi/api/c_api.h.
"""

import os
from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, no_type_check

import jax
import numba
import numpy as np
from numba import types
from numba.extending import intrinsic

__all__ = ["argument", "asks_version", "register", "result", "sides"]

_VERSION = (0, 1)  # of the interface: what is read has been there since, and later minor versions only add
_METADATA = 1


@intrinsic
@no_type_check
def _pointer(context, address):  # pragma: no cover - compiled
    """Make a pointer of an address."""

    @no_type_check
    def code(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], context.get_value_type(types.voidptr))

    return types.voidptr(types.int64), code


@numba.njit(error_model="numpy")
@no_type_check
def _words(address, count):  # pragma: no cover - compiled
    return numba.carray(_pointer(address), count, np.int64)


@numba.njit(error_model="numpy")
@no_type_check
def asks_version(frame):  # pragma: no cover - compiled
    """Answer the question for the version, asked once on registration; false if this is a call."""
    extension = frame[1]
    if extension == 0:
        return False
    if numba.carray(_pointer(extension), 4, np.int32)[2] == _METADATA:
        metadata = numba.carray(_pointer(_words(extension, 4)[3]), 9, np.int32)
        metadata[6], metadata[7], metadata[8] = _VERSION[0], _VERSION[1], 0
    return True


@numba.njit(error_model="numpy")
@no_type_check
def argument(frame, number):  # pragma: no cover - compiled
    """Give the pointer to the data of an argument."""
    return _pointer(_words(_words(frame[9], number + 1)[number], 4)[3])


@numba.njit(error_model="numpy")
@no_type_check
def result(frame, number):  # pragma: no cover - compiled
    """Give the pointer to the data of a result."""
    return _pointer(_words(_words(frame[14], number + 1)[number], 4)[3])


@numba.njit(error_model="numpy")
@no_type_check
def sides(frame, number):  # pragma: no cover - compiled
    """Give the sides of an argument."""
    buffer = _words(_words(frame[9], number + 1)[number], 6)
    return _words(buffer[5], buffer[4])


@lru_cache
def register(function: Callable[..., Any]) -> str:
    """Compile a handler, once a process and from a cache if there is one, and give the name to call it by.

    The function takes the frame, a pointer to 64-bit integers, and returns 0.
    """
    name = f"kadanoff.{function.__name__}"
    # numba keeps code by the name of its function, and looks for changes in no other file than the function's own.
    function.__qualname__ = f"{function.__name__}_{_digest()}"
    _start_threads()  # which code from the cache expects to run
    handler = numba.cfunc(types.intp(types.CPointer(types.int64)), cache=True)(function)
    jax.ffi.register_ffi_target(name, jax.ffi.pycapsule(handler.ctypes), platform="cpu")
    return name


@lru_cache
def _start_threads() -> None:
    """Start numba's threads, which stay awake for some milliseconds after each task: the next comes from XLA soon."""
    before = dict(os.environ)
    for name, value in (("OMP_WAIT_POLICY", "ACTIVE"), ("GOMP_SPINCOUNT", "1000000")):
        os.environ.setdefault(name, value)  # read once, as the library of threads is loaded
    numba.get_num_threads()
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        if name not in before:
            del os.environ[name]


@lru_cache
def _digest() -> str:
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]
