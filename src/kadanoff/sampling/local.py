"""The loop of every local update: colour by colour, sites of one colour at once.

On a bipartite lattice the two colours live in separate arrays with the chain index innermost, so that the
compiler turns random numbers, proposal and acceptance into one pass over memory. A lattice with an odd side
takes three colours and a mask.
"""

from functools import partial
from typing import NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, UInt32

from kadanoff.compiled.foreign import call, either, threads
from kadanoff.compiled.sweeps import RULES, plan
from kadanoff.devices import rolled
from kadanoff.lattice import Lattice
from kadanoff.random import site_words

__all__ = ["Compiled", "SiteRule", "local_sweeps", "pack", "unpack"]


@runtime_checkable
class SiteRule(Protocol):
    """New value of a site from random words, its value and the sum of its neighbours."""

    def __call__(
        self,
        words: tuple[UInt32[Array, "..."], ...],
        phi: Float[Array, "..."],
        neighbours: Float[Array, "..."],
        /,
    ) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """Return the new values and what to average over sites as the acceptance, or one number for all of them."""
        ...


class Compiled(NamedTuple):
    """The name of a rule of `kadanoff.compiled.sweeps` that does the same on a CPU, and its parameters."""

    name: str
    parameters: Float[Array, " g"]

    @classmethod
    def of_spins(cls, name: str, probability: Float[Array, "..."]) -> "Compiled":
        """A rule with probabilities as parameters, as numbers that 24 bits of a uniform stay below."""
        return cls(name, jnp.ceil(jnp.clip(probability, 0, 1) * 2.0**24).ravel())


def local_sweeps(
    rule: SiteRule,
    key: PRNGKeyArray,
    fields: Float[Array, "chain ..."],
    chain: Array,
    count: int,
    words: int,
    compiled: Compiled | None = None,
) -> tuple[Float[Array, "chain ..."], Float[Array, ""]]:
    """Apply `count` full sweeps of a site rule to every chain; return the fields and the mean acceptance.

    The rule is given `words` random words a site, at most four: of (key, site, chain) alone, on whatever device.
    """
    lattice, chain = Lattice(fields.shape[1:]), chain.astype(jnp.uint32)
    data = jax.random.key_data(jax.random.split(key, count * lattice.colours))
    if not lattice.is_bipartite:
        return _masked(rule, data.reshape(count, lattice.colours, -1), fields, chain, lattice, words)
    generic = partial(_checkerboard, rule, words)
    if compiled is None:
        return generic(data, fields, chain)
    known = fields.dtype == jnp.float32 and 2 <= lattice.dimension <= (3 if "spin" in compiled.name else 4)
    return either(partial(_call, compiled), generic, data, fields, chain, when=known)


def _call(compiled: Compiled, data: Array, fields: Array, chain: Array) -> tuple[Array, Array]:
    name, parameters = compiled.name, compiled.parameters.astype(jnp.float32)
    results = (jax.ShapeDtypeStruct(fields.shape, fields.dtype), jax.ShapeDtypeStruct((1,), jnp.float32))
    work = plan(name, fields.shape, len(data), threads())
    fields, rate = call(RULES[name], results, (fields, chain, data, parameters), work)
    return fields, rate[0]


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


def _rows_and_columns(shape: tuple[int, ...]) -> tuple[Array, Array]:
    """The number of the row that a site of a packed half is in, and its place there."""
    strides = np.cumprod((*shape[:-2], 1)[::-1])[::-1][1:]
    row = sum(
        (jax.lax.broadcasted_iota(jnp.uint32, shape, axis) * stride for axis, stride in enumerate(strides)),
        jnp.zeros(shape, jnp.uint32),
    )
    return row.astype(jnp.uint32), jax.lax.broadcasted_iota(jnp.uint32, shape, len(shape) - 2)


def _rolled(values: Array, shift: int, axis: int) -> Array:
    roll = jnp.roll if axis else rolled  # slabs are cut along the first axis
    return roll(values, shift, axis)


def _checkerboard(
    rule: SiteRule, words: int, data: Array, fields: Array, chain: Array
) -> tuple[Array, Array]:
    """One half-sweep for every row of `data`."""
    even, odd = pack(fields)
    shape = even.shape
    parity = _row_parity(shape[:-2])
    share = 4 // words  # a hash makes four words: enough for as many rows as share it

    def update(colour: int, word: Array, own: Array, other: Array) -> tuple[Array, Array]:
        last = len(shape) - 2
        # The second neighbour along the packed axis lies one step back or forth, by the parity of the row.
        beside = jnp.where(parity == bool(colour), _rolled(other, 1, last), _rolled(other, -1, last))
        neighbours = other + beside
        for axis in range(last):
            neighbours = neighbours + _rolled(other, 1, axis) + _rolled(other, -1, axis)
        # Numbered here, not before the loop, which would read the numbers from memory in every sweep.
        row, column = _rows_and_columns(shape)
        site, part = row // share * shape[-2] + column, row % share
        hashed = site_words(jax.random.wrap_key_data(word), site, jnp.broadcast_to(chain, shape))
        own_words = hashed[:words]
        for turn in range(1, share):
            mine = hashed[turn * words : (turn + 1) * words]
            own_words = tuple(
                jnp.where(part == turn, new, old) for new, old in zip(mine, own_words, strict=True)
            )
        return rule(own_words, own, neighbours)

    def sweep(state: tuple[Array, Array, Array], data: Array) -> tuple[tuple[Array, Array, Array], None]:
        even, odd, accepted = state
        even, first = update(0, data[0], even, odd)
        odd, second = update(1, data[1], odd, even)
        # Summed at the end: sums are kernels of their own on a GPU, which small lattices would wait for.
        return (even, odd, accepted + (first + second)), None

    data = data.reshape(-1, 2, data.shape[-1])
    rate = jax.eval_shape(lambda: update(0, data[0, 0], even, odd)[1])
    start = (even, odd, jnp.zeros(rate.shape, fields.dtype))
    (even, odd, accepted), _ = jax.lax.scan(sweep, start, data)
    return unpack(even, odd), jnp.mean(accepted) / (2 * len(data))


def _masked(
    rule: SiteRule, data: Array, fields: Array, chain: Array, lattice: Lattice, words: int
) -> tuple[Array, Array]:
    site = jnp.arange(lattice.volume, dtype=jnp.uint32).reshape(lattice.shape)
    numbers = chain.reshape(-1, *[1] * lattice.dimension)
    colouring = lattice.colouring

    def sweep(state: tuple[Array, Array], data: Array) -> tuple[tuple[Array, Array], None]:
        fields, accepted = state
        for colour in range(lattice.colours):
            own_words = site_words(jax.random.wrap_key_data(data[colour]), site, numbers)[:words]
            new, rate = rule(own_words, fields, lattice.neighbour_sum(fields))
            mask = colouring == colour
            fields = jnp.where(mask, new, fields)
            rates = jnp.where(mask, jnp.broadcast_to(rate, fields.shape), 0)
            accepted = accepted + jnp.sum(rates) / fields.size
        return (fields, accepted), None

    (fields, accepted), _ = jax.lax.scan(sweep, (fields, jnp.zeros((), fields.dtype)), data)
    return fields, accepted / len(data)
