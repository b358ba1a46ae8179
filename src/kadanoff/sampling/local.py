"""The loop of every local update: colour by colour, sites of one colour at once.

On a bipartite lattice the two colours live in separate arrays with the chain index innermost, so that the
compiler turns random numbers, proposal and acceptance into one pass over memory. A lattice with an odd side
takes three colours and a mask.
"""

from typing import NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, UInt32

from kadanoff.lattice import Lattice

__all__ = ["SiteLabels", "SiteRule", "local_sweeps", "pack", "unpack"]


class SiteLabels(NamedTuple):
    """What keys the random numbers of a half-sweep: a key of its own, global site numbers, chain numbers."""

    key: PRNGKeyArray
    site: UInt32[Array, "..."]
    chain: UInt32[Array, "..."]


@runtime_checkable
class SiteRule(Protocol):
    """New value of a site from its labels, its value and the sum of its neighbours."""

    def __call__(
        self, labels: SiteLabels, phi: Float[Array, "..."], neighbours: Float[Array, "..."], /
    ) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """Return the new values and what to average over sites as the acceptance."""
        ...


def local_sweeps(
    rule: SiteRule, key: PRNGKeyArray, fields: Float[Array, "chain ..."], chain: Array, sweeps: int
) -> tuple[Float[Array, "chain ..."], Float[Array, ""]]:
    """Apply `sweeps` full sweeps of a site rule to every chain; return the fields and the mean acceptance."""
    lattice = Lattice(fields.shape[1:])
    words = jax.random.key_data(jax.random.split(key, sweeps * lattice.colours))
    keys = words.reshape(sweeps, lattice.colours, -1)
    if lattice.is_bipartite:
        return _checkerboard(rule, keys, fields, chain, lattice)
    return _masked(rule, keys, fields, chain, lattice)


def pack(fields: Float[Array, "chain ..."]) -> tuple[Array, Array]:
    """Split (chain, *lattice) into its even and odd sites, each (*lattice[:-1], last/2, chain).

    >>> import jax.numpy as jnp
    >>> even, odd = pack(jnp.arange(4.0).reshape(1, 2, 2))
    >>> even.ravel().tolist(), odd.ravel().tolist()
    ([0.0, 3.0], [1.0, 2.0])
    """
    pairs = jnp.moveaxis(fields, 0, -1)
    pairs = pairs.reshape(*pairs.shape[:-2], -1, 2, pairs.shape[-1])
    parity = _row_parity(pairs.shape[:-3])
    first, second = pairs[..., 0, :], pairs[..., 1, :]
    return jnp.where(parity, second, first), jnp.where(parity, first, second)


def unpack(even: Array, odd: Array) -> Float[Array, "chain ..."]:
    """Undo `pack`."""
    parity = _row_parity(even.shape[:-2])
    pairs = jnp.stack([jnp.where(parity, odd, even), jnp.where(parity, even, odd)], axis=-2)
    return jnp.moveaxis(pairs.reshape(*pairs.shape[:-3], -1, pairs.shape[-1]), -1, 0)


def _row_parity(leading: tuple[int, ...]) -> np.ndarray:
    """Parity of the leading coordinates, shaped to broadcast against a packed half."""
    total = sum(np.ix_(*[np.arange(side) for side in leading]), np.zeros((1,) * len(leading), dtype=int))
    return (total % 2 == 1)[..., None, None]


def _checkerboard(
    rule: SiteRule, keys: Array, fields: Array, chain: Array, lattice: Lattice
) -> tuple[Array, Array]:
    even, odd = pack(fields)
    shape = even.shape
    parity = _row_parity(shape[:-2])
    strides = np.cumprod((*shape[:-1], 1)[::-1])[::-1][1:]
    site = sum(
        jax.lax.broadcasted_iota(jnp.uint32, shape, axis)
        * jnp.uint32(2 * stride if axis < len(strides) else 1)
        for axis, stride in enumerate(strides)
    )
    numbers = jnp.broadcast_to(chain, shape)

    def update(colour: int, word: Array, own: Array, other: Array) -> tuple[Array, Array]:
        last = len(shape) - 2
        # The second neighbour along the packed axis lies one step back or forth, by the parity of the row.
        beside = jnp.where(parity == bool(colour), jnp.roll(other, 1, last), jnp.roll(other, -1, last))
        neighbours = other + beside
        for axis in range(last):
            neighbours = neighbours + jnp.roll(other, 1, axis) + jnp.roll(other, -1, axis)
        offset = np.where(parity, 1 - colour, colour).astype(np.uint32)
        labels = SiteLabels(jax.random.wrap_key_data(word), site + jnp.asarray(offset), numbers)
        return rule(labels, own, neighbours)

    def sweep(state: tuple[Array, Array, Array], words: Array) -> tuple[tuple[Array, Array, Array], None]:
        even, odd, accepted = state
        even, first = update(0, words[0], even, odd)
        odd, second = update(1, words[1], odd, even)
        return (even, odd, accepted + jnp.mean(first) + jnp.mean(second)), None

    start = (even, odd, jnp.zeros((), fields.dtype))
    (even, odd, accepted), _ = jax.lax.scan(sweep, start, keys)
    return unpack(even, odd), accepted / (2 * len(keys))


def _masked(
    rule: SiteRule, keys: Array, fields: Array, chain: Array, lattice: Lattice
) -> tuple[Array, Array]:
    site = jnp.arange(lattice.volume, dtype=jnp.uint32).reshape(lattice.shape)
    numbers = chain.reshape(-1, *[1] * lattice.dimension)
    colouring = lattice.colouring

    def sweep(state: tuple[Array, Array], words: Array) -> tuple[tuple[Array, Array], None]:
        fields, accepted = state
        for colour in range(lattice.colours):
            labels = SiteLabels(jax.random.wrap_key_data(words[colour]), site, numbers)
            new, rate = rule(labels, fields, lattice.neighbour_sum(fields))
            mask = colouring == colour
            fields = jnp.where(mask, new, fields)
            accepted = accepted + jnp.sum(jnp.where(mask, rate, 0)) / fields.size
        return (fields, accepted), None

    (fields, accepted), _ = jax.lax.scan(sweep, (fields, jnp.zeros((), fields.dtype)), keys)
    return fields, accepted / len(keys)
