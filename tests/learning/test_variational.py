"""Variational learning against exact quadrature on the 2 x 2 grid with its double links, and what is refused."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jaxtyping import Array
from scipy.optimize import minimize

from kadanoff.actions import Action, InhomogeneousIsing, InhomogeneousPhi4, Ising, Phi4
from kadanoff.errors import InputError, PrecisionWarning, StoreError
from kadanoff.graph import Graph
from kadanoff.lattice import Lattice
from kadanoff.learning import VariationalFit, bound_gradient, fit_variational, natural_gradient
from kadanoff.learning.trained import Trained
from kadanoff.learning.variational import _is_noise, _require_finite
from kadanoff.sampling import Metropolis

GRAPH = Graph.grid((2, 2))
TRAIN = ("w", "a", "b")


class Sextic(Action):
    """A target outside the family: a link across, and a sixth power."""

    def density(self, field):
        across = field * jnp.roll(field, (1, 1), (0, 1))
        links = field * (jnp.roll(field, -1, 0) + jnp.roll(field, -1, 1))
        return field**2 - 0.3 * links - 0.2 * across + 0.1 * field**4 + 0.02 * field**6


def nodes(count: int, reach: float = 3.6) -> tuple[jax.Array, jax.Array]:
    """Gauss-Legendre nodes of four sites, and the logarithms of their weights."""
    x, weight = np.polynomial.legendre.leggauss(count)
    grids = np.meshgrid(*[reach * x] * 4, indexing="ij")
    weights = np.meshgrid(*[np.log(reach * weight)] * 4, indexing="ij")
    return jnp.asarray(np.stack(grids, -1).reshape(-1, 2, 2)), jnp.asarray(sum(weights).ravel())


def exact_divergence(vector, trained: Trained, fields, log_weights, target) -> jax.Array:
    """KL(p||q) of the couplings in a vector, all of it by quadrature."""
    model = trained.with_vector(vector)
    s, a = (jax.vmap(lambda phi, f=f: jnp.sum(f.density(phi)))(fields) for f in (model, target))
    log_p = log_weights - s - jax.nn.logsumexp(log_weights - s)
    log_q = log_weights - a - jax.nn.logsumexp(log_weights - a)
    return jnp.sum(jnp.exp(log_p) * (log_p - log_q))


@pytest.mark.exact
@pytest.mark.slow
@pytest.mark.ci
def test_the_gradient_is_that_of_the_exact_divergence() -> None:
    with jax.enable_x64(True):
        fields, log_weights = nodes(7)
        trained, target = Trained(InhomogeneousPhi4.random(GRAPH, seed=2)), Sextic()
        arguments = (trained, fields, log_weights, target)
        expected = jax.grad(exact_divergence)(trained.vector(), *arguments)
        action = jax.vmap(lambda phi: jnp.sum(trained.action.density(phi)))(fields)
        found = bound_gradient(trained.action, target, fields, jax.nn.softmax(log_weights - action))
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-11)
        assert found.shape == (8 + 3 * 4,) and np.abs(expected).max() > 0.05


@pytest.fixture(scope="module")
def optimum() -> tuple[float, np.ndarray]:
    """The smallest exact divergence from the sextic target, by quadrature, and where it is."""
    with jax.enable_x64(True):
        fields, log_weights = nodes(14)
        trained = Trained(InhomogeneousPhi4(GRAPH, w=0.3, a=1.0, b=0.2), TRAIN)
        value = jax.jit(
            jax.value_and_grad(lambda v: exact_divergence(v, trained, fields, log_weights, Sextic()))
        )
        start = np.asarray(trained.vector())
        found = minimize(
            lambda v: tuple(np.asarray(x) for x in value(jnp.asarray(v))), start, jac=True, tol=1e-12
        )
        return float(found.fun), np.asarray(found.x)


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.statistical
@pytest.mark.parametrize("optimiser", ["natural", optax.adam(0.02)], ids=["natural", "adam"])
def test_the_fit_finds_the_smallest_exact_divergence(optimum, optimiser) -> None:
    start = InhomogeneousPhi4.random(GRAPH, seed=1)
    fit = fit_variational(start, Sextic(), optimiser, train=TRAIN, epochs=400, chains=256, seed=4)
    assert fit.converged and "noise" in fit.reason
    with jax.enable_x64(True):
        fields, log_weights = nodes(14)
        trained = Trained(
            InhomogeneousPhi4(GRAPH, *(np.asarray(getattr(fit.model, n)) for n in TRAIN)), TRAIN
        )
        found = float(exact_divergence(trained.vector(), trained, fields, log_weights, Sextic()))
    # three times the noise of a round: Var(A - S) P / (2 N) for N configurations of about five independent epochs
    allowed = 3 * fit.variance[-1] * 16 / (2 * 256 * 5)
    assert 0 <= found - optimum[0] < allowed < 0.1 * optimum[0]


@pytest.mark.statistical
def test_plain_descent_reaches_a_target_within_the_family() -> None:
    target = InhomogeneousPhi4(GRAPH, w=0.4, a=1.0, b=0.5)
    start = InhomogeneousPhi4(GRAPH, w=0.1, a=1.4, b=0.4)
    fit = fit_variational(start, target, optax.sgd(0.5), train=TRAIN, chains=256, epochs=600, tolerance=1e-5)
    assert fit.converged and "KL" in fit.reason
    assert fit.variance[-1] / 2 < 4e-5 < fit.variance[0] / 200
    assert np.array_equal(fit.model.r, start.r)
    assert fit.couplings["w"].shape == (fit.epochs, 8) and np.allclose(fit.couplings["w"][0], 0.1)
    assert np.allclose(fit.at(0).a, 1.4) and "16 couplings by an optimiser" in str(fit)


@pytest.mark.exact
def test_a_model_that_is_the_target_stays_there() -> None:
    target = InhomogeneousPhi4(GRAPH, w=0.4, a=1.0, b=0.5)
    fit = fit_variational(target, target, "descent", train=TRAIN, chains=256, epochs=600)
    assert isinstance(fit, VariationalFit) and fit.converged and fit.epochs == 20
    assert np.abs(fit.bound).max() < 1e-5


def quartic_well(depth: float) -> Callable[[Array], Array]:
    """A target whose depth is seen from outside of the function."""
    return lambda field: jnp.sum(field**2 + depth * field**4)


@pytest.mark.exact
@pytest.mark.filterwarnings("ignore::kadanoff.errors.PrecisionWarning")
@pytest.mark.parametrize(
    "other",
    [
        {"optimiser": optax.adam(0.02)},
        {"optimiser": optax.adam(optax.cosine_decay_schedule(0.01, 100))},
        {"target": quartic_well(0.6)},
        {"target": partial(lambda depth, field: jnp.sum(depth * field**4), 0.5)},
    ],
    ids=["rate", "schedule", "closure", "function"],
)
def test_what_rates_and_functions_see_from_outside_is_part_of_a_checkpointed_call(
    tmp_path: Path, other: dict[str, Any]
) -> None:
    call = {
        "optimiser": optax.adam(0.01),
        "target": quartic_well(0.5),
        "checkpoint": tmp_path,
        "tolerance": 0,
    }
    counts = {"epochs": 40, "chains": 16, "sweeps": 1}
    start = InhomogeneousPhi4(GRAPH, w=0.1, a=1.4, b=0.4)
    first = fit_variational(start, **call, **counts)
    again = fit_variational(
        start, **{**call, "optimiser": optax.adam(0.01), "target": quartic_well(0.5)}, **counts
    )
    np.testing.assert_array_equal(first.model.w, again.model.w)
    with pytest.raises(StoreError, match="another request"):
        fit_variational(start, **{**call, **other}, **counts)


@pytest.mark.exact
def test_an_optimiser_that_asks_for_values_is_refused() -> None:
    start = InhomogeneousPhi4(GRAPH, w=0.1, a=1.4, b=0.4)
    with pytest.raises(InputError, match="no step of a gradient and couplings alone"):
        fit_variational(start, start, optax.lbfgs(), chains=16)


@pytest.mark.exact
def test_positive_couplings_fall_by_half_at_most() -> None:
    trained = Trained(InhomogeneousPhi4(GRAPH, w=0.4, a=1.0, b=0.5), ("a", "b"))
    moved = trained.bounded(trained.vector() - 2.0, trained.vector())
    np.testing.assert_allclose(moved, [-1.0] * 4 + [0.25] * 4)
    free = Trained(Phi4(-1.0, 0.5))
    assert float(free.with_vector(free.bounded(free.vector() - 3.0, free.vector())).quartic) == 0.25


@pytest.mark.exact
def test_the_natural_step_is_the_regression_of_the_action_difference() -> None:
    """Where A - S = -delta . D, the full step without damping is delta, whatever the sample."""
    rng = np.random.default_rng(0)
    operators = rng.normal(size=(64, 5)) * [1, 1, 1, 10, 100]
    operators = operators - operators.mean(axis=0)
    delta = np.array([0.1, -0.2, 0.05, 0.01, 1e-3])
    gradient = -((operators @ delta) @ operators) / 64
    step, _ = natural_gradient(1.0, 1e-9).update(
        jnp.asarray(gradient), None, operators=jnp.asarray(operators)
    )
    np.testing.assert_allclose(step, delta, rtol=1e-3)
    short, _ = natural_gradient(1.0, 1e-9, most=1e-4).update(
        jnp.asarray(gradient), None, operators=jnp.asarray(operators)
    )
    moved = np.mean((operators @ np.asarray(short)) ** 2) / 2
    assert moved == pytest.approx(1e-4, rel=1e-3)


@pytest.mark.statistical
@pytest.mark.parametrize("chains", [200, 12], ids=["covariance", "component by component"])
def test_noise_is_told_from_a_gradient(chains: int) -> None:
    noise = np.random.default_rng(0).normal(size=(chains, 4)) * [1, 1, 10, 0]
    assert _is_noise(noise)  # at 5 %, with this seed
    assert not _is_noise(noise + np.array([2.0, 0, 0, 0]))


@pytest.mark.exact
def test_other_actions_are_models_too() -> None:
    fit = fit_variational(
        Phi4(0.5, 0.5),
        Phi4(0.8, 0.3),
        lattice=Lattice((2, 2)),
        sampler=Metropolis(),
        chains=256,
        epochs=80,
        tolerance=1e-6,
    )
    assert fit.converged
    assert abs(float(fit.model.mass2) - 0.8) < 0.03 and abs(float(fit.model.quartic) - 0.3) < 0.03


@pytest.mark.exact
@pytest.mark.filterwarnings("ignore::kadanoff.errors.PrecisionWarning")
@pytest.mark.parametrize(
    ("target", "said"),
    [
        (lambda phi: phi**2, r"returned the shape \(2, 2\) where S is a single number"),
        (lambda phi: jnp.sum(phi**2) + 0.1j, "complex"),
        (lambda phi: jnp.sum(jnp.log(phi)), "not finite on"),
        (lambda phi: np.asarray(phi).sum(), "write it with jax.numpy"),
        ("phi4", "not an action"),
        (InhomogeneousPhi4(Graph.grid((4, 4)), w=1.0, a=1.0, b=0.1), "model and target on one graph"),
        (Ising(0.4), "Ising has spins, .* and InhomogeneousPhi4 real fields"),
    ],
    ids=["no scalar", "complex", "not finite", "numpy", "text", "another graph", "spins"],
)
def test_targets_that_are_none_get_one_line(target, said: str) -> None:
    with pytest.raises(InputError, match=said) as refused:
        fit_variational(InhomogeneousPhi4.random(GRAPH), target, chains=256, epochs=1)
    assert "\n" not in str(refused.value)


@pytest.mark.exact
def test_real_fields_are_no_target_of_spins() -> None:
    with pytest.raises(InputError, match="give two actions of one kind"):
        fit_variational(InhomogeneousIsing(GRAPH, 0.1), Phi4(0.5, 0.5), chains=8, epochs=1)


@pytest.mark.exact
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"optimiser": "newton"}, "choose from descent, adam, natural"),
        ({"train": ("w", "mass2")}, "no coupling 'mass2' to train"),
        ({"train": ()}, "no couplings to train"),
        ({"epochs": 0}, "epochs must be 1 or more"),
        ({"chains": 1}, "chains must be 2 or more"),
    ],
)
def test_bad_options_get_one_line(options: dict, said: str) -> None:
    target = InhomogeneousPhi4(GRAPH, w=0.4, a=1.0, b=0.5)
    arguments = {"optimiser": "natural", "epochs": 40, "chains": 256} | options
    with pytest.raises(InputError, match=said):
        fit_variational(InhomogeneousPhi4.random(GRAPH), target, **arguments)
    with pytest.raises(InputError, match="damping of a natural gradient"):
        natural_gradient(damping=0.0)


@pytest.mark.exact
def test_steps_that_blow_up_are_told_with_their_epoch() -> None:
    record = {"vector": np.zeros((20, 3)), "bound": np.zeros(20)}
    record["bound"][7] = np.nan
    with pytest.raises(InputError, match="target and model became infinite or NaN at epoch 47"):
        _require_finite(record, 40)


@pytest.mark.exact
def test_a_bare_function_is_a_target() -> None:
    with pytest.warns(PrecisionWarning):
        fit = fit_variational(
            InhomogeneousPhi4(GRAPH, w=0.1, a=1.2, b=0.3),
            lambda phi: jnp.sum(phi**2 + 0.4 * phi**4),
            train=TRAIN,
            chains=256,
            epochs=60,
            tolerance=1e-6,
        )
    assert fit.converged and np.abs(np.asarray(fit.model.w)).max() < 0.02


@pytest.mark.exact
@pytest.mark.parametrize("option", ["epochs", "chains", "sweeps"])
@pytest.mark.usefixtures("unchecked")
def test_counts_are_whole_numbers(option):
    model, target = InhomogeneousPhi4.random(GRAPH), InhomogeneousPhi4(GRAPH, 0.2, 1.0, 0.5)
    with pytest.raises(InputError, match=f"{option} must be a whole number"):
        fit_variational(model, target, **{option: 2.5})


@pytest.mark.exact
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"tolerance": "x"}, "tolerance is in nats a site"),
        ({"tolerance": float("nan")}, "tolerance is in nats a site"),
        ({"tolerance": -1.0}, "tolerance is in nats a site"),
        ({"tolerance": None}, "tolerance is in nats a site"),
        ({"sampler": "x"}, "is no sampler"),
        ({"target": InhomogeneousPhi4.random(Graph.complete(3))}, "give model and target on one graph"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_what_is_no_option_is_told(options, said):
    target = InhomogeneousPhi4(GRAPH, 0.2, 1.0, 0.5)
    with pytest.raises(InputError, match=said):
        fit_variational(InhomogeneousPhi4.random(GRAPH), **{"target": target, "chains": 16} | options)
    with pytest.raises(InputError, match="rate of a natural gradient must be a positive number"):
        natural_gradient(rate="x")


@pytest.mark.exact
@pytest.mark.usefixtures("unchecked")
def test_counts_of_numpy_are_counts():
    model, target = InhomogeneousPhi4.random(GRAPH), InhomogeneousPhi4(GRAPH, 0.2, 1.0, 0.5)
    fit = fit_variational(model, target, epochs=np.int64(2), sweeps=np.int64(1), chains=np.int64(16))
    assert fit.epochs == 2
