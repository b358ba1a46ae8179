"""Graphs: edges, neighbours, colourings, and what is refused."""

import copy
import pickle

import jax.numpy as jnp
import networkx
import numpy as np
import pytest

from kadanoff.errors import InputError
from kadanoff.graph import Graph
from kadanoff.lattice import Lattice

pytestmark = pytest.mark.exact

GRAPHS = {
    "square": Graph.grid((4, 6)),
    "double links": Graph.grid((2, 2)),
    "odd": Graph.grid((3, 5)),
    "cubic": Graph.grid((2, 4, 4)),
    "triangular": Graph.grid((6, 6), "triangular"),
    "diagonals": Graph.grid((4, 4), "diagonals"),
    "complete": Graph.complete(5),
    "bipartite": Graph.bipartite(3, 4),
    "tree": Graph([(3, 1), (1, 0), (1, 2)]),
}


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_no_two_neighbours_share_a_colour(graph: Graph) -> None:
    colour = graph.colouring.ravel()
    assert graph.colouring.shape == graph.shape
    assert np.all(colour[graph.edges[:, 0]] != colour[graph.edges[:, 1]])


@pytest.mark.parametrize("name", ["square", "double links", "cubic", "bipartite", "tree"])
def test_bipartite_graphs_take_two_colours(name: str) -> None:
    assert GRAPHS[name].colours == 2


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_neighbours_are_the_ends_of_the_edges(graph: Graph) -> None:
    site, edge, valid = graph.neighbours
    own = np.broadcast_to(np.arange(graph.volume)[:, None], site.shape)
    found = np.stack([own[valid], site[valid], edge[valid]], axis=1)
    numbers = np.arange(len(graph.edges))[:, None]
    both = np.concatenate([np.hstack([graph.edges, numbers]), np.hstack([graph.edges[:, ::-1], numbers])])
    assert sorted(map(tuple, found)) == sorted(map(tuple, both))
    assert np.array_equal(valid.sum(axis=1), graph.degrees)


def test_a_grid_links_the_neighbours_of_the_lattice() -> None:
    lattice, graph = Lattice((4, 6)), GRAPHS["square"]
    field = np.random.default_rng(0).normal(size=lattice.shape).astype(np.float32)
    site, _, valid = graph.neighbours
    sums = np.where(valid, field.ravel()[site], 0).sum(axis=1).reshape(lattice.shape)
    np.testing.assert_allclose(sums, lattice.neighbour_sum(jnp.asarray(field)), atol=1e-5)


@pytest.mark.parametrize(("kind", "degree"), [("square", 4), ("triangular", 6), ("diagonals", 8)])
def test_degrees_of_grids(kind: str, degree: int) -> None:
    assert np.all(Graph.grid((4, 4), kind).degrees == degree)


def test_a_million_edges() -> None:
    graph = Graph.grid((708, 708))
    assert len(graph.edges) > 10**6
    assert graph.neighbours[0].shape == (708**2, 4)


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_maximal_cliques_are_joined_and_have_no_room_for_another_site(graph: Graph) -> None:
    joined = np.eye(graph.volume, dtype=bool)
    joined[graph.edges[:, 0], graph.edges[:, 1]] = joined[graph.edges[:, 1], graph.edges[:, 0]] = True
    covered = np.eye(graph.volume, dtype=bool)
    for size, cliques in graph.maximal_cliques.items():
        assert cliques.shape[1] == size
        assert len(np.unique(cliques, axis=0)) == len(cliques)
        for clique in cliques:
            assert joined[np.ix_(clique, clique)].all()
            assert joined[clique].all(axis=0).sum() == size
            covered[np.ix_(clique, clique)] = True
    assert np.array_equal(covered, joined)  # every edge lies in a clique


@pytest.mark.parametrize(
    ("graph", "count"),
    [
        (Graph.grid((6, 6)), {2: 72}),
        (Graph.grid((6, 6), "triangular"), {3: 72}),
        (Graph.grid((6, 6), "diagonals"), {4: 36}),
        (Graph.complete(5), {5: 1}),
        (Graph([(0, 1), (1, 2), (2, 0), (2, 3)]), {2: 1, 3: 1}),
    ],
)
def test_cliques_of_the_talk(graph: Graph, count: dict[int, int]) -> None:
    assert {size: len(cliques) for size, cliques in graph.maximal_cliques.items()} == count


