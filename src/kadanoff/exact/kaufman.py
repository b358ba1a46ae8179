"""The Ising model on a finite periodic rectangle, exactly."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kadanoff.errors import InputError
from kadanoff.lattice import Lattice

__all__ = ["ExactIsing", "kaufman"]


class ExactIsing(NamedTuple):
    """ln Z, energy a site <H>/V with H = -sum_<xy> s_x s_y, specific heat a site beta^2 (<H^2> - <H>^2)/V."""

    log_partition: float
    energy: float
    specific_heat: float


class _Part(NamedTuple):
    """One of the four products: exp(log) factor, with first and second derivatives by beta of both."""

    log: np.ndarray
    factor: np.ndarray


def kaufman(beta: float, shape: int | Sequence[int]) -> ExactIsing:
    """Solve the Ising model on a periodic rectangle of any sides and at any beta > 0.

    Z = (2 sinh 2 beta)^{V/2}/2 times the sum of four products over the modes gamma_l of the transfer matrix,
    cosh gamma_l = cosh 2 beta coth 2 beta - cos(pi l/n); derivatives by beta are taken analytically. Double precision
    holds to about 1e-13 a site.

    Raises `InputError` for a beta that is not positive and finite, and for lattices that are not two-dimensional.

    >>> exact = kaufman(0.4406867935097715, (8, 8))
    >>> round(exact.energy, 11), round(exact.log_partition / 64, 14)
    (-1.49158910744, 0.93971532482921)

    Source: B. Kaufman, Phys. Rev. 76 (1949) 1232; A. E. Ferdinand, M. E. Fisher, Phys. Rev. 185 (1969) 832.
    """
    if not (np.isfinite(beta) and beta > 0):
        raise InputError(f"beta must be positive and finite, got {beta}")
    lattice = Lattice((shape, shape) if isinstance(shape, int) else shape)
    if lattice.dimension != 2:
        raise InputError(
            f"Kaufman's solution is two-dimensional, and {lattice.shape} has dimension {lattice.dimension}"
        )
    rows, columns = lattice.shape
    odd, even = _modes(beta, columns, 1), _modes(beta, columns, 0)
    # The mode gamma_0 changes its sign at the critical point: its factor is kept out of the logarithm.
    zero, even = even[:, 0], even[:, 1:]
    outside = np.array([rows * abs(zero[0]) / 2, 0, 0])  # what `_factor` leaves out
    one = np.array([1.0, 0, 0])
    parts = [_Part(_log_product(rows, odd, sign), one) for sign in (1, -1)]
    parts += [_Part(_log_product(rows, even, sign) + outside, _factor(rows, zero, sign)) for sign in (1, -1)]
    largest = max(part.log[0] + np.log(abs(part.factor[0]) + 1e-300) for part in parts)
    value = first = second = 0.0
    for part in parts:
        scale = np.exp(part.log[0] - largest)
        f, df, ddf = part.factor
        slope, bend = part.log[1], part.log[2]
        value += scale * f
        first += scale * (df + f * slope)
        second += scale * (ddf + 2 * df * slope + f * (bend + slope**2))
    first, second = first / value, second / value
    volume, angle = lattice.volume, 2 * beta
    log_partition = volume / 2 * np.log(2 * np.sinh(angle)) - np.log(2) + largest + np.log(value)
    slope = volume / np.tanh(angle) + first
    bend = -2 * volume / np.sinh(angle) ** 2 + second - first**2
    return ExactIsing(float(log_partition), float(-slope / volume), float(beta**2 * bend / volume))


def _modes(beta: float, columns: int, parity: int) -> np.ndarray:
    """gamma_l and its first two derivatives by beta for l = parity, parity + 2, ..; (3, columns)."""
    s, c = np.sinh(2 * beta), np.cosh(2 * beta)
    order = np.arange(parity, 2 * columns, 2)
    # cosh gamma - 1 without cancellation, and its derivatives
    excess = (s - 1) ** 2 / s + 2 * np.sin(np.pi * order / (2 * columns)) ** 2
    slope, bend = 2 * c * (1 - 1 / s**2), 4 * s * (1 - 1 / s**2) + 8 * c**2 / s**3
    gamma = 2 * np.arcsinh(np.sqrt(excess / 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        first = slope / np.sinh(gamma)
        second = (bend - (1 + excess) * first**2) / np.sinh(gamma)
    if parity == 0:
        gamma[0], first[0], second[0] = 2 * beta + np.log(np.tanh(beta)), 2 + 2 / s, -4 * c / s**2
    return np.stack([gamma, first, second])


def _log_product(rows: int, modes: np.ndarray, sign: int) -> np.ndarray:
    """ln prod_l (e^x + sign e^-x) at x = rows gamma_l/2 > 0, with its first two derivatives."""
    gamma, first, second = modes
    half = rows / 2
    decay = sign * np.exp(-rows * gamma)
    ratio = (1 - decay) / (1 + decay)  # tanh or coth
    value = half * gamma + np.log1p(decay)
    bend = half * second * ratio + half**2 * first**2 * (1 - ratio**2)
    return np.array([value.sum(), (half * first * ratio).sum(), bend.sum()])


def _factor(rows: int, mode: np.ndarray, sign: int) -> np.ndarray:
    """e^x + sign e^-x at x = rows gamma_0/2, with its first two derivatives, all times e^-|x|."""
    x, first, second = rows / 2 * mode
    up, down = np.exp(x - abs(x)), np.exp(-x - abs(x))
    value, slope = up + sign * down, up - sign * down
    return np.array([value, first * slope, second * slope + first**2 * value])
