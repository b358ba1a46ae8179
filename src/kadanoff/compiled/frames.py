"""The call frame that XLA hands to a compiled function, as kernels read it; and how a kernel is to be called.

XLA hands over one pointer, to a call frame of 64-bit words. What is read here is its stable part:

    frame[1]             the question for the version, where it is one
    frame[9], frame[14]  addresses of the arrays of arguments and results, each an address of a buffer
    buffer[3], buffer[5] the address of the data, and of the sides; buffer[4] is how many sides there are
    frame[20]            address of the array of attributes, which do not change from call to call; attribute[2] is the
                         address of the numbers of one that is an array

Source: the C interface of XLA custom calls, xla/ffi/api/c_api.h.
"""

from typing import Any, NamedTuple, no_type_check

import llvmlite.binding as llvm
import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from kadanoff.compiled.compilation import KERNELS
from kadanoff.compiled.functions import inlined

__all__ = [
    "ADDRESSES",
    "Work",
    "argument",
    "attribute",
    "form_of",
    "load",
    "result",
    "result_sides",
    "run",
    "side_of",
    "sides",
    "view",
]

#: Where kernels lie in this process, by their numbers. Compiled code finds the table by a name.
ADDRESSES = np.zeros(len(KERNELS), np.int64)
_TABLE = "kadanoff_kernels"
llvm.add_symbol(_TABLE, ADDRESSES.ctypes.data)

_WORD = ir.IntType(64)
_ARGUMENTS, _RESULTS, _ATTRIBUTES, _DATA, _COUNT, _SIDES, _NUMBERS = 9, 14, 20, 3, 4, 5, 2


class Work(NamedTuple):
    """How a kernel is called: `tasks` times in each stage, with scratch memory.

    All threads share the tasks where the first argument has at least `shared` numbers, which True says of every one.
    """

    tasks: int
    shared: int
    stages: int = 1
    scratch: int = 0  # bytes
    sweeps: int = 0  # sweeps of all sites, whose mean acceptance is the last result; 0 if there is none
    form: int = 0  # what else a kernel is to know that does not change from call to call


def _word(builder: Any, address: Any, *indices: Any) -> Any:
    """Follow addresses of arrays of words: the word at the first index, which is an address, and so on."""
    for index in indices:
        pointer = builder.inttoptr(address, _WORD.as_pointer())
        address = builder.load(builder.gep(pointer, [index if isinstance(index, ir.Value) else _WORD(index)]))
    return address


@intrinsic
@no_type_check
def view(context, address):  # pragma: no cover - compiled
    """Make a pointer of an address."""

    @no_type_check
    def code(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], context.get_value_type(types.voidptr))

    return types.voidptr(types.int64), code


@intrinsic
@no_type_check
def load(context, address, index):  # pragma: no cover - compiled
    """Read a word of an array of words."""

    @no_type_check
    def code(context, builder, signature, arguments):
        return _word(builder, *arguments)

    return types.int64(types.int64, types.int64), code


@intrinsic
@no_type_check
def run(context, number, frame, scratch, stage, task, count):  # pragma: no cover - compiled
    """Call a kernel of this process, which is compiled already, by its number."""

    @no_type_check
    def code(context, builder, signature, arguments):
        table = builder.module.globals.get(_TABLE) or ir.GlobalVariable(builder.module, _WORD, _TABLE)
        address = _word(builder, builder.ptrtoint(table, _WORD), arguments[0])
        kind = ir.FunctionType(_WORD, [_WORD] * 5).as_pointer()
        return builder.call(builder.inttoptr(address, kind), list(arguments[1:]))

    return types.int64(*[types.int64] * 6), code


def _data(values: int, place: int) -> Any:
    """Code for the pointer to the data of one of the frame's arguments, results or attributes."""

    @no_type_check
    def code(context, builder, signature, arguments):
        address = _word(builder, arguments[0], values, arguments[1], place)
        return builder.inttoptr(address, context.get_value_type(types.voidptr))

    return types.voidptr(types.int64, types.int64), code


@intrinsic
@no_type_check
def argument(context, frame, number):  # pragma: no cover - compiled
    """Give the pointer to the data of an argument."""
    return _data(_ARGUMENTS, _DATA)


@intrinsic
@no_type_check
def result(context, frame, number):  # pragma: no cover - compiled
    """Give the pointer to the data of a result."""
    return _data(_RESULTS, _DATA)


@intrinsic
@no_type_check
def attribute(context, frame, number):  # pragma: no cover - compiled
    """Give the pointer to the numbers of an attribute, an array of them."""
    return _data(_ATTRIBUTES, _NUMBERS)


@intrinsic
@no_type_check
def side_of(context, frame, number, axis):  # pragma: no cover - compiled
    """Give one side of an argument."""

    @no_type_check
    def code(context, builder, signature, arguments):
        return _word(builder, arguments[0], _ARGUMENTS, arguments[1], _SIDES, arguments[2])

    return types.int64(*[types.int64] * 3), code


@inlined
@no_type_check
def form_of(frame):  # pragma: no cover - compiled
    """Give the form of the work, the last number of the plan, which is the only attribute."""
    return numba.carray(attribute(frame, 0), 7, np.int64)[6]


@inlined
@no_type_check
def sides(frame, number):  # pragma: no cover - compiled
    """Give the sides of an argument."""
    buffer = load(load(frame, _ARGUMENTS), number)
    return numba.carray(view(load(buffer, _SIDES)), load(buffer, _COUNT), np.int64)


@inlined
@no_type_check
def result_sides(frame, number):  # pragma: no cover - compiled
    """Give the sides of a result."""
    buffer = load(load(frame, _RESULTS), number)
    return numba.carray(view(load(buffer, _SIDES)), load(buffer, _COUNT), np.int64)
