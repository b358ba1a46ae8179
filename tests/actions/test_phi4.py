import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kadanoff.actions import Ising, LongerRangePhi4, Phi4, conjugate, gradient, total
from kadanoff.errors import InputError

pytestmark = pytest.mark.exact


def explicit(field, mass2, quartic, kappa):
    """The sum of the page on physics, link by link."""
    dimension = field.ndim
    links = sum(np.sum(field * np.roll(field, -1, axis)) for axis in range(dimension))
    site = (mass2 + 2 * dimension * kappa) / 2 * np.sum(field**2) + quartic / 4 * np.sum(field**4)
    return site - kappa * links


@given(
    st.sampled_from([(5,), (4, 6), (3, 4, 5), (2, 3, 2, 3)]),
    st.floats(-2, 2),
    st.floats(0.1, 3),
    st.floats(0.1, 2),
    st.integers(0, 99),
)
def test_the_action_is_that_of_the_page_on_physics(shape, mass2, quartic, kappa, seed):
    field = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    found = float(total(Phi4(mass2, quartic, kappa), jnp.asarray(field)))
    assert found == pytest.approx(
        explicit(field.astype(np.float64), mass2, quartic, kappa), rel=1e-5, abs=1e-4
    )


def test_the_critical_couplings_in_the_talks_form():
    a, b = Phi4(-0.9515, 0.7).site_couplings(dimension=2)
    assert (float(a), float(b)) == (pytest.approx(1.52425), pytest.approx(0.175))


def test_force_and_conjugate_operators():
    phi = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
    action, dimension = Phi4(-0.9515, 0.7, 0.8), 2
    neighbours = sum(np.roll(phi, step, axis) for axis in (0, 1) for step in (1, -1))
    force = (-0.9515 + 2 * dimension * 0.8) * phi + 0.7 * phi**3 - 0.8 * neighbours
    np.testing.assert_allclose(gradient(action, jnp.asarray(phi)), force, rtol=1e-4, atol=1e-5)
    operators = conjugate(action, jnp.asarray(phi))
    links = np.sum(phi * neighbours) / 2
    assert float(operators.mass2) == pytest.approx(0.5 * np.sum(phi**2), rel=1e-5)
    assert float(operators.quartic) == pytest.approx(0.25 * np.sum(phi**4), rel=1e-5)
    assert float(operators.kappa) == pytest.approx(dimension * np.sum(phi**2) - links, rel=1e-5)


def test_the_hopping_form_is_the_same_distribution():
    k, quartic, dimension = 0.3, 0.5, 2
    phi = np.random.default_rng(1).normal(size=(2, 4, 4))
    hopping = [
        np.sum(
            (1 - 2 * quartic) * f**2 + quartic * f**4 - 2 * k * f * (np.roll(f, -1, 0) + np.roll(f, -1, 1))
        )
        for f in phi
    ]
    action = Phi4.from_hopping(k, quartic, dimension)
    ours = [float(total(action, jnp.asarray(np.sqrt(2 * k) * f, dtype=jnp.float32))) for f in phi]
    assert ours[0] - ours[1] == pytest.approx(hopping[0] - hopping[1], rel=1e-5)


@pytest.mark.parametrize(
    ("couplings", "words"),
    [
        ((-0.9515, -0.1), "unbounded"),
        ((0.0, 0.0), "mass2"),
        ((-1.0, 0.0), "mass2"),
        ((15.0, 0.0, -1.0), "kappa=-1"),
        ((float("nan"), 0.7), "finite"),
        ((0.1, float("inf")), "finite"),
        ((0.1, 0.7, float("nan")), "finite"),
    ],
)
def test_couplings_without_a_distribution_are_refused(couplings, words):
    with pytest.raises(InputError, match=words):
        Phi4(*couplings)


def test_a_hopping_parameter_must_be_positive():
    with pytest.raises(InputError, match="positive"):
        Phi4.from_hopping(0.0, 0.5, 2)


def test_it_prints_its_couplings_and_survives_tracing():
    assert repr(Phi4(-0.9515, 0.7)) == "Phi4(mass2=-0.9515, quartic=0.7, kappa=1.0)"
    assert repr(Ising(0.1)) == "Ising(beta=0.1)"
    beyond = LongerRangePhi4(-0.9515, 0.7 + 0.1j)
    assert repr(beyond).startswith(
        "LongerRangePhi4(mass2=-0.9515, quartic=(0.7+0.1j), kappa=1.0, next_nearest=0.0"
    )
    assert jax.jit(lambda m: repr(Phi4(m, 0.7)) and m)(1.0) == 1.0


@pytest.mark.parametrize("value", [1j, "a", None, [0.1, "b"]])
@pytest.mark.usefixtures("unchecked")
def test_what_is_no_real_number_is_no_coupling(value):
    for make in (lambda: Phi4(value, 1.0), lambda: Phi4(1.0, 1.0, value), lambda: Ising(value)):
        with pytest.raises(InputError, match="real number|is complex"):
            make()


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("kind", [Phi4, LongerRangePhi4])
def test_couplings_are_single_numbers(kind):
    for wrong in (np.ones(3), [1.0], "a", None):
        with pytest.raises(InputError, match="mass2"):
            kind(wrong, 0.7)
    with pytest.raises(InputError, match="one number for all sites"):
        Ising(jnp.ones(2))
