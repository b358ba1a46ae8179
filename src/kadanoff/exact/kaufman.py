"""The Ising model on a finite periodic rectangle, exactly."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from kadanoff.errors import InputError
from kadanoff.lattice import Lattice

__all__ = ["ExactIsing", "kaufman"]


class ExactIsing(NamedTuple):
    """ln Z, energy a site <H>/V with H = -sum_<xy> s_x s_y, specific heat a site beta^2 (<H^2> - <H>^2)/V."""

    log_partition: float
    energy: float
    specific_heat: float


_LOWEST, _HIGHEST = 1e-100, 1e100  # beta, beyond which squares leave double precision

_Jet = Float[np.ndarray, "3 ..."]  # a function of beta with its first two derivatives


class _Part(NamedTuple):
    """One of the four products: exp(log) factor."""

    log: _Jet
    factor: _Jet


def kaufman(beta: float, shape: int | Sequence[int]) -> ExactIsing:
    """Solve the Ising model on a periodic rectangle of any sides, at any beta from 1e-100 to 1e100.

    Z = (2 sinh 2 beta)^{V/2}/2 times the sum of four products over the modes gamma_l of the transfer matrix,
    cosh gamma_l = cosh 2 beta coth 2 beta - cos(pi l/n); derivatives by beta are taken analytically. The ground state
    is taken out, exp(2 beta V), and what is left is written in t = exp(-2 beta), so that nothing grows at either end:
    double precision holds to about 1e-13 a site, of ln Z relative to 2 beta where that is large.

    Raises `InputError` for a beta out of this range, and for lattices that are not two-dimensional.

    >>> exact = kaufman(0.4406867935097715, (8, 8))
    >>> round(exact.energy, 11), round(exact.log_partition / 64, 14)
    (-1.49158910744, 0.93971532482921)

    Source: B. Kaufman, Phys. Rev. 76 (1949) 1232; A. E. Ferdinand, M. E. Fisher, Phys. Rev. 185 (1969) 832.
    """
    if not _LOWEST <= beta <= _HIGHEST:
        raise InputError(f"beta must be positive and finite, from {_LOWEST:g} to {_HIGHEST:g}, got {beta}")
    lattice = Lattice((shape, shape) if isinstance(shape, int) else shape)
    if lattice.dimension != 2:
        raise InputError(
            f"Kaufman's solution is two-dimensional, and {lattice.shape} has dimension {lattice.dimension}"
        )
    rows, columns = lattice.shape
    # The mode gamma_0 changes its sign at the critical point: its factor is kept out of the logarithm.
    parts = [_Part(_log_product(beta, rows, columns, 1, sign), np.array([1.0, 0, 0])) for sign in (1, -1)]
    parts += [_with_zero(beta, rows, _log_product(beta, rows, columns, 0, sign), sign) for sign in (1, -1)]
    largest = max(part.log[0] + np.log(abs(part.factor[0]) + 1e-300) for part in parts)
    common = parts[0].log[1]  # in all slopes: without it their squares do not cancel
    value = first = second = 0.0
    for part in parts:
        scale = np.exp(part.log[0] - largest)
        f, df, ddf = part.factor
        slope, bend = part.log[1] - common, part.log[2]
        value += scale * f
        first += scale * (df + f * slope)
        second += scale * (ddf + 2 * df * slope + f * (bend + slope**2))
    first, second = first / value, second / value
    volume = lattice.volume
    log_partition = volume * (2 * beta + np.log(2) / 2) - np.log(2) + largest + np.log(value)
    bend = second - first**2
    return ExactIsing(
        float(log_partition), float(-2 - (common + first) / volume), float(beta * (beta * bend / volume))
    )


def _log_product(beta: float, rows: int, columns: int, parity: int, sign: int) -> _Jet:
    """ln prod_l s^{rows/2} (e^x + sign e^-x) at x = rows gamma_l/2 > 0, less 2 beta rows a mode, s = sinh 2 beta.

    For l = parity, parity + 2, .. but not l = 0. With t = e^{-2 beta} and u = s t = (1 - t^2)/2, s e^gamma is
    e^{4 beta} (A + sqrt(A^2 - u^2 t^2)), A = t^2 + u^2 - u t cos(pi l/n).
    """
    order = np.arange(2 if parity == 0 else 1, 2 * columns, 2)
    half = 2 * np.sin(np.pi * order / (2 * columns)) ** 2  # 1 - cos
    t, u, log_u = _powers(beta)
    t, u = t[:, None], u[:, None]
    ut, apart = _times(u, t), t - u
    # A - u t and A + u t, both without cancellation
    below = _times(apart, apart) + half * ut
    above = below + 2 * ut
    grown = _log(below + ut + _sqrt(_times(below, above)))
    log_ut = log_u + np.array([-2 * beta, -2, 0])
    exponent = rows * (log_ut[:, None] - grown)  # -rows gamma
    decay = sign * np.exp(exponent[0])
    share = decay / (1 + decay)
    ends = np.stack(
        [
            np.log1p(decay),
            exponent[1] * share,
            exponent[2] * share + exponent[1] * (exponent[1] * share) / (1 + decay),
        ]
    )
    return (rows / 2 * grown + ends).sum(axis=1)


def _with_zero(beta: float, rows: int, log: _Jet, sign: int) -> _Part:
    """The product over the other even modes times s^{rows/2} (e^x + sign e^-x) of gamma_0, less 2 beta rows.

    e^{gamma_0} = e^{2 beta} tanh beta, so that the terms are ((1 - t)^2/2)^{rows/2} and (t^2 (1 + t)^2/2)^{rows/2}.
    """
    t = np.exp(-2 * beta)
    rest = -np.expm1(-2 * beta)
    up = rows * np.array([np.log(rest), 2 * t / rest, -4 * t / rest / rest])
    down = rows * np.array([np.log1p(t) - 2 * beta, -2 * t / (1 + t) - 2, 4 * t / (1 + t) ** 2])
    highest = max(up[0], down[0])
    factor = _exp(up, highest) + sign * _exp(down, highest)
    return _Part(log + np.array([highest - rows * np.log(2) / 2, 0, 0]), factor)


def _powers(beta: float) -> tuple[_Jet, _Jet, _Jet]:
    """T = e^{-2 beta}, u = (1 - t^2)/2 and ln u."""
    t, square = np.exp(-2 * beta), np.exp(-4 * beta)
    u = -np.expm1(-4 * beta) / 2
    slope = 2 * square / u
    bend = -4 * slope - slope**2
    return (
        np.array([t, -2 * t, 4 * t]),
        np.array([u, 2 * square, -8 * square]),
        np.array([np.log(u), slope, bend]),
    )


def _times(a: _Jet, b: _Jet) -> _Jet:
    return np.stack([a[0] * b[0], a[1] * b[0] + a[0] * b[1], a[2] * b[0] + 2 * a[1] * b[1] + a[0] * b[2]])


def _log(a: _Jet) -> _Jet:
    slope = a[1] / a[0]
    return np.stack([np.log(a[0]), slope, a[2] / a[0] - slope**2])


def _sqrt(a: _Jet) -> _Jet:
    root = np.sqrt(a[0])
    slope = a[1] / (2 * root)
    return np.stack([root, slope, (a[2] / 2 - slope**2) / root])


def _exp(a: _Jet, highest: float) -> _Jet:
    """e^{a - highest}."""
    value = np.exp(a[0] - highest)
    return np.array([value, a[1] * value, a[2] * value + a[1] * (a[1] * value)])
