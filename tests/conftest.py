"""What every test shares: a compilation cache, repeatable property tests, and the rule for GPU tests."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]

# By environment, before anything imports JAX, and so that commands started by tests share the compiled code.
CACHE = {
    "JAX_COMPILATION_CACHE_DIR": str(ROOT / ".cache" / "jax"),
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.2",
    # Small lattices: compiling takes most of the time, and a sixth less at this level.
    "XLA_FLAGS": "--xla_backend_optimization_level=1",
}
for name, value in CACHE.items():
    os.environ.setdefault(name, value)

# The same examples every time, and no deadline: the first call of anything compiles.
settings.register_profile("kadanoff", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("kadanoff")


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
