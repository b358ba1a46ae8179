"""The mean over trainings: the spread joins the error that trainings share."""

import numpy as np
import pytest

from kadanoff.experiments.learnt_spins import _combined
from kadanoff.statistics import Estimate


@pytest.mark.exact
def test_the_spread_over_trainings_joins_the_error() -> None:
    found = _combined([Estimate(1.0, 0.3), Estimate(1.6, 0.3), Estimate(2.2, 0.3)])
    assert found.value == pytest.approx(1.6)
    assert found.error == pytest.approx(np.hypot(0.3, 0.6 / np.sqrt(3)))
    assert _combined([Estimate(1.0, 0.3)]) == Estimate(1.0, 0.3)
