"""Annealed ln Z, the pseudo-likelihood and the reconstruction, beside enumeration and quadrature."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kadanoff.errors import InputError
from kadanoff.network import Phi4Network, exact_log_partition, log_partition, mean_log_likelihood
from kadanoff.network.exact import _integrated, _states
from kadanoff.network.likelihood import best_log_partition
from kadanoff.network.monitor import pseudo_likelihood, reconstruction
from kadanoff.network.units import GaussianUnit, Phi4Unit
from kadanoff.statistics import Estimate


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.statistical
@pytest.mark.parametrize(("visible", "hidden"), [("bernoulli", "ising"), ("phi4", "bernoulli")])
def test_annealed_ln_z_is_within_two_errors_on_most_of_twenty_random_networks(
    visible: str, hidden: str
) -> None:
    """At least 17 of 20 (35 of 40 in all); a fair 95 % fails so with a probability of 2 % a pair of units."""
    pulls = []
    for seed in range(20):
        network = Phi4Network.random(visible, 6, hidden, 4, seed=seed, width=0.5)
        found = log_partition(network, chains=100, steps=100, seed=seed)
        pulls.append(found.pull(float(exact_log_partition(network))))
    assert sum(abs(pull) < 2 for pull in pulls) >= 17, pulls


@pytest.mark.exact
def test_a_base_with_links_is_refused() -> None:
    network = Phi4Network.random("ising", 3, "ising", 2)
    with pytest.raises(InputError, match="has links"):
        log_partition(network, network)


@pytest.mark.exact
def test_a_base_of_other_units_and_too_few_chains_are_refused() -> None:
    network = Phi4Network.random("ising", 3, "ising", 2)
    for other in (("bernoulli", 3, "ising", 2), ("ising", 3, "ising", 4)):
        with pytest.raises(InputError, match="units of the same kinds"):
            log_partition(network, Phi4Network.random(*other, width=0.0))
    with pytest.raises(InputError, match="chains must be 2 or more, got 1"):
        log_partition(network, chains=1)


@pytest.mark.exact
def test_the_mean_log_likelihood_of_a_small_network_is_exact_up_to_its_samples() -> None:
    network = Phi4Network.random("ising", 5, "ising", 3, width=0.5)
    found = mean_log_likelihood(network, _states(network.visible))
    assert isinstance(found, Estimate)
    p = jnp.exp(-network.visible_energy(_states(network.visible)) - exact_log_partition(network))
    np.testing.assert_allclose(found.value, jnp.log(p).mean(), rtol=1e-5)
    np.testing.assert_allclose(p.sum(), 1.0, rtol=1e-5)


@pytest.mark.exact
@pytest.mark.parametrize(
    "precisions",
    [
        pytest.param([5e4], marks=[pytest.mark.slow, pytest.mark.ci]),
        pytest.param([5e4, 0.5], marks=[pytest.mark.slow, pytest.mark.ci]),
        pytest.param([0.5, 0.5, 0.5], marks=[pytest.mark.slow, pytest.mark.ci]),
    ],
)
def test_quadrature_resolves_what_is_narrow(precisions: list[float]) -> None:
    m = np.array(precisions)
    first, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(5, len(m))))
    second, _ = np.linalg.qr(np.vstack([[1.0, 0.7, 0.4][: len(m)], np.eye(len(m))[1:]]).T)
    w = (first * np.array([0.5] + [0.2] * (len(m) - 1))) @ second.T * np.sqrt(2 * m)
    network = Phi4Network(w, GaussianUnit(jnp.zeros(5), 0.5), GaussianUnit(jnp.zeros(len(m)), m))
    expected = exact_log_partition(network)  # a determinant
    np.testing.assert_allclose(_integrated(network, network.hidden, True), expected, atol=1e-3)


@pytest.mark.exact
@pytest.mark.slow
@pytest.mark.ci
def test_what_no_grid_resolves_is_annealed() -> None:
    w = np.zeros((5, 3))
    w[:, 0], w[:, 1], w[:, 2] = 8.0, 5.0, 3.0
    network = Phi4Network(w, *(Phi4Unit(jnp.zeros(size), 0.5, 1e-3) for size in w.shape))
    with pytest.raises(InputError, match="too narrow for the largest grid") as caught:
        exact_log_partition(network)
    assert "\n" not in str(caught.value)
    assert best_log_partition(network, chains=16, steps=20).error > 0


@pytest.mark.exact
@pytest.mark.parametrize("visible", ["bernoulli", "phi4", "gaussian"])
def test_the_pseudo_likelihood_is_that_of_one_unit_given_the_others(visible: str) -> None:
    network = Phi4Network.random(visible, 1, "ising", 2, seed=3, width=0.7)
    v = jnp.array([[-1.5], [0.0], [1.5]]) if visible != "bernoulli" else jnp.array([[0.0], [1.0], [1.0]])
    expected = -network.visible_energy(v) - exact_log_partition(network)  # nothing else to be given
    np.testing.assert_allclose(pseudo_likelihood(jax.random.key(0), network, v), expected, atol=5e-3)


@pytest.mark.exact
@pytest.mark.parametrize("links", [0.0, 0.5, 0.9999])
def test_the_pseudo_likelihood_of_gaussian_units_is_exact_whatever_their_data(links: float) -> None:
    a, m = jnp.array([0.5, 50.0, 5e3, 5e-3]), jnp.array([0.5, 2.0])
    r = (1 - links) * jnp.array([1.0, -200.0, 0.0, 0.1])
    directions, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 2)))
    w = links * directions * 2 * np.sqrt(np.outer(a, m))
    network = Phi4Network(w, GaussianUnit(r, a), GaussianUnit(jnp.zeros(2), m))
    form = np.diag(2 * np.asarray(a, float)) - w @ np.diag(1 / (2 * np.asarray(m, float))) @ w.T
    mean = -np.linalg.solve(form, np.asarray(r, float))
    for width in (0.0, 1.0):  # constant features, and some that are not as the network has them
        v = mean + width * np.random.default_rng(1).normal(size=(64, 4)) * np.array([1.0, 0.1, 0.01, 1.0])
        key = jax.random.key(3)
        unit = np.asarray(jax.random.randint(key, (64,), 0, 4))
        precision, slope = np.diag(form)[unit], ((v - mean) @ form)[np.arange(64), unit]
        expected = 4 * (np.log(precision / (2 * np.pi)) / 2 - slope**2 / (2 * precision))
        found = pseudo_likelihood(key, network, jnp.asarray(v, jnp.float32))
        np.testing.assert_allclose(found, expected, rtol=2e-3, atol=0.05)


@pytest.mark.exact
def test_a_network_without_links_reconstructs_its_means() -> None:
    network = Phi4Network.random("gaussian", 4, "ising", 2, width=0.0)
    np.testing.assert_allclose(reconstruction(network, jnp.full((3, 4), 2.0)), 4.0)
