"""The phi^4 neural network: a visible and a hidden layer of any units, linked by w."""

from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from kadanoff import random
from kadanoff.actions import InhomogeneousIsing, InhomogeneousPhi4
from kadanoff.errors import InputError
from kadanoff.graph import Graph
from kadanoff.network.products import state_product
from kadanoff.network.units import GaussianUnit, IsingUnit, Phi4Unit, Unit, unit_type
from kadanoff.products import matmul

__all__ = ["Phi4Network", "interpolated"]

_ROWS = 256  # states that are drawn at once where there are no links


class Phi4Network(eqx.Module):
    """p(v, h) = exp(-S)/Z with S = -sum_ij w_ij v_i h_j + the energies of the visible and of the hidden units.

    With phi4 units in both layers these are the seven families w; r, a, b; s, m, n of the phi^4 neural network. Other
    units make the machines that it generalises: Gaussian-Gaussian, Gaussian-Bernoulli, phi4-Bernoulli,
    Bernoulli-Bernoulli and the Ising model on a bipartite graph.

    Shapes: w (visible, hidden); v (..., visible); h (..., hidden).

    Raises `InputError` for shapes that do not fit, couplings that are not finite, and where both layers have Gaussian
    units (b = 0) and the quadratic form is not positive on them.

    >>> import jax.numpy as jnp
    >>> network = Phi4Network.random("phi4", 3, "bernoulli", 2, seed=0)
    >>> network.energy(jnp.ones((5, 3)), jnp.ones((5, 2))).shape
    (5,)

    Source: D. Bachtis, G. Aarts, B. Lucini, PRD 103 (2021) 074510.
    """

    w: Float[Array, "visible hidden"]
    visible: Unit
    hidden: Unit

    def __init__(self, w: ArrayLike, visible: Unit, hidden: Unit) -> None:
        self.w = jnp.asarray(w, dtype=jnp.result_type(w, float))
        self.visible, self.hidden = visible, hidden

    def __check_init__(self) -> None:
        """Refuse links that fit no layers, and a Gaussian form that is not positive."""
        wanted = (self.visible.size, self.hidden.size)
        if self.w.shape != wanted:
            raise InputError(f"w links {wanted[0]} visible and {wanted[1]} hidden units, so its shape is {wanted}, "
                             f"but got {self.w.shape}")  # fmt: skip
        if isinstance(self.w, Tracer):
            return
        if not np.isfinite(np.asarray(self.w)).all():
            raise InputError("w holds NaN or infinity; give finite links")
        if _both_gaussian(self.visible, self.hidden):
            links = _normalised(self.w, self.visible, self.hidden)
            norm = float(np.linalg.norm(np.asarray(links), 2)) if links.size else 0.0
            if norm >= 1:
                raise InputError(
                    f"the quadratic form of two Gaussian layers is not positive (norm of the scaled links {norm:.4g}, "
                    "not below 1): the density cannot be normalised; give smaller w or larger a"
                )
        elif all(_has_gaussian_units(layer) for layer in (self.visible, self.hidden)):
            self.field_theory()  # refuses a quadratic form that is not positive where b = 0

    @classmethod
    def random(
        cls, visible: str, n_visible: int, hidden: str, n_hidden: int, seed: int = 0, width: float = 0.01
    ) -> "Phi4Network":
        """Make a start for learning: units as they start, links normal of the given width."""
        return cls(*_start(random.key(seed), (visible, hidden), (n_visible, n_hidden), jnp.float32(width)))

    def energy(
        self, v: Float[Array, "*batch visible"], h: Float[Array, "*batch hidden"]
    ) -> Float[Array, "*batch"]:
        """S(v, h)."""
        links = jnp.sum(matmul(v, self.w) * h, axis=-1)
        return self.visible.energy(v).sum(axis=-1) + self.hidden.energy(h).sum(axis=-1) - links

    def visible_energy(self, v: Float[Array, "*batch visible"]) -> Float[Array, "*batch"]:
        """-ln of the sum of exp(-S) over the hidden units: p(v) = exp(-visible_energy(v))/Z."""
        hidden = self.hidden.log_partition(matmul(v, self.w))
        return self.visible.energy(v).sum(axis=-1) - hidden.sum(axis=-1)

    def hidden_energy(self, h: Float[Array, "*batch hidden"]) -> Float[Array, "*batch"]:
        """-ln of the sum of exp(-S) over the visible units: p(h) = exp(-hidden_energy(h))/Z."""
        visible = self.visible.log_partition(matmul(h, self.w.T))
        return self.hidden.energy(h).sum(axis=-1) - visible.sum(axis=-1)

    def hidden_mean(self, v: Float[Array, "*batch visible"]) -> Float[Array, "*batch hidden"]:
        """<h> given v."""
        return self.hidden.mean(matmul(v, self.w))

    def visible_mean(self, h: Float[Array, "*batch hidden"]) -> Float[Array, "*batch visible"]:
        """<v> given h."""
        return self.visible.mean(matmul(h, self.w.T))

    def draw_hidden(
        self, key: PRNGKeyArray, v: Float[Array, "*batch visible"]
    ) -> Float[Array, "*batch hidden"]:
        """Draw h given v, exactly."""
        return self.hidden.draw(key, state_product(self.visible, v, self.w))

    def draw_visible(
        self, key: PRNGKeyArray, h: Float[Array, "*batch hidden"]
    ) -> Float[Array, "*batch visible"]:
        """Draw v given h, exactly."""
        return self.visible.draw(key, state_product(self.hidden, h, self.w, turned=True))

    def unlinked(self, key: PRNGKeyArray, count: int) -> Float[Array, "count visible"]:
        """Draw visible units as they are without links: some more, so that one program draws most numbers of them."""
        rows = -(-count // _ROWS) * _ROWS
        return _unlinked(key, self.visible, rows)[:count]

    def gibbs(
        self, key: PRNGKeyArray, v: Float[Array, "*batch visible"], steps: int = 1
    ) -> Float[Array, "*batch visible"]:
        """Update chains `steps` times: the hidden layer given v, then v given the hidden layer."""

        def step(v: Array, key: PRNGKeyArray) -> tuple[Array, None]:
            up, down = jax.random.split(key)
            h = self.draw_hidden(up, v)
            field = state_product(self.hidden, h, self.w, turned=True)
            return self.visible.redraw(down, v, field), None

        start = jnp.asarray(v, jnp.result_type(v, self.w))
        return jax.lax.scan(step, start, jax.random.split(key, steps))[0]

    def unconstrained(self) -> dict[str, Any]:
        """All couplings as numbers that may take any value, for training."""
        w = self.w
        if _both_gaussian(self.visible, self.hidden):
            links = _normalised(w, self.visible, self.hidden) / _LARGEST
            lower = jnp.linalg.cholesky(jnp.eye(w.shape[1], dtype=w.dtype) - matmul(links.T, links))
            w = matmul(links, jnp.linalg.inv(lower).T)
        return {"w": w, "visible": self.visible.unconstrained(), "hidden": self.hidden.unconstrained()}

    def constrained(self, values: dict[str, Any]) -> "Phi4Network":
        """The network of these types with `unconstrained` numbers: it can be normalised, whatever they are."""
        visible = self.visible.constrained(values["visible"])
        hidden = self.hidden.constrained(values["hidden"])
        w = values["w"]
        if _both_gaussian(visible, hidden):
            # links^T links = 1 - (1 + w^T w)^-1 up to a rotation: every norm below 1, and no other.
            lower = jnp.linalg.cholesky(jnp.eye(w.shape[1], dtype=w.dtype) + matmul(w.T, w))
            links = _LARGEST * jax.scipy.linalg.solve_triangular(lower, w.T, lower=True).T
            w = links / _normalised(jnp.ones_like(w), visible, hidden)
        return Phi4Network(w, visible, hidden)

    def field_theory(self) -> InhomogeneousPhi4 | InhomogeneousIsing:
        """The same distribution as a Markov random field on a bipartite graph, sites in the order (v, h).

        Raises `InputError` for layers with Bernoulli units, and for one Ising layer beside one of real numbers.

        >>> type(Phi4Network.random("gaussian", 3, "phi4", 2).field_theory()).__name__
        'InhomogeneousPhi4'
        """
        layers = (self.visible, self.hidden)
        graph = Graph.bipartite(*self.w.shape)
        first, second = graph.edges.T
        w = self.w[first, second - self.visible.size]
        r = jnp.concatenate([layer.r for layer in layers])
        if all(isinstance(layer, IsingUnit) for layer in layers):
            return InhomogeneousIsing(graph, w, r)
        if not all(isinstance(layer, Phi4Unit | GaussianUnit) for layer in layers):
            names = " and ".join(layer.name for layer in layers)
            raise InputError(
                f"a network of {names} units is no field theory of one kind of sites; "
                "choose phi4 or gaussian units in both layers, or ising units in both"
            )
        a = jnp.concatenate([layer.a for layer in layers])  # pyright: ignore[reportAttributeAccessIssue]
        b = jnp.concatenate([getattr(layer, "b", jnp.zeros_like(layer.r)) for layer in layers])
        return InhomogeneousPhi4(graph, w, a, b, r)

    def __repr__(self) -> str:
        """Say what it is, not every coupling."""
        layers = (("visible", self.visible), ("hidden", self.hidden))
        return f"Phi4Network({', '.join(f'{layer.size} {layer.name} {side}' for side, layer in layers)})"


def interpolated(start: Phi4Network, end: Phi4Network, t: ArrayLike) -> Phi4Network:
    """The network with couplings (1 - t) start + t end: the path of annealing and of tempering.

    >>> ends = [Phi4Network.random("ising", 2, "ising", 2, seed=s) for s in (0, 1)]
    >>> bool((interpolated(*ends, 1.0).w == ends[1].w).all())
    True
    """
    return jax.tree_util.tree_map(lambda first, last: (1 - t) * first + t * last, start, end)


@eqx.filter_jit
def _start(
    key: PRNGKeyArray, names: tuple[str, str], sizes: tuple[int, int], width: Array
) -> tuple[Array, Unit, Unit]:
    w = width * random.along_one_axis(partial(jax.random.normal, dtype=jnp.float32), key, sizes)
    visible, hidden = (unit_type(name).start(size) for name, size in zip(names, sizes, strict=True))
    return w, visible, hidden


@eqx.filter_jit
def _unlinked(key: PRNGKeyArray, layer: Unit, rows: int) -> Array:
    return layer.draw(key, jnp.zeros((rows, layer.size), layer.r.dtype))


_LARGEST = 0.9999  # norm of the scaled links of two Gaussian layers in training


def _both_gaussian(visible: Unit, hidden: Unit) -> bool:
    return isinstance(visible, GaussianUnit) and isinstance(hidden, GaussianUnit)


def _has_gaussian_units(layer: Unit) -> bool:
    if isinstance(layer, Phi4Unit) and not isinstance(layer.b, Tracer):
        return bool(np.any(np.asarray(layer.b) == 0))
    return isinstance(layer, GaussianUnit)


def _normalised(w: Array, visible: Any, hidden: Any) -> Array:
    """w_ij / (2 sqrt(a_i m_j)), whose largest singular value decides whether the quadratic form is positive."""
    return w / (2 * jnp.sqrt(visible.a[:, None] * hidden.a))
