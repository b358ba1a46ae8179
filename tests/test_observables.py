import jax.numpy as jnp
import numpy as np
import pytest

from kadanoff.ensemble import Ensemble
from kadanoff.errors import InputError
from kadanoff.measuring import measure
from kadanoff.observables import Observable, observable

pytestmark = pytest.mark.exact

FIELDS = np.random.default_rng(0).normal(size=(7, 4, 6)).astype(np.float32)


def test_a_function_of_the_field_is_an_observable():
    entry = Observable("phi6", (lambda field: field**6,), lambda means, lattice: means[0], "phi6")
    estimate = Ensemble(FIELDS[None]).observe(entry)
    assert estimate.value == pytest.approx(np.mean(FIELDS.astype(np.float64) ** 6), rel=1e-6)


def test_named_observables_from_known_means():
    ensemble = Ensemble(FIELDS[None])
    m = FIELDS.astype(np.float64).mean(axis=(1, 2))
    values = {name: estimate.value for name, estimate in ensemble.observables().items()}
    assert values["abs_magnetization"] == pytest.approx(np.abs(m).mean(), rel=1e-6)
    assert values["susceptibility"] == pytest.approx(24 * np.mean(m**2), rel=1e-6)
    assert values["connected_susceptibility"] == pytest.approx(
        24 * (np.mean(m**2) - np.abs(m).mean() ** 2), rel=1e-5
    )
    assert values["binder"] == pytest.approx(1 - np.mean(m**4) / (3 * np.mean(m**2) ** 2), rel=1e-5)
    assert "schwinger_dyson" not in values


def test_the_correlation_length_of_known_power():
    # a constant plus a wave along the longest axis: chi and the structure factor are known
    x = np.arange(8)
    field = np.broadcast_to(1.0 + 0.5 * np.cos(2 * np.pi * x / 8), (4, 8)).astype(np.float32)
    found = Ensemble(np.stack([field, field])[None]).observe("xi_over_L").value
    chi, power = 32 * 1.0, 32 * 0.25**2
    assert found == pytest.approx(np.sqrt(chi / power - 1) / (2 * np.sin(np.pi / 8)) / 8, rel=1e-5)


def test_unknown_names_list_the_known_ones():
    with pytest.raises(InputError, match="abs_magnetization"):
        observable("magnetisation")
    with pytest.raises(InputError, match="action"):
        Ensemble(FIELDS[None]).observe("schwinger_dyson")
    with pytest.raises(InputError, match="abs_m"):
        Ensemble(FIELDS[None]).series("absm")


def test_large_sums_lose_nothing():
    field = (1000 + np.random.default_rng(1).normal(size=(1, 512, 512))).astype(np.float32)
    found = measure(jnp.asarray(field), None, ("magnetization",))["magnetization"][0]
    assert found == pytest.approx(field.astype(np.float64).mean(), rel=1e-12)
