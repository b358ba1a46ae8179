"""Colour-block updates on graphs: all sites of one colour at once, given the others."""

from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from kadanoff.actions.base import HasInteractionGraph, has_spins
from kadanoff.actions.inhomogeneous import InhomogeneousIsing, InhomogeneousPhi4, PairAction
from kadanoff.actions.markov import MarkovRandomField
from kadanoff.compiled.foreign import call, either, threads
from kadanoff.compiled.graphs import GRAPH_RULES, graph_plan
from kadanoff.compiled.rows import FLIPPED
from kadanoff.errors import InputError
from kadanoff.lattice import Lattice
from kadanoff.quartic.rejection import redrawn
from kadanoff.random import site_words, uniform
from kadanoff.sampling.state import ChainState, Info, chain_state, require_proposals, tuned_width

__all__ = ["ColourBlock", "has_graph", "has_interaction_graph", "has_known_sites"]

UPDATES = ("heat bath", "metropolis")


class ColourBlock(eqx.Module):
    """Sweeps over the colours of a graph; the sites of a colour have no link and are updated together.

    `update` is "heat bath", exact draws from the conditional of every site, or "metropolis", proposals of
    phi + width (u - 1/2), or of the opposite spin with probability 3/4 (see `Metropolis`); the width is tuned during
    thermalisation only. A heat bath makes two trials for a real site; where both are refused (one site in ten, one in
    four at worst) it waits for the next sweep, whatever it holds. The acceptance tells how many were drawn. A
    `MarkovRandomField` takes "metropolis".

    >>> import jax, kadanoff as kd
    >>> action = kd.InhomogeneousPhi4.random(kd.Graph.complete(3))
    >>> sampler = kd.ColourBlock()
    >>> state = sampler.init(action, jax.numpy.zeros((200, 3)))
    >>> state, info = sampler.step(jax.random.key(0), action, state)
    >>> float(info.acceptance) > 0.75
    True

    Source: M. Creutz, PRD 21 (1980) 2308 (heat bath); N. Metropolis et al., J. Chem. Phys. 21 (1953) 1087.
    """

    update: str = eqx.field(static=True, default="heat bath")
    sweeps: int = eqx.field(static=True, default=1)
    width: float = eqx.field(static=True, default=3.0)
    target_acceptance: float = eqx.field(static=True, default=0.5)

    def __check_init__(self) -> None:
        """Refuse updates that there are not, and options out of range."""
        require_proposals(self.sweeps, self.width, self.target_acceptance)
        if self.update not in UPDATES:
            raise InputError(f"unknown update {self.update!r}; choose one of {', '.join(UPDATES)}")

    def init(self, action: Any, fields: Array | np.ndarray, chain: Array | None = None) -> ChainState:
        """Make the state of many chains; `InputError` for other actions, and fields of another shape."""
        if not has_graph(action):
            raise InputError(
                f"ColourBlock updates pairs or cliques of a graph, and {type(action).__name__} has none; use "
                "InhomogeneousPhi4, InhomogeneousIsing or MarkovRandomField, give it an interaction graph, "
                "`on(lattice)`, or use HybridMonteCarlo for any `density`"
            )
        action = _on_graph(action, fields.shape[1:])
        if isinstance(action, PairAction) and not has_known_sites(action):
            raise InputError(
                "ColourBlock knows the sites of InhomogeneousPhi4 and InhomogeneousIsing, and "
                f"{type(action).__name__} has others; use HybridMonteCarlo for real sites of any `density`"
            )
        if isinstance(action, MarkovRandomField) and self.update == "heat bath":
            raise InputError(
                "a heat bath draws quartic sites and spins with links, not the potentials of a MarkovRandomField; use "
                "ColourBlock('metropolis')"
            )
        if fields.shape[1:] != action.graph.shape:
            raise InputError(
                f"fields of {action.graph!r} have the shape (chain, *{action.graph.shape}), got {fields.shape}"
            )
        return chain_state(fields, chain, self.width if self.update == "metropolis" else 1.0)

    @eqx.filter_jit
    def step(self, key: PRNGKeyArray, action: Any, state: ChainState) -> tuple[ChainState, Info]:
        """Sweep every chain `sweeps` times."""
        action = _on_graph(action, state.fields.shape[1:])
        if isinstance(action, MarkovRandomField):
            return _clique_sweeps(key, action, state, self.sweeps)
        colours = jnp.arange(action.graph.colours)
        of_sweep = jax.vmap(jax.random.fold_in, in_axes=(None, 0))
        keys = jax.vmap(of_sweep, in_axes=(0, None))(jax.random.split(key, self.sweeps), colours)
        given = (jax.random.key_data(keys), state.fields, state.chain, state.step_size)
        generic, compiled = partial(self._generic, action), partial(self._compiled, action)
        known = isinstance(action, InhomogeneousPhi4) or has_spins(action)
        fields, rate = either(compiled, generic, *given, when=known and state.fields.dtype == jnp.float32)
        return eqx.tree_at(lambda s: s.fields, state, fields), Info(rate)

    def _compiled(
        self, action: PairAction, keys: Array, fields: Array, chain: Array, width: Array
    ) -> tuple[Array, Array]:
        graph, spins = action.graph, has_spins(action)
        where, links, valid = graph.neighbours
        colouring = graph.colouring.ravel()
        begins = np.concatenate([[0], np.cumsum(np.bincount(colouring))])
        # What a site has alone: r, a, b.
        none = jnp.zeros_like(action.r)
        own = (action.a, action.b) if isinstance(action, InhomogeneousPhi4) else (none, none)
        site = jnp.stack([coupling.ravel() for coupling in (action.r, *own)])
        rule = f"spin {self.update}" if spins else self.update
        flat = fields.reshape(len(fields), -1)
        results = (jax.ShapeDtypeStruct(flat.shape, flat.dtype), jax.ShapeDtypeStruct((1,), jnp.float32))
        given = (
            flat,
            chain.astype(jnp.uint32),
            keys.reshape(-1, 2),
            np.argsort(colouring, kind="stable").astype(np.int32),
            begins.astype(np.int32),
            np.concatenate([[0], np.cumsum(graph.degrees)]).astype(np.int32),
            where[valid],
            action.w[links[valid]].astype(jnp.float32),
            site.astype(jnp.float32),
            jnp.asarray(width, jnp.float32).reshape(1),
        )
        work = graph_plan(flat.shape, graph.colours, len(given[2]), threads())
        swept, rate = call(GRAPH_RULES[rule], results, given, work)
        return swept.reshape(fields.shape), rate[0]

    def _generic(
        self, action: PairAction, keys: Array, fields: Array, chain: Array, width: Array
    ) -> tuple[Array, Array]:
        graph = action.graph
        blocks = [np.flatnonzero(graph.colouring.ravel() == colour) for colour in range(graph.colours)]
        where = [np.asarray(graph.neighbours[0][block]) for block in blocks]
        links, valid = graph.neighbours[1:]
        strength = [jnp.where(valid[block], action.w[links[block]], 0) for block in blocks]

        def sweep(carry: tuple[Array, Array], words: Array) -> tuple[tuple[Array, Array], None]:
            fields, accepted = carry
            for colour, block in enumerate(blocks):
                # One column of neighbours at a time, chains innermost: rows of chains are copied whole.
                h = -action.r.reshape(-1, 1)[block]
                for column in range(where[colour].shape[1]):
                    h = h + strength[colour][:, column, None] * fields[where[colour][:, column]]
                key = jax.random.wrap_key_data(words[colour])
                new, rate = self._draw(key, action, block, fields[block], h, chain, width)
                fields, accepted = fields.at[block].set(new), accepted + rate.sum()
            return (fields, accepted), None

        start = (fields.reshape(len(fields), -1).T, jnp.zeros((), fields.dtype))
        (swept, accepted), _ = jax.lax.scan(sweep, start, keys)
        return swept.T.reshape(fields.shape), accepted / (self.sweeps * fields.size)

    def _draw(
        self,
        key: PRNGKeyArray,
        action: PairAction,
        block: np.ndarray,
        old: Array,
        h: Array,
        chain: Array,
        width: Array,
    ) -> tuple[Array, Array]:
        """New values (sites of the block, chain) given what acts on them, and which were accepted."""
        site, chain = jnp.asarray(block, jnp.uint32)[:, None], chain[None]
        exact, spins = self.update == "heat bath", has_spins(action)
        words = site_words(key, site, chain)
        if exact and isinstance(action, InhomogeneousPhi4):
            a, b = (coupling.reshape(-1, 1)[block] for coupling in (action.a, action.b))
            return redrawn(words, old, h, a, b)
        if exact:
            new = jnp.where(uniform(words[0]) * (1 + jnp.exp(-2 * h)) < 1, 1.0, -1.0).astype(old.dtype)
            return new, jnp.ones_like(new)
        new = -old if spins else old + width * (uniform(words[0]) - 0.5)
        rise = -(new - old) * h
        if isinstance(action, InhomogeneousPhi4):
            a, b = (coupling.reshape(-1, 1)[block] for coupling in (action.a, action.b))
            rise = rise + (new**2 - old**2) * (a + b * (new**2 + old**2))
        accept = uniform(words[1]) < _chance(rise, spins)
        return jnp.where(accept, new, old), accept.astype(old.dtype)

    def tune(self, state: ChainState, info: Info) -> ChainState:
        """Widen or narrow the proposal by how far the acceptance is from its target; nothing for a heat bath."""
        return tuned_width(state, info, self.target_acceptance) if self.update == "metropolis" else state


