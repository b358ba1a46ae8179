"""What training minimises, one function an inverse: a loss per configuration on pairs of coarse and fine fields."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from kadanoff.errors import InputError
from kadanoff.renormalization.inverse.base import Inverse, cut_blocks
from kadanoff.renormalization.inverse.energy_score import energy_score
from kadanoff.renormalization.inverse.sublattice_density import SublatticeDensity

__all__ = ["KINDS", "SPIN_KINDS", "loss", "patch_sides"]

#: Members of the family, by what they are compared with the true fine fields by.
KINDS = ("linear", "deterministic", "stochastic", "density", "spins", "minimal")
#: Those that are learnt from spins, by the likelihood, as a density is.
SPIN_KINDS = ("spins", "minimal")


def patch_sides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Sides of the patches of the energy score: 2, 4 and 8 as far as they divide the lattice, or its sides' divisors.

    >>> patch_sides((32, 32)), patch_sides((27, 27))
    ((2, 4, 8), (3, 9))
    """
    common = int(np.gcd.reduce(shape))
    sides = tuple(s for s in (2, 4, 8) if common % s == 0 and 2 * s <= common)
    return sides or tuple(s for s in (3, 9, 5, 7) if common % s == 0 and s < common) or (common,)


def loss(
    kind: str, inverse: Inverse, key: PRNGKeyArray, coarse: Float[Array, "n ..."], fine: Float[Array, "n ..."]
) -> Float[Array, " n"]:
    """Loss of each pair: mean square error, energy score on patches, or minus the log-likelihood a site."""
    number = jnp.arange(len(coarse), dtype=jnp.uint32)
    if kind in ("linear", "deterministic"):
        error = inverse.fine(key, coarse, number) - fine
        return jnp.mean(error**2, axis=tuple(range(1, fine.ndim)))
    if kind == "stochastic":
        one, two, place = jax.random.split(key, 3)
        drawn = (inverse.fine(one, coarse, number), inverse.fine(two, coarse, number))
        return energy_score(place, *drawn, fine, patch_sides(fine.shape[1:]))
    if kind in ("density", *SPIN_KINDS) and isinstance(inverse, SublatticeDensity):
        blocks = cut_blocks(fine, inverse.b)
        # A random translation of the batch: the likelihood of one order of the colours, unbiased for their mean.
        shift = jax.random.randint(key, (), 0, coarse.shape[1], jnp.int32)
        terms = inverse.block_log_prob(jnp.roll(blocks, shift, axis=1), jnp.roll(coarse, shift, axis=1))
        return -jnp.mean(terms, axis=tuple(range(1, coarse.ndim))) / blocks.shape[-1]
    raise InputError(f"unknown kind of inverse {kind!r}; choose one of {', '.join(KINDS)}")
