"""Reweighting along a coupling: Gaussians, whose means at every coupling are known."""

from typing import ClassVar

import numpy as np
import pytest

from kadanoff.actions import Ising, NearestNeighbourAction, Phi4
from kadanoff.ensemble import Ensemble
from kadanoff.errors import InputError
from kadanoff.plots.trajectory import plot_trajectories
from kadanoff.reweighting.target import reweight
from kadanoff.reweighting.trajectory import FEWEST, reweight_along


@pytest.fixture(scope="module")
def ensemble() -> Ensemble:
    fields = np.random.default_rng(0).normal(size=(32, 64, 4, 4)).astype(np.float32)
    return Ensemble(fields, Phi4(1.0, 0.0, 0.0))


def gaussian(mass2: float) -> Phi4:
    return Phi4(mass2, 0.0, 0.0)


@pytest.mark.statistical
def test_trusted_points_are_right(ensemble, tmp_path) -> None:
    found = reweight_along(ensemble, gaussian, np.linspace(0.4, 2.4, 9), ["phi2"], "mass2")
    low, high = found.trusted()
    assert 0.4 < low < 1.0 < high < 2.4
    for point in found:
        if point.trusted:  # 4 standard errors each
            assert abs(point.observables["phi2"].pull(1 / point.value)) < 4
            assert point.effective >= FEWEST
    assert found.at(1.15).observables["phi2"].value == pytest.approx(
        reweight(ensemble, gaussian(1.15)).observe("phi2").value
    )
    assert plot_trajectories({"sample": found}, tmp_path / "path.png", ["phi2"]).is_file()
    assert "not to be trusted" in str(found) and len(found.rows()) == 9


@pytest.mark.exact
def test_the_name_of_a_coupling_is_the_simulated_action_elsewhere(ensemble) -> None:
    values = (0.9, 1.1)
    by_name = reweight_along(ensemble, "mass2", values, ["phi2"])
    assert by_name.coupling == "mass2"
    assert by_name.rows() == reweight_along(ensemble, gaussian, values, ["phi2"], "mass2").rows()


@pytest.mark.exact
def test_lost_overlap_is_a_point_and_no_error(ensemble) -> None:
    point = next(iter(reweight_along(ensemble, gaussian, [100.0], ["phi2"])))
    assert not point.trusted and point.observables == {} and point.effective == 0


@pytest.mark.exact
def test_rows_without_overlap_are_blank_and_are_not_drawn(ensemble, tmp_path, monkeypatch) -> None:
    from kadanoff.plots import trajectory

    found = reweight_along(ensemble, gaussian, [0.001, 1.0, 100.0], ["phi2"], "mass2")
    first, middle, last = found.rows()
    assert list(first) == list(middle) == list(last)
    for row in (first, last):
        assert (
            row["phi2"] is row["tail_shape"] is row["average_phase"] is None
            and row["effective_fraction"] == 0
        )
    drawings = []
    monkeypatch.setattr(trajectory, "save", lambda drawing, path: drawings.append(drawing) or path)
    plot_trajectories({"sample": found}, tmp_path / "path.png", ["phi2"])
    curves = {line.get_label(): line.get_xdata() for line in drawings[0].axes[-1].lines}
    assert list(curves["sample"]) == [1.0]
    assert {axis.get_xlabel() for axis in drawings[0].axes} == {r"$\mu^2$"}


@pytest.mark.exact
def test_the_figure_of_spins_calls_them_s(tmp_path, monkeypatch) -> None:
    from kadanoff.plots import trajectory

    drawings = []
    monkeypatch.setattr(trajectory, "save", lambda drawing, path: drawings.append(drawing) or path)
    spins = np.random.default_rng(0).choice(np.array([-1, 1], np.int8), size=(32, 64, 4, 4))
    found = reweight_along(Ensemble(spins, Ising(0.0)), "beta", [0.0, 0.01], ["neighbours"])
    plot_trajectories({"sample": found}, tmp_path / "path.png", ["neighbours"])
    assert drawings[0].axes[0].get_ylabel() == r"$\langle s s_{nn}\rangle$"


@pytest.mark.exact
def test_the_figure_says_what_its_grey_background_means(ensemble, tmp_path, monkeypatch) -> None:
    from kadanoff.plots import trajectory

    drawings = []
    monkeypatch.setattr(trajectory, "save", lambda drawing, path: drawings.append(drawing) or path)
    near, far = (reweight_along(ensemble, gaussian, [1.0, last], ["phi2"], "mass2") for last in (1.05, 100.0))
    for found in ({"near": near}, {"far": far}, {"near": near, "far": far}):
        plot_trajectories(found, tmp_path / "path.png", ["phi2"])
    named = [
        [text.get_text() for text in drawing.axes[1].get_legend().get_texts() if "trusted" in text.get_text()]
        for drawing in drawings
    ]
    assert named == [[], ["not to be trusted"], ["not to be trusted, darker for more curves"]]


@pytest.mark.exact
@pytest.mark.usefixtures("unchecked")
def test_wrong_values_are_refused(ensemble) -> None:
    found = reweight_along(ensemble, gaussian, [1.0], ["phi2"])
    with pytest.raises(InputError, match="reweight there too"):
        found.at(1.1)
    for values in ([], [np.nan], 1.0, [[1.0]], [None], "mass2"):
        with pytest.raises(InputError, match="finite values"):
            reweight_along(ensemble, gaussian, values)


@pytest.mark.exact
def test_of_close_points_the_nearest_is_given(ensemble) -> None:
    found = reweight_along(ensemble, gaussian, [1.0, 1.000001], ["phi2"], "mass2")
    assert found.at(1.000001).value == 1.000001


class InField(NearestNeighbourAction):
    """Spins in a field."""

    field: float
    kappa: float = 0.22

    spins: ClassVar[bool] = True

    def potential(self, phi, dimension):
        return -self.field * phi


@pytest.mark.exact
def test_spins_in_a_stronger_field_are_trusted_like_those_in_a_weaker_one() -> None:
    """Among the largest weights there most are equal but for rounding, which gave a tail of shape 10."""
    draws = np.random.default_rng(0).uniform(size=(32, 64, 4, 8)) < 1 / (1 + np.exp(-1.0))
    spins = Ensemble(np.where(draws, 1, -1).astype(np.int8), InField(0.1))
    found = reweight_along(spins, "field", [0.05, 0.09, 0.11, 0.15], ["abs_magnetization"])
    assert [point.trusted for point in found] == [True] * 4
    assert all(point.tail < 0.2 for point in found)
