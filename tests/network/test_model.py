"""The network: marginals, partition functions from either side, textbook limits, the field theory that it is."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import multivariate_normal

import kadanoff as kd
from kadanoff.errors import InputError
from kadanoff.network import Phi4Network, exact, exact_log_likelihood, exact_log_partition, interpolated
from kadanoff.network.units import UNITS, BernoulliUnit, GaussianUnit, IsingUnit, Phi4Unit

pytestmark = pytest.mark.exact


def small(visible: str, hidden: str, n_visible: int = 3, n_hidden: int = 2, seed: int = 0) -> Phi4Network:
    network = Phi4Network.random(visible, n_visible, hidden, n_hidden, seed=seed, width=0.2)
    rng = np.random.default_rng(seed)
    shifted = network.unconstrained()
    for side in ("visible", "hidden"):
        shifted[side]["r"] = shifted[side]["r"] + jnp.asarray(
            rng.normal(scale=0.3, size=len(shifted[side]["r"])), jnp.float32
        )
    return network.constrained(shifted)


# Quadratures compile for long: one of phi4 units is enough every day.
ONCE = [("phi4", "phi4"), ("phi4", "gaussian"), ("phi4", "ising"), ("bernoulli", "phi4"), ("ising", "phi4")]
LONG = dict.fromkeys(ONCE, [pytest.mark.slow]) | {("phi4", "bernoulli"): [pytest.mark.slow, pytest.mark.ci]}


@pytest.mark.parametrize(
    ("visible", "hidden"),
    [pytest.param(*pair, marks=LONG.get(pair, [])) for pair in itertools.product(UNITS, UNITS)],
)
def test_ln_z_is_the_same_traced_from_either_side(visible: str, hidden: str) -> None:
    network = small(visible, hidden)
    for layer, energy in ((network.visible, network.visible_energy), (network.hidden, network.hidden_energy)):
        if layer.levels is None:
            other = exact._integrated(network, layer, layer is network.hidden)
        else:
            other = jax.scipy.special.logsumexp(-energy(exact._states(layer)))
        np.testing.assert_allclose(exact_log_partition(network), other, atol=2e-5)


@pytest.mark.parametrize(("visible", "hidden"), [("ising", "bernoulli"), ("bernoulli", "ising")])
def test_marginals_are_sums_of_the_joint(visible: str, hidden: str) -> None:
    network = small(visible, hidden)
    v, h = exact._states(network.visible), exact._states(network.hidden)
    joint = -jax.vmap(lambda v: network.energy(jnp.broadcast_to(v, (len(h), 3)), h))(v)
    np.testing.assert_allclose(
        -network.visible_energy(v), jax.scipy.special.logsumexp(joint, axis=1), atol=1e-5
    )
    np.testing.assert_allclose(
        -network.hidden_energy(h), jax.scipy.special.logsumexp(joint, axis=0), atol=1e-5
    )


def test_gaussian_gaussian_is_a_normal_distribution() -> None:
    network = small("gaussian", "gaussian")
    visible, hidden = network.visible, network.hidden
    assert isinstance(visible, GaussianUnit) and isinstance(hidden, GaussianUnit)
    a, m, w = (np.asarray(x, np.float64) for x in (visible.a, hidden.a, network.w))
    form = np.block([[2 * np.diag(a), -w], [-w.T, 2 * np.diag(m)]])
    covariance = np.linalg.inv(form)
    mean = -covariance @ np.concatenate([visible.r, hidden.r])
    v = np.random.default_rng(1).normal(size=(7, 3))
    expected = multivariate_normal(mean[:3], covariance[:3, :3]).logpdf(v)
    np.testing.assert_allclose(
        exact_log_likelihood(network, jnp.asarray(v, jnp.float32)), expected, atol=2e-5
    )


def test_gaussian_bernoulli_is_a_mixture_of_normals() -> None:
    network = small("gaussian", "bernoulli")
    a, r, w = (np.asarray(x, np.float64) for x in (network.visible.a, network.visible.r, network.w))
    v = np.random.default_rng(1).normal(size=(5, 3))
    weights, terms = [], []
    for h in itertools.product((0.0, 1.0), repeat=2):
        field = w @ np.array(h) - r
        weights.append(np.exp(np.sum(field**2 / (4 * a)) - np.dot(network.hidden.r, h)))
        terms.append(np.prod(np.exp(-a * (v - field / (2 * a)) ** 2) * np.sqrt(a / np.pi), axis=1))
    expected = np.log(np.einsum("k,kn->n", weights, terms) / np.sum(weights))
    np.testing.assert_allclose(
        exact_log_likelihood(network, jnp.asarray(v, jnp.float32)), expected, atol=2e-5
    )


def test_bernoulli_bernoulli_is_the_textbook_machine() -> None:
    network = small("bernoulli", "bernoulli")
    w, b, c = np.asarray(network.w), -np.asarray(network.visible.r), -np.asarray(network.hidden.r)
    states = np.array(list(itertools.product((0.0, 1.0), repeat=3)))
    free = -states @ b - np.log1p(np.exp(c + states @ w)).sum(axis=1)
    expected = -free - np.log(np.exp(-free).sum())
    np.testing.assert_allclose(
        exact_log_likelihood(network, jnp.asarray(states, jnp.float32)), expected, atol=1e-5
    )


def test_deep_wells_give_the_ising_machine_in_both_layers() -> None:
    spins = small("ising", "ising")
    wells = [Phi4Unit(layer.r, -2e3, 1e3) for layer in (spins.visible, spins.hidden)]
    deep = Phi4Network(spins.w, *wells)
    v = exact._states(spins.visible)
    energies = deep.visible_energy(v) - deep.visible_energy(v)[0]
    np.testing.assert_allclose(energies, spins.visible_energy(v) - spins.visible_energy(v)[0], atol=5e-3)


@pytest.mark.parametrize(
    ("visible", "hidden"),
    [("phi4", "phi4"), ("phi4", "gaussian"), ("gaussian", "gaussian"), ("ising", "ising")],
)
def test_the_network_is_a_markov_random_field_on_a_bipartite_graph(visible: str, hidden: str) -> None:
    network = small(visible, hidden)
    theory = network.field_theory()
    field = jnp.where(jax.random.bernoulli(jax.random.key(0), 0.5, (5,)), 1.0, -1.0)
    np.testing.assert_allclose(kd.total(theory, field), network.energy(field[:3], field[3:]), rtol=1e-5)


def test_real_and_two_level_layers_are_no_field_theory_of_one_kind() -> None:
    with pytest.raises(InputError, match="no field theory of one kind"):
        small("phi4", "bernoulli").field_theory()


@pytest.mark.parametrize("width", [pytest.param(0.1, marks=[pytest.mark.slow, pytest.mark.ci]), 3.0, 300.0])
def test_gaussian_layers_can_be_normalised_whatever_the_unconstrained_numbers(width: float) -> None:
    network = small("gaussian", "gaussian", 4, 5)
    values = network.unconstrained()
    values["w"] = width * jax.random.normal(jax.random.key(1), (4, 5))
    assert np.isfinite(float(exact_log_partition(network.constrained(values))))


def test_unconstrained_numbers_give_the_network_back() -> None:
    network = small("gaussian", "gaussian", 4, 3)
    np.testing.assert_allclose(network.constrained(network.unconstrained()).w, network.w, atol=2e-4)


def test_the_path_between_two_networks_is_linear_in_the_couplings() -> None:
    first, last = small("phi4", "ising", seed=1), small("phi4", "ising", seed=2)
    v, h = jnp.ones(3), jnp.ones(2)
    middle = interpolated(first, last, 0.25).energy(v, h)
    np.testing.assert_allclose(middle, 0.75 * first.energy(v, h) + 0.25 * last.energy(v, h), rtol=1e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Phi4Network(jnp.zeros((3, 3)), BernoulliUnit(np.zeros(3)), IsingUnit(np.zeros(2))),
            r"shape is \(3, 2\)",
        ),
        (
            lambda: Phi4Network(jnp.full((1, 1), np.inf), IsingUnit(np.zeros(1)), IsingUnit(np.zeros(1))),
            "NaN or infinity",
        ),
        (
            lambda: Phi4Network(
                np.array([[1.5]]), GaussianUnit(np.zeros(1), 0.5), GaussianUnit(np.zeros(1), 0.5)
            ),
            "not positive",
        ),
        (lambda: exact_log_partition(Phi4Network.random("phi4", 9, "phi4", 9)), "too large for an exact"),
    ],
)
def test_what_is_no_network_is_refused_in_one_line(make, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)
