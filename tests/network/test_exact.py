"""The exact ln Z beside sums in double precision where modes lie far apart."""

import itertools

import jax
import numpy as np
import pytest
from scipy.special import gammaln, logsumexp

from kadanoff.network import Phi4Network, exact_log_partition
from kadanoff.network.units import BernoulliUnit, GaussianUnit


@pytest.mark.exact
@pytest.mark.parametrize(("units", "link", "r"), [(64, 0.6, 9.0), (64, 0.8, 15.0), (400, 0.2, 7.0)])
def test_modes_far_apart_are_all_integrated(units: int, link: float, r: float) -> None:
    # Many weak links to one Gaussian unit: all units are off, or most are on and the unit is at 12 to 75.
    network = Phi4Network(
        np.full((units, 1), link), BernoulliUnit(np.full(units, r)), GaussianUnit(np.zeros(1), 0.5)
    )
    on = np.arange(units + 1)
    log_count = gammaln(units + 1) - gammaln(on + 1) - gammaln(units + 1 - on)
    expected = logsumexp(log_count - r * on + (link * on) ** 2 / 2) + np.log(2 * np.pi) / 2
    np.testing.assert_allclose(exact_log_partition(network), expected, rtol=2e-6, atol=1e-3)


@pytest.mark.exact
@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.parametrize("hidden", [2, 3])
def test_modes_far_apart_are_all_integrated_in_more_dimensions(hidden: int) -> None:
    rng = np.random.default_rng(hidden)
    w, r = 1.0 + rng.normal(size=(21, hidden)) / 4, 9.0 + rng.normal(size=21)
    network = Phi4Network(w, BernoulliUnit(r), GaussianUnit(np.zeros(hidden), 0.5))
    states = np.array(list(itertools.product([0.0, 1.0], repeat=21)), np.float32)
    terms = ((states @ w) ** 2).sum(axis=1) / 2 - states @ r
    expected = logsumexp(terms) + hidden * np.log(2 * np.pi) / 2
    np.testing.assert_allclose(exact_log_partition(network), expected, rtol=2e-6, atol=1e-3)
    slope = jax.grad(lambda n: exact_log_partition(n))(network).visible.r
    p = np.exp(terms - logsumexp(terms))
    np.testing.assert_allclose(-slope, p @ states, atol=1e-3)
