"""Levels reduced to their measurements: spins as well as real fields, and nothing else to be read from them."""

import numpy as np
import pytest

import kadanoff as kd
from kadanoff.errors import InputError
from kadanoff.renormalization.inverse.measured import load_measurements, measured, save_measurements

pytestmark = pytest.mark.exact


def grown(action, values):
    start = kd.Ensemble(values, action)
    return kd.Levels((start, start.derive(values.repeat(2, 2).repeat(2, 3), "grown", -1, action)), b=2)


SPINS = np.random.default_rng(0).choice(np.array([-1, 1], np.int8), size=(16, 4, 4, 4))


@pytest.mark.parametrize(
    "levels", [grown(kd.Ising(0.44), SPINS), grown(kd.Phi4(-0.95, 0.7), SPINS.astype(np.float32))]
)
def test_levels_are_measured_alike_without_their_fields(levels, tmp_path):
    reduced = measured(levels)
    read = load_measurements(save_measurements(reduced, tmp_path / "levels.npz"), kd.Levels(levels[:1], b=2))
    whole = kd.critical_exponents(levels, ("ratio",)).values["ratio"]
    for found in (reduced, read):
        assert np.array_equal(kd.critical_exponents(found, ("ratio",)).values["ratio"], whole)
        assert [level.spins for level in found] == [level.spins for level in levels]
        assert found[1].observe("binder") == levels[1].observe("binder")
        with pytest.raises(InputError, match="only what was measured is kept, not the fields: grow again"):
            kd.block(found[1], kd.Majority(b=2))
        with pytest.raises(InputError, match="only what was measured is kept"):
            np.asarray(found[1].fields)
