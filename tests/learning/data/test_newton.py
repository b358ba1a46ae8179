"""Newton's method beside an independent minimiser, where some couplings want to fall below their bound."""

from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

import kadanoff as kd
from kadanoff.learning.data.newton import minimise

FIELDS = np.random.default_rng(0).normal(size=(300, 3)).astype(np.float32)


def minus_log_pseudo_likelihood(couplings: np.ndarray) -> float:
    """Of three sites that are all joined, by the trapezoidal rule; couplings w, r, a, b as in the action."""
    w01, w02, w12, *site = couplings
    r, a, b = np.reshape(site, (3, 3))
    w = np.array([[0, w01, w02], [w01, 0, w12], [w02, w12, 0]])
    x = np.linspace(-9, 9, 400)
    phi, h = np.asarray(FIELDS, float), np.asarray(FIELDS, float) @ w - r
    nodes = h[..., None] * x - (a[:, None] * x**2 + b[:, None] * x**4)
    norm = np.log(np.exp(nodes).sum(axis=-1) * (x[1] - x[0]))
    return float(np.mean(np.sum(norm - h * phi + a * phi**2 + b * phi**4, axis=1)))


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.exact
def test_couplings_that_data_drive_to_their_bound_stop_there_and_leave_the_others_free() -> None:
    # Data of normal sites: at some of them the likeliest b is below zero.
    start = kd.InhomogeneousPhi4(kd.Graph.complete(3), 0.1, 1.0, 0.2)
    fit = kd.fit_data(start, FIELDS, "pseudo-likelihood", held_out=0)
    bounds = [(None, None)] * 9 + [(1e-4, None)] * 3
    begin = np.concatenate([np.full(3, 0.1), np.zeros(3), np.full(3, 1.0), np.full(3, 0.2)])
    best: Any = minimize(
        minus_log_pseudo_likelihood, begin, method="L-BFGS-B", bounds=bounds, options={"maxfun": 10**5}
    )
    found = np.concatenate([np.ravel(getattr(fit.model, name)) for name in "wrab"])
    assert 0 < np.sum(best.x[9:] < 1.01e-4) < 3
    np.testing.assert_allclose(found, best.x, atol=2e-3)
    assert fit.history[-1][1] < 1


class Quadratic:
    """(x - target) H (x - target)/2 with the optimum beyond the bounds."""

    hessian = np.array([[2.0, 1.5, 0.3], [1.5, 2.0, 0.2], [0.3, 0.2, 1.0]])
    target = np.array([-1.0, 0.5, 2.0])

    def value(self, vector: np.ndarray) -> float:
        return float((vector - self.target) @ self.hessian @ (vector - self.target)) / 2

    def slopes(self, vector: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.hessian @ (vector - self.target), self.hessian


@pytest.mark.exact
def test_a_bounded_quadratic_form_is_minimised_where_slopes_point_out_of_the_bounds() -> None:
    lower = np.array([1e-4, 1e-4, -np.inf])
    found, history = minimise(Quadratic(), np.array([5.0, 1e-4, 0.0]), 100, 60, lower)
    slope = Quadratic().slopes(found)[0]
    held = np.isclose(found, lower)
    assert held.tolist() == [True, True, False]
    np.testing.assert_allclose(slope[~held], 0, atol=1e-6)
    assert (slope[held] > 0).all() and history[-1][1] < 1e-3


@pytest.mark.exact
def test_a_site_that_is_always_zero_leaves_a_singular_system_that_is_refused_in_one_line() -> None:
    start = kd.InhomogeneousPhi4(kd.Graph.complete(3), 0.1, 1.0, 0.2)
    with pytest.raises(kd.errors.InputError, match="do not determine the couplings") as caught:
        kd.fit_data(start, np.random.default_rng(0).normal(size=(10, 3)) * [1, 1, 0], "pseudo-likelihood")
    assert "\n" not in str(caught.value)
