"""Training: gradients beside the exact ones, chains that sample the model, centring, and what cannot diverge."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kadanoff.errors import InputError
from kadanoff.network import (
    ContrastiveDivergence,
    Persistent,
    Phi4Network,
    Tempered,
    Training,
    exact_log_likelihood,
)
from kadanoff.network.centring import moved, network_about, recentred
from kadanoff.network.chains import chains_of
from kadanoff.network.units import GaussianUnit, IsingUnit

DATA = np.random.default_rng(0).choice([-1.0, 1.0], size=(200, 5), p=[0.3, 0.7]).astype(np.float32)
CASES = [
    pytest.param("phi4", "ising", ContrastiveDivergence(200), marks=pytest.mark.slow),
    pytest.param("ising", "bernoulli", Persistent(200), marks=[pytest.mark.slow, pytest.mark.ci]),
    pytest.param("phi4", "ising", Tempered(60, 4), marks=pytest.mark.slow),
    pytest.param("gaussian", "phi4", Persistent(200), marks=pytest.mark.slow),
    pytest.param("phi4", "phi4", Tempered(60, 4), marks=pytest.mark.slow),
]


def trained_a_little(visible: str, hidden: str) -> Phi4Network:
    network = Phi4Network.random(visible, 3, hidden, 2, seed=5, width=0.6)
    return network


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("visible", "hidden", "chains"), CASES, ids=lambda c: c if isinstance(c, str) else type(c).__name__
)
def test_the_gradient_of_the_chains_is_the_exact_one(visible: str, hidden: str, chains) -> None:
    """Every coupling within 4.5 errors: the model's side from chains long after they forgot their start."""
    network = trained_a_little(visible, hidden)
    data = jnp.asarray(DATA[:, :3])
    base = Phi4Network(jnp.zeros_like(network.w), network.visible, network.hidden)
    start = jnp.asarray(np.resize(DATA[:, :3], (2000, 3)))
    v = chains.draw(jax.random.key(1), network, base, chains.init(jax.random.key(2), base, 2000), start).v

    def exact(network: Phi4Network) -> jax.Array:
        return exact_log_likelihood(network, data).mean()

    def energy(network: Phi4Network, v: jax.Array) -> jax.Array:
        return network.visible_energy(v)

    expected = jax.grad(exact)(network)
    observed = jax.grad(lambda n: energy(n, data).mean())(network)
    terms = jax.vmap(lambda v: jax.grad(energy)(network, v))(v)
    for want, plus, each in zip(*map(jax.tree_util.tree_leaves, (expected, observed, terms)), strict=True):
        each = np.asarray(each, np.float64)
        error = each.std(axis=0) / np.sqrt(len(each))
        assert np.all(np.abs(each.mean(axis=0) - np.asarray(plus) - np.asarray(want)) < 4.5 * error + 1e-4)


@pytest.mark.exact
@pytest.mark.parametrize(("visible", "hidden"), [("phi4", "bernoulli"), ("gaussian", "gaussian")])
def test_offsets_move_couplings_but_not_the_network(visible: str, hidden: str) -> None:
    network = Phi4Network.random(visible, 5, hidden, 3, seed=1, width=0.2)
    offsets = (jnp.arange(5.0), jnp.ones(3))
    values = moved(network.unconstrained(), network.w, offsets, 1.0)
    same = network_about(network, values, offsets)
    values, offsets = recentred(network, values, offsets, jnp.asarray(DATA))
    for other in (same, network_about(network, values, offsets)):
        for ours, theirs in zip(*map(jax.tree_util.tree_leaves, (network, other)), strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-4)


@pytest.mark.statistical
def test_training_raises_the_exact_likelihood_of_data_with_structure() -> None:
    """Two features that agree nine times in ten: 0.368 nats to gain over independent units; most of it is gained."""
    rng = np.random.default_rng(1)
    first = rng.choice([-1.0, 1.0], size=400)
    x = np.stack([first, first * rng.choice([1.0, -1.0], size=400, p=[0.9, 0.1])], axis=1).astype(np.float32)
    training = Training(batch_size=100, total_epochs=60, learning_rate=0.02)
    network = training.fit(training.init(Phi4Network.random("ising", 2, "ising", 2), x), x).network
    gained = float(exact_log_likelihood(network, jnp.asarray(x)).mean()) + 2 * np.log(2)
    assert 0.31 < gained < 0.43