def has_graph(action: Any) -> bool:
    """Whether an action lives on a graph, or gives its interaction graph on a lattice."""
    return isinstance(action, PairAction | MarkovRandomField | HasInteractionGraph)


def has_known_sites(action: PairAction) -> bool:
    """Whether its density is that of a class whose sites can be updated, not one that a subclass has changed."""
    return any(type(action).density is kind.density for kind in (InhomogeneousPhi4, InhomogeneousIsing))


def has_interaction_graph(action: Any) -> bool:
    """Whether it gives its interaction graph; a class that changes the density of its parent must give it again."""
    if not isinstance(action, HasInteractionGraph):
        return False
    giver = next(kind for kind in type(action).__mro__ if not vars(kind).keys().isdisjoint(("on", "density")))
    return "on" in vars(giver)


def _on_graph(action: Any, shape: tuple[int, ...]) -> Any:
    """The action as one on a graph; `InputError` when what its `on(lattice)` gives cannot be updated in its place."""
    if not isinstance(action, HasInteractionGraph):
        return action
    if not has_interaction_graph(action):
        raise InputError(
            f"{type(action).__name__} has a `density` of its own, and the interaction graph of its parent, which "
            "would be updated in its place: give it `on(lattice)` too"
            + ("" if has_spins(action) else ", or use HybridMonteCarlo")
        )
    found: Any = action.on(Lattice(shape))
    wanted = InhomogeneousIsing if has_spins(action) else InhomogeneousPhi4
    if not isinstance(found, wanted) or found.graph.shape != shape:
        raise InputError(
            f"{type(action).__name__}.on(lattice) gave {found!r} on {shape}: return an {wanted.__name__}, for "
            f"{'spins' if has_spins(action) else 'real fields'}, with a graph of that shape"
        )
    return found


