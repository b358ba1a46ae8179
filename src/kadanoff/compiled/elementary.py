"""Functions of one float32 that numba can turn into vector instructions, good to a few units of the last place.

Source: the single-precision approximations of S. L. Moshier, Methods and programs for mathematical functions (1989).
"""

from typing import no_type_check

import numba
import numpy as np

from kadanoff.compiled.functions import OPTIONS, inlined

__all__ = ["cos_sin", "exp", "log", "uniform"]

# By the compiler of machine code: written into their callers before that, each call would be typed anew.
_called = numba.njit(forceinline=True, **OPTIONS)
_F = np.float32


@inlined
@no_type_check
def uniform(word):  # pragma: no cover - compiled
    """A uniform on [0, 1) with 24 bits, as `kadanoff.random.uniform`."""
    return _F(np.int32(np.uint32(word >> np.uint32(8)))) * _F(2.0**-24)


@_called
@no_type_check
def exp(x):  # pragma: no cover - compiled
    """The exponential of x <= 0; 1 above, that of -80 below."""
    x = min(max(x, _F(-80)), _F(0))
    n = np.floor(x * _F(1.4426950408889634) + _F(0.5))
    x = (x - n * _F(0.693359375)) + n * _F(2.12194440e-4)
    p = _F(1.9875691500e-4)
    p = p * x + _F(1.3981999507e-3)
    p = p * x + _F(8.3334519073e-3)
    p = p * x + _F(4.1665795894e-2)
    p = p * x + _F(1.6666665459e-1)
    p = p * x + _F(5.0000001201e-1)
    p = p * (x * x) + x + _F(1)
    return p * np.int32((np.int32(n) + np.int32(127)) << np.int32(23)).view(np.float32)


@_called
@no_type_check
def log(x):  # pragma: no cover - compiled
    """The natural logarithm of a normal number x > 0."""
    bits = np.int32(
        np.float32(x).view(np.int32) - np.int32(0x3F3504F3)
    )  # to the mantissas from sqrt(1/2) to sqrt(2)
    n = _F(np.int32(bits >> np.int32(23)))
    x = np.int32(np.int32(bits & np.int32(0x7FFFFF)) + np.int32(0x3F3504F3)).view(np.float32) - _F(1)
    square = x * x
    p = _F(7.0376836292e-2)
    p = p * x + _F(-1.1514610310e-1)
    p = p * x + _F(1.1676998740e-1)
    p = p * x + _F(-1.2420140846e-1)
    p = p * x + _F(1.4249322787e-1)
    p = p * x + _F(-1.6668057665e-1)
    p = p * x + _F(2.0000714765e-1)
    p = p * x + _F(-2.4999993993e-1)
    p = p * x + _F(3.3333331174e-1)
    return (p * x * square - n * _F(2.12194440e-4) - _F(0.5) * square + x) + n * _F(0.693359375)


@_called
@no_type_check
def cos_sin(turn):  # pragma: no cover - compiled
    """Cosine and sine of 2 pi `turn`, for turns in [0, 1]."""
    quarters = np.floor(turn * _F(4) + _F(0.5))
    x = (turn * _F(4) - quarters) * _F(1.5707963267948966)
    square = x * x
    sine = (
        (_F(-1.9515295891e-4) * square + _F(8.3321608736e-3)) * square + _F(-1.6666654611e-1)
    ) * square * x + x
    cosine = (_F(2.443315711809948e-5) * square + _F(-1.388731625493765e-3)) * square + _F(
        4.166664568298827e-2
    )
    cosine = cosine * square * square - _F(0.5) * square + _F(1)
    quadrant = np.int32(quarters)
    swap = np.int32(quadrant & np.int32(1)) == 1
    first, second = (sine, cosine) if swap else (cosine, sine)
    first = -first if (quadrant == 1) | (quadrant == 2) else first
    second = -second if (quadrant == 2) | (quadrant == 3) else second
    return first, second
