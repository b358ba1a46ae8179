"""Compiling of kernels: once a machine, and as many at once as there are cores.

numba holds the lock of the interpreter while it compiles, and so do JAX while it traces and Python while it imports.
So a command that knows which kernels it will call has other processes compile those that no cache holds yet.
"""

import gc
import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from hashlib import sha256
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from kadanoff.cores import cores

if TYPE_CHECKING:
    from multiprocessing.queues import SimpleQueue

__all__ = ["KERNELS", "compile_ahead", "compile_function"]

#: Kernels, and the files they are in, by their numbers, which programs in XLA's cache hold.
KERNELS = {
    "metropolis": "sweeps",
    "heat_bath": "sweeps",
    "spin_metropolis": "sweeps",
    "spin_heat_bath": "sweeps",
    "clusters": "clusters",
    "graph_metropolis": "graphs",
    "graph_spin_metropolis": "graphs",
    "graph_spin_heat_bath": "graphs",
    "state_products": "products",
    "level_draws": "levels",
    "quartic_redraws": "quartic",
    "density_draws": "density",
    "graph_heat_bath": "graphs",
    "compensated_sums": "sums",
    "mixture_draws": "mixtures",
    "threefry_words": "threefry",
    "field_sums": "fields",
}
_DRIVER = "/dev/nvidiactl"  # there where a GPU of NVIDIA has its driver
_HANDLER = "handle"  # what calls kernels, itself compiled like one: every program that calls any needs it
_awaited: dict[str, "subprocess.Popen[str]"] = {}  # functions that are compiled elsewhere, and who tells
_waiting = Lock()  # for whoever reads what these tell


def compile_function(function: Callable[..., Any]) -> Any:
    """Compile a kernel or the handler, or take it from the cache, where another process may be about to put it.

    It becomes a function for C, of words: five for a kernel and one for the handler, and one as the result.
    """
    with _waiting:
        while (process := _awaited.get(function.__name__)) is not None:
            told = process.stdout.readline().strip() if process.stdout is not None else ""
            # A process tells what it has compiled. If it ends without, this one compiles what is left.
            for name in [name for name, other in _awaited.items() if other is process and told in (name, "")]:
                del _awaited[name]
            if process not in _awaited.values():
                process.wait()
    return _compiled(function)


def _compiled(function: Callable[..., Any]) -> Any:
    from kadanoff.compiled.functions import compile_for_c

    words = 1 if function.__name__ == _HANDLER else 5
    # numba keeps code by the name of its function, and looks for changes in no other file than the function's own.
    function.__qualname__ = f"{function.__name__}_{_digest()}"
    collects = gc.isenabled()
    gc.disable()  # searches for cycles among all that was imported take a fifth of the time
    try:
        return compile_for_c(function, words, cache=True)
    finally:
        if collects:
            gc.enable()


def compile_ahead(*kernels: str) -> None:
    """Have processes beside this one compile kernels that it will call soon: those first that it will call first.

    What calls kernels is compiled with them. It asks for no more than no cache holds, and for nothing where there is
    one core, or a GPU computes. It imports neither numba nor JAX.

    >>> compile_ahead("metropolis", "clusters")
    """
    if _has_gpu():
        return
    missing = [name for name in dict.fromkeys(kernels) if _is_missing(name)]
    handler = [_HANDLER] if _is_missing(_HANDLER) else []
    count = min(len(missing + handler), cores()) if cores() > 1 else 0
    if count == 0:
        return
    # The handler comes right after the first kernels: none of them is called without it.
    ordered = [*missing[:count], *handler, *missing[count:]]
    with suppress(OSError):  # where there is no room for another process, this one does it
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "kadanoff.compiled.compilation", str(count), *ordered],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        _awaited.update(dict.fromkeys(ordered, process))


def _compile_all(names: list[str], count: int) -> None:
    """Compile functions by so many processes, each the next one when it is free: this one, and what forks from it."""
    if count > 1:
        importlib.import_module("kadanoff.compiled.first").prepare()
    forks = get_context("fork" if sys.platform == "linux" else "spawn")
    waiting = forks.SimpleQueue()
    for name in (*names, *[None] * count):
        waiting.put(name)
    others = [forks.Process(target=_compile_next, args=(waiting,)) for _ in range(count - 1)]
    for other in others:
        other.start()
    _compile_next(waiting)
    for other in others:
        other.join()


def _compile_next(waiting: "SimpleQueue[str | None]") -> None:
    while (name := waiting.get()) is not None:
        compile_function(_find(name))
        print(name, flush=True)


def _has_gpu() -> bool:
    """Whether JAX will most likely compute on a GPU: it decides so itself, but would have to be imported."""
    if "cuda" not in (os.environ.get("JAX_PLATFORMS") or "cuda"):
        return False
    installed = any(find_spec(f"jax_cuda{version}_plugin") for version in (12, 13))
    return installed and Path(_DRIVER).exists()


def _is_missing(name: str) -> bool:
    """Whether no process compiles a function, nor has: code is looked for where numba most likely keeps it."""
    if name in _awaited:
        return False
    if chosen := os.environ.get("NUMBA_CACHE_DIR"):
        folders = [*Path(chosen).glob("*")]
    else:
        own = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "numba"
        folders = [Path(__file__).parent / "__pycache__", *own.glob("*")]
    file = f"{_file(name)}.{name}_{_digest()}-*.nbi"
    return all(next(folder.glob(file), None) is None for folder in folders)


def _file(name: str) -> str:
    return KERNELS.get(name, "handler")


def _find(name: str) -> Callable[..., Any]:
    return getattr(importlib.import_module(f"kadanoff.compiled.{_file(name)}"), name)


@lru_cache
def _digest() -> str:
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]


if __name__ == "__main__":
    gc.disable()
    # numba looks for SciPy's BLAS, which takes a fifth of its start; no kernel calls it.
    sys.modules["scipy.linalg"] = None  # type: ignore[assignment]
    _compile_all(sys.argv[2:], int(sys.argv[1]))
