"""Sites of one checkerboard colour as an array of their own, (n, *sides/2, corners, ...).

A site of an even-sided lattice is twice a coordinate of the halved lattice plus a corner of the unit cube; the corners
with an even sum make one colour, the others the second. A convolution is then needed at those corners only.
"""

from collections.abc import Sequence
from itertools import product

import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped

__all__ = ["corners", "merge", "pick"]


def corners(dimension: int, colour: int) -> tuple[tuple[int, ...], ...]:
    """Corners of the unit cube whose coordinates sum to the colour modulo 2.

    >>> corners(2, 0), corners(2, 1)
    (((0, 0), (1, 1)), ((0, 1), (1, 0)))
    """
    return tuple(corner for corner in product((0, 1), repeat=dimension) if sum(corner) % 2 == colour)


def pick(values: Shaped[Array, "n ..."], places: Sequence[tuple[int, ...]]) -> Shaped[Array, "n ..."]:
    """Gather the sites at some corners: (n, *sides, ...) to (n, *sides/2, corners, ...).

    >>> pick(jnp.arange(16).reshape(1, 4, 4), corners(2, 0))[0, 0].tolist()
    [[0, 5], [2, 7]]
    """
    parts = [values[(slice(None), *[slice(start, None, 2) for start in corner])] for corner in places]
    return jnp.stack(parts, axis=1 + len(places[0]))


def merge(
    into: Float[Array, "n ..."], packed: Float[Array, "n ..."], places: Sequence[tuple[int, ...]]
) -> Float[Array, "n ..."]:
    """Write what `pick` gathered back to its sites.

    >>> merge(jnp.zeros((1, 2, 2)), jnp.ones((1, 1, 1, 2)), corners(2, 0))[0].tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    d = len(places[0])
    every = tuple(product((0, 1), repeat=d))
    parts = dict(zip(every, jnp.unstack(pick(into, every), axis=1 + d), strict=True))
    parts |= dict(zip(places, jnp.unstack(packed, axis=1 + d), strict=True))
    # By stacking, not by writing here and there: XLA takes longer to compile that, and to do it.
    stacked = jnp.stack(list(parts.values()), axis=1 + d)
    apart = stacked.reshape(*stacked.shape[: 1 + d], *[2] * d, *into.shape[1 + d :])
    order = [place for axis in range(1, 1 + d) for place in (axis, axis + d)]
    return apart.transpose(0, *order, *range(1 + 2 * d, apart.ndim)).reshape(into.shape)
