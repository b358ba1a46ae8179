"""Degrees of freedom: drawn blocks have the block value exactly, and nearly the distribution of true ones."""

from pathlib import Path

import numpy as np
import pytest

import kadanoff as kd
from kadanoff.experiments import degrees_of_freedom


@pytest.mark.exact
def test_quantities_are_those_of_the_chosen_blocks_turned_to_the_positive_sign() -> None:
    fine = np.full((1, 1, 4, 4), 5.0, dtype=np.float32)
    fine[0, 0, :2, :2] = [[-0.4, -0.6], [-0.2, 0.1]]  # majority mean -0.4
    ensemble = kd.Ensemble(fine)
    found = degrees_of_freedom._quantities(kd.block(ensemble, kd.MajorityMean(b=2)), ensemble)
    sites = np.array([0.4, 0.6, 0.2, -0.1])
    np.testing.assert_allclose(found["site value"][0], sites, rtol=1e-6)
    np.testing.assert_allclose(found["block spread"][0], [sites.std()], rtol=1e-6)
    products = 0.4 * 0.6 + 0.2 * -0.1 + 0.4 * 0.2 + 0.6 * -0.1
    np.testing.assert_allclose(found["neighbours in block"][0], [products / 4], rtol=1e-5)


@pytest.mark.slow
@pytest.mark.statistical
def test_drawn_blocks_are_much_like_true_ones(tmp_path: Path) -> None:
    # What a small density reaches: measured 0.03 to 0.14; block-constant fields would be 0.5 or more away.
    result = degrees_of_freedom.run(tmp_path, quick=True, seed=0)
    distances = {
        row["label"]: row["kolmogorov_distance"] for row in result.rows if "kolmogorov_distance" in row
    }
    assert len(distances) == 3 and all(distance < 0.2 for distance in distances.values()), distances
    moments = {(row["label"], row.get("variant")): row for row in result.rows}
    for name in ("site value", "block spread", "neighbours in block"):
        drawn, true = moments[name, "mean"]["drawn"], moments[name, "mean"]["reference"]["drawn"]
        assert abs(drawn.value - true.value) < 0.06
    differences = moments["relative root mean square", None]
    assert differences["blocked_difference"].value < 1e-5
    assert 0.3 < differences["fine_difference"].value < 1.5
    names = ["degrees_of_freedom.png", "reconstruction.png", "ising_blocks.png"]
    assert [path.name for path in result.figures] == names
    assert all(path.is_file() for path in result.figures)
