"""The energy score on patches: a proper scoring rule, minimal when drawn and true fine fields have one law."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

__all__ = ["energy_score", "patches"]


def patches(fields: Float[Array, "n ..."], side: int, offset: Array) -> Float[Array, "n patch sites"]:
    """Cut periodic fields (n, *sides) into patches of side `side`, starting at `offset`.

    >>> import jax.numpy as jnp
    >>> patches(jnp.zeros((2, 8, 8)), 4, jnp.array([1, 2])).shape
    (2, 4, 16)
    """
    d = fields.ndim - 1
    rolled = jnp.roll(fields, -offset, axis=tuple(range(1, d + 1)))
    split = rolled.reshape([len(fields), *[n for size in fields.shape[1:] for n in (size // side, side)]])
    order = [0, *range(1, 2 * d + 1, 2), *range(2, 2 * d + 1, 2)]
    return split.transpose(order).reshape(len(fields), -1, side**d)


def energy_score(
    key: PRNGKeyArray,
    first: Float[Array, "n ..."],
    second: Float[Array, "n ..."],
    true: Float[Array, "n ..."],
    sides: tuple[int, ...],
) -> Float[Array, " n"]:
    """E|x - y| - E|x - x'|/2 for each configuration, estimated from two draws x, x', averaged over patches.

    Patches of each of `sides` are placed at a random offset. In expectation the score is smallest, over all laws of
    x, for the law of y.

    Source: T. Gneiting, A. Raftery, J. Am. Stat. Assoc. 102 (2007) 359, eq. 22.
    """
    total = jnp.zeros(len(true), true.dtype)
    for index, side in enumerate(sides):
        offset = jax.random.randint(jax.random.fold_in(key, index), (true.ndim - 1,), 0, side, jnp.int32)
        x, other, y = (patches(fields, side, offset) for fields in (first, second, true))
        score = (_norm(x - y) + _norm(other - y) - _norm(x - other)) / 2
        total = total + score.mean(axis=1) / side ** ((true.ndim - 1) / 2)
    return total / len(sides)


def _norm(vector: Array) -> Array:
    # The tiny offset keeps the gradient of the root finite at zero.
    return jnp.sqrt(jnp.sum(vector**2, axis=-1) + 1e-8)
