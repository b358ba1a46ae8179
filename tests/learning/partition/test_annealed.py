"""The two generic methods on models that are neither lattices nor graphs; 4.5 standard errors unless said."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kadanoff.errors import InputError
from kadanoff.learning.partition import Annealed, annealed_importance_sampling, thermodynamic_integration
from kadanoff.learning.partition.annealed import schedule

SIGMAS = 4.5
KEY = jax.random.key(2)
WEIGHTS = np.random.default_rng(0).normal(size=(3, 2))
#: A machine of two layers of spins, v in +-1 (3) and h in +-1 (2), S = -v W h - c.v at t W.
SOURCE = np.array([0.3, -0.2, 0.5])


def path(t):
    return t * jnp.asarray(WEIGHTS, jnp.float32)


def layers_energy(weights, state):
    visible, hidden = state
    pair = visible[:, :, None] * weights * hidden[:, None, :]
    return -pair.sum(axis=2) - jnp.asarray(SOURCE, jnp.float32) * visible


def layers_step(key, weights, state):
    visible, _ = state
    up, down = jax.random.split(key)

    def spins(key, field):
        return jnp.where(jax.random.uniform(key, field.shape) * (1 + jnp.exp(-2 * field)) < 1, 1.0, -1.0)

    hidden = spins(up, visible @ weights)
    return spins(down, hidden @ weights.T + jnp.asarray(SOURCE, jnp.float32)), hidden


def layers_start(chains):
    odds = jnp.asarray(1 / (1 + np.exp(-2 * SOURCE)), jnp.float32)
    visible = jnp.where(jax.random.uniform(KEY, (chains, 3)) < odds, 1.0, -1.0)
    return visible, jnp.where(jax.random.bernoulli(jax.random.key(3), shape=(chains, 2)), 1.0, -1.0)


def exact_ratio():
    states = [np.array(s) for s in itertools.product([-1.0, 1.0], repeat=5)]
    terms = [np.exp(s[:3] @ SOURCE + np.array([0, 1]) * (s[:3] @ WEIGHTS @ s[3:])) for s in states]
    return np.log(np.sum(terms, axis=0)[1] / np.sum(terms, axis=0)[0])


@pytest.mark.statistical
@pytest.mark.parametrize("steps", [3, 40])
def test_two_layers_of_spins_agree_with_enumeration(steps: int) -> None:
    # few steps widen the weights, but leave their mean where it is
    result = annealed_importance_sampling(KEY, layers_start(8192), path, layers_energy, layers_step, steps)
    assert abs(result.log_ratio.pull(exact_ratio())) < SIGMAS
    assert result.log_ratio.error < 0.02
    weight = np.exp(result.log_weight - result.log_weight.max())
    found = (weight[:, None] * np.asarray(result.state[0])).sum(axis=0) / weight.sum()
    states = np.array(list(itertools.product([-1.0, 1.0], repeat=5)))
    p = np.exp(states[:, :3] @ SOURCE + np.einsum("si,ij,sj->s", states[:, :3], WEIGHTS, states[:, 3:]))
    assert np.all(
        np.abs(found - p @ states[:, :3] / p.sum()) < SIGMAS / np.sqrt(result.effective_sample_size)
    )


@pytest.mark.statistical
@pytest.mark.slow
@pytest.mark.ci
def test_integration_of_two_layers_agrees_with_enumeration() -> None:
    result = thermodynamic_integration(
        KEY, layers_start(256), path, layers_energy, layers_step, nodes=8, draws=100
    )
    assert abs(result.log_ratio.pull(exact_ratio())) < SIGMAS
    assert result.log_ratio.error < 0.01
    assert len(result.mean_slopes) == 8


@pytest.mark.statistical
def test_the_error_of_a_log_mean_weight_is_that_of_its_spread() -> None:
    # 400 times 256 log-normal weights of mean one; 4.5 standard errors of mean and variance of the pulls
    rng, width = np.random.default_rng(1), 0.5
    draws = rng.normal(-(width**2) / 2, width, size=(400, 256))
    pulls = np.array([Annealed(row, row[None], None).log_ratio.pull(0.0) for row in draws])
    assert abs(pulls.mean()) < SIGMAS / np.sqrt(400)
    assert abs(pulls.var() - 1) < SIGMAS * np.sqrt(2 / 400) + 0.05


@pytest.mark.exact
def test_the_value_survives_a_large_offset() -> None:
    rng = np.random.default_rng(1)
    row = rng.normal(size=64)
    near, far = (Annealed(row + shift, row[None], None).log_ratio.value for shift in (0.0, 1e5))
    assert far - near == pytest.approx(1e5, abs=1e-9)


@pytest.mark.exact
@pytest.mark.parametrize("steps", [0, [0.0, 0.5], [0.0, 0.6, 0.5, 1.0], [1.0]])
def test_a_schedule_rises_from_zero_to_one(steps) -> None:
    given = steps if isinstance(steps, int) else np.asarray(steps)
    with pytest.raises(InputError, match="anneal"):
        annealed_importance_sampling(KEY, layers_start(2), path, layers_energy, layers_step, given)


@pytest.mark.exact
def test_steps_may_be_a_whole_number_of_numpy() -> None:
    assert schedule(np.int64(4)).tolist() == [0.0, 0.25, 0.5, 0.75, 1.0]


@pytest.mark.exact
def test_counts_are_positive() -> None:
    with pytest.raises(InputError, match="nodes must be positive"):
        thermodynamic_integration(KEY, layers_start(2), path, layers_energy, layers_step, nodes=0)
