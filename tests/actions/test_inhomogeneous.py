"""Actions with couplings of their own: their terms, potentials, derivatives, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kadanoff.actions import InhomogeneousIsing, InhomogeneousPhi4, Phi4, conjugate, gradient, total
from kadanoff.errors import InputError
from kadanoff.graph import Graph

pytestmark = pytest.mark.exact

GRAPHS = {
    "double links": Graph.grid((2, 2)),
    "triangular": Graph.grid((3, 4), "triangular"),
    "star": Graph([(3, 1), (1, 0), (1, 2)]),
}


def draw(graph: Graph, seed: int = 0) -> tuple[InhomogeneousPhi4, jax.Array]:
    rng = np.random.default_rng(seed)
    w, r, a, b = rng.normal(size=len(graph.edges)), *rng.normal(size=(3, *graph.shape))
    return InhomogeneousPhi4(graph, w, a, b**2, r), jnp.asarray(rng.normal(size=graph.shape))


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_action_is_the_sum_over_edges_and_sites(graph: Graph) -> None:
    action, field = draw(graph)
    phi, w = np.asarray(field, float).ravel(), np.asarray(action.w, float)
    r, a, b = (np.asarray(g, float).ravel() for g in (action.r, action.a, action.b))
    expected = np.sum(r * phi + a * phi**2 + b * phi**4)
    expected -= sum(w[e] * phi[i] * phi[j] for e, (i, j) in enumerate(graph.edges))
    assert float(total(action, field)) == pytest.approx(expected, rel=1e-5)
    assert float(action.log_clique_potentials(field).sum()) == pytest.approx(-expected, rel=1e-5)


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_local_field_is_the_force_of_the_others(graph: Graph) -> None:
    action, field = draw(graph)
    force = -action.local_field(field) + 2 * action.a * field + 4 * action.b * field**3
    np.testing.assert_allclose(force, gradient(action, field), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_conjugate_operators_are_arrays_of_the_shape_of_the_couplings(graph: Graph) -> None:
    action, field = draw(graph)
    operators = conjugate(action, field)
    flat = field.reshape(-1)
    expected = -flat[graph.edges[:, 0]] * flat[graph.edges[:, 1]]
    np.testing.assert_allclose(operators.w, expected, rtol=1e-5)
    for operator, power in ((operators.r, 1), (operators.a, 2), (operators.b, 4)):
        np.testing.assert_allclose(operator, field**power, rtol=1e-5)


def test_equal_couplings_are_the_homogeneous_theory() -> None:
    action = InhomogeneousPhi4(Graph.grid((2, 4)), w=1.0, a=1.52425, b=0.175)
    field = jax.random.normal(jax.random.key(0), (2, 4))
    np.testing.assert_allclose(action.density(field), Phi4(-0.9515, 0.7).density(field), rtol=1e-4, atol=1e-5)


def test_spins_are_the_real_action_at_plus_and_minus_one() -> None:
    action, _ = draw(GRAPHS["triangular"])
    spins = jnp.where(jax.random.bernoulli(jax.random.key(1), shape=action.graph.shape), 1.0, -1.0)
    ising = InhomogeneousIsing(action.graph, action.w, action.r)
    shift = jnp.sum(action.a + action.b)
    assert float(total(ising, spins) + shift) == pytest.approx(float(total(action, spins)), rel=1e-5)


def test_random_couplings_follow_the_seed() -> None:
    graph = Graph.complete(3)
    first, same, other = (InhomogeneousPhi4.random(graph, seed) for seed in (0, 0, 1))
    assert np.array_equal(first.w, same.w)
    assert not np.array_equal(first.w, other.w)


@pytest.mark.parametrize(
    ("couplings", "message"),
    [
        ({"b": [[1, 1], [-1, 1]]}, r"b=-1 < 0 at site \(1, 0\)"),
        ({"b": [[1, 0], [1, 1]], "a": -1.0}, r"b=0 at site \(0, 1\)"),
        ({"b": [[0, 0], [1, 1]], "a": 0.9}, r"b=0 at site \(0, [01]\)"),  # a double link of 1 against a < 1
        ({"a": [1.0, 1.0]}, r"a has one value for every site, shape \(2, 2\)"),
        ({"a": 1.0 + 0.1j}, "a is complex, and an action that is sampled"),
        ({"w": [1.0, 1.0]}, r"w has one value for every edge, shape \(8,\)"),
        ({"r": [[0, np.nan], [0, 0]]}, r"r at site \(0, 1\) is not"),
        ({"w": [1, 1, np.inf, 1, 1, 1, 1, 1]}, "w at edge 2 is not"),
    ],
)
def test_bad_couplings_are_refused_in_one_line(couplings: dict, message: str) -> None:
    given = {"w": 1.0, "a": 1.0, "b": 1.0} | {name: np.asarray(value) for name, value in couplings.items()}
    with pytest.raises(InputError, match=message) as refused:
        InhomogeneousPhi4(Graph.grid((2, 2)), **given)
    assert "\n" not in str(refused.value)


def test_a_bounded_quadratic_form_without_quartic_terms_is_accepted() -> None:
    b = np.asarray([[0, 0], [1, 1]])
    assert float(InhomogeneousPhi4(Graph.grid((2, 2)), w=1.0, a=1.1, b=b).b.min()) == 0


def test_an_unbounded_form_of_many_sites_is_refused() -> None:
    with pytest.raises(InputError, match="lowest eigenvalue"):
        InhomogeneousPhi4(Graph.grid((32, 32)), w=1.0, a=1.9, b=0.0)


def test_spins_refuse_what_is_no_coupling() -> None:
    with pytest.raises(InputError, match="w at edge 0"):
        InhomogeneousIsing(Graph.complete(3), np.nan)
