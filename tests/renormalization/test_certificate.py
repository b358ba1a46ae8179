"""The certificate: a row a level, direct values beside ours, and the two residuals of the map."""

import numpy as np
import pytest

from kadanoff.actions import Ising, Phi4
from kadanoff.ensemble import Ensemble
from kadanoff.errors import DepthWarning, InputError
from kadanoff.lattice import Lattice
from kadanoff.renormalization import (
    CompatibleMonteCarlo,
    Levels,
    Relaxation,
    certificate,
    critical_exponents,
    grow,
    importance_weights,
)
from kadanoff.renormalization.certificate import CERTIFIED, Certificate, _deviation
from kadanoff.sampling import sample
from kadanoff.statistics import Estimate

PHI4 = Phi4(-0.9515, 0.7)


def normals(seed, side, scale=1.0):
    fields = np.random.default_rng(seed).normal(size=(16, 16, side, side))
    return Ensemble((scale * fields).astype(np.float32))


def two_levels(**before):
    start, fine = normals(0, 4), normals(1, 8)
    return Levels((start, start.derive(fine.fields, "grown", 0)), before=({}, before))


@pytest.mark.exact
def test_every_level_has_a_row():
    rows = certificate(two_levels())
    assert [(row["level"], row["side"]) for row in rows] == [(0, 4), (1, 8)]
    levels = two_levels()
    for row, level in zip(rows, levels, strict=True):
        assert set(row) == {"level", "side", *CERTIFIED}
        for name in CERTIFIED:
            assert (row[name].value, row[name].error) == (
                level.observe(name).value,
                level.observe(name).error,
            )


@pytest.mark.statistical
def test_direct_values_stand_beside_ours():
    rows = certificate(two_levels(), {8: normals(2, 8, 1.1)})
    assert "direct" not in rows[0] and set(rows[1]["direct"]) == set(CERTIFIED)
    ours, theirs = rows[1]["phi2"], rows[1]["direct"]["phi2"]
    deviation = rows[1]["deviation"]["phi2"]
    assert deviation.value == pytest.approx(ours.value / theirs.value - 1)
    assert deviation.value == pytest.approx(1 / 1.21 - 1, abs=4 * deviation.error)
    relative = np.hypot(ours.error / ours.value, theirs.error / theirs.value)
    assert deviation.error == pytest.approx(ours.value / theirs.value * relative)
    expected = (ours.value - theirs.value) / np.hypot(ours.error, theirs.error)
    assert rows[1]["pull"]["phi2"] == pytest.approx(expected) and expected < -10
    # the same law: no pull beyond 4 (significance 4e-4 for all seven)
    same = certificate(two_levels(), {8: normals(4, 8)})[1]["pull"]
    assert max(abs(pull) for pull in same.values() if np.isfinite(pull)) < 4


@pytest.mark.statistical
def test_white_noise_has_a_correlation_length_of_zero_within_its_error():
    """Four numbers within 4 standard errors, and none of them without one."""
    for seed in (1, 2):
        row = certificate(two_levels(), {8: normals(seed, 8)})[1]
        for found in (row["xi_over_L"], row["direct"]["xi_over_L"]):
            assert 0.005 < found.error and abs(found.pull(0.0)) < 4


@pytest.mark.exact
def test_relative_to_nothing_a_difference_is_no_number():
    assert np.isnan(_deviation(Estimate(1.0, 0.1), Estimate(0.0, 0.1)).value)


@pytest.mark.exact
def test_a_direct_simulation_of_another_lattice_is_refused():
    other = Ensemble(np.ones((4, 4, 8, 2), dtype=np.float32))
    with pytest.raises(InputError, match=r"\(8, 2\), the level \(8, 8\)"):
        certificate(two_levels(), {8: other})
    with pytest.raises(
        InputError, match="direct simulation of side 64, and no level of that side: they are 4, 8"
    ):
        certificate(two_levels(), {8: normals(2, 8), 64: normals(3, 64)})


