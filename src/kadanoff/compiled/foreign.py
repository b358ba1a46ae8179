"""Functions compiled by numba as custom calls of XLA: no copies, no Python and no lock of the interpreter on the way.

XLA hands a handler one pointer, to a call frame of 64-bit words. What is read here is its stable part:

    frame[1]             the question for the version, where it is one
    frame[9], frame[14]  addresses of the arrays of arguments and results, each an address of a buffer
    buffer[3], buffer[5] the address of the data, and of the sides; buffer[4] is how many sides there are

One handler serves all: it calls a kernel stage after stage, task by task on all threads, by its address. So no kernel
is compiled again within the loops around it, which would take most of the time, and only those are that are used.

Source: the C interface of XLA custom calls, xla/ffi/api/c_api.h.
"""

import gc
import os
from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple, no_type_check

import jax
import jax.numpy as jnp
import llvmlite.binding as llvm
import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

__all__ = ["Work", "argument", "call", "result", "result_sides", "sides", "threads", "unsharded", "view"]

_VERSION = (0, 1)  # of the interface: what is read has been there since, and later minor versions only add
_METADATA = 1
#: Kernels by their numbers, which programs in XLA's cache hold.
_NAMES = (
    "metropolis",
    "heat_bath",
    "spin_metropolis",
    "spin_heat_bath",
    "clusters",
    "graph_metropolis",
    "graph_spin_metropolis",
    "graph_spin_heat_bath",
    "state_products",
    "level_draws",
    "quartic_redraws",
    "density_draws",
    "graph_heat_bath",
    "compensated_sums",
)
_ADDRESSES = np.zeros(len(_NAMES), np.int64)
_TABLE = "kadanoff_kernels"  # the name by which compiled code finds their addresses
_WORD = ir.IntType(64)


class Work(NamedTuple):
    """How a kernel is called: `tasks` times in each stage, by all threads if `shared`, with scratch memory."""

    tasks: int
    shared: bool
    stages: int = 1
    scratch: tuple[int, int] = (0, 1)  # bytes, as a product: either fits into 32 bits
    sweeps: int = 0  # sweeps of all sites, whose mean acceptance is the last result; 0 if there is none


def call(
    kernel: Callable[..., Any], results: Any, arguments: tuple[Any, ...], work: Work, batched: bool = False
) -> Any:
    """Call a kernel on arrays within a program of XLA; under `jax.vmap` one by one, or at once if it is `batched`.

    A kernel takes the address of the frame, the address of the scratch memory (0 for none), the stage, the task and
    how many tasks there are, and returns how many sites it accepted. It is compiled once a machine.
    """
    plan = [_loaded(kernel), *work.scratch, work.stages, work.tasks, work.shared, work.sweeps]
    method = "expand_dims" if batched else "sequential"
    target = jax.ffi.ffi_call(_handler(), results, vmap_method=method)
    return target(*arguments, jnp.array(plan, jnp.int32))


def _word(builder: Any, address: Any, index: Any) -> Any:
    pointer = builder.inttoptr(address, _WORD.as_pointer())
    return builder.load(builder.gep(pointer, [index if isinstance(index, ir.Value) else _WORD(index)]))


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
def _load(context, address, index):  # pragma: no cover - compiled
    """Read a word of an array of words."""

    @no_type_check
    def code(context, builder, signature, arguments):
        return _word(builder, *arguments)

    return types.int64(types.int64, types.int64), code


@intrinsic
@no_type_check
def _table(context):  # pragma: no cover - compiled
    """Give the address of the table of kernels, wherever it lies in this process."""

    @no_type_check
    def code(context, builder, signature, arguments):
        found = builder.module.globals.get(_TABLE) or ir.GlobalVariable(builder.module, _WORD, _TABLE)
        return builder.ptrtoint(found, _WORD)

    return types.int64(), code


@intrinsic
@no_type_check
def _run(context, kernel, frame, scratch, stage, task, count):  # pragma: no cover - compiled
    """Call the kernel at an address."""

    @no_type_check
    def code(context, builder, signature, arguments):
        kind = ir.FunctionType(_WORD, [_WORD] * 5).as_pointer()
        return builder.call(builder.inttoptr(arguments[0], kind), list(arguments[1:]))

    return types.int64(*[types.int64] * 6), code


_inlined = numba.njit(error_model="numpy", inline="always")


