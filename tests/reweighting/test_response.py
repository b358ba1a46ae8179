"""Conjugate operators and responses of arrays of couplings: against numpy, and against single couplings."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

import kadanoff as kd
from kadanoff.actions import Action, InhomogeneousPhi4, couplings
from kadanoff.ensemble import Ensemble
from kadanoff.errors import InputError
from kadanoff.graph import Graph
from kadanoff.reweighting.curves import reweighted_curve
from kadanoff.reweighting.response import conjugate_series, derivative, with_coupling
from kadanoff.reweighting.target import reweight

pytestmark = pytest.mark.exact

GRAPH = Graph.grid((2, 3))


class OneSite(Action):
    """A single coupling to phi^2 of the site (1, 2)."""

    g: float = 1.0

    def density(self, field):
        return (0.5 * field**2).at[1, 2].add(self.g * field[1, 2] ** 2)


class ComplexSites(Action):
    """S = sum_i g_i (1 + i/2) phi_i^2."""

    g: Any

    def density(self, field):
        return self.g * (1 + 0.5j) * field**2


def ensemble(draws: int = 100, chains: int = 20) -> Ensemble:
    rng = np.random.default_rng(3)
    fields = rng.normal(size=(chains, draws, 2, 3)) * (1 + 0.2 * rng.normal(size=(chains, 1, 1, 1)))
    return Ensemble(fields.astype(np.float32), InhomogeneousPhi4(GRAPH, w=0.2, a=0.6, b=0.05))


def test_series_of_arrays_have_the_shape_of_the_couplings():
    sample = ensemble()
    phi = np.asarray(sample.fields, np.float64)
    found = conjugate_series(sample, ("w", "b"))
    first, second = GRAPH.edges.T
    flat = phi.reshape(*phi.shape[:2], -1)
    np.testing.assert_allclose(found["w"], -flat[..., first] * flat[..., second], rtol=1e-6)
    np.testing.assert_allclose(found["b"], phi**4, rtol=1e-6)
    assert found["w"].dtype == np.float64


@pytest.mark.parametrize("name", ["abs_magnetization", "binder"])
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "reweighted"])
@pytest.mark.parametrize("draws", [64, 100])
def test_every_element_responds_as_a_coupling_of_its_own(name, weighted, draws):
    sample = ensemble(draws)
    if weighted:
        sample = reweight(sample, InhomogeneousPhi4(GRAPH, w=0.25, a=0.65, b=0.05))
    found = derivative(sample, name, "a")
    single = derivative(sample.with_action(OneSite()), name, "g")
    assert found.shape == (2, 3)
    assert found[1, 2].value == pytest.approx(single.value, rel=1e-6)
    # the same to the error of errors where runs of draws are summed, the same where each run is one draw
    assert found[1, 2].error == pytest.approx(single.error, rel=0.3 if draws == 100 or weighted else 1e-6)


def test_fields_are_read_block_by_block(monkeypatch):
    sample = ensemble()
    whole, several = derivative(sample, "phi2", "w"), Ensemble.blocks
    monkeypatch.setattr(Ensemble, "blocks", lambda self: several(self, sites=20 * 7 * 6))
    assert len(list(sample.blocks())) == 15
    parts = derivative(sample, "phi2", "w")
    np.testing.assert_allclose([e.value for e in parts], [e.value for e in whole], rtol=1e-9)
    np.testing.assert_allclose([e.error for e in parts], [e.error for e in whole], rtol=1e-9)


def test_complex_densities_have_complex_operators():
    sample = ensemble().with_action(ComplexSites(np.ones((2, 3), np.float32)))
    series = conjugate_series(sample, ("g",))["g"]
    np.testing.assert_allclose(series, (1 + 0.5j) * np.asarray(sample.fields, np.float64) ** 2, rtol=1e-6)


def test_names_that_are_no_couplings_are_refused():
    with pytest.raises(InputError, match="no coupling 'c'; choose from w, r, a, b"):
        derivative(ensemble(), "phi2", "c")


class _Quadratic(kd.Action):
    a: Any

    def density(self, field: Any) -> Any:
        return self.a**2 * field**2


@pytest.mark.parametrize("kind", [np.float32, np.complex64])
def test_operators_of_complex_couplings_are_analytic_derivatives(kind: Any) -> None:
    fields = np.random.default_rng(0).normal(size=(2, 3, 2, 2)).astype(np.float32)
    a = np.full((2, 2), 0.6, kind)
    a[0, 1] = 0.6 + (0.2j if kind is np.complex64 else 0.2)
    ensemble = kd.Ensemble(fields, _Quadratic(jnp.asarray(a)))
    expected = 2 * a * fields.astype(np.float64) ** 2
    np.testing.assert_allclose(conjugate_series(ensemble, ("a",))["a"], expected, rtol=1e-5)
    np.testing.assert_allclose(
        kd.conjugate(ensemble.action, jnp.asarray(fields[0, 0])).a, expected[0, 0], rtol=1e-5
    )


def test_operators_of_an_action_with_one_complex_coupling() -> None:
    field = jnp.asarray(np.random.default_rng(0).normal(size=(4, 4)), jnp.float32)
    plain = kd.conjugate(kd.LongerRangePhi4(0.5, 0.7, next_nearest=0.2), field)
    tilted = kd.conjugate(kd.LongerRangePhi4(0.5 + 0.1j, 0.7, next_nearest=0.2), field)
    for name in ("mass2", "quartic", "kappa", "next_nearest", "sextic"):
        assert complex(getattr(tilted, name)) == pytest.approx(complex(getattr(plain, name)), rel=1e-5)


class _Well(eqx.Module):
    a: Any

    def __call__(self, field: Any) -> Any:
        return self.a * field**2


class _InParts(kd.Action):
    """S = sum of wells, the couplings of which lie in parts of the action."""

    wells: tuple[_Well, _Well]

    def density(self, field: Any) -> Any:
        return self.wells[0](field) + self.wells[1](field) ** 2


class _Flat(kd.Action):
    first: float
    second: float

    def density(self, field: Any) -> Any:
        return self.first * field**2 + (self.second * field**2) ** 2


def test_couplings_of_parts_of_an_action_respond_as_its_own() -> None:
    flat = ensemble().with_action(_Flat(0.5, 0.2))
    parts = ensemble().with_action(_InParts((_Well(0.5), _Well(0.2))))
    for name, place in (("first", "wells[0].a"), ("second", "wells[1].a")):
        found, expected = derivative(parts, "phi2", place), derivative(flat, "phi2", name)
        assert (found.value, found.error) == pytest.approx((expected.value, expected.error), rel=1e-6)
        curves = [
            reweighted_curve(each, "phi2", np.array([0.3, 0.35]), coupling, samples=2).values
            for each, coupling in ((parts, place), (flat, name))
        ]
        np.testing.assert_allclose(*curves, rtol=1e-6)
    arrays = parts.with_action(_InParts((_Well(jnp.full((2, 3), 0.5)), _Well(0.2))))
    whole = derivative(parts, "phi2", "wells[0].a").value
    assert sum(each.value for each in derivative(arrays, "phi2", "wells[0].a").flat) == pytest.approx(whole)
    assert with_coupling(parts.action, "wells[1].a", 0.3).wells[1].a == 0.3
    with pytest.raises(InputError, match=r"no coupling 'a'; choose from wells\[0\].a, wells\[1\].a"):
        derivative(parts, "phi2", "a")


def test_plain_complex_numbers_are_couplings() -> None:
    sample = ensemble().with_action(_Quadratic(0.6 + 0.2j))
    assert couplings(sample.action)["a"] == pytest.approx(0.6 + 0.2j)
    expected = 2 * (0.6 + 0.2j) * np.sum(np.asarray(sample.fields, np.float64) ** 2, axis=(2, 3))
    np.testing.assert_allclose(conjugate_series(sample, ("a",))["a"], expected, rtol=1e-6)