def _clique_sweeps(
    key: PRNGKeyArray, action: MarkovRandomField, state: ChainState, sweeps: int
) -> tuple[ChainState, Info]:
    """Metropolis sweeps of many chains: a clique has at most one site of a colour, whose change is its own."""
    graph, spins = action.graph, has_spins(action)
    site = jnp.arange(graph.volume, dtype=jnp.uint32).reshape(graph.shape)
    chain = state.chain.reshape(-1, *[1] * graph.dimension)
    rise = jax.vmap(action.rise)

    def sweep(carry: tuple[Array, Array], key: PRNGKeyArray) -> tuple[tuple[Array, Array], None]:
        fields, accepted = carry
        for colour in range(graph.colours):
            words = site_words(jax.random.fold_in(key, colour), site, chain)
            moved = -fields if spins else fields + state.step_size * (uniform(words[0]) - 0.5)
            new = jnp.where(graph.colouring == colour, moved, fields)
            accept = (graph.colouring == colour) & (uniform(words[1]) < _chance(rise(fields, new), spins))
            fields, accepted = (
                jnp.where(accept, new, fields),
                accepted + accept.sum().astype(fields.dtype) / fields.size,
            )
        return (fields, accepted), None

    (fields, accepted), _ = jax.lax.scan(
        sweep, (state.fields, jnp.zeros((), state.fields.dtype)), jax.random.split(key, sweeps)
    )
    return eqx.tree_at(lambda s: s.fields, state, fields), Info(accepted / sweeps)


def _chance(rise: Array, spins: bool) -> Array:
    """The probability to change a site, by what that adds to the action; above 1 it is 1."""
    return FLIPPED * jnp.minimum(jnp.exp(-rise), 1) if spins else jnp.exp(-rise)
