"""Exponents of levels with known answers: exact scaling, brute-force repetition, finite differences."""

import numpy as np
import pytest

from kadanoff.actions import Phi4
from kadanoff.ensemble import Ensemble
from kadanoff.errors import InputError
from kadanoff.lattice import Lattice
from kadanoff.random import key
from kadanoff.renormalization import (
    LearntInverse,
    Levels,
    MajorityMean,
    Relaxation,
    StochasticInverse,
    combine_seeds,
    critical_exponents,
    grow,
)
from kadanoff.renormalization.certificate import certificate
from kadanoff.renormalization.inverse.network import OddNetwork
from kadanoff.reweighting.target import reweight
from kadanoff.sampling import sample

PHI4 = Phi4(-0.9515, 0.7)


def upsampled(small, factors):
    """Levels 4, 8, ... made of constant blocks, times a factor (a number or one a configuration) each."""
    start = small if isinstance(small, Ensemble) else Ensemble(small)
    ensembles = [start]
    for factor in factors:
        below = ensembles[-1]
        fields = below.fields.repeat(2, axis=2).repeat(2, axis=3) * factor
        ensembles.append(below.derive(fields.astype(np.float32), "upsampled", 0))
    return Levels(tuple(ensembles))


def normals(seed, chains=32, draws=8, side=4):
    return np.random.default_rng(seed).normal(size=(chains, draws, side, side)).astype(np.float32)


@pytest.mark.exact
def test_exact_scaling_gives_exact_exponents():
    """m_j = m_0 2^{-j/8} for every configuration: beta/nu = 1/8 and gamma/nu = 7/4, without any error."""
    levels = upsampled(Ensemble(normals(0), PHI4), [2 ** (-1 / 8)] * 3)
    table = critical_exponents(levels, samples=50)
    assert table.pairs == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    assert [row.label for row in table.rows("ratio")] == ["4/8", "4/16", "4/32", "8/16", "8/32", "16/32"]
    assert set(table.values) == {"ratio", "derivative"} and len(table.rows()) == 12
    for row in table.rows():
        assert row.beta_over_nu.value == pytest.approx(1 / 8, abs=1e-6)
        assert row.gamma_over_nu.value == pytest.approx(7 / 4, abs=1e-6)
        assert max(row.beta_over_nu.error, row.gamma_over_nu.error) < 1e-6
    assert "4/32" in str(table) and table.row("8/32", "derivative").i == 1
    with pytest.raises(InputError, match="no row 4/64 by the ratio estimator; there are 4/8"):
        table.row("4/64")


@pytest.mark.exact
def test_other_dimensions_and_factors_count_volumes_right():
    fields = np.random.default_rng(0).normal(size=(16, 4, 3, 3, 3)).astype(np.float32)
    fine = 0.5 * fields.repeat(3, 2).repeat(3, 3).repeat(3, 4)
    row = critical_exponents(Levels((Ensemble(fields), Ensemble(fine)), b=3), samples=20).row("3/9")
    beta = np.log(2) / np.log(3)
    assert row.beta_over_nu.value == pytest.approx(beta, abs=1e-6)
    assert row.gamma_over_nu.value == pytest.approx(3 - 2 * beta, abs=1e-6)


@pytest.mark.exact
def test_covariances_are_those_of_the_resamples():
    rng = np.random.default_rng(1)
    factors = [np.exp(0.2 * rng.normal(size=(32, 8, 1, 1))) for _ in range(2)]
    table = critical_exponents(upsampled(normals(1), factors), samples=300)
    assert table.samples["ratio"].shape == (300, 3, 2)
    for (pair, matrix), row in zip(enumerate(table.covariance("ratio")), table.rows("ratio"), strict=True):
        np.testing.assert_allclose(matrix, np.cov(table.samples["ratio"][:, pair].T), rtol=1e-10)
        np.testing.assert_array_equal(matrix, matrix.T)
        assert np.linalg.eigvalsh(matrix).min() > -1e-15
        errors = [row.gamma_over_nu.error, row.beta_over_nu.error]
        np.testing.assert_allclose(errors, np.sqrt(np.diag(matrix)))
        assert matrix[0, 1] < 0  # a larger m makes beta/nu smaller and gamma/nu larger
        assert row.covariance == matrix.tolist()
    one, two = (critical_exponents(upsampled(normals(1), factors), samples=50, seed=s) for s in (0, 1))
    assert not np.array_equal(one.samples["ratio"], two.samples["ratio"])


