"""The network under every inverse: periodic, odd, size-agnostic transposed convolutions of any dimension."""

import math
from collections.abc import Sequence
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from kadanoff.errors import InputError
from kadanoff.products import matmul
from kadanoff.random import split
from kadanoff.renormalization.inverse.convolution import convolution
from kadanoff.renormalization.inverse.sublattice import pick

__all__ = ["OddNetwork", "default_kernels", "random_weights", "wrap"]

_DRAWN = 1 << 14  # normals that are drawn at once


class OddNetwork(eqx.Module):
    """Convolutions without biases and tanh between them, so that network(-x) = -network(x) for all inputs at once.

    Maps channels on the coarse lattice to channels on the coarse lattice: (*coarse, channels) to (*coarse, out). With
    out = b**d channels rearranged into blocks, a last kernel of side k is one transposed convolution of kernel k b
    and stride b. The input is padded periodically once by `reach`, after which every convolution is 'valid': what is
    computed for one tile of the lattice is what would be computed for all of it.
    """

    kernels: tuple[Float[Array, "..."], ...]
    skip: Float[Array, "channels out"]

    @classmethod
    def random(
        cls, key: PRNGKeyArray, dimension: int, channels: int, width: int, out: int, sides: Sequence[int]
    ) -> "OddNetwork":
        """Random kernels of the given odd sides, `width` channels between them; the skip starts as a copy."""
        if not sides:
            raise InputError("a network needs a kernel: give kernels one odd side or more, such as (3,)")
        if any(side < 1 or side % 2 == 0 for side in sides):
            raise InputError(f"kernel sides must be odd and positive, got {tuple(sides)}")
        counts = [channels, *[width] * (len(sides) - 1), out]
        keys = split(key, len(sides))
        kernels = []
        for index, (side, inputs, outputs) in enumerate(zip(sides, counts[:-1], counts[1:], strict=True)):
            scale = (0.1 if index == len(sides) - 1 else 1.0) / np.sqrt(side**dimension * inputs)
            kernels.append(random_weights(keys[index], *[side] * dimension, inputs, outputs, scale=scale))
        skip = np.zeros((channels, out), np.float32)
        skip[0] = 1
        return cls(tuple(kernels), jnp.asarray(skip))

    @property
    def dimension(self) -> int:
        """Dimension of the lattice."""
        return self.kernels[0].ndim - 2

    @property
    def reach(self) -> int:
        """How many coarse sites the output looks in each direction."""
        return sum((kernel.shape[0] - 1) // 2 for kernel in self.kernels)

    @property
    def parameters(self) -> int:
        """Number of trained numbers."""
        return sum(leaf.size for leaf in jax.tree_util.tree_leaves(eqx.filter(self, eqx.is_inexact_array)))

    def __call__(
        self, padded: Float[Array, "n ..."], places: Sequence[tuple[int, ...]] | None = None
    ) -> Float[Array, "n ..."]:
        """Apply to (n, *padded sides, channels), padded by `reach` on both sides of every axis.

        With `places`, corners as in `sublattice`, the last layer is computed at those sites only.
        """
        values = padded
        for kernel in self.kernels[:-1]:
            values = jnp.tanh(convolution(values, kernel))
        core = self.core(padded, places)
        return convolution(values, self.kernels[-1], places) + matmul(core, self.skip)

    def core(
        self, padded: Float[Array, "n ..."], places: Sequence[tuple[int, ...]] | None = None
    ) -> Float[Array, "n ..."]:
        """What was padded, without the padding, at the same sites as the output."""
        inside = padded[(slice(None), *[slice(self.reach, -self.reach or None)] * self.dimension)]
        return inside if places is None else pick(inside, places)


def random_weights(key: PRNGKeyArray, *shape: int, scale: float = 1.0) -> Float[Array, "..."]:
    """Normals as of `jax.random.normal`, scaled: the first of many, so that one program draws most shapes.

    >>> bool(jnp.all(random_weights(jax.random.key(1), 2, 3) == jax.random.normal(jax.random.key(1), (2, 3))))
    True
    """
    drawn = jax.random.normal(key, (max(_DRAWN, 1 << (math.prod(shape) - 1).bit_length()),), jnp.float32)
    return _first(drawn, jnp.asarray(scale, drawn.dtype), shape)


@partial(jax.jit, static_argnums=2)
def _first(
    drawn: Float[Array, " many"], scale: Float[Array, ""], shape: tuple[int, ...]
) -> Float[Array, "..."]:
    return scale * drawn[: math.prod(shape)].reshape(shape)


def wrap(values: Float[Array, "n ..."], reach: int) -> Float[Array, "n ..."]:
    """Pad the lattice axes of (n, *sides, channels) periodically."""
    return jnp.pad(values, [(0, 0), *[(reach, reach)] * (values.ndim - 2), (0, 0)], mode="wrap")


def default_kernels(coarse_side: int, layers: int = 3) -> tuple[int, ...]:
    """Kernel sides whose receptive field fits into a coarse training lattice of the given side.

    >>> default_kernels(16), default_kernels(4)
    ((3, 3, 3), (3, 1, 1))
    """
    wide = min(layers, max(0, (coarse_side - 1) // 2))
    return (*[3] * wide, *[1] * (layers - wide))
