"""The distribution of the magnetisation of the Ising model on a small periodic rectangle, exactly."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from kadanoff.errors import InputError
from kadanoff.lattice import Lattice

__all__ = ["magnetization_distribution"]

_WIDEST = 9  # sites of a row: a transfer matrix of 512 x 512


def magnetization_distribution(
    beta: float, shape: int | Sequence[int]
) -> tuple[Float[np.ndarray, " level"], Float[np.ndarray, " level"]]:
    """Values of m = sum_x s_x / V, ascending, and their probabilities, at any beta on up to 9 x any sites.

    The trace of transfer matrices with a factor z for every spin up is a polynomial in z; a Fourier transform of its
    values at the roots of unity gives its coefficients. Double precision; a few seconds for 8 x 8.

    Raises `InputError` for a beta that is not finite, and for lattices that are not two-dimensional or too wide.

    >>> m, probability = magnetization_distribution(0.0, (2, 2))
    >>> m.tolist(), probability.round(12).tolist()
    ([-1.0, -0.5, 0.0, 0.5, 1.0], [0.0625, 0.25, 0.375, 0.25, 0.0625])

    Source: H. A. Kramers, G. H. Wannier, Phys. Rev. 60 (1941) 252.
    """
    if not np.isfinite(beta):
        raise InputError(f"beta must be finite, got {beta}")
    lattice = Lattice((shape, shape) if isinstance(shape, int) else shape)
    if lattice.dimension != 2 or min(lattice.shape) > _WIDEST:
        raise InputError(
            f"the distribution is found in two dimensions, one side {_WIDEST} or shorter, not on {lattice.shape}"
        )
    columns, rows = sorted(lattice.shape)
    spins = 1 - 2.0 * ((np.arange(1 << columns)[:, None] >> np.arange(columns)) & 1)
    within = beta * np.sum(spins * np.roll(spins, 1, axis=1), axis=1)
    exponent = beta * spins @ spins.T + (within[:, None] + within) / 2
    matrix = np.exp(exponent - exponent.max())
    up = np.sum(spins > 0, axis=1)
    size = lattice.volume + 1
    # The polynomial has real coefficients: its values at conjugate roots are conjugate.
    roots = np.exp(2j * np.pi * np.arange(size // 2 + 1) / size)
    values = [_trace_of_power(matrix * root**up, rows) for root in roots]
    found = np.fft.irfft(np.conj(values), size)
    probability = np.maximum(found, 0)
    m = 2 * np.arange(size) / lattice.volume - 1
    return m, probability / probability.sum()


def _trace_of_power(matrix: np.ndarray, power: int) -> complex:
    """tr M^n from two powers of half the size: one product less."""
    half = np.linalg.matrix_power(matrix, power // 2)
    other = half if power % 2 == 0 else half @ matrix
    return complex(np.sum(half * other.T))
