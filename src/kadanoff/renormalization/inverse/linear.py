"""The best linear transposed convolution, in closed form: the yardstick that a network has to beat."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from kadanoff.renormalization.inverse.base import cut_blocks
from kadanoff.renormalization.inverse.network import OddNetwork
from kadanoff.renormalization.inverse.stochastic import StochasticInverse

__all__ = ["fit_linear"]

_RANK = 1e-12  # of the normal equations, relative to the largest singular value: below it is rounding


def fit_linear(
    coarse: Float[np.ndarray, "n ..."], fine: Float[np.ndarray, "n ..."], b: int, side: int = 3
) -> StochasticInverse:
    """Least-squares kernel (side**d coarse sites to b**d fine ones) on pairs; minimises the mean square error.

    >>> import numpy as np
    >>> fine = np.random.default_rng(0).normal(size=(4, 16, 16)).astype(np.float32)
    >>> coarse = fine.reshape(4, 8, 2, 8, 2).mean((2, 4))
    >>> fit_linear(coarse, fine, b=2).parameters
    40
    """
    d = coarse.ndim - 1
    reach = (side - 1) // 2
    padded = np.pad(coarse, [(0, 0), *[(reach, reach)] * d], mode="wrap")
    offsets = list(np.ndindex(*[side] * d))
    columns = [
        padded[(slice(None), *[slice(o, o + n) for o, n in zip(offset, coarse.shape[1:], strict=True)])]
        for offset in offsets
    ]
    inputs = np.stack(columns, axis=-1).reshape(-1, len(offsets)).astype(np.float64)
    targets = np.asarray(cut_blocks(jnp.asarray(fine), b)).reshape(-1, b**d).astype(np.float64)
    # Fields that do not tell neighbours apart, constant ones for instance, leave the kernel open: take the smallest.
    solution = np.linalg.lstsq(inputs.T @ inputs, inputs.T @ targets, rcond=_RANK)[0]
    kernel = jnp.asarray(solution.reshape(*[side] * d, 1, b**d), dtype=jnp.float32)
    return StochasticInverse(network=OddNetwork((kernel,), jnp.zeros((1, b**d), jnp.float32)), noise=0)
