"""Actions with couplings of their own on every edge and site of a graph: Markov random fields of pairs."""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Float, Num
from scipy.sparse import coo_array, diags_array
from scipy.sparse.linalg import eigsh

from kadanoff import random
from kadanoff.actions.base import Action
from kadanoff.actions.coupling import as_coupling
from kadanoff.errors import InputError
from kadanoff.graph import Graph
from kadanoff.lattice import site_name

__all__ = ["InhomogeneousIsing", "InhomogeneousPhi4", "PairAction"]

_DENSE = 512  # sites up to which the lowest eigenvalue is found from all of them


class PairAction(Action):
    """S = -sum_e w_e phi_i phi_j + sum_i r_i phi_i + terms of single sites, e = (i, j) running over the edges.

    Couplings of edges have the shape (E,), in the order of `graph.edges`; those of sites the shape of the graph.
    """

    graph: eqx.AbstractVar[Graph]
    w: eqx.AbstractVar[Float[Array, " E"]]
    r: eqx.AbstractVar[Float[Array, "..."]]

    def local_field(self, field: Num[Array, "..."]) -> Float[Array, "..."]:
        """What acts on every site, h_i = sum_j w_ij phi_j - r_i: its conditional is ~ exp(h_i phi_i - ...)."""
        sites, edges, valid = self.graph.neighbours
        strength = jnp.where(valid, self.w[edges], 0)
        return (strength * field.reshape(-1)[sites]).sum(axis=1).reshape(self.graph.shape) - self.r

    def pair_terms(self, field: Num[Array, "..."]) -> Float[Array, "..."]:
        """-w_e phi_i phi_j, counted at the first site i of every edge."""
        graph = self.graph
        if graph.steps:  # the edges of a grid lie in order, step by step
            strengths = self.w.reshape(len(graph.steps), *graph.shape)
            axes = tuple(range(graph.dimension))
            far = [jnp.roll(field, tuple(-s for s in step), axes) for step in graph.steps]
            return -field * sum(w * phi for w, phi in zip(strengths, far, strict=True))
        first, second = graph.edges.T
        flat = field.reshape(-1)
        terms = jax.ops.segment_sum(self.w * flat[first] * flat[second], first, graph.volume)
        return -terms.reshape(graph.shape)


class InhomogeneousPhi4(PairAction):
    """phi^4 theory on a graph, S = sum_i (r_i phi_i + a_i phi_i^2 + b_i phi_i^4) - sum_<ij> w_ij phi_i phi_j.

    A coupling given as one number is that of every edge or site. The array leaves w, r, a, b are the couplings.

    Raises `InputError` for couplings of a wrong shape or that are not finite, b_i < 0, and b_i = 0 where the
    quadratic form does not bound the action; the message names the site.

    >>> import jax.numpy as jnp, kadanoff as kd
    >>> action = InhomogeneousPhi4(Graph.grid((4, 4)), w=1.0, a=1.52425, b=0.175)
    >>> bool(jnp.allclose(kd.total(action, jnp.ones((4, 4))), kd.total(kd.Phi4(-0.9515, 0.7), jnp.ones((4, 4)))))
    True

    Source: D. Bachtis, G. Aarts, B. Lucini, PRD 103 (2021) 074510.
    """

    graph: Graph = eqx.field(static=True)
    w: Float[Array, " E"]
    r: Float[Array, "..."]
    a: Float[Array, "..."]
    b: Float[Array, "..."]

    positive: ClassVar[tuple[str, ...]] = ("b",)

    def __init__(self, graph: Graph, w: ArrayLike, a: ArrayLike, b: ArrayLike, r: ArrayLike = 0.0) -> None:
        """Set the couplings."""
        self.graph, self.w = graph, _spread("w", w, (len(graph.edges),), "edge")
        self.r, self.a, self.b = (
            _spread(n, v, graph.shape, "site") for n, v in (("r", r), ("a", a), ("b", b))
        )

    def __check_init__(self) -> None:
        """Refuse couplings that define no distribution."""
        if any(isinstance(value, Tracer) for value in (self.w, self.r, self.a, self.b)):
            return
        _require_finite(self, ("w", "r", "a", "b"))
        b = np.asarray(self.b).ravel()
        if b.min() < 0:
            raise InputError(
                f"b={b.min():g} < 0 at site {site_name(self.graph.shape, b.argmin())} leaves the action unbounded "
                "below; give b >= 0"
            )
        if b.min() == 0:
            _require_bounded(self, np.flatnonzero(b == 0))

    @classmethod
    def random(cls, graph: Graph, seed: int = 0) -> "InhomogeneousPhi4":
        """Make a start for learning: w, a uniform on (0, 1), b on (0.5, 1), r = 0.

        >>> InhomogeneousPhi4.random(Graph.grid((4, 4))).w.shape
        (32,)
        """
        keys = [random.key(seed, number) for number in range(3)]
        w = jax.random.uniform(keys[0], (len(graph.edges),))
        a = jax.random.uniform(keys[1], graph.shape)
        return cls(graph, w, a, jax.random.uniform(keys[2], graph.shape, minval=0.5))

    def density(self, field: Num[Array, "..."]) -> Float[Array, "..."]:
        """Terms of the sites, and of the edges at their first site."""
        square = field * field
        return self.pair_terms(field) + self.r * field + square * (self.a + self.b * square)

    def log_clique_potentials(self, field: Num[Array, "..."]) -> Float[Array, " E"]:
        """ln psi of every edge: +w_ij phi_i phi_j and the terms of its two sites, each shared out over deg(i) edges.

        Their sum is -S exactly, so that p = prod psi / Z.

        >>> import jax.numpy as jnp, kadanoff as kd
        >>> action = InhomogeneousPhi4.random(Graph.complete(3))
        >>> field = jnp.array([0.5, -1.0, 2.0])
        >>> bool(jnp.allclose(action.log_clique_potentials(field).sum(), -kd.total(action, field)))
        True
        """
        first, second = self.graph.edges.T
        flat, square = field.reshape(-1), field * field
        share = (self.r * field + square * (self.a + self.b * square)).reshape(-1) / self.graph.degrees
        return self.w * flat[first] * flat[second] - share[first] - share[second]

    def __repr__(self) -> str:
        """Say what it is, not every coupling."""
        return f"InhomogeneousPhi4({self.graph!r})"


