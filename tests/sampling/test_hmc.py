"""Hybrid Monte Carlo: reversibility, the order of the integrators, exp(-dH), and the free field."""

import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import kadanoff as kd
from kadanoff import random
from kadanoff.actions import NearestNeighbourAction, Phi4
from kadanoff.errors import InputError
from kadanoff.lattice import Lattice
from kadanoff.sampling.hmc import HybridMonteCarlo, energy_violation
from kadanoff.sampling.integrators import INTEGRATORS, coefficients, integrate
from kadanoff.sampling.state import Info, start

ACTION = Phi4(-0.9515, 0.7)


OFTEN = [
    pytest.param(name, marks=[pytest.mark.slow, pytest.mark.ci] if name == "leapfrog" else [])
    for name in INTEGRATORS
]


class Free(NearestNeighbourAction):
    mass2: float = 0.5
    kappa: float = 1.0

    def potential(self, phi, dimension):
        return 0.5 * (self.mass2 + 2 * dimension * self.kappa) * phi**2


class ComplexMass:
    def density(self, field):
        return (0.5 + 0.15j) * field**2


@eqx.filter_jit
def run(sampler, action, state, steps, key):
    """Advance and collect fields (draw, chain, ...) and information."""

    def body(state, key):
        state, info = sampler.step(key, action, state)
        return state, (state.fields, info)

    return jax.lax.scan(body, state, jax.random.split(key, steps))


def thermal(sampler, action, chains, shape, steps=60):
    fields = start(random.key(1), Lattice(shape), chains)
    state, _ = run(sampler, action, sampler.init(action, fields), steps, random.key(2))
    return state


@pytest.mark.exact
@pytest.mark.parametrize("integrator", OFTEN)
def test_trajectories_are_reversible(integrator):
    sampler = HybridMonteCarlo(steps=10, integrator=integrator)
    with jax.enable_x64(True):
        action = jax.tree_util.tree_map(lambda g: g.astype(jnp.float64), ACTION)
        fields, momenta = jax.random.normal(jax.random.key(0), (2, 3, 8, 8), dtype=jnp.float64)
        end, final = sampler.trajectory(action, fields, momenta, jnp.float64(0.15))
        assert float(jnp.max(jnp.abs(end - fields))) > 0.5
        back, reverse = sampler.trajectory(action, end, -final, jnp.float64(0.15))
        np.testing.assert_allclose(back, fields, atol=1e-12)
        np.testing.assert_allclose(reverse, -momenta, atol=1e-12)


@pytest.mark.exact
@pytest.mark.parametrize("integrator", OFTEN)
def test_trajectories_preserve_volume(integrator):
    gradient = lambda x: x**3 - x + 0.1 * jnp.roll(x, 1)  # noqa: E731

    def flow(z):
        return jnp.concatenate(
            integrate(gradient, z[:3], z[3:], jnp.asarray(0.2), 5, INTEGRATORS[integrator])
        )

    with jax.enable_x64(True):
        jacobian = jax.jacfwd(flow)(jnp.array([0.3, -1.2, 0.7, 0.5, 0.1, -0.8]))
        assert float(jnp.linalg.det(jacobian)) == pytest.approx(1, abs=1e-12)


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.exact
def test_energy_violation_is_of_second_order():
    """Halving the step divides dH by four; Omelyan's constant wins more than its two forces cost."""
    with jax.enable_x64(True):
        action = jax.tree_util.tree_map(lambda g: g.astype(jnp.float64), ACTION)
        fields, momenta = jax.random.normal(jax.random.key(4), (2, 16, 8, 8), dtype=jnp.float64)
        sizes = {}
        for name in INTEGRATORS:
            for step in (0.05, 0.025):
                sampler = HybridMonteCarlo(steps=round(1 / step), integrator=name)
                end = sampler.trajectory(action, fields, momenta, jnp.float64(step))
                violation = energy_violation(action, fields, momenta, *end)
                sizes[name, step] = float(jnp.sqrt(jnp.mean(violation**2)))
    for name in INTEGRATORS:
        assert sizes[name, 0.05] / sizes[name, 0.025] == pytest.approx(4, rel=0.05)
    # Equal cost: leapfrog at half the step. Measured ratio about 3, theory sqrt(10) for generic forces.
    assert sizes["leapfrog", 0.025] / sizes["omelyan", 0.05] > 2


