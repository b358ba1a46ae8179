"""A value with its statistical error, printed as physicists write it."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kadanoff.errors import InputError

__all__ = ["Estimate"]


@dataclass(frozen=True)
class Estimate:
    """A value, its one-sigma error and the integrated autocorrelation time behind it.

    **Arguments:**

    - `value`: a number, real or complex.
    - `error`: its standard error, half the width of an interval that holds the truth with 68.3 % (of few chains, with
        Student's factor). Of a complex value a complex number, the errors of the real and of the imaginary part.
        NaN when the data cannot tell (a single draw; two, of a function of several means).
    - `tau_int`: integrated autocorrelation time in draws (0.5 for independent ones), or None without meaning.

    Raises `InputError` for a negative error.

    >>> print(Estimate(0.54391, 0.0004), Estimate(1096.2, 3.1), Estimate(0.5439, 0.0012))
    0.5439(4) 1096(3) 0.5439(12)
    >>> print(Estimate(2.6271 - 0.0832j, 0.003 + 0.002j))
    2.627(3)-0.083(2)i
    >>> Estimate(0.54, 0.02).pull(0.50)
    2.0000000000000018
    """

    # float or complex: annotated Any so that real ones, nearly all, can be ordered without a cast.
    value: Any
    error: Any
    tau_int: float | None = None
    _series: NDArray[Any] | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Turn numpy scalars into Python numbers, so that estimates print, compare and serialise alike."""
        number = complex if np.iscomplexobj(self.value) or np.iscomplexobj(self.error) else float
        object.__setattr__(self, "value", number(self.value))
        object.__setattr__(self, "error", number(self.error))
        if self.tau_int is not None:
            object.__setattr__(self, "tau_int", float(self.tau_int))
        if self.error.real < 0 or self.error.imag < 0:
            raise InputError(f"the error {self.error} is negative: pass a standard error, zero or larger.")

    def __str__(self) -> str:
        """Shorthand notation: the digits in parentheses are the error of the last digits shown."""
        if not isinstance(self.value, complex):
            return _shorthand(self.value, self.error.real)
        imaginary = _shorthand(self.value.imag, self.error.imag)
        sign = "" if imaginary.startswith("-") else "+"
        return f"{_shorthand(self.value.real, self.error.real)}{sign}{imaginary}i"

    def __format__(self, spec: str) -> str:
        """Align the shorthand notation, as in `f"{estimate:>12}"`."""
        return format(str(self), spec)

    def __float__(self) -> float:
        """The value without its error; a complex value raises TypeError, as float() does."""
        return float(self.value)

    def __complex__(self) -> complex:
        """The value without its error."""
        return complex(self.value)

    def as_dict(self) -> dict[str, Any]:
        """The estimate ready for JSON; complex numbers are [real, imaginary], those not finite are None.

        >>> Estimate(0.5, float("nan")).as_dict()
        {'value': 0.5, 'error': None, 'tau_int': None}
        """
        return {"value": _json(self.value), "error": _json(self.error), "tau_int": _json(self.tau_int)}

    def pull(self, reference: Any) -> Any:
        """Deviation from a number or Estimate in units of the error (of both, added in quadrature).

        Of complex values the pulls of the real and of the imaginary part, as one complex number.
        Without any error the pull is zero for equal values and infinite for others.
        """
        other = reference if isinstance(reference, Estimate) else Estimate(reference, 0.0)
        real = _pull(self.value.real - other.value.real, math.hypot(self.error.real, other.error.real))
        if not (isinstance(self.value, complex) or isinstance(other.value, complex)):
            return real
        return complex(
            real, _pull(self.value.imag - other.value.imag, math.hypot(self.error.imag, other.error.imag))
        )

    def to_pyerrors(self, name: str = "kadanoff") -> Any:
        """The estimate as `pyerrors.Obs` (`CObs` if complex) with its Monte Carlo history, if it has one.

        Estimates from the same draws stay correlated if they carry the same `name`, whose replica are the
        chains. Without a history, or below 5 draws a chain (which pyerrors refuses), value and error become a
        `cov_Obs` of that name (for a complex value `name_re` and `name_im`).
        """
        import pyerrors  # an extra: slow to import, and only a few want it

        if not isinstance(self.value, complex):
            return _observable(pyerrors, self.value, self.error.real, self._series, name, name)
        series = self._series
        real, imaginary = (None, None) if series is None else (np.real(series), np.imag(series))
        return pyerrors.CObs(
            _observable(pyerrors, self.value.real, self.error.real, real, name, f"{name}_re"),
            _observable(pyerrors, self.value.imag, self.error.imag, imaginary, name, f"{name}_im"),
        )


def _shorthand(value: float, error: float) -> str:
    """`value(error)`: one digit of error, two when the first is a 1."""
    if error == 0 or not (math.isfinite(value) and math.isfinite(error)):
        return f"{value:.10g}({error:g})"
    size = max(abs(value), error)
    if (
        size >= 1e7 or size < 1e-4
    ):  # scientific: scale both, so that the digits of the error keep their meaning
        exponent = math.floor(math.log10(size))
        # 10.0**308 is the largest power there is, so scale in two steps
        half = exponent // 2
        scaled = [x / 10.0**half / 10.0 ** (exponent - half) for x in (value, error)]
        return f"{_fixed(*scaled)}e{exponent:+03d}"
    return _fixed(value, error)


def _fixed(value: float, error: float) -> str:
    """Shorthand in fixed-point notation."""
    mantissa, exponent = f"{error:.6e}".split("e")
    decimals = -int(exponent) + (mantissa[0] == "1")
    rounded = round(error, decimals)
    if decimals <= 0:
        return f"{round(value, decimals):.0f}({rounded:.0f})"
    if rounded >= 1:  # the error has digits on both sides of the point: keep the point in it
        return f"{value:.{decimals}f}({rounded:.{decimals}f})"
    return f"{value:.{decimals}f}({round(error * 10.0**decimals)})"


def _json(number: Any) -> float | list[float | None] | None:
    """A number as JSON has it."""
    if isinstance(number, complex):
        return [x if math.isfinite(x) else None for x in (number.real, number.imag)]
    return number if number is not None and math.isfinite(number) else None


def _pull(deviation: float, error: float) -> float:
    """Deviation over error, where the error may be zero."""
    if error == 0:
        return 0.0 if deviation == 0 else math.copysign(math.inf, deviation)
    return deviation / error


def _observable(pyerrors: Any, value: float, error: float, series: Any, name: str, constant: str) -> Any:
    """One real pyerrors.Obs, from the history where pyerrors can take it, else from value and error."""
    if series is None or series.shape[1] < 5:
        return pyerrors.cov_Obs(value, error**2, constant)
    names = [f"{name}|r{chain}" for chain in range(len(series))]
    return pyerrors.Obs(list(value + series), names)
