"""Markov random fields of potentials of maximal cliques: their action, local changes, and what is refused."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kadanoff.actions import InhomogeneousPhi4, MarkovRandomField, conjugate
from kadanoff.errors import InputError
from kadanoff.graph import Graph

pytestmark = pytest.mark.exact

TRIANGLES = Graph.grid((4, 4), "triangular")
KITE = Graph([(0, 1), (1, 2), (2, 0), (2, 3)])


class Triples(eqx.Module):
    """ln psi with a coupling of its own for every triangle."""

    strength: jax.Array

    def __call__(self, values):
        return self.strength * values.prod(axis=-1) - (values**4).sum(axis=-1)


def total(action, field):
    return jax.jit(lambda field: action.density(field).sum())(field)


def normal(shape, seed=0):
    return jax.random.normal(jax.random.key(seed), shape)


def test_the_action_is_minus_the_sum_of_log_potentials() -> None:
    field = np.asarray(normal((4, 4)))
    action = MarkovRandomField(TRIANGLES, lambda x: jnp.exp(0.3 * x.prod(axis=-1) - (x**2).sum(axis=-1)))
    x = field
    products = [
        x * np.roll(x, -1, 0) * np.roll(x, (-1, -1), (0, 1)),
        x * np.roll(x, -1, 1) * np.roll(x, (-1, -1), (0, 1)),
    ]
    expected = -0.3 * sum(p.sum() for p in products) + 6 * (x**2).sum()  # every site lies in six triangles
    assert float(total(action, jnp.asarray(field))) == pytest.approx(expected, rel=1e-5)


def test_pairs_as_potentials_are_the_inhomogeneous_action() -> None:
    graph = Graph.grid((4, 4))
    pairs = InhomogeneousPhi4.random(graph, seed=2)
    cliques = graph.maximal_cliques[2]
    order = [
        int(np.flatnonzero((np.sort(graph.edges, axis=1) == clique).all(axis=1))[0]) for clique in cliques
    ]
    share_a, share_b = (np.asarray(g).ravel()[cliques] / 4 for g in (pairs.a, pairs.b))
    w = np.asarray(pairs.w)[order]

    def log_psi(x):
        return w * x[:, 0] * x[:, 1] - (share_a * x**2 + share_b * x**4).sum(axis=1)

    field = normal((4, 4))
    action = MarkovRandomField(graph, log_psi, log=True)
    assert float(total(action, field)) == pytest.approx(float(total(pairs, field)), rel=1e-5)


def test_sites_of_one_colour_change_the_action_each_by_its_own() -> None:
    action = MarkovRandomField(TRIANGLES, Triples(normal((32,), 1)), log=True)
    old, moved = normal((4, 4)), normal((4, 4), 2)
    new = jnp.where(TRIANGLES.colouring == 1, moved, old)
    rise = np.asarray(action.rise(old, new))
    value = jax.jit(lambda field: action.density(field).sum())
    for site in zip(*np.nonzero(TRIANGLES.colouring == 1), strict=True):
        alone = old.at[site].set(moved[site])
        assert rise[site] == pytest.approx(float(value(alone) - value(old)), abs=2e-4)


def test_couplings_of_a_potential_have_conjugate_operators() -> None:
    action = MarkovRandomField(TRIANGLES, Triples(normal((32,), 1)), log=True)
    field = normal((4, 4))
    found = conjugate(action, field).potentials[3].strength
    expected = -np.asarray(field).ravel()[TRIANGLES.maximal_cliques[3]].prod(axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_every_size_of_cliques_has_its_potential() -> None:
    action = MarkovRandomField(KITE, {2: lambda x: 2 + 0 * x[:, 0], 3: lambda x: 3 + 0 * x[:, 0]}, spins=True)
    assert float(total(action, jnp.ones(4))) == pytest.approx(-np.log(6))
    assert "1 of 2 sites, 1 of 3 sites" in repr(action)


@pytest.mark.parametrize(
    ("potentials", "message"),
    [
        ({2: lambda x: jnp.exp(x[:, 0])}, r"cliques of \[2, 3\] sites: give one potential"),
        (lambda x: x.prod(axis=-1), r"that of the clique of sites \[2, 3\] is -"),
        (lambda x: jnp.exp(100 * x[:, 0] ** 2), "is inf at"),
        (lambda x: x.prod(), "one number a clique"),
        (lambda x: jnp.full(len(x), jnp.nan), "is nan at"),
    ],
)
def test_bad_potentials_are_refused_in_one_line(potentials, message: str) -> None:
    with pytest.raises(InputError, match=message) as refused:
        MarkovRandomField(KITE, potentials)
    assert "\n" not in str(refused.value)
