"""Two-lattice matching: a transformation whose flow is known exactly, Ising lattices, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kadanoff.actions import Ising, Phi4
from kadanoff.ensemble import Ensemble
from kadanoff.errors import InputError
from kadanoff.lattice import Lattice
from kadanoff.plots import matching as plots
from kadanoff.renormalization.blocking import BlockMean, Majority, MajorityMean, block
from kadanoff.renormalization.crossing import Crossing
from kadanoff.renormalization.matching import Matching, match, match_steps
from kadanoff.reweighting.curves import Curve
from kadanoff.sampling import sample


def gaussian(mass2, seed, draws=48):
    """Independent sites of variance 1 / mass2."""
    fields = np.random.default_rng(seed).normal(size=(32, draws, 8, 8)) / np.sqrt(mass2)
    return Ensemble(fields.astype(np.float32), Phi4(mass2, 0.0, 0.0))


def squared(ensemble):
    """Fields with phi^2 -> phi^4 mass2_c / 3: <phi^2> = 1/K' with K' = K^2 / K_c, K_c = 1.5, so that dK'/dK = 2."""
    return ensemble.derive(ensemble.fields**2 * np.float32(np.sqrt(1.5 / 3)), "squared", 1)


def matched(seed, **options):
    return match(
        squared(gaussian(1.5, 2 * seed)),
        gaussian(1.52, 2 * seed + 1),
        "phi2",
        "mass2",
        b=2,
        points=9,
        **options,
    )


@pytest.mark.statistical
def test_a_known_flow_its_fixed_point_and_slope_with_errors() -> None:
    found = [matched(seed, samples=100) for seed in range(24)]
    assert all(each.nu is not None and each.reason == "" for each in found)
    assert np.mean([each.nu.error for each in found]) < 0.1
    # 24 independent pulls each: their sum of squares is in this range with probability 1 - 1e-3.
    for name, exact in (("critical", 1.5), ("slope", 2.0), ("nu", 1.0)):
        pulls = [getattr(each, name).pull(exact) for each in found]
        assert 7 < np.sum(np.square(pulls)) < 54, name
        assert abs(np.mean(pulls)) < 3.5 / np.sqrt(24), name


@pytest.mark.statistical
def test_the_flow_is_the_known_map_where_both_curves_reach() -> None:
    found = matched(0, samples=200)
    pulls = (found.mapped - found.couplings**2 / 1.5) / found.mapped_errors
    # strongly correlated along the curve: one pull of four standard errors, 6e-5
    assert len(pulls) >= 3 and np.max(np.abs(pulls)) < 4
    assert np.all(found.mapped <= found.range[1]) and np.all(found.mapped >= found.range[0])
    row = found.row()
    assert row["mass2_c"] is found.critical and row["range"] == list(found.range) and row["reason"] == ""
    assert 10 <= row["effective_sample_size"] <= 32 * 48
    assert f"mass2_c = {found.critical}" in str(found)


@pytest.mark.exact
def test_slope_and_flow_of_given_curves() -> None:
    """Without noise everything follows from two analytic curves: 3 K and K + 2 meet at 1, and K' = 3 K - 2."""
    grid = np.linspace(0, 2, 9)
    blocked, direct = (
        Curve(grid, values, 0 * grid, 0 * grid + 1, np.stack([values] * 5), 100)
        for values in (3 * grid, grid + 2)
    )
    from kadanoff.renormalization import matching
    from kadanoff.statistics import Estimate

    crossing = Crossing("phi2", "mass2", Estimate(1.0, 0.0), "", blocked, direct, np.ones(5))
    assert matching._slope(crossing).value == pytest.approx(3.0)
    couplings, mapped, errors = matching._flow(crossing)
    np.testing.assert_allclose(mapped, 3 * couplings - 2)
    np.testing.assert_allclose(couplings, grid[(3 * grid >= 2) & (3 * grid <= 4)])
    np.testing.assert_allclose(errors, 0, atol=1e-15)
    # both falling instead of rising: the same flow
    falling = Crossing(
        "phi2",
        "mass2",
        crossing.value,
        "",
        *(Curve(grid, -c.values, c.errors, c.effective, -c.samples, 100) for c in (blocked, direct)),
        np.ones(5),
    )
    np.testing.assert_allclose(matching._flow(falling)[1], mapped)


