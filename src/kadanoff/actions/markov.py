"""Markov random fields: any strictly positive potential of the sites of every maximal clique of a graph."""

from collections.abc import Callable, Mapping

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Num

from kadanoff import random
from kadanoff.actions.base import Action
from kadanoff.errors import InputError
from kadanoff.graph import Graph

__all__ = ["MarkovRandomField"]

_PROBES = 8  # random fields on which the potentials are tried


class MarkovRandomField(Action):
    """p = prod_c psi_c(phi_c)/Z over the maximal cliques c of a graph, S = -sum_c ln psi_c.

    **Arguments:**

    - `potentials`: a function that maps the values (c, k) of the sites of all c cliques of k sites, in the order of
        `graph.maximal_cliques[k]`, to their c positive numbers psi, every clique by itself; or a mapping from k to
        such functions, one for each k that there is. An Equinox module with couplings is such a function, too.
    - `log`: whether the functions give ln psi instead, which neither overflows nor vanishes.
    - `spins`: whether the sites are +1 or -1; else they are real.

    Raises `InputError` when a size of cliques has no potential, and when a potential is not positive or not finite on
    the fields that are tried, standard normal ones or spins; the message names the clique.

    >>> import jax.numpy as jnp, kadanoff as kd
    >>> triangles = kd.Graph.grid((4, 4), "triangular")
    >>> action = MarkovRandomField(triangles, lambda x: jnp.exp(0.2 * x.prod(axis=-1) - (x**4).sum(axis=-1)))
    >>> round(float(kd.total(action, jnp.ones((4, 4)))), 3)  # 32 triangles
    89.6

    Source: J. M. Hammersley, P. Clifford (1971); J. Besag, J. R. Statist. Soc. B 36 (1974) 192.
    """

    graph: Graph = eqx.field(static=True)
    potentials: dict[int, Callable[[Array], Array]]
    log: bool = eqx.field(static=True)
    spins: bool = eqx.field(static=True)  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(
        self,
        graph: Graph,
        potentials: Callable[[Array], Array] | Mapping[int, Callable[[Array], Array]],
        *,
        log: bool = False,
        spins: bool = False,
    ) -> None:
        """Set one function for every size of cliques."""
        sizes = list(graph.maximal_cliques)
        if isinstance(potentials, Mapping):
            if sorted(potentials) != sizes:
                raise InputError(
                    f"{graph!r} has maximal cliques of {sizes} sites: give one potential for each of these sizes, "
                    f"got some for {sorted(potentials)}"
                )
            self.potentials = {size: potentials[size] for size in sizes}
        else:
            self.potentials = dict.fromkeys(sizes, potentials)
        self.graph, self.log, self.spins = graph, log, spins

    def __check_init__(self) -> None:
        """Refuse potentials that are no positive numbers."""
        if any(isinstance(leaf, Tracer) for leaf in jax.tree_util.tree_leaves(self.potentials)):
            return
        fields = jax.random.normal(random.key(0), (_PROBES, *self.graph.shape))
        if self.spins:
            fields = jnp.where(fields < 0, -1.0, 1.0)
        for size, cliques in self.graph.maximal_cliques.items():
            values = jax.vmap(lambda field, size=size: self._given(size, field))(fields)
            if values.shape != (_PROBES, len(cliques)):
                raise InputError(
                    f"the potential of cliques of {size} sites maps values ({len(cliques)}, {size}) to "
                    f"({len(cliques)},), one number a clique, but gave {values.shape[1:]}"
                )
            numbers = np.asarray(values)
            wrong = np.argwhere(
                ~np.isfinite(numbers) | (np.zeros_like(numbers, bool) if self.log else numbers <= 0)
            )
            if len(wrong):
                probe, clique = wrong[0]
                raise InputError(
                    f"potentials are positive and finite, but that of the clique of sites "
                    f"{cliques[clique].tolist()} is {numbers[probe, clique]:g} at "
                    f"{np.asarray(fields[probe]).ravel()[cliques[clique]].round(3).tolist()}"
                )

    def _given(self, size: int, field: Num[Array, "..."]) -> Array:
        return self.potentials[size](field.reshape(-1)[self.graph.maximal_cliques[size]])

    def log_clique_potentials(self, field: Num[Array, "..."]) -> dict[int, Float[Array, " c"]]:
        """ln psi of every maximal clique, by the number of its sites; their sum is -S."""
        given = {size: self._given(size, field) for size in self.potentials}
        return given if self.log else {size: jnp.log(psi) for size, psi in given.items()}

    def density(self, field: Num[Array, "..."]) -> Float[Array, "..."]:
        """-ln psi of every clique, at the first of its sites."""
        terms = jnp.zeros(self.graph.volume, jnp.result_type(field, float))
        for size, logs in self.log_clique_potentials(field).items():
            terms = terms.at[self.graph.maximal_cliques[size][:, 0]].add(-logs)
        return terms.reshape(self.graph.shape)

    def rise(self, old: Num[Array, "..."], new: Num[Array, "..."]) -> Float[Array, "..."]:
        """The change of S at every site: that of the cliques it lies in, exact where no two changed sites are joined.

        >>> import jax.numpy as jnp, kadanoff as kd
        >>> action = MarkovRandomField(kd.Graph.complete(2), lambda x: jnp.exp(x.prod(axis=-1)), spins=True)
        >>> action.rise(jnp.array([1.0, 1.0]), jnp.array([1.0, -1.0])).tolist()
        [2.0, 2.0]
        """
        before, after = self.log_clique_potentials(old), self.log_clique_potentials(new)
        change = jnp.zeros(self.graph.volume, jnp.result_type(old, float))
        for size, cliques in self.graph.maximal_cliques.items():
            fall = after[size] - before[size]
            for column in range(size):
                change = change.at[cliques[:, column]].add(-fall)
        return change.reshape(self.graph.shape)

    def __repr__(self) -> str:
        """Say what it is, not its functions."""
        counts = ", ".join(
            f"{len(found)} of {size} sites" for size, found in self.graph.maximal_cliques.items()
        )
        return f"MarkovRandomField({self.graph!r}, cliques: {counts})"
