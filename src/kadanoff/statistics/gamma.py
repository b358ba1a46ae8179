"""The Gamma method: errors from the autocorrelation function, over all chains at once.

Source: U. Wolff, Comput. Phys. Commun. 156, 143 (2004), hep-lat/0306017; equation numbers below are his.

Two changes make it right for many short chains too, and leave it Wolff's for long ones. The variance of the
mean of N draws in a chain keeps its exact finite-length weights, (1/N) sum_t (1 - |t|/N) Gamma(t), and the
fluctuations are about the mean of *all* C chains, and the bias of that is divided out, not expanded: at the
widest window, N - 1, the squared error *is* sum_c (m_c - m)^2 / (C (C - 1)), the spread of the chain means.
Chains that disagree (stuck, or shorter than tau_int) thus show as a long correlation, not as a small error.

An error is half the width of an interval that holds the truth with 68.3 %. Of few chains it rests on a variance that
is uncertain itself, by sqrt(2 / k) for k degrees of freedom: Student's factor makes it as much wider. With a window W
his error of the error gives k = (draws - 1) / (2 W + 1), and the spread of chain means has k = C - 1.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.fft
import scipy.special
from numpy.typing import ArrayLike, NDArray

from kadanoff.errors import InputError
from kadanoff.statistics._primaries import Primaries, as_series, evaluate
from kadanoff.statistics.estimate import Estimate

__all__ = ["Autocorrelation", "autocorrelation", "derived", "gamma_method", "integrated_autocorrelation_time"]

MANY_CHAINS = 16  # from here on the spread of chain means is itself known well enough (18 %) to rely on
_ONE_SIGMA = scipy.special.ndtr(1.0)  # of a normal distribution lies below one sigma
SHORT_CHAIN = 8.0  # chains shorter than this many tau_int: their means are the independent data
_FFT_NUMBERS = 2**22  # numbers transformed at once: bounds the memory, not the speed


@dataclass(frozen=True)
class Autocorrelation:
    """What the Gamma method finds in one real series.

    - `error`: standard error of the mean, with Student's factor for fewer than 16 chains; NaN for a single draw.
    - `tau_int`, `tau_int_error`: integrated autocorrelation time in draws, at least 0.5, and its error.
    - `window`: the lag at which the sum was cut.
    - `rho`: normalised autocorrelation function at lags 0, 1, ... (at least up to the window).
    """

    error: float
    tau_int: float
    tau_int_error: float
    window: int
    rho: NDArray[np.float64]


def autocorrelation(series: ArrayLike, s: float = 2.0) -> Autocorrelation:
    """Autocorrelation of a real series (chain, draw), or (draw,), with Wolff's automatic window.

    `s` is the assumed ratio of the exponential to the integrated time: larger is safer and noisier.

    The error is never smaller than that of independent draws (anticorrelation is not credited). With chains
    shorter than 8 tau_int it is the larger of the windowed error and that from the spread of the chain means.
    A constant series has error 0 and tau_int 0.5. With chains shorter than about 4 tau_int, tau_int is a lower bound.

    Raises `InputError` for wrong shapes, complex data and values that are not finite.

    >>> random = np.random.default_rng(0).normal(size=(4, 1000))
    >>> 0.45 < autocorrelation(random).tau_int < 0.6
    True
    """
    data = as_series(series)
    if np.iscomplexobj(data):
        raise InputError(
            "the autocorrelation of a complex series has two parts: pass series.real and series.imag."
        )
    return _analyse(_centred(data)[1], s)


def integrated_autocorrelation_time(series: ArrayLike, s: float = 2.0) -> Estimate:
    """Integrated autocorrelation time, in draws, with its error; 0.5 for independent draws.

    Arguments and exceptions as `autocorrelation`. Source: eq. (42) for the error.

    >>> print(integrated_autocorrelation_time(np.ones((2, 50))))
    0.5(0)
    """
    result = autocorrelation(series, s)
    return Estimate(result.tau_int, result.tau_int_error)


def gamma_method(series: ArrayLike, s: float = 2.0) -> Estimate:
    """Mean of a series (chain, draw), or (draw,), real or complex, with an error that knows autocorrelation.

    Arguments, conventions and exceptions as `autocorrelation`; a complex series gives a complex Estimate.

    >>> print(gamma_method(np.full((4, 10), 2.5)))
    2.5(0)
    """
    mean, fluctuation = _centred(as_series(series))
    return _estimate(mean, fluctuation, s)


def derived(
    function: Callable[[Any], Any],
    primaries: ArrayLike,
    log_weights: ArrayLike | None = None,
    s: float = 2.0,
    *,
    strict: bool = True,
) -> Estimate:
    """A function of (weighted) means, with the error from its linearised fluctuations.

    **Arguments:**

    - `function`: maps the means (k,), float64 or complex128, to a real or complex number. Any smooth
        function: the gradient is numerical, by a five-point rule on the scale of the statistical error.
    - `primaries`: (k, chain, draw), real or complex.
    - `log_weights`: (chain, draw), real or complex, or None. With them the means are sum(w O) / sum(w),
        and the error includes that of the normalisation.
    - `s`: as in `autocorrelation`.
    - `strict`: refuse a function that is not finite at the means; else its estimate is NaN.

    Of two draws alone the error of a function of several means is NaN: its linearised fluctuations may cancel there,
    as those of a variance always do. Of one draw every error is. Draws of weight zero do not count.

    Raises `InputError` for wrong shapes, values that are not finite, a function that is not finite there,
    not scalar or in single precision; `OverlapError` for impossible weights.

    >>> m = np.random.default_rng(0).normal(size=(8, 500))
    >>> binder = derived(lambda x: 1 - x[1] / (3 * x[0] ** 2), [m**2, m**4])
    >>> abs(binder.pull(0.0)) < 4
    True
    """
    data = Primaries.of(primaries, log_weights)
    with np.errstate(divide="ignore", invalid="ignore"):  # what is not finite is told below
        value = evaluate(function, data.means)
        if value.size != 1:
            raise InputError(
                f"the function answered with shape {value.shape}: return one number (vectors: jackknife)."
            )
        fluctuation = _projected(lambda means: evaluate(function, means).reshape(()), data)
    if not (np.isfinite(value).all() and np.isfinite(fluctuation).all()):
        if not strict:
            return Estimate(math.nan, math.nan, math.nan)
        raise InputError(
            f"the function or its gradient is not finite at the means {data.means}: check its domain there."
        )
    if data.draws < 2 or (data.draws == 2 and len(data.means) > 1):
        unknown = math.nan * (1 + 1j) if np.iscomplexobj(value) or np.iscomplexobj(fluctuation) else math.nan
        return Estimate(value.reshape(())[()], unknown, math.nan, fluctuation)
    return _estimate(value.reshape(())[()], fluctuation, s)


def _projected(function: Callable[[NDArray[Any]], NDArray[Any]], data: Primaries) -> NDArray[Any]:
    """Fluctuations of the function: its gradient times those of the primaries, (chain, draw)."""
    result: Any = np.zeros(data.fluctuations.shape[1:])
    draws = result.size
    # Complex means vary in two directions; a function need not be holomorphic in them (a modulus is not).
    directions = (1.0, 1.0j) if np.iscomplexobj(data.means) else (1.0,)
    for index, fluctuation in enumerate(data.fluctuations):
        for direction in directions:
            component = np.real(fluctuation) if direction == 1.0 else np.imag(fluctuation)
            size = math.sqrt(np.mean(np.square(component)) / draws)
            if size == 0:
                continue
            # Below the error of the mean, so that the rule stays in the domain, but above rounding.
            step = max(0.1 * size, 1e-7 * abs(data.means[index]))
            shift = np.zeros_like(data.means)
            shift[index] = step * direction
            near = function(data.means + shift) - function(data.means - shift)
            far = function(data.means + 2 * shift) - function(data.means - 2 * shift)
            result = result + (8 * near - far) / (12 * step) * component
    return result


def _centred(series: NDArray[Any]) -> tuple[Any, NDArray[Any]]:
    """Mean over all chains and the fluctuations about it; exactly zero for a constant series."""
    origin = series[0, 0]
    shifted = series - origin
    mean = shifted.mean()
    return origin + mean, shifted - mean


def _estimate(value: Any, fluctuation: NDArray[Any], s: float) -> Estimate:
    """The estimate with these fluctuations; real and imaginary parts are analysed separately."""
    if not (np.iscomplexobj(value) or np.iscomplexobj(fluctuation)):
        result = _analyse(fluctuation, s)
        return Estimate(value, result.error, result.tau_int, fluctuation)
    real, imaginary = (_analyse(part, s) for part in (np.real(fluctuation), np.imag(fluctuation)))
    tau_int = max(real.tau_int, imaginary.tau_int)
    return Estimate(complex(value), complex(real.error, imaginary.error), tau_int, fluctuation)


def _analyse(fluctuation: NDArray[np.float64], s: float) -> Autocorrelation:
    """The Gamma method for fluctuations (chain, draw) about the mean over all chains."""
    chains, length = fluctuation.shape
    draws = chains * length
    scale = np.abs(fluctuation).max()
    if draws == 1:
        return Autocorrelation(math.nan, math.nan, math.nan, 0, np.ones(1))
    if scale == 0:
        return Autocorrelation(0.0, 0.5, 0.0, 0, np.ones(1))
    delta = fluctuation / scale  # squares can neither overflow nor underflow

    # With few chains lags beyond half a chain are mostly noise; with many they are as good as any.
    longest = length - 1 if chains >= MANY_CHAINS else (length - 1) // 2
    gamma, window = np.empty(0), 0
    for lags in sorted(
        {min(longest, max(64, length // 8)), longest}
    ):  # a short look is cheaper and mostly enough
        gamma = _autocovariance(delta, lags)
        found, window = _window(gamma / gamma[0], draws, s)
        if found:
            break

    variance = _chain_variance(gamma, window, chains, length)
    # The mean itself fluctuates: deviations from it are too small by its variance.
    corrected = gamma + variance / chains
    rho = corrected / corrected[0]
    tau = max(0.5, 0.5 + float(rho[1 : window + 1].sum()))
    tau_error = 2 * tau * math.sqrt(abs(window + 0.5 - tau) / draws)  # eq. (42)
    freedom = max(chains - 1, (draws - 1) / (2 * window + 1))
    if chains > 1 and length < SHORT_CHAIN * tau:
        spread = float(np.sum(delta.mean(axis=1) ** 2)) / (chains - 1)
        if spread > variance:
            variance, freedom = spread, chains - 1
        of_means = 0.5 * length * variance / corrected[0]
        if of_means > tau:  # known as well as the variance of so many means is
            tau, tau_error = of_means, of_means * math.sqrt(2 / (chains - 1))
    variance = max(variance, _chain_variance(gamma, 0, chains, length))
    error = student(chains, freedom) * scale * math.sqrt(variance / chains)
    return Autocorrelation(float(error), tau, tau_error, window, rho)


def student(chains: int, freedom: float) -> float:
    """By how much an interval of 68.3 % is wider than one sigma, which is known from so many degrees of freedom only.

    Many chains have enough of them: one.

    >>> round(student(2, 1), 3), round(student(1, 10), 3), student(16, 15)
    (1.837, 1.053, 1.0)
    """
    return 1.0 if chains >= MANY_CHAINS else float(scipy.special.stdtrit(freedom, _ONE_SIGMA))


def _autocovariance(delta: NDArray[np.float64], lags: int) -> NDArray[np.float64]:
    """Gamma(t) for t = 0 ... lags, averaged over chains and pairs, by zero-padded FFT."""
    chains, length = delta.shape
    padded: Any = scipy.fft.next_fast_len(length + lags, real=True)
    power = np.zeros(padded // 2 + 1)
    rows = max(1, _FFT_NUMBERS // padded)
    for start in range(0, chains, rows):
        spectrum: Any = scipy.fft.rfft(delta[start : start + rows], padded, axis=1)
        power += np.sum(spectrum.real**2 + spectrum.imag**2, axis=0)
    sums: Any = scipy.fft.irfft(power, padded)
    return sums[: lags + 1] / (chains * (length - np.arange(lags + 1)))


def _window(rho: NDArray[np.float64], draws: int, s: float) -> tuple[bool, int]:
    """Whether rho is long enough, and the lag where truncation and noise balance."""
    if len(rho) == 1:
        return True, 0
    lag = np.arange(1, len(rho))
    twice = 2 * np.maximum(0.5 + np.cumsum(rho[1:]), 0.5 + 1e-12)
    tau = s / np.log((twice + 1) / (twice - 1))
    crossed = np.exp(-lag / tau) < tau / np.sqrt(lag * draws)
    found = bool(crossed.any())
    return found, int(lag[np.argmax(crossed)] if found else lag[-1])


def _chain_variance(gamma: NDArray[np.float64], window: int, chains: int, length: int) -> float:
    """Variance of one chain's mean from lags up to the window, unbiased for any number of chains."""
    weight = (1 - np.arange(window + 1) / length) / length
    weight[1:] *= 2  # lags t and -t
    # Each Gamma(t) is low by variance / chains, the variance of the mean; solve for it. Eq. (49), unexpanded.
    return float(weight @ gamma[: window + 1]) / (1 - float(weight.sum()) / chains)