@_inlined
@no_type_check
def argument(frame, number):  # pragma: no cover - compiled
    """Give the pointer to the data of an argument."""
    return view(_load(_load(_load(frame, 9), number), 3))


@_inlined
@no_type_check
def result(frame, number):  # pragma: no cover - compiled
    """Give the pointer to the data of a result."""
    return view(_load(_load(_load(frame, 14), number), 3))


@_inlined
@no_type_check
def sides(frame, number):  # pragma: no cover - compiled
    """Give the sides of an argument."""
    buffer = _load(_load(frame, 9), number)
    return numba.carray(view(_load(buffer, 5)), _load(buffer, 4), np.int64)


@_inlined
@no_type_check
def result_sides(frame, number):  # pragma: no cover - compiled
    """Give the sides of a result."""
    buffer = _load(_load(frame, 14), number)
    return numba.carray(view(_load(buffer, 5)), _load(buffer, 4), np.int64)


@_inlined
@no_type_check
def _start(memory):  # pragma: no cover - compiled
    return np.int64(memory.ctypes.data) if len(memory) > 0 else 0


@numba.njit(error_model="numpy", nogil=True, parallel=True)
@no_type_check
def _share(kernel, frame, memory, stage, accepted):  # pragma: no cover - compiled
    scratch, count = _start(memory), len(accepted)
    for task in numba.prange(count):
        accepted[task] += _run(kernel, frame, scratch, stage, task, count)


@no_type_check
def _handle(frame):  # pragma: no cover - compiled
    """Answer the question for the version, asked on registration; or run a kernel by the plan, the last argument."""
    extension = _load(frame, 1)
    if extension != 0:
        if numba.carray(view(extension), 4, np.int32)[2] == _METADATA:
            metadata = numba.carray(view(_load(extension, 3)), 9, np.int32)
            metadata[6], metadata[7], metadata[8] = _VERSION[0], _VERSION[1], 0
        return 0
    plan = numba.carray(argument(frame, _load(frame, 7) - 1), 7, np.int32)
    kernel = _load(_table(), plan[0])
    memory, accepted = np.empty(np.int64(plan[1]) * plan[2], np.uint8), np.zeros(plan[4], np.int64)
    for stage in range(plan[3]):
        if plan[5] != 0:
            _share(kernel, frame, memory, stage, accepted)
        else:
            for task in range(len(accepted)):
                accepted[task] += _run(kernel, frame, _start(memory), stage, task, len(accepted))
    if plan[6] != 0:
        sites, total = np.int64(plan[6]), 0
        for side in sides(frame, 0):
            sites *= side
        for task in range(len(accepted)):
            total += accepted[task]
        numba.carray(result(frame, 1), 1, np.float32)[0] = total / sites
    return 0


def unsharded() -> bool:
    """Whether arrays lie on one device as a whole: kernels know no shards."""
    return jax.sharding.get_abstract_mesh().empty


def threads() -> int:
    """Give the number of threads that tasks are shared by."""
    _start_threads()
    return numba.get_num_threads()


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
def _handler() -> str:
    """Compile the handler, from a cache if there is one, and give the name to call it by."""
    _start_threads()  # which code from the cache expects to run
    llvm.add_symbol(_TABLE, _ADDRESSES.ctypes.data)
    handler = _compile(_handle, types.int64(types.int64))
    jax.ffi.register_ffi_target("kadanoff", jax.ffi.pycapsule(handler.ctypes), platform="cpu")
    return "kadanoff"


@lru_cache
def _loaded(kernel: Callable[..., Any]) -> int:
    """Compile a kernel, once a process and from a cache if there is one, and give its number."""
    number = _NAMES.index(kernel.__name__)
    _ADDRESSES[number] = _compile(kernel, types.int64(*[types.int64] * 5)).address
    return number


def _compile(function: Callable[..., Any], signature: Any) -> Any:
    # numba keeps code by the name of its function, and looks for changes in no other file than the function's own.
    function.__qualname__ = f"{function.__name__}_{_digest()}"
    collects = gc.isenabled()
    gc.disable()  # searches for cycles among all that was imported take a fifth of the time
    try:
        return numba.cfunc(signature, cache=True, error_model="numpy")(function)
    finally:
        if collects:
            gc.enable()


@lru_cache
def _digest() -> str:
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]
