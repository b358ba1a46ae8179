"""What is measured of a field against loops in double precision, by batches and by parts."""

import numpy as np
import pytest

from kadanoff import measuring
from kadanoff.actions import Phi4
from kadanoff.measuring import measure, measurement_names

pytestmark = pytest.mark.exact

FIELDS = np.random.default_rng(0).normal(size=(7, 4, 6)).astype(np.float32)


def test_measurements_are_those_of_a_double_precision_loop():
    action = Phi4(-0.9515, 0.7)
    found = measure(FIELDS, action, measurement_names(True))
    for index, field in enumerate(FIELDS.astype(np.float64)):
        right, down = np.roll(field, -1, 1), np.roll(field, -1, 0)
        around = right + down + np.roll(field, 1, 1) + np.roll(field, 1, 0)
        wave = np.exp(2j * np.pi * np.arange(6) / 6)
        density = (-0.9515 + 4) / 2 * field**2 + 0.7 / 4 * field**4 - field * (right + down)
        force = (-0.9515 + 4) * field + 0.7 * field**3 - around
        expected = {
            "magnetization": field.mean(),
            "structure_factor": abs(field.sum(axis=0) @ wave) ** 2 / 24,
            "phi2": np.mean(field**2),
            "phi4": np.mean(field**4),
            "neighbours": np.mean(field * (right + down)),
            "action_density": density.mean(),
            "schwinger_dyson": np.mean(field * force),
        }
        for name, value in expected.items():
            assert found[name][index] == pytest.approx(value, rel=2e-6, abs=2e-7), name


class Tilted(Phi4):
    def potential(self, phi, dimension):
        return super().potential(phi, dimension) - 0.1 * phi


class Spelled(Tilted):
    """The same by terms of its own, of which nobody knows what they are made of."""

    def density(self, field):
        return super().density(field)


@pytest.mark.parametrize("shape", [(5, 12), (3, 16, 24), (2, 4, 6, 8)], ids=str)
def test_local_and_hopping_terms_make_the_action_and_its_force(shape):
    fields = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    names = ("schwinger_dyson", "action_density", "neighbours")
    known, spelled = (measure(fields, kind(-0.9, 0.7, 0.3), names) for kind in (Tilted, Spelled))
    for name in names:
        np.testing.assert_allclose(known[name], spelled[name], rtol=1e-6, atol=1e-7, err_msg=name)
    assert list(known) == list(names)
    only = measure(fields, Tilted(-0.9, 0.7, 0.3), ("schwinger_dyson",))
    np.testing.assert_array_equal(only["schwinger_dyson"], known["schwinger_dyson"])


def test_equal_sides_share_the_smallest_momentum():
    field = FIELDS[:, :, :4].astype(np.float64)
    wave = np.exp(2j * np.pi * np.arange(4) / 4)
    both = [abs(f.sum(axis=axis) @ wave) ** 2 / 16 for f in field for axis in (0, 1)]
    found = measure(FIELDS[:, :, :4], None, ("structure_factor",))["structure_factor"]
    np.testing.assert_allclose(found, np.reshape(both, (-1, 2)).mean(axis=1), rtol=1e-5)


def test_batches_change_nothing(monkeypatch):
    whole = measure(FIELDS, None, measurement_names(False))
    monkeypatch.setattr(measuring, "_SITES_PER_BATCH", 50)
    parts = measure(FIELDS, None, measurement_names(False))
    for name in whole:
        np.testing.assert_allclose(parts[name], whole[name], rtol=1e-7)
