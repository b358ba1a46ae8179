"""Weights against direct formulas, at sizes where those overflow and where they do not."""

import numpy as np
import pytest

from kadanoff.errors import OverlapError
from kadanoff.statistics import (
    average_phase,
    derived,
    effective_sample_size,
    normalised_weights,
    tail_shape,
)

pytestmark = pytest.mark.exact


@pytest.mark.parametrize("shift", [0.0, 1e4, -1e4])
@pytest.mark.parametrize("phase", [0.0, 0.7])
def test_direct_formulas_at_any_offset(shift, phase):
    x = np.random.default_rng(0).normal(size=(3, 40))
    log_w = x + 1j * phase * x if phase else x
    w = np.exp(log_w)
    np.testing.assert_allclose(normalised_weights(log_w + shift), w / w.sum(), rtol=1e-11)
    assert effective_sample_size(log_w + shift) == pytest.approx(
        np.abs(w).sum() ** 2 / np.sum(np.abs(w) ** 2), rel=1e-11
    )
    assert average_phase(log_w + shift) == pytest.approx(abs(w.sum()) / np.abs(w).sum(), rel=1e-11)


def test_limits():
    assert effective_sample_size(np.full((4, 25), 3.0)) == pytest.approx(100.0)
    assert effective_sample_size([0.0, -1e5, -np.inf]) == 1.0
    assert average_phase(np.random.default_rng(1).normal(size=9)) == pytest.approx(1.0)
    assert normalised_weights(np.zeros(4, dtype=np.float32)).dtype == np.float64
    assert normalised_weights(np.zeros(4, dtype=np.complex64)).dtype == np.complex128


def test_zero_weights_have_no_phase():
    weights = normalised_weights([complex(-np.inf, np.nan), 0.0, complex(-np.inf, np.inf), 1j])
    assert weights[0] == weights[2] == 0
    assert weights.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("function", [normalised_weights, effective_sample_size, average_phase])
def test_lost_overlap_is_not_hidden(function):
    with pytest.raises(OverlapError, match="all 3 .* -inf"):
        function(np.full(3, -np.inf))
    for bad in (np.nan, np.inf, complex(0.0, np.nan)):
        with pytest.raises(OverlapError, match="1 of 2"):
            function([0.0, bad])
    with pytest.raises(OverlapError, match="no log-weights"):
        function([])
    original = np.array([0.0, 1.0])
    function(original)
    np.testing.assert_array_equal(original, [0.0, 1.0])  # the caller's array is left alone


def test_cancelling_phases():
    log_w = [0.0, 1j * np.pi]
    assert average_phase(log_w) < 1e-15
    assert effective_sample_size(log_w) == pytest.approx(2.0)
    with pytest.raises(OverlapError, match="cancel"):
        normalised_weights(log_w)
    with pytest.raises(OverlapError, match="cancel"):  # rounding alone was left: a mean of 1e28
        derived(lambda means: means[0], np.arange(2.0)[None, None], log_w)


@pytest.mark.parametrize("shape", [0.2, 0.5, 0.9])
def test_the_tail_of_pareto_weights_is_found(shape):
    uniform = np.random.default_rng(1).uniform(size=(40, 1000))
    found = tail_shape(-shape * np.log(uniform))
    assert found == pytest.approx(shape, abs=0.15)  # 600 weights are fitted: an error of (1 + k)/sqrt(600)
    assert tail_shape(-shape * np.log(uniform) + 1j * uniform) == pytest.approx(found)


def test_weights_without_a_tail():
    assert tail_shape(np.zeros(100)) == -np.inf
    assert np.isnan(tail_shape(np.zeros(10)))


@pytest.mark.parametrize("scale", [0.1, 0.3, 1.0])
@pytest.mark.parametrize("step", [0.2, 0.5, 1.0])
def test_weights_of_few_different_values_have_the_tail_of_continuous_ones(scale, step):
    """As those of spins in a field, equal but for rounding: the fit took that for the scale, and found 10 to 20."""
    generator = np.random.default_rng(2)
    smooth = generator.normal(size=20_000)
    few = step * np.round(smooth / step) + 1e-8 * generator.uniform(size=smooth.size)
    assert tail_shape(scale * few) == pytest.approx(tail_shape(scale * smooth), abs=0.15)