class InhomogeneousIsing(PairAction):
    """Spins +-1 on a graph, S = -sum_<ij> w_ij s_i s_j + sum_i r_i s_i: `InhomogeneousPhi4` in its Ising limit.

    Raises `InputError` for couplings of a wrong shape or that are not finite.

    >>> import jax.numpy as jnp, kadanoff as kd
    >>> float(kd.total(InhomogeneousIsing(Graph.grid((4, 4)), w=0.5), jnp.ones((4, 4))))
    -16.0
    """

    graph: Graph = eqx.field(static=True)
    w: Float[Array, " E"]
    r: Float[Array, "..."]

    spins: ClassVar[bool] = True

    def __init__(self, graph: Graph, w: ArrayLike, r: ArrayLike = 0.0) -> None:
        """Set the couplings."""
        self.graph, self.w = graph, _spread("w", w, (len(graph.edges),), "edge")
        self.r = _spread("r", r, graph.shape, "site")

    def __check_init__(self) -> None:
        """Refuse what is no coupling."""
        if not any(isinstance(value, Tracer) for value in (self.w, self.r)):
            _require_finite(self, ("w", "r"))

    def density(self, field: Num[Array, "..."]) -> Float[Array, "..."]:
        """Terms of the sites, and of the edges at their first site."""
        return self.pair_terms(field) + self.r * field

    def __repr__(self) -> str:
        """Say what it is, not every coupling."""
        return f"InhomogeneousIsing({self.graph!r})"


def _spread(name: str, value: Any, shape: tuple[int, ...], owner: str) -> Array:
    coupling = as_coupling(name, value)
    if coupling.ndim == 0:
        return jnp.full(shape, coupling)
    if coupling.shape != shape:
        raise InputError(
            f"{name} has one value for every {owner}, shape {shape}, but got {coupling.shape}; "
            "give that shape or a single number"
        )
    return coupling


def _require_finite(action: PairAction, names: tuple[str, ...]) -> None:
    for name in names:
        wrong = np.flatnonzero(~np.isfinite(np.asarray(getattr(action, name)).ravel()))
        if wrong.size:
            place = (
                f"edge {int(wrong[0])}" if name == "w" else f"site {site_name(action.graph.shape, wrong[0])}"
            )
            raise InputError(f"couplings must be finite numbers, but {name} at {place} is not")


def _require_bounded(action: InhomogeneousPhi4, free: np.ndarray) -> None:
    """Raise unless the quadratic form is positive on the sites without a quartic term.

    Quartic sites outgrow every quadratic term, so that the sites without one decide.
    """
    first, second = action.graph.edges.T
    half = np.asarray(action.w, np.float64) / 2
    size = action.graph.volume
    links = coo_array((half, (first, second)), shape=(size, size)).tocsr()
    form = (diags_array(np.asarray(action.a, np.float64).ravel()) - links - links.T).tocsr()[free][:, free]
    if len(free) <= _DENSE:
        values, vectors = np.linalg.eigh(form.toarray())
    else:
        values, vectors = eigsh(form, k=1, which="SA")
    if values[0] <= 0:
        site = site_name(action.graph.shape, free[np.argmax(np.abs(vectors[:, 0]))])
        raise InputError(
            f"b=0 at site {site} where the quadratic form is not positive (lowest eigenvalue {values[0]:.3g}): "
            "the action is unbounded below or has no normalisable distribution; give b > 0 there, or a larger a"
        )