@pytest.mark.slow
@pytest.mark.exact
def test_energy_violation_in_single_precision():
    """On 256 x 256 sites S is about 10^4 to 10^5; its float32 difference would be wrong by 10^-3 and more."""
    sampler = HybridMonteCarlo(steps=3)
    fields, momenta = jax.random.normal(jax.random.key(4), (2, 2, 256, 256), dtype=jnp.float32)
    end = sampler.trajectory(ACTION, fields, momenta, jnp.float32(0.02))
    single = np.asarray(energy_violation(ACTION, fields, momenta, *end), dtype=np.float64)
    with jax.enable_x64(True):
        action = jax.tree_util.tree_map(lambda g: g.astype(jnp.float64), ACTION)
        wide = [value.astype(jnp.float64) for value in (fields, momenta, *end)]
        double = np.asarray(energy_violation(action, *wide))
    # Rounding of 65,536 terms of order one, added in random directions: 256 x 1e-7.
    np.testing.assert_allclose(single, double, atol=2e-4)


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.statistical
@pytest.mark.parametrize("integrator", INTEGRATORS)
def test_mean_of_exp_minus_dh_is_one(integrator):
    """At 3.5 standard errors over chains; the step is coarse, so that dH is of order one."""
    sampler = HybridMonteCarlo(
        step_size=0.34 if integrator == "leapfrog" else 0.5, steps=4, integrator=integrator
    )
    state = thermal(sampler, ACTION, 256, (8, 8))
    _, (_, info) = run(sampler, ACTION, state, 60, random.key(9))
    violation = np.asarray(info.energy_violation, dtype=np.float64)
    assert 0.05 < violation.mean() < 2
    means = np.exp(-violation).mean(axis=0)
    assert abs(means.mean() - 1) < 3.5 * means.std(ddof=1) / np.sqrt(len(means))


@pytest.mark.statistical
@pytest.mark.slow
@pytest.mark.ci
def test_free_field_propagator():
    """<|phi(k)|^2>/V = 1/(m^2 + khat^2) for every k: chi-squared at 1e-3 on both sides."""
    side, chains = 8, 512
    action, sampler = Free(), HybridMonteCarlo(step_size=0.25, steps=8)
    state = thermal(sampler, action, chains, (side, side), 100)
    _, (fields, info) = run(sampler, action, state, 40, random.key(3))
    assert 0.6 < float(jnp.mean(info.acceptance)) <= 1
    power = np.abs(np.fft.fft2(np.asarray(fields, dtype=np.float64))) ** 2 / side**2
    power = power.mean(axis=0)  # over draws of one chain
    k2 = 4 * np.sin(np.pi * np.arange(side) / side) ** 2
    exact = 1 / (action.mass2 + k2[:, None] + k2[None, :])
    pull = (power.mean(axis=0) - exact) / (power.std(axis=0, ddof=1) / np.sqrt(chains))
    # k and -k are the same number: keep one of each.
    unique = [(i, j) for i in range(side) for j in range(side) if (i, j) <= (-i % side, -j % side)]
    chi2 = sum(pull[index] ** 2 for index in unique)
    assert len(unique) == 34
    assert 13.2 < chi2 < 65.3


@pytest.mark.reference
@pytest.mark.slow
@pytest.mark.ci
def test_phi4_at_criticality():
    """<phi^2> at L = 8 against direct simulation, 0.7945(4); 4 combined standard errors."""
    sampler = HybridMonteCarlo(step_size=0.25, steps=6)
    state = thermal(sampler, ACTION, 256, (8, 8), 200)
    _, (fields, _) = run(sampler, ACTION, state, 200, random.key(5))
    means = np.mean(np.asarray(fields, dtype=np.float64) ** 2, axis=(0, 2, 3))
    error = np.hypot(means.std(ddof=1) / np.sqrt(len(means)), 4e-4)
    assert abs(means.mean() - 0.7945) < 4 * error


@pytest.mark.exact
def test_chains_do_not_depend_on_their_batch():
    sampler = HybridMonteCarlo()
    fields = start(random.key(0), Lattice((4, 4)), 6)
    together, _ = sampler.step(random.key(1), ACTION, sampler.init(ACTION, fields))
    numbers = jnp.arange(4, 6, dtype=jnp.uint32)
    apart, _ = sampler.step(random.key(1), ACTION, sampler.init(ACTION, fields[4:], numbers))
    np.testing.assert_allclose(together.fields[4:], apart.fields, rtol=1e-5, atol=1e-6)