@pytest.mark.exact
def test_without_a_crossing_the_range_is_said() -> None:
    plain = gaussian(1.5, 0)
    scaled = plain.derive(0.8 * plain.fields, "scaled", 1)
    found = match(scaled, gaussian(1.5, 1), "phi2", "mass2", b=2, points=9)
    assert found.critical is None and found.nu is None and found.slope is None
    low, high = found.range
    assert f"from {low:.5g} to {high:.5g}" in found.reason and found.reason in str(found)


@pytest.mark.exact
def test_a_slope_of_one_gives_no_nu() -> None:
    """A crossing at which the flow does not leave: <phi^2> of roots falls as 1/sqrt(K), slower than that of fields."""
    plain = gaussian(np.pi / 2, 0)
    roots = plain.derive(np.sqrt(np.abs(plain.fields)), "roots", 1)
    found = match(roots, gaussian(1.6, 1), "phi2", "mass2", b=2, points=9)
    assert found.critical is not None and found.slope is not None and found.slope.value < 1
    assert found.nu is None and "not above one" in found.reason


@pytest.fixture(scope="module")
def lattices() -> tuple[Ensemble, Ensemble]:
    return tuple(
        sample(
            Ising(0.4406868), Lattice((side, side)), chains=64, draws=128, thin=3, thermalize=60, seed=side
        )
        for side in (16, 8)
    )


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.statistical
def test_ising_lattices_settle_with_the_steps(lattices: tuple[Ensemble, Ensemble]) -> None:
    found = match_steps(
        *lattices, Majority(b=2), steps=2, names=("abs_magnetization", "neighbours"), samples=200
    )
    assert [len(line) for line in found] == [2, 2]
    # Neighbours at n = 0 are biased by irrelevant couplings, and a further step of both damps that. The two crossings
    # share their resamples, which gives the error of their difference; it is more than three of them.
    first, second = (line[1] for line in found)
    assert first.critical is not None and second.critical is not None
    assert first.crossing.zeros is not None and second.crossing.zeros is not None
    moved = first.critical.value - second.critical.value
    assert moved > 3 * np.std(first.crossing.zeros - second.crossing.zeros) > 0
    for each in found[1]:
        assert each.critical is not None and each.nu is not None
        assert abs(each.critical.value - 0.4407) < 0.003 + 4 * each.critical.error
        assert abs(each.nu.value - 1) < 0.1 + 4 * each.nu.error


@pytest.mark.exact
def test_a_step_is_a_match_of_what_was_blocked(lattices: tuple[Ensemble, Ensemble]) -> None:
    """A rule that draws no random numbers: the two ways agree bit by bit."""
    large, small = lattices
    rule = MajorityMean(b=2)
    by_steps = match_steps(large, small, rule, steps=2, names=("abs_magnetization",), samples=50)[1][0]
    by_hand = match(block(large, rule, steps=2), block(small, rule), "abs_magnetization", samples=50)
    np.testing.assert_array_equal(by_steps.blocked.values, by_hand.blocked.values)
    np.testing.assert_array_equal(by_steps.direct.values, by_hand.direct.values)


