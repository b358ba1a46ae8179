"""The choice between a kernel and generic code: which of them a program is made of."""

import jax
import jax.numpy as jnp
import pytest

from kadanoff.compiled import foreign
from kadanoff.compiled.foreign import either

pytestmark = pytest.mark.exact


def traced(**options):
    """What was traced, and what came of it."""
    seen = []

    def of(name, value):
        def function(x):
            seen.append(name)
            return x + value

        return function

    found = jax.jit(lambda x: either(of("kernel", 1.0), of("generic", 2.0), x, **options))(jnp.zeros(()))
    return set(seen), float(found)


def test_only_the_kernel_is_traced_where_all_devices_are_cpus():
    assert traced() == ({"kernel"}, 1.0)


def test_both_are_traced_where_another_device_may_hold_the_arrays(monkeypatch):
    monkeypatch.setattr(foreign, "backends", lambda: {"cpu": None, "gpu": None})
    assert traced() == ({"kernel", "generic"}, 1.0)


def test_cases_that_no_kernel_knows_are_left_to_generic_code():
    assert traced(when=False) == ({"generic"}, 2.0)


def test_programs_for_gpus_have_no_kernel(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert traced() == ({"generic"}, 2.0)


@pytest.mark.parametrize("shards", [False, True])
def test_shards_are_left_to_generic_code_but_by_kernels_of_single_chains(shards):
    with jax.set_mesh(jax.make_mesh((1,), ("chain",))):
        assert traced(shards=shards) == (({"kernel"}, 1.0) if shards else ({"generic"}, 2.0))
