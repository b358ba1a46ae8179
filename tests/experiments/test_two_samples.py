"""Two samples: like ones agree and unlike ones do not, with correlations within chains counted."""

import numpy as np
import pytest

from kadanoff.errors import InputError
from kadanoff.experiments.two_samples import compare


def chains(seed: int, repeat: int = 1, width: float = 1.0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [width * rng.normal(size=300).repeat(repeat) for _ in range(32)]


@pytest.mark.statistical
@pytest.mark.slow
@pytest.mark.ci
def test_p_values_are_uniform_for_like_samples() -> None:
    # 60 uniform p-values: below 0.1 there are 6 on average, more than 15 with a probability of 2e-4.
    found = [compare({"x": chains(2 * k)}, {"x": chains(2 * k + 1)}, k)["x"].p_value for k in range(60)]
    assert sum(p < 0.1 for p in found) <= 15
    assert 0.25 < np.mean(found) < 0.85


@pytest.mark.statistical
def test_copies_of_values_do_not_count_as_more() -> None:
    once = compare({"x": chains(0)}, {"x": chains(1)}, 0)["x"]
    thrice = compare({"x": chains(0, 3)}, {"x": chains(1, 3)}, 0)["x"]
    assert thrice.effective == pytest.approx(once.effective, rel=1e-2)
    assert thrice.p_value == pytest.approx(once.p_value, rel=1e-2)
    assert 0.6 < once.effective / (32 * 300) < 1.6


@pytest.mark.statistical
def test_unlike_samples_are_told_apart() -> None:
    found = compare({"x": chains(0)}, {"x": chains(1, width=1.2)}, 0)["x"]
    assert found.p_value < 1e-6
    assert abs(found.true["variance"].pull(1.0)) < 4 and abs(found.drawn["variance"].pull(1.44)) < 4
    assert abs(found.true["quantile_95"].pull(1.6449)) < 4


@pytest.mark.exact
def test_too_few_chains_are_refused() -> None:
    with pytest.raises(InputError, match="at least 16 chains"):
        compare({"x": chains(0)[:4]}, {"x": chains(1)[:4]}, 0)
