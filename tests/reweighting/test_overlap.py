"""Overlap of two ensembles against Gaussians, for which everything is known."""

import numpy as np
import pytest

from kadanoff.actions import Action, Phi4
from kadanoff.ensemble import Ensemble
from kadanoff.errors import InputError, OverlapError, OverlapWarning
from kadanoff.plots.overlap import plot_overlap
from kadanoff.reweighting.overlap import overlap
from kadanoff.reweighting.target import reweight

SITES = 16


class Tilted(Action):
    def density(self, field):
        return (0.5 + 0.1j) * field**2


def gaussian(mass2, draws=50, chains=40, seed=0):
    fields = np.random.default_rng(seed).normal(size=(chains, draws, 4, 4)) / np.sqrt(mass2)
    return Ensemble(fields.astype(np.float32), Phi4(mass2, 0.0, 0.0))


def exact(p: float, q: float) -> dict[str, float]:
    """F_q - F_p and both divergences of independent Gaussians of inverse variances p and q."""
    difference = SITES / 2 * np.log(q / p)
    return {
        "free_energy_difference": difference,
        "divergence_pq": SITES / 2 * (q / p - 1) - difference,
        "divergence_qp": SITES / 2 * (p / q - 1) + difference,
    }


@pytest.mark.statistical
def test_numbers_and_their_errors_are_those_of_gaussians():
    pulls = []
    for seed in range(30):
        found = overlap(gaussian(1.0, seed=seed), gaussian(1.4, draws=20, seed=1000 + seed)).row()
        pulls.append([found[name].pull(value) for name, value in exact(1.0, 1.4).items()])
    # for each number the sum of 30 squares of pulls lies in this range with probability 1 - 1e-3
    squares = np.sum(np.square(pulls), axis=0)
    assert np.all((10 < squares) & (squares < 64))
    found = overlap(gaussian(1.0), gaussian(1.4))
    # Kish's fraction E[w]^2 / E[w^2] with w = exp(-0.2 phi^2) at every site
    per_site = np.sqrt(1 + 2 * 0.4) / (1 + 0.4)
    assert found.effective_pq == pytest.approx(per_site**SITES, rel=0.1)


@pytest.mark.exact
def test_an_ensemble_overlaps_with_its_own_action_entirely():
    found = overlap(gaussian(1.0), gaussian(1.0, seed=1))
    assert found.effective_pq == found.effective_qp == 1
    assert found.divergence_pq.value == pytest.approx(0, abs=1e-9)


@pytest.mark.exact
def test_both_ways_are_one_comparison():
    p, q = gaussian(1.0), gaussian(1.3, draws=30, seed=1)
    there, back = overlap(p, q), overlap(q, p)
    assert there.free_energy_difference.value == pytest.approx(-back.free_energy_difference.value, rel=1e-9)
    assert there.divergence_pq.value == pytest.approx(back.divergence_qp.value, rel=1e-7)
    assert there.divergence_pq.error == pytest.approx(back.divergence_qp.error, rel=1e-7)
    assert there.effective_pq == pytest.approx(back.effective_qp)


@pytest.mark.exact
def test_what_cannot_be_compared_is_refused():
    p = gaussian(1.0)
    for other, said in (
        (Ensemble(np.ones((2, 2, 4, 2), np.float32), Phi4(1.0, 0.0)), "one shape"),
        (Ensemble(p.fields), "no simulated ancestor"),
        (reweight(p, Phi4(1.01, 0.0, 0.0)), "has weights"),
        (p.with_action(Tilted()), "complex"),
    ):
        with pytest.raises(InputError, match=said):
            overlap(p, other)
    with pytest.raises(OverlapError, match="in common"):
        overlap(p, gaussian(1e6, seed=1))
    with pytest.warns(OverlapWarning, match="hardly overlap"):
        overlap(p, gaussian(8.0, seed=1))


@pytest.mark.exact
def test_a_figure(tmp_path):
    found = overlap(gaussian(1.0), gaussian(1.4, seed=1))
    assert plot_overlap({"pair": found}, tmp_path / "overlap.png").is_file()
    assert "left on the way" in str(found)