@pytest.mark.exact
def test_residuals_are_means_of_what_was_measured_before_relaxation():
    rng = np.random.default_rng(5)
    residual, squares = rng.normal(1.2, 0.1, size=(16, 16)), rng.uniform(size=(16, 16))
    levels = two_levels(schwinger_dyson=residual, inconsistency=squares)
    row = certificate(levels)[1]
    assert row["schwinger_dyson_residual"].value == pytest.approx(residual.mean() - 1)
    assert row["schwinger_dyson_residual"].error == pytest.approx(0.1 / 16, rel=0.5)
    size = np.sqrt(np.mean(levels[0].fields.astype(np.float64) ** 2))
    assert row["inconsistency"] == pytest.approx(np.sqrt(squares.mean()) / size, rel=1e-6)
    weight = np.where(np.arange(16) < 8, 0.0, -1e3)[:, None] * np.ones((1, 16))
    start = Ensemble(levels[0].fields, log_weight=weight)
    grown = start.derive(levels[1].fields, "grown", 0)
    weighted = certificate(Levels((start, grown), before=levels.before))[1]
    assert weighted["schwinger_dyson_residual"].value == pytest.approx(residual[:8].mean() - 1)
    single = Ensemble(np.ones((1, 1, 4, 4), dtype=np.float32))
    alone = certificate(Levels((single,)))[0]
    assert alone["phi2"].value == 1.0 and np.isnan(alone["phi2"].error)


@pytest.mark.statistical
def test_a_sampled_level_obeys_schwinger_and_dyson():
    right = sample(PHI4, Lattice((4, 4)), chains=32, draws=32, thermalize=60, seed=0)
    found = certificate(Levels((right,)))[0]["schwinger_dyson_residual"]
    assert found.error < 0.05 and abs(found.pull(0.0)) < 4
    wrong = right.with_action(Phi4(-0.7, 0.7))
    assert abs(certificate(Levels((wrong,)))[0]["schwinger_dyson_residual"].pull(0.0)) > 4


def test_a_certificate_prints_a_column_a_level():
    rng = np.random.default_rng(0)
    small, large, direct = (
        Ensemble(rng.normal(size=(8, 4, side, side)).astype(np.float32)) for side in (4, 8, 8)
    )
    found = certificate(Levels((small, large)), {8: direct})
    heading, side, *lines = str(found).splitlines()
    assert heading.split() == ["level", "0", "level", "1", "deviation"] and side.split() == ["side", "4", "8"]
    expected = [str(found[0]["phi2"]), str(found[1]["phi2"]), str(found[1]["deviation"]["phi2"])]
    assert ["phi2", *expected] in [line.split() for line in lines]
    assert len({len(line) for line in (heading, *lines)}) == 1
    # A number without an error prints with four digits, and keeps all of its own.
    row = {"level": 0, "side": 4, "inconsistency": 0.609733091069177}
    assert str(Certificate([row])).splitlines()[-1].split() == ["inconsistency", "0.6097"]


@pytest.mark.exact
@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    "asked", [certificate, critical_exponents, lambda given: importance_weights(given, PHI4)]
)
def test_what_are_no_levels_gets_one_line(asked):
    with pytest.raises(
        InputError, match="takes the levels of a growth, got Ensemble: give what `kd.grow` returns"
    ):
        asked(normals(0, 4))


@pytest.mark.exact
def test_levels_of_spins_have_a_row_of_what_spins_have():
    ising = Ising(0.4)
    start = sample(ising, Lattice((4, 4)), chains=8, draws=16, seed=1)
    with pytest.warns(DepthWarning):
        levels = grow(start, CompatibleMonteCarlo(ising, sweeps=2), relax=Relaxation(ising, sweeps=1), seed=2)
    direct = sample(ising, Lattice((8, 8)), chains=8, draws=16, seed=3)
    first, second = certificate(levels, {8: direct})
    names = {"abs_magnetization", "susceptibility", "binder", "xi_over_L", "neighbours"}
    assert set(first) == {"level", "side", *names}
    assert set(second["direct"]) == set(second["pull"]) == names
    assert second["neighbours"].value == levels[1].observe("neighbours").value
    with pytest.raises(InputError, match="of the same sites"):
        certificate(levels, {8: normals(0, 8)})
