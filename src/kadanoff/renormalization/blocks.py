"""Sites of a field gathered into blocks of side b, and back."""

from jaxtyping import Array, Num

__all__ = ["from_blocks", "to_blocks"]


def to_blocks(field: Num[Array, "..."], b: int) -> Num[Array, "..."]:
    """Gather one field into blocks: (*lattice) to (*lattice/b, b**d), sites of a block in row-major order.

    >>> import jax.numpy as jnp
    >>> to_blocks(jnp.arange(16.0).reshape(4, 4), 2)[0, 0].tolist()
    [0.0, 1.0, 4.0, 5.0]
    """
    d = field.ndim
    split = field.reshape([n for side in field.shape for n in (side // b, b)])
    return split.transpose([*range(0, 2 * d, 2), *range(1, 2 * d, 2)]).reshape(
        *[side // b for side in field.shape], b**d
    )


def from_blocks(blocks: Num[Array, "..."], b: int) -> Num[Array, "..."]:
    """Undo `to_blocks`."""
    d = blocks.ndim - 1
    split = blocks.reshape(*blocks.shape[:-1], *[b] * d)
    order = [axis for pair in zip(range(d), range(d, 2 * d), strict=True) for axis in pair]
    return split.transpose(order).reshape([side * b for side in blocks.shape[:-1]])
