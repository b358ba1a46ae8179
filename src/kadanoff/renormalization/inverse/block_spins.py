"""The spins of a block given its majority: a small Boltzmann law over the compatible states, summed exactly."""

import math
from itertools import combinations, product
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from kadanoff.errors import InputError
from kadanoff.products import matmul
from kadanoff.renormalization.inverse.base import cut_blocks

__all__ = ["BlockSpins", "draw_spins", "frequency_score", "log_probability", "states"]

_MOST = 9  # spins of a block: 256 compatible states


class BlockSpins(NamedTuple):
    """Fields (..., n) on the spins of a block and couplings (..., n(n-1)/2) of their pairs, in row-major order."""

    field: Float[Array, "..."]
    coupling: Float[Array, "..."]

    def tempered(self, temperature: float) -> "BlockSpins":
        """The same law with fields and couplings divided by `temperature`."""
        if temperature == 1.0:
            return self
        return BlockSpins(self.field / temperature, self.coupling / temperature)


def states(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Blocks of n spins whose majority is up, ties included, (states, n), and the log of the rule's probability.

    Raises `InputError` for more than nine spins.

    >>> spins, kernel = states(4)
    >>> len(spins), float(np.exp(kernel).sum())
    (11, 8.0)
    """
    if n > _MOST:
        raise InputError(
            f"a block of {n} spins has 2^{n - 1} states of one majority, too many to sum: use kd.CompatibleMonteCarlo"
        )
    spins = np.array(list(product((1, -1), repeat=n)), dtype=np.float32)
    spins = spins[spins.sum(axis=1) >= 0]
    return spins, np.where(spins.sum(axis=1) == 0, np.log(0.5), 0.0).astype(np.float32)


def log_probability(
    parts: BlockSpins, coarse: Float[Array, "..."], blocks: Float[Array, "... n"]
) -> Float[Array, "..."]:
    """Log-probability of the spins of blocks given their majority; -inf where they have the other one.

    p ~ exp(sum_i h_i s_i + sum_{i<j} J_ij s_i s_j) K(coarse | s), with K = 1 for a majority and 1/2 for a tie.
    """
    aligned = blocks * coarse[..., None]
    total = jnp.sum(aligned, axis=-1)
    kernel = jnp.where(total > 0, 0.0, jnp.where(total == 0, math.log(0.5), -jnp.inf))
    own = jnp.sum(parts.field * blocks, axis=-1) + jnp.sum(parts.coupling * _pairs(blocks), axis=-1)
    return own + kernel - jax.nn.logsumexp(_exponents(parts, coarse), axis=-1)


def draw_spins(
    parts: BlockSpins, coarse: Float[Array, "..."], uniform: Float[Array, "..."]
) -> Float[Array, "... n"]:
    """Turn one uniform a block into its spins; a flip of coarse spins and fields flips them, number by number."""
    exponents = _exponents(parts, coarse)
    weights = jnp.exp(exponents - jnp.max(exponents, axis=-1, keepdims=True))
    cumulative = jnp.cumsum(weights, axis=-1)
    chosen = jnp.sum(uniform[..., None] * cumulative[..., -1:] >= cumulative, axis=-1)
    table = jnp.asarray(states(parts.field.shape[-1])[0])
    return table[jnp.minimum(chosen, len(table) - 1)] * coarse[..., None]


def frequency_score(
    coarse: Float[Array, "n ..."],
    fine: Float[Array, "n ..."],
    held_out_coarse: Float[Array, "k ..."],
    held_out_fine: Float[Array, "k ..."],
    b: int,
) -> Float[np.ndarray, " k"]:
    """Minus the log-likelihood a site of held-out blocks, by how often each state occurs under its majority."""

    def numbered(coarse: Array, fine: Array) -> np.ndarray:
        blocks = cut_blocks(fine, b) * coarse[..., None]
        bits = np.asarray(blocks < 0, np.int64)
        return bits @ (1 << np.arange(bits.shape[-1]))

    n = b ** (coarse.ndim - 1)
    count = np.bincount(numbered(coarse, fine).ravel(), minlength=1 << n) + 0.5
    log = np.log(count / count.sum())
    held = log[numbered(held_out_coarse, held_out_fine)]
    return -held.reshape(len(held), -1).mean(axis=1) / n


def _exponents(parts: BlockSpins, coarse: Array) -> Array:
    """Log-weights (..., states) of the compatible states, in the frame where the majority is up."""
    spins, kernel = states(parts.field.shape[-1])
    along = matmul(parts.field * coarse[..., None], spins.T)
    return along + matmul(parts.coupling, _pairs(jnp.asarray(spins)).T) + kernel


def _pairs(spins: Array) -> Array:
    """Products of the pairs of spins (..., n)."""
    return jnp.stack([spins[..., i] * spins[..., j] for i, j in combinations(range(spins.shape[-1]), 2)], -1)
