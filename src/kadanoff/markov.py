"""The theorem of Hammersley and Clifford, both ways, for any action: the Markov property and clique potentials.

A positive density has the local Markov property on a graph, each site given the rest depending on its neighbours only,
exactly if it is a product of potentials of cliques. For p = exp(-S)/Z the property says that S has no mixed second
derivative, for spins no mixed second difference, by two sites that are not joined.

Source: J. M. Hammersley, P. Clifford (1971); G. R. Grimmett, Bull. London Math. Soc. 5 (1973) 81.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Num

from kadanoff import random
from kadanoff.actions.base import as_action, gradient, has_spins, require_density
from kadanoff.errors import InputError
from kadanoff.graph import Graph
from kadanoff.summation import compensated_pair, compensated_sum, to_double
from kadanoff.whole import whole

__all__ = ["CanonicalPotentials", "MarkovProperty", "canonical_potentials", "markov_property"]

_MOST_PAIRS = 2048  # sites whose pairs are all looked at
_MOST_SUBSETS = 16  # sites whose subsets are all looked at
_ROUNDING = (
    1e-4  # of the largest interaction: below it a mixed difference in single precision is no interaction
)


@dataclass(frozen=True)
class MarkovProperty:
    """What mixed derivatives say of the local Markov property on a graph.

    `pairs` (P, 2) are the sites that are not joined, but act on each other, strongest first; `strength` (P,) is the
    largest modulus of d^2 S/dphi_i dphi_j on the fields that were tried (a quarter of the mixed difference for spins).
    `linked` is the largest one of two sites that are joined. True where the property holds.
    """

    pairs: Int[np.ndarray, "P 2"]
    strength: Float[np.ndarray, " P"]
    linked: float

    def __bool__(self) -> bool:
        """Whether no pair breaks the property."""
        return not len(self.pairs)

    def __str__(self) -> str:
        """One line: that it holds, or the pairs that break it most."""
        if self:
            return "the local Markov property holds"
        worst = ", ".join(
            f"{i}-{j} ({strength:.3g})"
            for (i, j), strength in zip(self.pairs[:3], self.strength[:3], strict=True)
        )
        return f"{len(self.pairs)} pairs that are not joined act on each other, the strongest: {worst}"


@dataclass(frozen=True)
class CanonicalPotentials:
    """ln psi_A of every subset A of the sites, at the fields they were asked for: -S is their sum, p = prod psi_A / Z.

    `subsets` (2^n, n) says which sites belong to A, the empty set first; `log_psi` is (field, 2^n).
    """

    subsets: Bool[np.ndarray, "subset n"]
    log_psi: Float[np.ndarray, "field subset"]

    def of(self, sites: Sequence[int]) -> Float[np.ndarray, " field"]:
        """ln psi of one subset, given by numbers of sites; `InputError` for others than there are."""
        chosen = {whole("a site", site) for site in sites}
        count = self.subsets.shape[1]
        if not chosen <= set(range(count)):
            raise InputError(f"the sites are 0 to {count - 1}, got {sorted(chosen)}")
        return self.log_psi[:, sum(1 << site for site in chosen)]

    def cliques(self, graph: Graph) -> Bool[np.ndarray, " subset"]:
        """Which subsets are cliques of a graph of these sites; the empty set and single sites are."""
        if graph.volume != self.subsets.shape[1]:
            raise InputError(f"{graph!r} has other sites than the {self.subsets.shape[1]} of the fields")
        joined = np.eye(graph.volume, dtype=bool)
        first, second = graph.edges.T
        joined[first, second] = joined[second, first] = True
        return np.array([bool(joined[np.ix_(members, members)].all()) for members in self.subsets])


def markov_property(
    action: Any, graph: Graph | None = None, samples: int = 4, tolerance: float = _ROUNDING, seed: int = 0
) -> MarkovProperty:
    """Say which pairs of sites that are not joined break the local Markov property of an action on a graph.

    Mixed second derivatives by automatic differentiation, or mixed differences for spins, on `samples` random fields;
    what is below `tolerance` times the largest interaction is rounding. `graph` is by default the action's own.

    Raises `InputError` without a graph, for one of more than 2048 sites, and for derivatives that are not finite.

    >>> import kadanoff as kd
    >>> square, cross = kd.Graph.grid((4, 4)), kd.Graph.grid((4, 4), "diagonals")
    >>> bool(markov_property(kd.Phi4(-0.95, 0.7), square))
    True
    >>> further = kd.InhomogeneousPhi4(cross, 1.0, 1.5, 0.2)
    >>> print(markov_property(further, square))
    32 pairs that are not joined act on each other, the strongest: 0-5 (1), 0-7 (1), 0-13 (1)
    >>> bool(markov_property(further))
    True
    """
    action = as_action(action)
    graph = getattr(action, "graph", None) if graph is None else graph
    if not isinstance(graph, Graph):
        raise InputError(
            f"{type(action).__name__} has no graph of its own: say on which the property is asked for"
        )
    if graph.volume > _MOST_PAIRS:
        raise InputError(f"all pairs of {_MOST_PAIRS} sites or fewer are looked at, got {graph.volume}")
    if whole("samples", samples) < 1:
        raise InputError(f"one field or more is needed, got samples={samples}")
    if not tolerance >= 0:
        raise InputError(f"the tolerance is a share of the largest interaction, 0 or more, got {tolerance}")
    require_density(action, graph.shape)
    fields = jax.random.normal(random.key(seed), (samples, *graph.shape))
    if has_spins(action):
        fields = jnp.where(fields < 0, -1.0, 1.0)
    mixed = _mixed_differences if has_spins(action) else _mixed_derivatives
    size = np.max([np.abs(np.asarray(mixed(action, field))) for field in fields], axis=0)
    if not np.isfinite(size).all():
        raise InputError(f"second derivatives of {type(action).__name__} are not finite on random fields")
    np.fill_diagonal(size, 0)
    first, second = graph.edges.T
    linked = float(size[first, second].max())
    threshold = tolerance * size.max()
    size[first, second] = size[second, first] = 0
    i, j = np.nonzero(np.triu(size) > threshold)
    order = np.argsort(-size[i, j], kind="stable")
    return MarkovProperty(np.stack([i, j], axis=1)[order], size[i, j][order].astype(np.float64), linked)


@eqx.filter_jit
def _mixed_derivatives(action: Any, field: Array) -> Array:
    """d^2 S/dphi_i dphi_j, (n, n), a row at a time."""

    def force(flat: Array) -> Array:
        return gradient(action, flat.reshape(field.shape)).reshape(-1)

    flat = field.reshape(-1)
    rows = jnp.eye(flat.size, dtype=field.dtype)
    return jax.lax.map(lambda row: jax.jvp(force, (flat,), (row,))[1], rows, batch_size=64)


@eqx.filter_jit
def _mixed_differences(action: Any, field: Array) -> Array:
    """(S(i, j) - S(-i, j) - S(i, -j) + S(-i, -j))/4, (n, n): subtracted at every site before the sum."""
    size = field.size
    site = jnp.arange(size)

    def flipped(phi: Array, i: Array) -> Array:
        return jnp.where(site == i, -phi, phi)

    def terms(flat: Array) -> Array:
        return action.density(flat.reshape(field.shape))

    def pair(number: Array) -> Array:
        i, j = number // size, number % size
        flat = field.reshape(-1)
        one, other = flipped(flat, i), flipped(flat, j)
        return compensated_sum((terms(flat) - terms(one)) - (terms(other) - terms(flipped(other, i)))) / 4

    return jax.lax.map(pair, jnp.arange(size**2), batch_size=4096).reshape(size, size)


def canonical_potentials(
    action: Any, fields: Num[Any, "field ..."], reference: float | None = None
) -> CanonicalPotentials:
    """Give the canonical potentials of an action at fields (field, *shape), by Moebius inversion over all subsets.

    ln psi_A(phi) is the sum over all B within A of (-1)^|A - B| times -S of the field that is phi on B and `reference`
    elsewhere (by default 0, or +1 for spins). Their sum over all A is -S(phi); for an action with the Markov property
    on a graph those of subsets that are no cliques of it vanish. Double precision, from terms in single precision.

    Raises `InputError` for more than 16 sites, fields that are not finite or do not fit the action, and values other
    than +1 and -1 where sites are spins.

    >>> import numpy as np, kadanoff as kd
    >>> found = canonical_potentials(kd.InhomogeneousIsing(kd.Graph([(0, 1), (1, 2)]), 0.5), np.array([[-1, -1, 1]]))
    >>> found.of([0, 1]).tolist(), found.of([0, 2]).tolist(), float(found.log_psi.sum())
    ([2.0], [0.0], 0.0)
    """
    action = as_action(action)
    array = jnp.asarray(fields, jnp.float32)
    size = int(np.prod(array.shape[1:]))
    if array.ndim < 2 or size > _MOST_SUBSETS:
        raise InputError(
            f"give fields (field, *shape) of {_MOST_SUBSETS} sites or fewer, whose subsets are all looked at, "
            f"got {array.shape}"
        )
    require_density(action, array.shape[1:])
    spins = has_spins(action)
    if not bool(jnp.all(jnp.abs(array) == 1 if spins else jnp.isfinite(array))):
        raise InputError(
            f"the fields hold values other than {'+1 and -1' if spins else 'finite real numbers'}"
        )
    rest = (1.0 if has_spins(action) else 0.0) if reference is None else reference
    subsets = (np.arange(1 << size)[:, None] >> np.arange(size)) & 1 == 1
    pairs = _at_subsets(action, array, jnp.asarray(subsets).reshape(-1, *array.shape[1:]), rest)
    table = -to_double(pairs).reshape(len(array), *[2] * size)
    for axis in range(1, size + 1):  # the last axis is site 0
        empty, full = np.split(table, 2, axis)
        table = np.concatenate([empty, full - empty], axis)
    return CanonicalPotentials(subsets, table.reshape(len(array), -1))


@eqx.filter_jit
def _at_subsets(action: Any, fields: Array, subsets: Array, rest: float) -> tuple[Array, Array]:
    def one(field: Array) -> tuple[Array, Array]:
        mixed = jax.vmap(lambda inside: compensated_pair(action.density(jnp.where(inside, field, rest))))
        return mixed(subsets)

    return jax.lax.map(one, fields)
