"""Updates compiled by numba against the same updates by XLA, which draw the same random numbers."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numba
import numpy as np
import pytest

import kadanoff as kd
from kadanoff.actions.inhomogeneous import InhomogeneousPhi4
from kadanoff.compiled import elementary, foreign
from kadanoff.errors import InputError
from kadanoff.graph import Graph
from kadanoff.random import key
from kadanoff.sampling import local

pytestmark = [
    pytest.mark.exact,
    pytest.mark.skipif(jax.default_backend() != "cpu", reason="compiled for CPUs only"),
]

CASES = [
    (kd.Phi4(-0.9515, 0.7), kd.Metropolis(), (6, 10)),
    (kd.Phi4(-0.9515, 0.7), kd.Metropolis(), (2, 4, 2, 6)),
    (kd.Phi4(-0.9515, 0.7), kd.HeatBath(), (6, 4, 8)),
    (kd.Phi4(-8.0, 8.0), kd.HeatBath(), (6, 10)),
    (kd.Ising(0.3), kd.Metropolis(sweeps=3), (6, 10)),
    (kd.Ising(-0.2), kd.HeatBath(sweeps=3), (6, 4, 8)),
]


@pytest.mark.parametrize(("action", "sampler", "shape"), CASES)
def test_compiled_updates_do_what_others_do(action, sampler, shape, monkeypatch):
    fields = jax.random.normal(jax.random.key(0), (40, *shape))
    fields = jnp.sign(fields) if action.spins else fields
    # numbers of chains as they come in a part of a run
    state = sampler.init(action, fields, jnp.arange(7, 47))
    compiled, rate = eqx.filter_jit(lambda state: sampler.step(key(1), action, state))(state)
    monkeypatch.setattr(foreign, "kernels_apply", lambda: False)
    step = type(sampler).step.__wrapped__  # not the step that is traced already
    generic, same = eqx.filter_jit(lambda state: step(sampler, key(1), action, state))(state)
    assert float(rate.acceptance) == pytest.approx(float(same.acceptance), abs=1e-6)
    assert 0.05 < float(jnp.mean(compiled.fields != fields)) <= 1
    np.testing.assert_allclose(compiled.fields, generic.fields, rtol=0, atol=0 if action.spins else 1e-5)


@pytest.mark.parametrize("chains", [2, 40])
def test_threads_share_work_without_a_trace(chains):
    fields = jax.random.normal(jax.random.key(1), (chains, 48, 32))
    data = jax.random.key_data(jax.random.split(key(2), 64))
    numbers = jnp.arange(chains, dtype=jnp.uint32)
    rule = local.Compiled("metropolis", jnp.array([1.0, 1.5, 0.2, 2.7]))
    threads, results = numba.get_num_threads(), []
    for count in {1, threads}:
        numba.set_num_threads(count)
        results.append(local._call(rule, data, fields, numbers)[0])
    numba.set_num_threads(threads)
    part, _ = local._call(rule, data, fields[1:2], numbers[1:2])
    for result in results:
        np.testing.assert_array_equal(result, results[0])
        np.testing.assert_array_equal(result[1:2], part)


@pytest.mark.parametrize("shape", [(2,), (16,), (2, 6), (3, 5, 4), (2, 3, 2, 3)])
@pytest.mark.parametrize("sampler", [kd.SwendsenWang(), kd.Wolff()])
def test_compiled_clusters_are_those_of_others(sampler, shape):
    fields = jax.random.normal(jax.random.key(4), (21, *shape))
    keys, numbers = jax.random.key_data(jax.random.split(key(5))), jnp.arange(3, 24, dtype=jnp.uint32)
    compiled, generic = jax.jit(sampler._compiled), jax.jit(sampler._generic)
    for start, kappa in ((fields, jnp.array(1.0)), (jnp.sign(fields), jnp.array(0.4))):
        found = compiled(keys, start, numbers, kappa)
        np.testing.assert_array_equal(found, generic(keys, start, numbers, kappa))
        assert 0 < float(jnp.mean(found != start)) < 1


def test_a_state_shares_no_memory_with_the_fields_it_began_from():
    given = np.ones((1 << 10) + 16, np.float32)
    fields = given[(-given.ctypes.data % 64) // 4 :][: 1 << 10].reshape(4, 16, 16)
    state = kd.Metropolis().init(kd.Phi4(-0.9, 0.7), fields)
    fields[:] = 7
    assert bool((state.fields == 1).all())


@pytest.mark.parametrize(
    ("action", "sampler"),
    [
        (kd.Phi4(-0.9, 0.7), kd.Metropolis()),
        (kd.Phi4(-0.9, 0.7), kd.SwendsenWang()),
        (InhomogeneousPhi4(Graph.grid((2, 22)), w=1.0, a=1.5, b=0.2), kd.Metropolis()),
    ],
    ids=["local", "clusters", "graph"],
)
def test_where_a_gpu_computes_no_kernel_is_asked_for(monkeypatch, action, sampler):
    def program(chains):  # shapes that no other test has: what was traced before is not traced again
        state = sampler.init(action, jnp.zeros((chains, 2, 22)))
        return str(
            jax.make_jaxpr(lambda words: sampler.step(jax.random.wrap_key_data(words), action, state))(
                jnp.zeros(2, jnp.uint32)
            )
        )

    assert "ffi_call" in program(43)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert "ffi_call" not in program(47)
    with jax.default_device(jax.devices("cpu")[0]):
        assert "ffi_call" in program(53)


def test_a_heat_bath_of_what_is_no_number_looks_up_nothing_outside_its_table():
    sampler, action = kd.HeatBath(), kd.Phi4(-0.9, 0.7)
    fields = jnp.full((2, 8, 8), jnp.nan).at[0].set(jnp.inf)
    swept = sampler.step(key(1), action, sampler.init(action, fields))[0].fields
    assert not bool(jnp.isfinite(swept).any())


def test_elementary_functions_are_good_to_rounding():
    exp, log, cos_sin = elementary.exp, elementary.log, elementary.cos_sin

    @numba.njit
    def values(x, results):
        for i in range(len(x)):
            results[0, i], results[1, i] = exp(-80 * x[i]), log(x[i])
            results[2, i], results[3, i] = cos_sin(x[i])

    x = np.concatenate([np.linspace(0, 1, 4001)[1:], 2.0 ** -np.arange(1, 32)]).astype(np.float32)
    results = np.empty((4, len(x)), np.float32)
    values(x, results)
    exact = x.astype(np.float64)
    np.testing.assert_allclose(results[0], np.exp(-80 * exact), rtol=6e-6)  # 80 times the rounding of -80 x
    np.testing.assert_allclose(results[1], np.log(exact), rtol=3e-7, atol=1e-7)
    np.testing.assert_allclose(results[2], np.cos(2 * np.pi * exact), atol=3e-7)
    np.testing.assert_allclose(results[3], np.sin(2 * np.pi * exact), atol=3e-7)


class Tilted(kd.Phi4):
    """A potential that is no longer that of its parent."""

    def potential(self, phi, dimension):
        return super().potential(phi, dimension) - 0.5 * phi


def test_a_changed_potential_is_not_taken_for_its_parents():
    action, fields = Tilted(-0.9515, 0.7), jnp.zeros((64, 8, 8))
    with pytest.raises(InputError, match="site_couplings"):
        kd.HeatBath().init(action, fields)
    sampler = kd.Metropolis(sweeps=20)
    state, _ = sampler.step(key(3), action, sampler.init(action, fields))
    assert float(state.fields.mean()) > 0.5