def test_a_periodic_lattice_of_other_steps() -> None:
    graph = Graph.periodic((5, 5), [(1, 0), (0, 1), (2, 0), (0, 2)])
    assert np.all(graph.degrees == 8)
    assert not graph.is_lattice
    assert Graph.periodic((4, 6), [(1, 0), (0, 1)]) == GRAPHS["square"]
    assert not Graph.periodic((5, 5), [(1, 0), (1, 1)]).is_lattice  # two steps, but no square lattice


def test_a_networkx_graph_has_the_same_links() -> None:
    names = networkx.Graph([("a", "b"), ("b", "c"), ("c", "a"), ("c", "d")])
    assert Graph.from_networkx(names) == Graph([(0, 1), (0, 2), (1, 2), (2, 3)])
    assert Graph.from_networkx(networkx.MultiGraph([(0, 1), (0, 1)])).degrees.tolist() == [2, 2]


def test_graphs_are_frozen_and_compare_by_edges() -> None:
    graph = Graph.complete(3)
    assert graph == Graph([(0, 1), (0, 2), (1, 2)])
    assert hash(graph) == hash(Graph.complete(3))
    assert graph != Graph([(0, 1), (1, 2), (0, 2)])
    assert Graph.grid((4,)) != Graph.grid((4,)).edges
    with pytest.raises(AttributeError, match="frozen"):
        graph.shape = (4,)
    with pytest.raises(ValueError, match="read-only"):
        graph.edges[0, 0] = 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Graph([(0, 1), (1, 1)]), "site 1 is joined to itself"),
        (lambda: Graph([(0, 1), (2, 3)]), r"2 parts \(no path from site 0 to site 2\)"),
        (lambda: Graph([(0, 1)], sites=3), "2 parts"),
        (lambda: Graph([(0, 1, 2)]), "pairs of whole numbers"),
        (lambda: Graph([]), "pairs of whole numbers"),
        (lambda: Graph(np.empty((0, 2), int)), "no edges"),
        (lambda: Graph([(0, 1), (2,)]), "pairs of whole numbers"),
        (lambda: Graph(np.array([(0.0, 1.0)])), "pairs of whole numbers"),
        (lambda: Graph([(0, -1)]), "join sites 0 to"),
        (lambda: Graph([(0, 5)], sites=3), "join sites 0 to 2"),
        (lambda: Graph.grid((4, 4), "hexagonal"), "unknown kind of grid"),
        (lambda: Graph.grid((4, 4, 4), "triangular"), "two dimensions"),
        (lambda: Graph.grid((1, 4)), "2 or more"),
        (lambda: Graph.periodic((4, 4), [(1,)]), "2 whole numbers each"),
        (lambda: Graph.periodic((4, 4), [(1, 0), (0, 1), (4, 0)]), "to itself"),
        (lambda: Graph.periodic((4,), [(2,)]), "2 parts"),
        (lambda: Graph.from_networkx(networkx.DiGraph([(0, 1)])), "undirected links"),
        (lambda: Graph.from_networkx(networkx.Graph([(0, 1), (1, 1)])), "joined to itself"),
        (lambda: Graph.complete(1), "2 sites or more"),
        (lambda: Graph.bipartite(0, 3), "a site or more"),
    ],
)
def test_bad_graphs_are_refused_in_one_line(make, message: str) -> None:
    with pytest.raises(InputError, match=message) as refused:
        make()
    assert "\n" not in str(refused.value)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    "make",
    [
        lambda: Graph([(0, 1)], sites=2.0),  # pyright: ignore[reportArgumentType]
        lambda: Graph.complete(2.5),  # pyright: ignore[reportArgumentType]
        lambda: Graph.bipartite(1.5, 2),  # pyright: ignore[reportArgumentType]
        lambda: Graph.periodic((6,), [(1.5,)]),  # pyright: ignore[reportArgumentType]
    ],
)
def test_sites_and_steps_are_whole_numbers(make):
    with pytest.raises(InputError, match="whole number"):
        make()


@pytest.mark.parametrize("again", [copy.deepcopy, lambda graph: pickle.loads(pickle.dumps(graph))])
@pytest.mark.parametrize("name", GRAPHS)
def test_copies_are_frozen_too(again, name):
    graph = GRAPHS[name]
    assert graph.degrees.sum() == 2 * len(graph.edges)  # kept with the graph, not with its copy
    copied = again(graph)
    assert copied == graph and hash(copied) == hash(graph) and copied.steps == graph.steps
    assert not copied.edges.flags.writeable
