"""Autoregressive chains with known autocorrelation, for the tests of this folder."""

import numpy as np
import pytest
from scipy.signal import lfilter


@pytest.fixture(scope="session")
def ar1():
    """Stationary AR(1) series of variance one along the last axis, with integrated time `tau`."""

    def draw(rng, shape, tau):
        a = (2 * tau - 1) / (2 * tau + 1)
        noise = rng.normal(size=shape) * np.sqrt(1 - a * a)
        noise[..., 0] /= np.sqrt(1 - a * a)
        return lfilter([1.0], [1.0, -a], noise, axis=-1)

    return draw


@pytest.fixture(scope="session")
def exact_error():
    """Standard error of the mean of all draws of such chains, at finite length."""

    def error(chains, draws, tau):
        a = (2 * tau - 1) / (2 * tau + 1)
        lag = np.arange(1, draws)
        return np.sqrt((1 + 2 * np.sum((1 - lag / draws) * a**lag)) / (chains * draws))

    return error
