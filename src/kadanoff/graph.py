"""Finite graphs: edges, neighbours, colourings; grids of any shape among them."""

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Int
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import breadth_first_order, connected_components

from kadanoff.errors import InputError
from kadanoff.lattice import Lattice
from kadanoff.whole import whole

__all__ = ["Graph"]

#: Second ends of a site's own links on a grid beside the unit steps, by the kind of grid.
_DIAGONALS = {"square": (), "triangular": ((1, 1),), "diagonals": ((1, 1), (1, -1))}


class Graph:
    """A connected graph without self-loops, from its edges (E, 2); an edge given twice is a double link.

    A field on a graph has the graph's `shape`: (n,) in general, the sides for a grid, so that what is known of
    lattices holds for grids too. Sites are numbered in C order of that shape. Graphs are frozen and compare by
    their edges.

    Raises `InputError` for edges that are not pairs of site numbers, self-loops and disconnected graphs.

    >>> graph = Graph([(0, 1), (1, 2), (2, 0)])
    >>> graph.shape, graph.volume, graph.degrees.tolist()
    ((3,), 3, [2, 2, 2])
    """

    shape: tuple[int, ...]
    edges: Int[np.ndarray, "E 2"]
    #: Steps from a site to the far end of its own links on a grid: edge mu V + x leads from x to x + steps[mu].
    steps: tuple[tuple[int, ...], ...]

    def __init__(self, edges: Iterable[Iterable[int]] | np.ndarray, sites: int | None = None) -> None:
        given = edges if isinstance(edges, np.ndarray) else [tuple(edge) for edge in edges]
        ragged = not isinstance(given, np.ndarray) and len({len(edge) for edge in given}) != 1
        pairs = np.empty(0) if ragged else np.asarray(given)
        if pairs.ndim != 2 or pairs.shape[-1] != 2 or not np.issubdtype(pairs.dtype, np.integer):
            raise InputError(
                f"edges must be pairs of whole numbers, shape (E, 2), got {pairs.dtype} {pairs.shape}"
            )
        if not len(pairs):
            raise InputError("a graph has an edge or more, got no edges")
        count = int(pairs.max()) + 1 if sites is None else whole("sites", sites)
        if pairs.min() < 0 or pairs.max() >= count:
            raise InputError(f"edges join sites 0 to {count - 1}, got {pairs.min()} and {pairs.max()}")
        loops = np.flatnonzero(pairs[:, 0] == pairs[:, 1])
        if loops.size:
            raise InputError(f"site {pairs[loops[0], 0]} is joined to itself; remove the self-loop")
        self._set((count,), pairs, ())
        parts, labels = connected_components(self._adjacency, directed=False)
        if parts > 1:
            raise InputError(
                f"the graph falls into {parts} parts (no path from site 0 to site {np.argmax(labels != labels[0])}); "
                "make a graph of each part"
            )

    def _set(self, shape: tuple[int, ...], edges: np.ndarray, steps: tuple[tuple[int, ...], ...]) -> None:
        edges = edges.astype(np.int32)
        edges.flags.writeable = False
        for name, value in (("shape", shape), ("edges", edges), ("steps", steps)):
            object.__setattr__(self, name, value)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A copy, or what was pickled, is frozen like the original."""
        self._set(state["shape"], state["edges"], state["steps"])

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse: a graph is frozen."""
        raise AttributeError(f"a Graph is frozen: {name} cannot be set")

    @classmethod
    def grid(cls, shape: int | Iterable[int], kind: str = "square") -> "Graph":
        """Make a periodic grid of 1 to 4 dimensions; a side of 2 has double links.

        `kind` is "square" (hypercubic), or in two dimensions "triangular" (one diagonal) or "diagonals" (both).

        >>> Graph.grid((4, 4)).edges.shape, Graph.grid((4, 4), "diagonals").edges.shape
        ((32, 2), (64, 2))
        """
        lattice = Lattice(shape)
        if kind not in _DIAGONALS:
            raise InputError(f"unknown kind of grid {kind!r}; choose one of {', '.join(_DIAGONALS)}")
        if _DIAGONALS[kind] and lattice.dimension != 2:
            raise InputError(
                f"a {kind} grid has two dimensions, got {lattice.dimension} sides in {lattice.shape}"
            )
        return cls.periodic(
            lattice.shape, (*np.eye(lattice.dimension, dtype=int).tolist(), *_DIAGONALS[kind])
        )

    @classmethod
    def periodic(cls, shape: int | Iterable[int], steps: Iterable[Iterable[int]]) -> "Graph":
        """Make any periodic lattice: every site x of a torus has links of its own to x + step, for each step.

        A step that leads halfway around gives double links.

        >>> Graph.periodic((6,), [(1,), (2,)]).degrees.tolist()  # a ring with next-nearest neighbours
        [4, 4, 4, 4, 4, 4]
        """
        lattice = Lattice(shape)
        paths = tuple(tuple(whole("a step", along) for along in step) for step in steps)
        if not paths or any(len(step) != lattice.dimension for step in paths):
            raise InputError(
                f"steps on {lattice.shape} are one or more, of {lattice.dimension} whole numbers each, got {paths}"
            )
        around = [step for step in paths if not np.any(np.mod(step, lattice.shape))]
        if around:
            raise InputError(f"step {around[0]} leads every site of {lattice.shape} to itself; leave it out")
        site = np.arange(lattice.volume).reshape(lattice.shape)
        axes = tuple(range(lattice.dimension))
        far = [np.roll(site, tuple(-s for s in step), axes).ravel() for step in paths]
        edges = np.stack([np.tile(site.ravel(), len(paths)), np.concatenate(far)], axis=1)
        unit = np.eye(lattice.dimension, dtype=int).tolist()
        if not all(step in [list(path) for path in paths] for step in unit):
            cls(edges)  # refuses lattices that fall into parts
        graph = cls.__new__(cls)
        graph._set(lattice.shape, edges, paths)
        return graph

    @classmethod
    def complete(cls, sites: int) -> "Graph":
        """Make the graph that joins every pair of sites.

        >>> Graph.complete(4).edges.shape
        (6, 2)
        """
        if whole("sites", sites) < 2:
            raise InputError(f"a complete graph has 2 sites or more, got {sites}")
        return cls(np.stack(np.triu_indices(sites, 1), axis=1))

    @classmethod
    def bipartite(cls, first: int, second: int) -> "Graph":
        """Make the graph that joins each of `first` sites to each of the `second` sites that follow them.

        >>> Graph.bipartite(2, 3).colours
        2
        """
        if min(whole("first", first), whole("second", second)) < 1:
            raise InputError(f"both sides of a bipartite graph have a site or more, got {first} and {second}")
        near, far = np.meshgrid(np.arange(first), first + np.arange(second), indexing="ij")
        return cls(np.stack([near.ravel(), far.ravel()], axis=1))

    @classmethod
    def from_networkx(cls, graph: Any) -> "Graph":
        """Take the graph of a `networkx.Graph`; sites are its nodes in their order, attributes are left behind.

        >>> import networkx
        >>> Graph.from_networkx(networkx.petersen_graph())
        Graph(shape=(10,), edges=15)
        """
        if not hasattr(graph, "nodes") or graph.is_directed():
            raise InputError(
                f"a graph of undirected links is needed, networkx.Graph, got {type(graph).__name__}"
            )
        number = {node: index for index, node in enumerate(graph.nodes)}
        return cls([(number[first], number[second]) for first, second in graph.edges()], sites=len(number))

    @property
    def dimension(self) -> int:
        """Number of axes of a field."""
        return len(self.shape)

    @property
    def volume(self) -> int:
        """Number of sites."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def is_lattice(self) -> bool:
        """Whether this is a hypercubic grid, on which everything defined on a `Lattice` means the same."""
        return self.steps == tuple(map(tuple, np.eye(self.dimension, dtype=int).tolist()))

    @cached_property
    def _adjacency(self) -> csr_array:
        first, second = self.edges.T
        ends = (np.concatenate([first, second]), np.concatenate([second, first]))
        return coo_array((np.ones(2 * len(self.edges)), ends), shape=(self.volume, self.volume)).tocsr()

    @cached_property
    def degrees(self) -> Int[np.ndarray, " n"]:
        """Number of links of every site; a double link counts twice."""
        return np.bincount(self.edges.ravel(), minlength=self.volume)

    @cached_property
    def neighbours(self) -> tuple[Int[np.ndarray, "n D"], Int[np.ndarray, "n D"], Bool[np.ndarray, "n D"]]:
        """Neighbours of every site, the edges that lead there, and which entries count; D is the largest degree.

        >>> Graph([(0, 1), (1, 2)]).neighbours[0].tolist()
        [[1, 0], [2, 0], [1, 0]]
        """
        sites, far = self.edges.T.ravel(), self.edges[:, ::-1].T.ravel()
        order = np.argsort(sites, kind="stable")
        begin = np.concatenate([[0], np.cumsum(self.degrees)[:-1]])
        column = np.arange(len(sites)) - np.repeat(begin, self.degrees)
        shape = (self.volume, int(self.degrees.max()))
        site, edge = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
        site[sites[order], column], edge[sites[order], column] = far[order], order % len(self.edges)
        return site, edge, np.arange(shape[1]) < self.degrees[:, None]

    @cached_property
    def colouring(self) -> Int[np.ndarray, "..."]:
        """Colour of every site such that no two neighbours share one: 2 colours where that is possible.

        Greedy in breadth-first order, which needs two colours on a bipartite graph.

        >>> Graph.grid((2, 2)).colouring.tolist()
        [[0, 1], [1, 0]]
        """
        order, before = breadth_first_order(self._adjacency, 0, directed=False)
        parity = [0] * self.volume
        previous = before.tolist()
        for site in order[1:].tolist():
            parity[site] = 1 - parity[previous[site]]
        two = np.asarray(parity)
        first, second = self.edges.T
        colour = two if np.all(two[first] != two[second]) else self._greedy(order.tolist())
        return colour.reshape(self.shape)

    def _greedy(self, order: list[int]) -> Int[np.ndarray, " n"]:
        """The smallest colour that no neighbour has, site by site; lists are faster than arrays here."""
        colour = [-1] * self.volume
        start: Any = self._adjacency.indptr.tolist()
        far: Any = self._adjacency.indices.tolist()
        for site in order:
            taken = {colour[other] for other in far[start[site] : start[site + 1]]}
            free = 0
            while free in taken:
                free += 1
            colour[site] = free
        return np.asarray(colour)

    @cached_property
    def maximal_cliques(self) -> dict[int, Int[np.ndarray, "c k"]]:
        """Sites of all maximal cliques, each in ascending order, by the number k of their sites.

        A clique is a set of sites each two of which are joined; a maximal one is within no larger one.

        >>> {k: len(found) for k, found in Graph.grid((4, 4), "triangular").maximal_cliques.items()}
        {3: 32}

        Source: C. Bron, J. Kerbosch, Comm. ACM 16 (1973) 575, by networkx.
        """
        import networkx  # slow to import, and only cliques want it

        graph = networkx.Graph()
        graph.add_edges_from(self.edges.tolist())
        found: dict[int, list[list[int]]] = {}
        for clique in networkx.find_cliques(graph):
            found.setdefault(len(clique), []).append(sorted(clique))
        return {size: np.asarray(sorted(found[size]), np.int32) for size in sorted(found)}

    @cached_property
    def colours(self) -> int:
        """Number of colours of `colouring`."""
        return int(self.colouring.max()) + 1

    @cached_property
    def _identity(self) -> tuple[tuple[int, ...], tuple[tuple[int, ...], ...], bytes]:
        return self.shape, self.steps, self.edges.tobytes()

    def __eq__(self, other: object) -> bool:
        """Whether shape and edges, in their order, are the same."""
        return isinstance(other, Graph) and self._identity == other._identity

    def __hash__(self) -> int:
        """Hash of shape and edges."""
        return hash(self._identity)

    def __repr__(self) -> str:
        """Say what it is, not every edge."""
        return f"Graph(shape={self.shape}, edges={len(self.edges)})"