@pytest.mark.statistical
def test_errors_are_the_scatter_of_repetitions():
    values, errors = [], []
    for seed in range(120):
        factor = np.exp(0.3 * np.random.default_rng(1000 + seed).normal(size=(32, 8, 1, 1)))
        row = critical_exponents(upsampled(normals(seed), [factor]), samples=200).rows()[0]
        values.append((row.gamma_over_nu.value, row.beta_over_nu.value))
        errors.append((row.gamma_over_nu.error, row.beta_over_nu.error))
    ratio = np.std(values, axis=0, ddof=1) / np.sqrt(np.mean(np.square(errors), axis=0))
    # 120 repetitions know their scatter to 6.5 %, errors of 32 chains are low by about 2 %: 3.5 deviations
    assert np.all((ratio > 0.77) & (ratio < 1.25)), ratio


@pytest.mark.exact
def test_weights_are_honoured():
    """Weights of zero leave configurations out, whatever is in them."""
    fields, factor = normals(3), np.where(np.arange(32) < 16, 0.9, 5.0).reshape(32, 1, 1, 1)
    log_weight = np.where(np.arange(32) < 16, 0.0, -1e3)[:, None] * np.ones((1, 8))
    weighted = critical_exponents(upsampled(Ensemble(fields, PHI4, log_weight), [factor]), samples=20)
    alone = critical_exponents(upsampled(Ensemble(fields[:16], PHI4), [0.9]), samples=20)
    plain = critical_exponents(upsampled(Ensemble(fields, PHI4), [factor]), samples=20)
    for name in ("ratio", "derivative"):
        np.testing.assert_allclose(weighted.values[name], alone.values[name], atol=1e-6)
        assert np.abs(plain.values[name] - alone.values[name]).max() > 0.1


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.statistical
@pytest.mark.filterwarnings("ignore::kadanoff.errors.DepthWarning")
def test_derivatives_are_finite_differences_of_reweighted_ensembles():
    """d<|m|>_j / d mass2 by covariance, and by growing the ensemble reweighted to both sides: the same samples."""
    ensemble = sample(PHI4, Lattice((4, 4)), chains=64, draws=32, thermalize=60, seed=0)
    network = OddNetwork.random(key(0), 2, 1, 4, 4, (3, 1))
    made = StochasticInverse(network=network, noise=0)
    inverse = LearntInverse(made, MajorityMean(b=2), -1, _record())
    delta, names = 1e-3, ("abs_magnetization", "susceptibility")
    sides = []
    for sign in (1, -1):
        target = reweight(ensemble, Phi4(-0.9515 + sign * delta, 0.7))
        levels = grow(target, inverse, 2)
        sides.append([[level.observe(name).value for name in names] for level in levels])
    slope = (np.array(sides[0]) - np.array(sides[1])) / (2 * delta)
    table = critical_exponents(grow(ensemble, inverse, 2), ("derivative",), coupling="mass2", samples=50)
    assert np.all(slope < 0)
    log = np.log(-slope)
    for row in table.rows():
        scale = (row.j - row.i) * np.log(2)
        assert row.beta_over_nu.value == pytest.approx(-(log[row.j, 0] - log[row.i, 0]) / scale, abs=2e-4)
        assert row.gamma_over_nu.value == pytest.approx((log[row.j, 1] - log[row.i, 1]) / scale, abs=2e-4)
    other = critical_exponents(grow(ensemble, inverse, 2), ("derivative",), coupling="kappa", samples=50)
    assert np.abs(other.values["derivative"] - table.values["derivative"]).max() > 1e-3


def _record():
    from kadanoff.renormalization.inverse.learnt import TrainingRecord

    return TrainingRecord(
        "deterministic", 0, 0, 3, 0, (), 1.0, 1.0, 0.0, 0, False, 4, (3, 1), 0, 1, seconds=0.0
    )


