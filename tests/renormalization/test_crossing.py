"""Crossings with known answers: 'blocked' fields made from independent Gaussians by a rule of this file."""

import numpy as np
import pytest

from kadanoff.actions import Action, Phi4
from kadanoff.ensemble import Ensemble
from kadanoff.errors import InputError, OverlapError
from kadanoff.renormalization.crossing import find_crossing
from kadanoff.reweighting.curves import reweighted_curve
from kadanoff.reweighting.target import reweight


def gaussian(mass2, seed, chains=32, draws=64):
    fields = np.random.default_rng(seed).normal(size=(chains, draws, 8, 8)) / np.sqrt(mass2)
    return Ensemble(fields.astype(np.float32), Phi4(mass2, 0.0, 0.0))


def roots(ensemble):
    """<phi^2> of these is <|phi|> = sqrt(2/(pi mass2)): equal to 1/mass2 at mass2 = pi/2."""
    return ensemble.derive(np.sqrt(np.abs(ensemble.fields)), "roots", 1)


def scaled(ensemble, factor):
    return ensemble.derive(factor * ensemble.fields, "scaled", 1)


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.statistical
def test_a_known_crossing_and_its_error():
    pulls = []
    for seed in range(24):
        blocked, direct = roots(gaussian(1.55, 2 * seed, draws=32)), gaussian(1.6, 2 * seed + 1, draws=32)
        crossing = find_crossing(blocked, direct, "phi2", points=9, samples=200, seed=seed)
        assert crossing.value is not None
        assert crossing.value.error < 0.03
        pulls.append(crossing.value.pull(np.pi / 2))
    # 24 independent pulls: the sum of squares lies in this range with probability 1 - 1e-3
    assert 7 < np.sum(np.square(pulls)) < 54


@pytest.mark.exact
def test_parallel_curves_do_not_cross_and_say_so():
    crossing = find_crossing(scaled(gaussian(1.5, 0), 0.8), gaussian(1.5, 1), "phi2", points=9, samples=100)
    assert crossing.value is None
    assert "no crossing" in str(crossing)
    assert np.all(crossing.blocked.values < crossing.direct.values)


@pytest.mark.exact
def test_equal_curves_do_not_cross_by_noise():
    for seed in range(6):
        crossing = find_crossing(
            scaled(gaussian(1.5, seed), 1.0), gaussian(1.5, 100 + seed), "phi2", points=9, samples=100
        )
        assert crossing.value is None, str(crossing)


@pytest.mark.exact
def test_the_range_ends_where_overlap_is_lost():
    blocked, direct = roots(gaussian(1.55, 0)), gaussian(1.6, 1)
    crossing = find_crossing(blocked, direct, "phi2", span=(0.8, 2.6), points=31, samples=100)
    grid = crossing.blocked.couplings
    assert 0.8 < grid[0] < 1.45 and 1.7 < grid[-1] < 2.6
    assert min(crossing.blocked.effective.min(), crossing.direct.effective.min()) >= 0.05
    assert crossing.value is not None and abs(crossing.value.value - np.pi / 2) < 0.1


@pytest.mark.exact
def test_curves_are_reweighted_means():
    ensemble = gaussian(1.5, 0)
    grid = np.array([1.45, 1.5, 1.55])
    curve = reweighted_curve(ensemble, "binder", grid, samples=50)
    expected = [reweight(ensemble, Phi4(value, 0.0, 0.0)).observe("binder") for value in grid]
    np.testing.assert_allclose(curve.values, [e.value for e in expected], atol=1e-6)
    np.testing.assert_allclose(curve.errors, [e.error for e in expected], rtol=0.5)


class Squared(Action):
    """A coupling that enters as its square."""

    root: float

    def density(self, field):
        return 0.5 * self.root**2 * field**2


@pytest.mark.exact
def test_an_action_need_not_be_linear_in_its_coupling():
    ensemble = gaussian(1.5, 0)
    grid = np.array([1.20, 1.25])
    linear = reweighted_curve(ensemble, "phi2", grid**2, samples=20)
    curved = reweighted_curve(
        ensemble.with_action(Squared(float(np.sqrt(1.5)))), "phi2", grid, "root", samples=20
    )
    np.testing.assert_allclose(curved.values, linear.values, rtol=1e-5)


@pytest.mark.exact
def test_what_cannot_be_compared_is_refused():
    blocked, direct = roots(gaussian(1.55, 0)), gaussian(1.6, 1)
    with pytest.raises(InputError, match="anew"):
        find_crossing(blocked, blocked.simulated)
    with pytest.raises(InputError, match="blocked lattice"):
        find_crossing(blocked, Ensemble(np.ones((2, 2, 4, 4), dtype=np.float32), Phi4(1.6, 0.0)))
    with pytest.raises(InputError, match="quartic"):
        find_crossing(blocked, direct.with_action(Phi4(1.6, 0.1, 0.0)))
    with pytest.raises(InputError, match="low < high"):
        find_crossing(blocked, direct, span=(1.6, 1.5))
    with pytest.raises(InputError, match="low < high"):
        find_crossing(blocked, direct, points=3)
    with pytest.raises(InputError, match="beta"):
        find_crossing(blocked, direct, coupling="beta")
    with pytest.raises(InputError, match="the same in all configurations"):
        find_crossing(blocked, direct.derive(direct.fields, "still", 0).select(slice(1), slice(1)))
    with pytest.raises(OverlapError, match="closer together"):
        find_crossing(blocked, gaussian(6.0, 1))
    with pytest.raises(OverlapError, match="overlap"):
        find_crossing(blocked, direct, span=(5.0, 6.0))
