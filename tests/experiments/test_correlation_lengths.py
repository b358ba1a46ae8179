"""Correlation lengths: exact for Gaussian fields, and a level made of larger copies has a larger length."""

import numpy as np
import pytest

import kadanoff as kd
from kadanoff.experiments.correlation_lengths import CONNECTED_LENGTH, length_rows


def gaussian(side: int, xi: float, mean: float = 0.0) -> kd.Ensemble:
    """Free fields with S(k) = 1 / (xi^-2 + khat^2) on average, drawn mode by mode, about a mean of either sign."""
    rng = np.random.default_rng(0)
    k = 2 * np.sin(np.pi * np.arange(side) / side)
    amplitude = 1 / np.sqrt(xi**-2 + k[:, None] ** 2 + k**2)
    noise = np.fft.fft2(rng.normal(size=(32, 64, side, side)))
    fields = np.fft.ifft2(amplitude * noise).real + mean * rng.choice([-1, 1], size=(32, 64, 1, 1))
    return kd.Ensemble(fields.astype(np.float32))


@pytest.mark.statistical
@pytest.mark.parametrize("mean", [0.0, 3.0])
def test_connected_length_of_free_fields_is_exact_with_or_without_a_mean(mean: float) -> None:
    # Four standard errors: 6e-5 each.
    found = gaussian(16, 3.0, mean).observe(CONNECTED_LENGTH)
    assert found.error < 0.3
    assert abs(found.pull(3.0)) < 4


@pytest.mark.statistical
def test_rows_hold_lengths_in_lattice_units_and_their_ratio() -> None:
    levels = [gaussian(16, 2.0), gaussian(32, 4.0)]
    rows = {row["estimator"]: row for row in length_rows(levels, "at 0.1", 2, 200, seed=0, disordered=True)}
    assert set(rows) == {"connected", "zero-momentum"}
    (only,) = length_rows(levels, "at 0.1", 2, 200, seed=0, disordered=False)
    assert only["estimator"] == "connected"
    for row in rows.values():
        assert row["label"] == "16/32 at 0.1"
        assert abs(row["xi_i"].pull(2.0)) < 4 and abs(row["xi_j"].pull(4.0)) < 4
        assert row["ratio"].value == pytest.approx(row["xi_j"].value / row["xi_i"].value)
        assert abs(row["ratio"].pull(row["reference"]["ratio"])) < 4
