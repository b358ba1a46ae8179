"""A classifier between ensembles: its error is that of repetition."""

import numpy as np
import pytest

from kadanoff.ensemble import Ensemble
from kadanoff.errors import InputError
from kadanoff.renormalization.discriminator import area_under_curve, discriminate


@pytest.mark.statistical
@pytest.mark.parametrize("chains", [4, 32])
def test_the_error_of_the_area_knows_autocorrelation(chains):
    """Autoregressive scores of known area: pulls of 200 repetitions have a spread of one (fixed seed, 5 sigma)."""
    rng, draws, memory = np.random.default_rng(0), 640 // chains, 0.6
    pulls = []
    for _ in range(200):
        noise = rng.normal(size=(2, chains, draws))
        scores = noise.copy()
        for draw in range(1, draws):
            now = memory * scores[:, :, draw - 1] + np.sqrt(1 - memory**2) * noise[:, :, draw]
            scores[:, :, draw] = now
        pulls.append(area_under_curve(scores[0], scores[1]).pull(0.5))
    spread = np.sqrt(np.mean(np.square(pulls)))
    assert spread == pytest.approx(1.0, abs=0.25), spread  # without chains 2: the square root of 2 tau


@pytest.mark.exact
def test_what_is_told_apart_without_fail_has_no_error():
    small = np.random.default_rng(0).normal(size=(4, 16, 8, 8)).astype(np.float32)
    found = discriminate(Ensemble(small), Ensemble(4 * small[:, ::-1]), steps=60)
    assert found.value == 1.0 and found.error == 0.0


@pytest.mark.exact
@pytest.mark.parametrize("option", ["steps", "width"])
def test_a_classifier_without_steps_or_features_is_refused(option):
    fields = Ensemble(np.random.default_rng(0).normal(size=(4, 16, 8, 8)).astype(np.float32))
    with pytest.raises(InputError, match=f"{option} must be 1 or more, got 0"):
        discriminate(fields, fields, **{option: 0})
