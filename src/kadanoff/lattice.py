"""Periodic hypercubic lattices: shape, neighbours, sublattices."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from operator import index
from typing import SupportsIndex

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Num

from kadanoff.devices import rolled
from kadanoff.errors import InputError

__all__ = ["Lattice"]


@dataclass(frozen=True, init=False)
class Lattice:
    """A periodic hypercubic lattice of dimension 1 to 4; sides may differ and may be odd.

    `shape` is the sequence of its sides; a whole number is the side of a ring.

    Every link is counted once: site x owns its links to x + e_mu. A side of 2 has double links, so that sums
    over neighbours are the same expression on every lattice.

    Raises `InputError` for a side below 2 or a dimension outside 1 to 4.

    >>> lattice = Lattice((4, 6))
    >>> lattice.dimension, lattice.volume, lattice.colours
    (2, 24, 2)
    >>> Lattice(8)
    Lattice(shape=(8,))
    """

    shape: tuple[int, ...]

    def __init__(self, shape: SupportsIndex | Iterable[SupportsIndex]) -> None:
        sides = tuple(shape) if isinstance(shape, Iterable) else (shape,)
        try:
            object.__setattr__(self, "shape", tuple(map(index, sides)))
        except TypeError as error:
            raise InputError(f"lattice sides must be whole numbers, got {shape!r}") from error
        if not 1 <= len(self.shape) <= 4:
            raise InputError(f"a lattice has 1 to 4 dimensions, got {len(self.shape)} sides in {self.shape}")
        if min(self.shape) < 2:
            raise InputError(f"every lattice side must be 2 or more, got {self.shape}")

    @property
    def dimension(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def volume(self) -> int:
        """Number of sites."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def longest(self) -> int:
        """Longest side, the L of finite-size scaling."""
        return max(self.shape)

    @property
    def is_bipartite(self) -> bool:
        """Whether a checkerboard is a valid colouring: all sides even."""
        return all(side % 2 == 0 for side in self.shape)

    @property
    def colours(self) -> int:
        """Number of colours of `colouring`: 2 with even sides, 3 when a side is odd."""
        return 2 if self.is_bipartite else 3

    @cached_property
    def colouring(self) -> Int[np.ndarray, "..."]:
        """Colour of every site such that no two neighbours share one.

        Even sides alternate 0, 1; an odd side ends in an extra 2; the colour of a site is the sum over its
        axes modulo the number of colours.

        >>> Lattice((3,)).colouring.tolist()
        [0, 1, 2]
        """
        total = np.zeros(self.shape, dtype=np.int64)
        for axis, side in enumerate(self.shape):
            colour = np.arange(side) % 2
            if side % 2:
                colour[-1] = 2
            total += colour.reshape([-1 if a == axis else 1 for a in range(self.dimension)])
        return total % self.colours

    def blocked(self, b: int) -> "Lattice":
        """Give the lattice of blocks of side b; `InputError` when b does not divide every side.

        >>> Lattice((8, 8)).blocked(2).shape
        (4, 4)
        """
        if b < 2:
            raise InputError(f"the rescaling factor b must be 2 or more, got {b}")
        wrong = [side for side in self.shape if side % b]
        if wrong:
            raise InputError(
                f"cannot block sides {self.shape} by b={b}: {wrong[0]} is not a multiple of {b}; "
                "choose sides that are"
            )
        if min(self.shape) // b < 2:
            raise InputError(
                f"blocking {self.shape} by b={b} leaves a side below 2; start from a larger lattice, or block "
                "it fewer times"
            )
        return Lattice(tuple(side // b for side in self.shape))

    def refined(self, b: int) -> "Lattice":
        """Give the lattice whose blocks of side b are this lattice's sites.

        >>> Lattice((8, 8)).refined(2).shape
        (16, 16)
        """
        return Lattice(tuple(side * b for side in self.shape))

    def forward_sum(self, field: Float[Array, "..."]) -> Float[Array, "..."]:
        """Sum of the neighbours at x + e_mu, mu = 1..d, on the last d axes."""
        return sum_of_rolls(field, self.dimension, (-1,))

    def neighbour_sum(self, field: Float[Array, "..."]) -> Float[Array, "..."]:
        """Sum over all 2 d neighbours on the last d axes.

        >>> import jax.numpy as jnp
        >>> Lattice((4,)).neighbour_sum(jnp.array([1.0, 0.0, 0.0, 0.0])).tolist()
        [0.0, 1.0, 0.0, 1.0]
        """
        return sum_of_rolls(field, self.dimension, (-1, 1))


def sum_of_rolls(field: Float[Array, "..."], dimension: int, shifts: tuple[int, ...]) -> Float[Array, "..."]:
    """Sum of the field shifted along each of its last `dimension` axes by each of `shifts`."""
    # Slabs are cut along the first axis.
    first, *others = range(-dimension, 0)
    found = [rolled(field, shift, first) for shift in shifts]
    found += [jnp.roll(field, shift, axis) for axis in others for shift in shifts]
    return sum(found[1:], found[0])


def shell_sum(
    sublattices: Mapping[tuple[int, ...], Num[Array, "..."]], place: tuple[int, ...], b: int, count: int
) -> Num[Array, "..."]:
    """Sum of the sites that differ by one step along each of `count` axes, for all sites of one sublattice.

    `sublattices` are the sites (*blocks, ...) by their place within blocks of side b: all b**d, each with coordinates
    below b. With b = 1 that is one whole field.

    >>> import jax.numpy as jnp
    >>> shell_sum({(0, 0): jnp.ones((4, 4))}, (0, 0), 1, 2)[0].tolist()
    [4.0, 4.0, 4.0, 4.0]
    """
    parts = [_beside(sublattices, place, b, axes) for axes in combinations(range(len(place)), count)]
    return sum(parts[1:], parts[0])


def _beside(
    sublattices: Mapping[tuple[int, ...], Array], place: tuple[int, ...], b: int, axes: tuple[int, ...]
) -> Array:
    """Sum over both steps along each of the axes, one axis after the other: few additions give many sites."""
    if not axes:
        return sublattices[place]
    axis, found = axes[0], []
    for step in (-1, 1):
        blocks, inside = divmod(place[axis] + step, b)
        other = _beside(sublattices, (*place[:axis], inside, *place[axis + 1 :]), b, axes[1:])
        found.append(jnp.roll(other, -blocks, axis) if blocks else other)
    return found[0] + found[1]


def site_name(shape: tuple[int, ...], number: int | np.integer) -> int | tuple[int, ...]:
    """What a message calls a site: its number on a line of sites, else its coordinates.

    >>> site_name((4,), 3), site_name((2, 2), 3)
    (3, (1, 1))
    """
    place = tuple(int(axis) for axis in np.unravel_index(number, shape))
    return place[0] if len(place) == 1 else place