@pytest.mark.statistical
@pytest.mark.parametrize("initial", [pytest.param(0.01, marks=[pytest.mark.slow, pytest.mark.ci]), 2.0])
def test_tuning_reaches_the_target(initial):
    sampler = HybridMonteCarlo(step_size=initial, steps=6, target_acceptance=0.8)
    state = sampler.init(ACTION, start(random.key(0), Lattice((16, 16)), 64))
    for round_ in range(25):
        state, (_, info) = run(sampler, ACTION, state, 10, random.key(1, round_))
        state = sampler.tune(state, Info(jnp.mean(info.acceptance)))
    _, (_, info) = run(sampler, ACTION, state, 40, random.key(2))
    assert float(jnp.mean(info.acceptance)) == pytest.approx(0.8, abs=0.05)


@pytest.mark.exact
def test_a_diverging_trajectory_is_rejected():
    sampler = HybridMonteCarlo(step_size=50.0)
    state = sampler.init(ACTION, jnp.ones((4, 8, 8)))
    after, info = sampler.step(random.key(0), ACTION, state)
    assert float(info.acceptance) == 0
    np.testing.assert_array_equal(after.fields, state.fields)
    assert float(sampler.tune(after, info).step_size) == 25


@pytest.mark.exact
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"integrator": "euler"}, "omelyan"),
        ({"integrator": (0.4, 1.0, 0.6)}, "palindrome"),
        ({"steps": 0}, "steps must be 1 or more"),
        ({"step_size": -0.1}, "step_size=-0.1"),
        ({"target_acceptance": 1.5}, "target_acceptance=1.5"),
        ({"jitter": 1.0}, "jitter=1.0"),
    ],
)
def test_bad_parameters_are_refused(arguments, words):
    with pytest.raises(InputError, match=words):
        HybridMonteCarlo(**arguments)


@pytest.mark.exact
def test_actions_without_forces_are_refused():
    with pytest.raises(InputError, match="density"):
        HybridMonteCarlo().init(object(), jnp.ones((2, 4, 4)))
    with pytest.raises(InputError, match="real"):
        HybridMonteCarlo().init(ACTION, jnp.ones((2, 4, 4), dtype=jnp.int32))
    with pytest.raises(InputError, match="reweight"):
        HybridMonteCarlo().init(ComplexMass(), jnp.ones((2, 4, 4)))


@pytest.mark.exact
def test_own_coefficients():
    assert coefficients((0.25, 0.5, 0.5, 0.5, 0.25)) == (0.25, 0.5, 0.5, 0.5, 0.25)
    # Two leapfrog steps of half the size.
    two = integrate(
        lambda x: x**3, jnp.ones(1), jnp.ones(1), jnp.asarray(0.2), 1, (0.25, 0.5, 0.5, 0.5, 0.25)
    )
    half = integrate(lambda x: x**3, jnp.ones(1), jnp.ones(1), jnp.asarray(0.1), 2, INTEGRATORS["leapfrog"])
    np.testing.assert_allclose(two, half, rtol=1e-6)


@pytest.mark.exact
def test_chains_that_start_where_forces_are_steep_are_freed():
    # Of these hot starts four of 256 are so far out that no trajectory of the tuned step is accepted.
    action = kd.LongerRangePhi4(0.5, 0.5, 1.0, 0.1, 0.3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ensemble = kd.sample(action, kd.Lattice((4, 4)), chains=256, draws=8, thermalize=100, seed=1)
    assert np.mean(np.asarray(ensemble.fields, float) ** 2, axis=(1, 2, 3)).max() < 0.6
    assert abs(ensemble.observe("schwinger_dyson").pull(1.0)) < 4


@pytest.mark.exact
def test_chains_that_never_move_are_warned_of():
    sampler = kd.HybridMonteCarlo(step_size=50.0)
    with pytest.warns(kd.errors.ThermalisationWarning, match="8 of 8 chains never moved"):
        kd.sample(
            kd.Phi4(-0.9, 0.7),
            kd.Lattice((4, 4)),
            chains=8,
            draws=2,
            thermalize=0,
            sampler=sampler,
            start="hot",
        )