@pytest.mark.exact
@pytest.mark.usefixtures("unchecked")
def test_counts_of_matchings_and_points_are_whole(lattices: tuple[Ensemble, Ensemble]) -> None:
    large, small = lattices
    with pytest.raises(InputError, match="matchings must be a whole number, got 1.5"):
        match_steps(large, small, Majority(b=2), steps=1.5)
    with pytest.raises(InputError, match="points must be a whole number, got 10.5"):
        match_steps(large, small, Majority(b=2), steps=1, points=10.5)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The figures of matchings that a test has drawn."""
    found: list[Any] = []
    monkeypatch.setattr(plots, "save", lambda drawing, path: found.append(drawing) or path)
    return found


@pytest.mark.exact
def test_the_legends_of_one_step_cover_no_error_bar(
    lattices: tuple[Ensemble, Ensemble], drawn: list[Any], tmp_path: Path
) -> None:
    from matplotlib.transforms import Bbox

    plots.plot_flow(dict(enumerate(match_steps(*lattices, Majority(b=2), steps=1))), tmp_path / "flow.png")
    drawn[0].canvas.draw()
    for axis in drawn[0].axes[:2]:
        covered = axis.get_legend().get_window_extent()
        bars = [bar.get_segments()[0] for points in axis.containers for bar in points[2]]
        assert len(bars) == 3
        assert not any(covered.overlaps(Bbox(axis.transData.transform(bar))) for bar in bars)


@pytest.mark.exact
def test_figures_of_spins_call_them_s(
    lattices: tuple[Ensemble, Ensemble], drawn: list[Any], tmp_path: Path
) -> None:
    found = dict(enumerate(match_steps(*lattices, Majority(b=2), steps=1, names=["neighbours"], samples=20)))
    plots.plot_matchings(found, tmp_path / "matching.png")
    plots.plot_flow(found, tmp_path / "flow.png")
    symbol = r"$\langle s s_{nn}\rangle$"
    assert drawn[0].axes[0].get_ylabel() == symbol
    assert all(symbol in axis.get_legend_handles_labels()[1] for axis in drawn[1].axes)


@pytest.mark.exact
def test_what_cannot_be_matched_is_refused(lattices: tuple[Ensemble, Ensemble]) -> None:
    large, small = lattices
    with pytest.raises(InputError, match="matchings must be 1 or more"):
        match_steps(large, small, Majority(b=2), steps=0)
    with pytest.raises(InputError, match="names takes a sequence, and 'neighbours' is one name"):
        match_steps(large, small, Majority(b=2), steps=1, names="neighbours")
    with pytest.raises(InputError, match="is not b=2 times"):
        match_steps(small, large, Majority(b=2))
    with pytest.raises(InputError, match="is not b=3 times"):
        match_steps(large, small, Majority(b=3))
    with pytest.raises(InputError, match="side below 2"):
        match_steps(large, small, Majority(b=2), steps=4, samples=20)
    with pytest.raises(InputError, match="2 or more"):
        match(block(large, Majority(b=2)), small, b=1)
    with pytest.raises(InputError, match="b=3 contradicts .* as 2 to 1"):
        match(block(large, Majority(b=2)), small, b=3)
    with pytest.raises(InputError, match="do not tell the rescaling factor: give b"):
        match(small, small)
    with pytest.raises(InputError, match="Ising has no coupling 'mass2'; choose from beta"):
        match(block(large, Majority(b=2)), small, coupling="mass2")
    with pytest.raises(InputError, match="blocked lattice"):
        match(large, small)


@pytest.mark.exact
def test_the_rescaling_factor_is_that_of_the_lattices() -> None:
    rng, rule = np.random.default_rng(0), Majority(b=3)
    large, small = (
        Ensemble(np.where(rng.random((8, 32, side, side)) < 0.5, 1, -1).astype(np.int8), Ising(1e-3))
        for side in (27, 9)
    )
    assert match(block(large, rule), small, "energy", samples=10).b == 3
    assert match(block(large, rule, steps=2), block(small, rule), "energy", samples=10).b == 3


@pytest.mark.exact
def test_a_rule_that_keeps_the_magnetisation_never_crosses(lattices: tuple[Ensemble, Ensemble]) -> None:
    large, small = lattices
    real = large.derive(large.fields.astype(np.float32), "as real numbers", 0)
    found = match(block(real, BlockMean(b=2)), small, samples=50)
    assert isinstance(found, Matching) and found.critical is None and "no crossing" in found.reason