@pytest.mark.exact
def test_what_cannot_be_estimated_is_refused():
    levels = upsampled(Ensemble(normals(0), PHI4), [0.9])
    with pytest.raises(InputError, match="only one: grow at least once"):
        critical_exponents(Levels((levels[0],)))
    with pytest.raises(InputError, match="make levels of ensembles by kd.Levels"):
        critical_exponents(list(levels))
    with pytest.raises(InputError, match=r"every field of \(4, 4\) has magnetisation zero"):
        critical_exponents(upsampled(Ensemble(0 * normals(0)), [0.9]))
    with pytest.raises(InputError, match="unknown estimator 'guess'; choose from ratio, derivative"):
        critical_exponents(levels, ("guess",))
    with pytest.raises(InputError, match="estimators takes a sequence, and 'ratio' is one name"):
        critical_exponents(levels, "ratio")
    relaxed = Levels(levels.ensembles, relaxation=Relaxation(PHI4, sweeps=1))
    with pytest.raises(InputError, match="erases their response"):
        critical_exponents(relaxed, ("derivative",))
    assert set(critical_exponents(relaxed, samples=20).values) == {"ratio"}
    nameless = upsampled(normals(0), [0.9])
    assert set(critical_exponents(nameless, samples=20).values) == {"ratio"}
    with pytest.raises(InputError, match="no simulated ancestor with an action"):
        critical_exponents(nameless, ("derivative",))
    with pytest.raises(InputError, match="Phi4 has no coupling 'beta'; choose from mass2, quartic, kappa"):
        critical_exponents(levels, ("derivative",), coupling="beta")
    with pytest.raises(InputError, match="at least 2"):
        critical_exponents(levels, samples=1)


@pytest.mark.exact
def test_complex_weights_are_refused():
    levels = upsampled(Ensemble(normals(0), PHI4, np.full((32, 8), 0.1j)), [0.9])
    for analysis in (critical_exponents, certificate):
        with pytest.raises(InputError, match=f"`{analysis.__name__}` has errors for real log-weights only"):
            analysis(levels)


@pytest.mark.exact
def test_levels_of_different_simulations_have_no_derivative():
    direct = Levels((Ensemble(normals(0), PHI4), Ensemble(normals(1, side=8), PHI4)))
    assert set(critical_exponents(direct, samples=20).values) == {"ratio"}
    with pytest.raises(InputError, match="come of different simulations"):
        critical_exponents(direct, ("derivative",))


