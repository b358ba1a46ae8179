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


@pytest.mark.filterwarnings("ignore:.*independent draws")
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


def test_the_symbol_is_that_of_the_sites():
    entry = observable("neighbours")
    assert entry.symbol_of(spins=False) == entry.symbol == r"$\langle\phi\phi_{nn}\rangle$"
    assert entry.symbol_of(spins=True) == r"$\langle s s_{nn}\rangle$"
    assert observable("binder").symbol_of(spins=True) == "$U_4$"


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


@pytest.mark.parametrize("kind", [jnp.bool_, jnp.int8, jnp.float16])
def test_terms_of_small_types_neither_overflow_nor_round(kind):
    entry = Observable("up", (lambda field: (field > 0).astype(kind),), lambda means, lattice: means[0], "up")
    fields = np.random.default_rng(3).normal(size=(2, 3, 300, 300)).astype(np.float32)
    assert Ensemble(fields).observe(entry).value == pytest.approx(np.mean(fields > 0), rel=1e-12)


def test_an_observable_may_be_a_plain_number():
    entry = Observable("two", (lambda field: 2.0,), lambda means, lattice: means[0], "2")
    assert Ensemble(FIELDS[None]).observe(entry).value == 2


@pytest.mark.filterwarnings("ignore:.*independent draws")
def test_half_precision_fields_are_measured_in_single_precision():
    half = (3 + 0.1 * np.random.default_rng(4).normal(size=(1, 4, 256, 256))).astype(np.float16)
    names = ("abs_magnetization", "phi4", "neighbours")
    found, wanted = (Ensemble(half.astype(kind)).observables(names) for kind in (np.float16, np.float32))
    assert [each.value for each in found.values()] == [each.value for each in wanted.values()]


@pytest.mark.parametrize("fields", [FIELDS[None] + 1j, np.full((1, 2, 4, 4), "a"), [[[1.0, 2.0]]]])
def test_fields_are_real_numbers(fields):
    with pytest.raises(InputError, match="array of real numbers or spins"):
        Ensemble(fields)


@pytest.mark.usefixtures("unchecked")
def test_log_weights_may_be_lists():
    ensemble = Ensemble(FIELDS[None], log_weight=[[0.0] * 7])  # pyright: ignore[reportArgumentType]
    assert ensemble.select(draws=2).log_weight.tolist() == [[0.0]]
