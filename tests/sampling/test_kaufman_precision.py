"""Updates of the Ising model against Kaufman: energy and specific heat at beta_c to four digits, one energy to five.

Eleven numbers, each within 3 standard errors: a right sampler fails one of them in 3 % of the seeds.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import kadanoff as kd

CRITICAL = float(np.log(1 + np.sqrt(2)) / 2)


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize(
    ("side", "draws", "thin"), [(4, 9000, 3), (8, 3700, 4), (16, 1300, 6), (32, 420, 8), (64, 40, 8)]
)
def test_energy_and_specific_heat(side, draws, thin):
    ensemble = kd.sample(
        kd.Ising(CRITICAL),
        kd.Lattice((side, side)),
        chains=2048,
        draws=draws,
        thin=thin,
        sampler=kd.SwendsenWang(),
        seed=11,
    )
    exact = kd.exact.kaufman(CRITICAL, side)
    energy, heat = ensemble.observe("energy"), ensemble.observe("specific_heat")
    print(
        f"L={side}: energy {energy.pull(exact.energy):+.1f} sigma, specific heat {heat.pull(exact.specific_heat):+.1f}"
    )
    assert abs(energy.pull(exact.energy)) < 3 and abs(heat.pull(exact.specific_heat)) < 3
    if side <= 32:
        assert energy.error < 1e-4 * abs(exact.energy)
        assert heat.error < 3e-3 * exact.specific_heat


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.timeout(3600)
def test_energy_to_five_digits():
    # Every random number of local and cluster updates takes part.
    side, chains, steps = 8, 16384, 26000
    action, sampler = kd.Ising(CRITICAL), kd.Mixture((kd.Metropolis(), kd.HeatBath(), kd.SwendsenWang()))
    state = sampler.init(action, jnp.ones((chains, side, side)))

    @eqx.filter_jit
    def run(key, state):
        def body(state, key):
            state, _ = sampler.step(key, action, state)
            spins = state.fields
            bonds = spins * (jnp.roll(spins, 1, 1) + jnp.roll(spins, 1, 2))
            return state, jnp.sum(bonds, axis=(1, 2)).astype(jnp.int32)

        state, bonds = jax.lax.scan(body, state, jax.random.split(key, 100))
        return state, jnp.sum(bonds, axis=0)  # whole numbers below 2^31

    state, _ = run(jax.random.key(0), state)
    sums = np.zeros(chains)
    for number in range(steps // 100):
        state, some = run(jax.random.key(1 + number), state)
        sums += np.asarray(some)
    energies = -sums / (steps * side**2)
    error = energies.std(ddof=1) / np.sqrt(chains)
    exact = kd.exact.kaufman(CRITICAL, side).energy
    print(f"energy {energies.mean():.7f}({error:.1e}), exact {exact:.7f}")
    assert error < 1.5e-5 * abs(exact) and abs(energies.mean() - exact) < 3 * error