@pytest.mark.exact
@pytest.mark.parametrize(
    ("sides", "options", "said"),
    [
        ((4, 8), {"b": 3}, r"level 1 has the lattice \(8, 8\), and 3 times \(4, 4\) is \(12, 12\)"),
        ((8, 4), {}, "from small to large"),
        ((4, 8), {"b": 1}, "b, the rescaling factor of a step, must be 2 or more, got 1"),
        ((4, 8), {"b": 2.5}, "must be a whole number, got 2.5"),
        ((), {}, "give one or more"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_levels_that_are_no_growth_are_refused(sides, options, said):
    with pytest.raises(InputError, match=said):
        Levels(tuple(Ensemble(normals(0, side=side)) for side in sides), **options)


@pytest.mark.exact
@pytest.mark.usefixtures("unchecked")
def test_levels_correspond_configuration_by_configuration():
    start, weight = Ensemble(normals(0)), np.zeros((32, 8))
    with pytest.raises(InputError, match="level 1 has 32 chains of 4 draws, level 0 has 32 of 8"):
        Levels((start, Ensemble(normals(0, draws=4, side=8))))
    with pytest.raises(InputError, match="other log-weights than level 0"):
        Levels((start, Ensemble(normals(0, side=8), log_weight=weight)))
    with pytest.raises(InputError, match="levels are ensembles"):
        Levels((start, normals(0, side=8)))
    alike = (Ensemble(normals(0, side=side), log_weight=weight.copy()) for side in (4, 8))
    assert len(Levels(alike)) == 2


@pytest.mark.exact
def test_seeds_are_averaged_and_their_spread_joins_the_error():
    factors = [0.80, 0.85, 0.95]
    tables = [critical_exponents(upsampled(normals(0), [f]), samples=40) for f in factors]
    table = combine_seeds(tables)
    betas = -np.log2(factors)
    error = betas.std(ddof=1) / np.sqrt(3)  # of the mean over seeds
    row = table.row("4/8")
    assert row.beta_over_nu.value == pytest.approx(betas.mean(), abs=1e-6)
    assert row.beta_over_nu.error == pytest.approx(error, rel=1e-4)
    assert row.gamma_over_nu.error == pytest.approx(2 * error, rel=1e-4)
    np.testing.assert_allclose(row.covariance[0][1], -2 * error**2, rtol=1e-4)
    np.testing.assert_allclose(
        table.samples["ratio"], np.mean([t.samples["ratio"] for t in tables], axis=0), rtol=1e-12
    )
    rng = np.random.default_rng(0)
    noisy = [
        critical_exponents(upsampled(normals(0), [np.exp(0.3 * rng.normal(size=(32, 8, 1, 1)))]), samples=40)
        for _ in range(2)
    ]
    both = combine_seeds(noisy)
    deviations = np.diff([t.values["ratio"] for t in noisy], axis=0)[0]
    own = np.cov(np.mean([t.samples["ratio"][:, 0] for t in noisy], axis=0).T)
    np.testing.assert_allclose(both.covariance("ratio")[0], own + np.outer(*2 * [deviations[0]]) / 4)
    alone = combine_seeds(tables[:1])
    np.testing.assert_array_equal(alone.covariance("ratio"), tables[0].covariance("ratio"))


@pytest.mark.exact
def test_systematic_errors_outlive_the_mean_over_seeds():
    table = critical_exponents(upsampled(normals(0), [0.9]), samples=20).with_systematic("ratio", 0.1, -0.1)
    for same in (combine_seeds([table] * 3), combine_seeds([table])):
        np.testing.assert_allclose(same.covariance("ratio"), table.covariance("ratio"), rtol=1e-12)
    with pytest.raises(InputError, match="no estimator 'ratoi'; choose from ratio"):
        table.with_systematic("ratoi", 0.1, -0.1)
    with pytest.raises(InputError, match="no estimator 'foo'"):
        table.rows("foo")


@pytest.mark.exact
def test_tables_of_other_levels_or_estimators_are_not_combined():
    one = critical_exponents(upsampled(normals(0), [0.9]), samples=20)
    two = critical_exponents(upsampled(normals(0), [0.9, 0.9]), samples=20)
    more = critical_exponents(upsampled(Ensemble(normals(0), PHI4), [0.9]), samples=20)
    for other in (two, more):
        with pytest.raises(InputError, match="cannot be combined"):
            combine_seeds([one, other])
    with pytest.raises(InputError, match="no tables"):
        combine_seeds([])


@pytest.mark.exact
def test_a_slope_is_the_straight_line_through_all_levels() -> None:
    rng = np.random.default_rng(3)
    levels = Levels(
        tuple(Ensemble(rng.normal(size=(4, 8, side, side)).astype(np.float32)) for side in (4, 8, 16, 32)),
        b=2,
    )
    table = critical_exponents(levels, ["ratio"], samples=20)
    for first, last in ((4, 32), (8, 32), (8, 16)):
        here = [level for level in levels if first <= level.lattice.longest <= last]
        x = np.log([level.lattice.longest for level in here])
        m, chi = ([level.observe(n).value for level in here] for n in ("abs_magnetization", "susceptibility"))
        row = table.slope(first, last)
        assert row.beta_over_nu.value == pytest.approx(-np.polyfit(x, np.log(m), 1)[0], rel=1e-10)
        assert row.gamma_over_nu.value == pytest.approx(np.polyfit(x, np.log(chi), 1)[0], rel=1e-10)
    pair = table.row("8/16")
    assert table.slope(8, 16).beta_over_nu.error == pytest.approx(pair.beta_over_nu.error, rel=1e-10)
    wider = table.with_systematic("ratio", 0.3, -0.2).slope(4, 32)
    assert wider.gamma_over_nu.error == pytest.approx(np.hypot(0.3, table.slope(4, 32).gamma_over_nu.error))
    for wrong in ((8, 4), (4, 64)):
        with pytest.raises(InputError, match="4, 8, 16, 32"):
            table.slope(*wrong)