@pytest.mark.statistical
@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.parametrize(("refresh", "share"), [(0.05, 0.475), (0.0, 0.0)])
def test_only_chains_that_start_anew_leave_a_mode(refresh: float, share: float) -> None:
    """Two modes that Gibbs steps never join: all chains begin in one, the data fill both, within 5 sigma of 1/2."""
    network = Phi4Network(jnp.full((12, 1), 3.0), IsingUnit(jnp.zeros(12)), IsingUnit(jnp.zeros(1)))
    chains, states = Persistent(refresh=refresh), jnp.ones((2000, 12))
    batch = states * jnp.where(jnp.arange(2000) % 2 == 0, 1.0, -1.0)[:, None]
    for step in jax.random.split(jax.random.key(4), 60):
        states = chains.draw(step, network, network, states, batch).kept
    # A chain has started anew with probability 1 - 0.95^60 = 0.954, half of the times in the other mode.
    assert float((states.mean(axis=1) < 0).mean()) == pytest.approx(
        share, abs=5 * 0.5 / 2000**0.5 * (refresh > 0)
    )


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.exact
def test_training_goes_on_with_the_same_bits_and_stops_when_told() -> None:
    training = Training(batch_size=64, total_epochs=4)
    start = training.init(Phi4Network.random("phi4", 5, "ising", 3), DATA)
    whole = training.fit(start, DATA)
    part = training.fit(start, DATA, lambda state, epoch: state.epochs == 2)
    assert part.epochs == 2
    for ours, theirs in zip(*map(jax.tree_util.tree_leaves, (whole, training.fit(part, DATA))), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.exact
@pytest.mark.parametrize(
    ("visible", "hidden", "optimiser"),
    [
        pytest.param("phi4", "bernoulli", "adam", marks=[pytest.mark.slow, pytest.mark.ci]),
        ("gaussian", "gaussian", "sgd"),
        pytest.param("phi4", "bernoulli", "sgd", marks=pytest.mark.slow),
        pytest.param("gaussian", "gaussian", "adam", marks=pytest.mark.slow),
        pytest.param("phi4", "phi4", "sgd", marks=pytest.mark.slow),
    ],
)
def test_no_learning_rate_leads_to_nan(visible: str, hidden: str, optimiser: str) -> None:
    x = np.random.default_rng(2).normal(size=(64, 5)).astype(np.float32) * np.array(
        [1, 1, 0.01, 0, 20], np.float32
    )
    training = Training(
        batch_size=16, total_epochs=30, learning_rate=1.0, optimiser=optimiser, schedule="constant"
    )
    state = training.fit(training.init(Phi4Network.random(visible, 5, hidden, 3), x), x)
    assert all(np.isfinite(np.asarray(leaf)).all() for leaf in jax.tree_util.tree_leaves(state.network))
    assert np.isfinite(np.asarray(state.network.visible_energy(jnp.asarray(x)))).all()


@pytest.mark.exact
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Training(learning_rate=0.0), "learning_rate must be positive"),
        (lambda: Training(optimiser="newton"), "unknown optimiser 'newton'"),
        (lambda: Training(schedule="step"), "unknown schedule 'step'"),
        (lambda: Training(weight_decay=-1.0), "must not be negative"),
        (lambda: Training(weight_decay=float("nan")), "weight_decay must be a finite number, got nan"),
        (lambda: Training(learning_rate=float("inf")), "learning_rate must be a finite number, got inf"),
        (lambda: Training(clip=float("inf")), "clip must be a finite number"),
        (lambda: Training(smoothing=float("nan")), "smoothing must be a finite number"),
        (lambda: chains_of("persistent", 0), "steps must be 1 or more"),
        (lambda: Persistent(0), "1 step or more"),
        (lambda: Persistent(1, 1.5), "a probability between 0 and 1, got 1.5"),
        (lambda: Tempered(replicas=1), "2 replicas or more"),
        (lambda: chains_of("annealed"), "unknown training 'annealed'"),
    ],
)
def test_options_out_of_range_are_refused_in_one_line(make, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


@pytest.mark.exact
def test_starts_that_are_no_densities_are_refused() -> None:
    data = np.random.default_rng(0).normal(size=(32, 5))
    data[3, 2] = np.nan
    with pytest.raises(InputError, match="NaN"):
        Training().init(Phi4Network.random("phi4", 5, "bernoulli", 3), data)
    wide = Phi4Network(
        jnp.full((5, 3), 0.5), GaussianUnit(jnp.zeros(5), 4.0), GaussianUnit(jnp.zeros(3), 0.5)
    )
    with pytest.raises(InputError, match="not positive"):  # fitted to data, the visible units are wider
        Training().init(wide, 3 * np.nan_to_num(data))


@pytest.mark.exact
def test_training_shares_no_memory_with_its_data() -> None:
    training, network = Training(total_epochs=3), Phi4Network.random("gaussian", 4, "bernoulli", 3)
    given = np.random.default_rng(0).normal(size=(1 << 10) + 16).astype(np.float32)
    x = given[(-given.ctypes.data % 64) // 4 :][: 1 << 10].reshape(256, 4)
    begun = training.init(network, x)
    expected = training.fit(begun, x.copy())
    spoilt = training.fit(begun, x, lambda state, epoch: bool(x.fill(7)))
    np.testing.assert_array_equal(spoilt.network.w, expected.network.w)
