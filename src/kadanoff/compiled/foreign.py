"""Functions compiled by numba as custom calls of XLA: no copies, no Python and no lock of the interpreter on the way.

One handler serves all: it calls a kernel stage after stage, task by task on all threads, by its address. So no kernel
is compiled again within the loops around it, which would take most of the time, and only those are that are used.
"""

import os
from collections.abc import Callable
from functools import lru_cache
from typing import Any, no_type_check

import jax
import jax.numpy as jnp
import numba
import numpy as np

from kadanoff.compiled.compilation import KERNELS, compile_function, compile_kernel
from kadanoff.compiled.frames import ADDRESSES, Work, argument, load, result, run, sides, view

__all__ = ["call", "threads", "unsharded"]

_VERSION = (0, 1)  # of the interface: what is read has been there since, and later minor versions only add
_METADATA = 1
_NUMBERS = {name: number for number, name in enumerate(KERNELS)}


def call(
    kernel: Callable[..., Any],
    results: Any,
    arguments: tuple[Any, ...],
    work: Work,
    batched: bool = False,
    inner: tuple[Callable[..., Any], ...] = (),
) -> Any:
    """Call a kernel on arrays within a program of XLA; under `jax.vmap` one by one, or at once if it is `batched`.

    A kernel takes the address of the frame, the address of the scratch memory (0 for none), the stage, the task and
    how many tasks there are, and returns how many sites it accepted. It is compiled once a machine, as are the `inner`
    kernels that it runs.
    """
    for other in inner:
        _loaded(other)
    plan = [_loaded(kernel), *work.scratch, work.stages, work.tasks, work.shared, work.sweeps]
    method = "expand_dims" if batched else "sequential"
    target = jax.ffi.ffi_call(_handler(), results, vmap_method=method)
    return target(*arguments, jnp.array(plan, jnp.int32))


_inlined = numba.njit(error_model="numpy", inline="always")


@_inlined
@no_type_check
def _start(memory):  # pragma: no cover - compiled
    return np.int64(memory.ctypes.data) if len(memory) > 0 else 0


@numba.njit(error_model="numpy", nogil=True, parallel=True)
@no_type_check
def _share(kernel, frame, memory, stage, accepted):  # pragma: no cover - compiled
    scratch, count = _start(memory), len(accepted)
    for task in numba.prange(count):
        accepted[task] += run(kernel, frame, scratch, stage, task, count)


@no_type_check
def _handle(frame):  # pragma: no cover - compiled
    """Answer the question for the version, asked on registration; or run a kernel by the plan, the last argument."""
    extension = load(frame, 1)
    if extension != 0:
        if numba.carray(view(extension), 4, np.int32)[2] == _METADATA:
            metadata = numba.carray(view(load(extension, 3)), 9, np.int32)
            metadata[6], metadata[7], metadata[8] = _VERSION[0], _VERSION[1], 0
        return 0
    plan = numba.carray(argument(frame, load(frame, 7) - 1), 7, np.int32)
    kernel = np.int64(plan[0])
    memory, accepted = np.empty(np.int64(plan[1]) * plan[2], np.uint8), np.zeros(plan[4], np.int64)
    for stage in range(plan[3]):
        if plan[5] != 0:
            _share(kernel, frame, memory, stage, accepted)
        else:
            for task in range(len(accepted)):
                accepted[task] += run(kernel, frame, _start(memory), stage, task, len(accepted))
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
    handler = compile_function(_handle, 1)
    jax.ffi.register_ffi_target("kadanoff", jax.ffi.pycapsule(handler.ctypes), platform="cpu")
    return "kadanoff"


@lru_cache
def _loaded(kernel: Callable[..., Any]) -> int:
    """Compile a kernel, once a process and from a cache if there is one, and give its number."""
    number = _NUMBERS[kernel.__name__]
    ADDRESSES[number] = compile_kernel(kernel).address
    return number
