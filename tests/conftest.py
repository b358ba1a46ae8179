"""What every test shares: a compilation cache, repeatable property tests, and the rule for GPU tests."""

import gc
import os
import signal
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import jaxtyping
import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]

# Small lattices: compiling takes most of the time. A sixth less of it at this level, of all the time a twentieth less
# without expensive passes, and of the compiling that is left a quarter less by XLA's older code for fused loops; the
# jaxlib of Python 3.12 lacks the option, and CI runs the exact tests there too.
FLAGS = ["--xla_backend_optimization_level=1", "--xla_llvm_disable_expensive_passes=true"]
if tuple(map(int, version("jaxlib").split(".")[:2])) < (0, 11):
    FLAGS.append("--xla_cpu_use_fusion_emitters=false")

# By environment, before anything imports JAX, and so that commands started by tests share the compiled code.
CACHE = {
    "JAX_COMPILATION_CACHE_DIR": str(ROOT / ".cache" / "jax"),
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.2",
    "XLA_FLAGS": " ".join(FLAGS),
}
for name, value in CACHE.items():
    os.environ.setdefault(name, value)

# Searches for cycles among all that JAX holds took a sixteenth of the time.
gc.set_threshold(50_000, 20, 100)

# The same examples every time, and no deadline: the first call of anything compiles.
settings.register_profile("kadanoff", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("kadanoff")


@pytest.fixture
def unchecked() -> Iterator[None]:
    """For tests that hand over what is of a wrong type, or NumPy's: no types are checked at calls."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", before)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests marked gpu where there is none; JAX is asked only if there is such a test."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if not marked:
        return
    import jax

    if jax.default_backend() != "gpu":
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="no GPU here"))


# A shell without job control starts its background commands deaf to Ctrl-C, and so would be what they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
