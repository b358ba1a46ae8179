"""Hammersley and Clifford both ways: actions of cliques are Markov, and Markov actions are products of cliques."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kadanoff.actions import (
    Action,
    InhomogeneousIsing,
    InhomogeneousPhi4,
    Ising,
    LongerRangePhi4,
    MarkovRandomField,
    Phi4,
)
from kadanoff.errors import InputError
from kadanoff.exact import enumerate_spins
from kadanoff.graph import Graph
from kadanoff.markov import canonical_potentials, markov_property

pytestmark = pytest.mark.exact

SQUARE = Graph.grid((5, 5))
FURTHER = Graph.periodic((5, 5), [(1, 0), (0, 1), (2, 0), (0, 2)])
TRIANGLES = Graph.grid((4, 4), "triangular")
KITE = Graph([(0, 1), (1, 2), (2, 0), (2, 3)])


class WithSecondNeighbours(Action):
    """phi^4 with a link of strength g to second neighbours along the axes."""

    phi4: Phi4
    g: float

    def density(self, field):
        return self.phi4.density(field) - self.g * field * (jnp.roll(field, 2, 0) + jnp.roll(field, 2, 1))


class SpinsWithThree(Ising):
    """Ising spins with a term of three in a row."""

    def density(self, field):
        return super().density(field) - 0.2 * field * jnp.roll(field, 1, 0) * jnp.roll(field, 2, 0)


def test_second_neighbours_break_the_property_of_the_first_and_keep_their_own() -> None:
    action = WithSecondNeighbours(Phi4(-0.95, 0.7), 0.25)
    broken = markov_property(action, SQUARE)
    assert not broken
    expected = {tuple(sorted(edge)) for edge in FURTHER.edges[50:].tolist()}
    assert {tuple(pair) for pair in broken.pairs.tolist()} == expected
    np.testing.assert_allclose(broken.strength, 0.25, rtol=1e-5)
    assert "50 pairs that are not joined act on each other" in str(broken)
    kept = markov_property(action, FURTHER)
    assert kept
    assert kept.linked == pytest.approx(1, rel=1e-5)
    assert str(kept) == "the local Markov property holds"


def test_spins_break_it_by_mixed_differences() -> None:
    lattice = Graph.grid((4, 4))
    assert markov_property(Ising(0.4), lattice)
    broken = markov_property(SpinsWithThree(0.4), lattice)
    assert {tuple(pair) for pair in broken.pairs.tolist()} == {
        tuple(sorted((x * 4 + y, (x + 2) % 4 * 4 + y))) for x in range(4) for y in range(4)
    }
    assert np.all(broken.strength <= 0.4 + 1e-5)  # two ways around: 0.2 times the sum of two spins


def test_products_of_clique_potentials_are_markov() -> None:
    action = MarkovRandomField(TRIANGLES, lambda x: jnp.exp(jnp.sin(x.sum(axis=-1)) - (x**2).sum(axis=-1)))
    assert markov_property(action)
    missing = Graph.grid((4, 4))
    broken = markov_property(action, missing)
    assert {tuple(pair) for pair in broken.pairs.tolist()} == {
        tuple(sorted(edge)) for edge in TRIANGLES.edges[32:].tolist()
    }


@pytest.mark.parametrize("kind", ["pairs", "triangles"])
def test_canonical_potentials_of_spins_multiply_back_to_the_probabilities(kind: str) -> None:
    rng = np.random.default_rng(0)
    if kind == "pairs":
        graph = Graph([(0, 1), (1, 2), (2, 3), (3, 0), (3, 4)])
        action = InhomogeneousIsing(graph, rng.normal(size=5), rng.normal(size=5))
    else:
        graph = KITE
        potentials = {
            2: lambda x: 1 + x[:, 0] ** 2 + 0.5 * x[:, 1],
            3: lambda x: jnp.exp(0.7 * x.prod(axis=-1)),
        }
        action = MarkovRandomField(graph, potentials, spins=True)
    exact = enumerate_spins(action, graph)
    found = canonical_potentials(action, exact.fields)
    cliques = found.cliques(graph)
    assert np.abs(found.log_psi[:, ~cliques]).max() < 1e-6
    product = np.exp(found.log_psi[:, cliques].sum(axis=1) - exact.log_partition)
    np.testing.assert_allclose(product, exact.probability, rtol=2e-6)
    # relative to all spins up: a potential is one wherever a spin of its clique is up
    up = exact.fields[:, None, :] == 1
    assert np.abs(found.log_psi[(up & found.subsets).any(axis=2)]).max() < 1e-6


def test_canonical_potentials_of_real_fields_add_up_to_the_action() -> None:
    rng = np.random.default_rng(1)
    graph = Graph.grid((3, 3))
    action = InhomogeneousPhi4(graph, rng.normal(size=18), 1.5, 0.2, rng.normal(size=(3, 3)))
    fields = rng.normal(size=(5, 3, 3)).astype(np.float32)
    found = canonical_potentials(action, fields)
    values = np.asarray(jax.vmap(lambda field: action.density(field).sum())(fields))
    np.testing.assert_allclose(found.log_psi.sum(axis=1), -values, rtol=1e-5, atol=1e-5)
    cliques = found.cliques(graph)
    assert np.abs(found.log_psi[:, ~cliques]).max() < 1e-5
    first = fields.reshape(5, 9)
    np.testing.assert_allclose(
        found.of([0, 3]), np.asarray(action.w)[0] * first[:, 0] * first[:, 3], atol=1e-5
    )
    np.testing.assert_allclose(
        found.of([4]),
        -(action.r[1, 1] * first[:, 4] + 1.5 * first[:, 4] ** 2 + 0.2 * first[:, 4] ** 4),
        atol=1e-5,
    )


def test_a_further_link_shows_as_a_potential_of_no_clique() -> None:
    graph = Graph.grid((4,))
    action = WithSecondNeighboursOnARing(Phi4(0.5, 0.7))
    fields = np.random.default_rng(2).normal(size=(3, 4)).astype(np.float32)
    found = canonical_potentials(action, fields)
    assert not found.cliques(graph)[0b101]
    np.testing.assert_allclose(found.of([0, 2]), 0.6 * fields[:, 0] * fields[:, 2], atol=1e-5)


class WithSecondNeighboursOnARing(Action):
    """phi^4 on a ring with a link of strength 0.3 to second neighbours, double on four sites."""

    phi4: Phi4

    def density(self, field):
        return self.phi4.density(field) - 0.3 * field * jnp.roll(field, 2)


def test_what_is_refused() -> None:
    refusals = {
        "no graph of its own": lambda: markov_property(Phi4(1.0, 1.0)),
        "2048 sites or fewer": lambda: markov_property(Phi4(1.0, 1.0), Graph.grid((64, 64))),
        "one field or more": lambda: markov_property(Phi4(1.0, 1.0), SQUARE, samples=0),
        "are not finite": lambda: markov_property(WithSecondNeighbours(Phi4(1.0, 1.0), float("nan")), SQUARE),
        "16 sites or fewer": lambda: canonical_potentials(Phi4(1.0, 1.0), np.zeros((1, 5, 5))),
    }
    for message, call in refusals.items():
        with pytest.raises(InputError, match=message):
            call()


def test_complex_actions_have_the_property_of_both_their_parts():
    action = LongerRangePhi4(-0.9 + 0.1j, 0.7, next_nearest=0.2)
    assert not markov_property(action, SQUARE) and markov_property(action, Graph.grid((5, 5), "diagonals"))
    assert not markov_property(LongerRangePhi4(-0.9, 0.7, next_nearest=0.2j), SQUARE)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: markov_property(InhomogeneousIsing(TRIANGLES, 0.1), SQUARE), "fails on a field of shape"),
        (lambda: markov_property(Phi4(1.0, 1.0), SQUARE, tolerance=float("nan")), "tolerance"),
        (lambda: markov_property(Phi4(1.0, 1.0), SQUARE, samples=1.5), "whole number"),
        (lambda: canonical_potentials(Ising(0.3), np.array([[[0, 1], [1, 1]]])), r"other than \+1 and -1"),
        (lambda: canonical_potentials(Phi4(1.0, 1.0), np.full((1, 2, 2), np.nan)), "finite"),
        (lambda: canonical_potentials(LongerRangePhi4(1.0, 1.0), np.ones((1, 4))), "two dimensions"),
        (lambda: canonical_potentials(Phi4(1.0, 1.0), np.ones((1, 2, 2))).of([-1]), "sites are 0 to 3"),
        (lambda: canonical_potentials(Phi4(1.0, 1.0), np.ones((1, 2, 2))).of([4]), "sites are 0 to 3"),
        (lambda: canonical_potentials(Phi4(1.0, 1.0), np.ones((1, 2, 2))).cliques(SQUARE), "other sites"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(ask, said):
    with pytest.raises(InputError, match=said) as refused:
        ask()
    assert "\n" not in str(refused.value)
