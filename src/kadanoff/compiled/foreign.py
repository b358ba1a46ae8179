"""Functions compiled by numba as custom calls of XLA: no copies, no Python and no lock of the interpreter on the way.

One handler serves all, see `kadanoff.compiled.handler`.
"""

import os
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import jax
import numba
import numpy as np
from jax.extend.backend import backends

from kadanoff.compiled.compilation import KERNELS, compile_function
from kadanoff.compiled.frames import ADDRESSES, Work
from kadanoff.compiled.handler import handle

__all__ = ["call", "either", "kernels_apply", "on_cpu", "threads"]

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
    plan = [_loaded(kernel), work.scratch, work.stages, work.tasks, work.shared, work.sweeps, work.form]
    method = "broadcast_all" if batched else "sequential"
    target = jax.ffi.ffi_call(_handler(), results, vmap_method=method)
    return target(*arguments, plan=np.array(plan, np.int64))


def either(
    compiled: Callable[..., Any],
    generic: Callable[..., Any],
    *arguments: Any,
    when: bool = True,
    shards: bool = False,
) -> Any:
    """Compute by a kernel where it knows the case (`when`) and one CPU holds the arrays, by generic code elsewhere.

    Both functions take the arguments and give the same, up to rounding. A kernel that works chain by chain may be
    called on `shards`.
    """
    if not (when and (on_cpu() if shards else kernels_apply())):
        return generic(*arguments)
    if set(backends()) == {"cpu"}:  # to trace what no device here will compute takes seconds
        return compiled(*arguments)
    return jax.lax.platform_dependent(*arguments, cpu=compiled, default=generic)


def on_cpu() -> bool:
    """Whether programs are made for CPUs: where a GPU computes, kernels would be compiled for nothing."""
    device: Any = jax.config.jax_default_device  # type: ignore[attr-defined]
    return (jax.default_backend() if device is None else getattr(device, "platform", device)) == "cpu"


def kernels_apply() -> bool:
    """Whether arrays lie on one CPU as a whole, as kernels need them: they know no shards."""
    return jax.sharding.get_abstract_mesh().empty and on_cpu()


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
    handler = compile_function(handle)
    jax.ffi.register_ffi_target("kadanoff", jax.ffi.pycapsule(handler.ctypes), platform="cpu")
    return "kadanoff"


@lru_cache
def _loaded(kernel: Callable[..., Any]) -> int:
    """Compile a kernel, once a process and from a cache if there is one, and give its number."""
    number = _NUMBERS[kernel.__name__]
    ADDRESSES[number] = compile_function(kernel).address
    return number
