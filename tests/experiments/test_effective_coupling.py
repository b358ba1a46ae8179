"""Effective couplings: fields that are direct ones find their own coupling, with an honest error."""

import numpy as np
import pytest

import kadanoff as kd
from kadanoff.experiments.effective_coupling import Resamples, effective_coupling, level_values, slope

OBSERVABLES = ("binder", "xi_over_L", "abs_magnetization")


def simulate(mass2: float, seed: int) -> kd.Ensemble:
    return kd.sample(kd.Phi4(mass2, 0.7), kd.Lattice((8, 8)), chains=64, draws=64, thin=4, seed=seed)


@pytest.mark.slow
@pytest.mark.statistical
def test_direct_fields_are_matched_to_their_own_coupling() -> None:
    # Three observables of one sample, each within four standard errors: 2e-4.
    direct = [simulate(-1.0, 1), simulate(-0.9, 2)]
    values = level_values([simulate(-0.92, 3)], OBSERVABLES, 200, seed=0)
    for name in OBSERVABLES:
        found = effective_coupling(values[0, name], direct, name, seed=1).estimate
        assert found is not None
        assert 0 < found.error < 0.02
        assert abs(found.pull(-0.92)) < 4, f"{name}: {found}"


@pytest.mark.exact
def test_a_value_that_no_direct_field_has_is_not_matched() -> None:
    out_of_reach = Resamples.exact(0.99, 50)
    assert effective_coupling(out_of_reach, [simulate(-1.0, 1)], "binder", seed=1).estimate is None


@pytest.mark.exact
def test_errors_of_levels_stay_correlated() -> None:
    # The same numbers twice: their ratio has no error, however large that of each.
    ensemble = kd.Ensemble(np.random.default_rng(0).normal(size=(32, 8, 4, 4)).astype(np.float32))
    values = level_values([ensemble, ensemble], ("phi2",), 100, seed=0)
    assert np.array_equal(values[0, "phi2"].samples, values[1, "phi2"].samples)
    assert values[0, "phi2"].samples.std() > 0


@pytest.mark.exact
def test_slope_is_that_of_least_squares() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 5, 7))
    points = [[Resamples(float(row[0]), row) for row in rows] for rows in (x, y)]
    expected = [np.polyfit(x[:, k], y[:, k], 1)[0] for k in range(7)]
    found = slope(*points)
    np.testing.assert_allclose(found.samples, expected, rtol=1e-10)
    assert found.value == pytest.approx(expected[0], rel=1e-10)


@pytest.mark.exact
def test_missing_replicas_make_the_estimate_unknown() -> None:
    samples = np.linspace(0, 1, 100)
    assert Resamples(0.5, samples).estimate is not None
    samples[:3] = np.nan
    assert Resamples(0.5, samples).estimate is None
    assert Resamples(float("nan"), np.ones(100)).estimate is None
