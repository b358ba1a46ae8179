import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kadanoff.actions import (
    Action,
    NearestNeighbourAction,
    Phi4,
    as_action,
    conjugate,
    couplings,
    difference,
    gradient,
    total,
)
from kadanoff.errors import InputError, PrecisionWarning
from kadanoff.summation import to_double

pytestmark = pytest.mark.exact


class Complex(Action):
    """S = sum (1 + 2i) phi^2 + phi^3."""

    strength: float = 1.0

    def density(self, field):
        return self.strength * (1 + 2j) * field**2 + field**3


def field(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), dtype=jnp.float32)


def test_differences_keep_their_digits_where_totals_lose_them():
    # S is about 4e6 here, so that float32 totals come in steps of 0.25; the two actions differ by 5.
    phi = field(512, 512) * 2
    one, two = Phi4(-0.95, 0.7), Phi4(-0.95001, 0.7)
    exact = 0.5 * (float(one.mass2) - float(two.mass2)) * np.sum(np.asarray(phi, dtype=np.float64) ** 2)
    assert float(to_double(difference(one, one, phi))) == 0
    assert abs(float(to_double(difference(one, two, phi))) - exact) < 0.02
    assert np.spacing(np.float32(total(one, phi))) > 0.02


def test_complex_forces_have_both_parts():
    phi = field(3, 4)
    np.testing.assert_allclose(gradient(Complex(), phi), (2 + 4j) * phi + 3 * phi**2, rtol=1e-5, atol=1e-6)
    assert abs(complex(total(Complex(), phi)) - complex(jnp.sum(Complex().density(phi)))) < 1e-4


def test_functions_become_actions_with_a_warning():
    with pytest.warns(PrecisionWarning, match="density"):
        action = as_action(lambda phi: jnp.sum(phi**2))
    assert float(total(action, field(4, 4))) == pytest.approx(float(jnp.sum(field(4, 4) ** 2)), rel=1e-6)
    np.testing.assert_allclose(gradient(action, field(4, 4)), 2 * field(4, 4), rtol=1e-6)


@pytest.mark.parametrize("thing", [3.0, "phi4", None])
def test_what_is_no_action_is_refused(thing):
    with pytest.raises(InputError, match="not an action"):
        as_action(thing)


class Floats(NearestNeighbourAction):
    """Couplings given as plain numbers."""

    mass2: float
    kappa: float = 1.0

    def potential(self, phi, dimension):
        return 0.5 * (self.mass2 + 2 * dimension * self.kappa) * phi**2


def test_plain_numbers_are_couplings_too():
    phi = field(4, 6)
    assert couplings(Floats(0.3)) == {"mass2": pytest.approx(0.3), "kappa": 1.0}
    assert float(conjugate(Floats(0.3), phi).mass2) == pytest.approx(0.5 * float(jnp.sum(phi**2)), rel=1e-5)
    np.testing.assert_allclose(Floats(0.3).density(phi), Phi4(0.3, 0.0).density(phi), rtol=1e-5, atol=1e-6)


def test_an_action_is_traced_by_its_couplings():
    compiled = jax.jit(lambda action, phi: total(action, phi))
    phi = field(4, 4)
    for mass2 in (0.5, -0.5):
        assert float(compiled(Phi4(mass2, 0.7), phi)) == pytest.approx(
            float(total(Phi4(mass2, 0.7), phi)), rel=1e-6
        )


class Whole(NearestNeighbourAction):
    """Couplings that may be given as whole numbers, a switch and a power that are none."""

    mass2: float
    kappa: float = 1.0
    quartic: bool = False
    power: int = eqx.field(static=True, default=2)

    def potential(self, phi, dimension):
        return (self.mass2 / 2 + dimension * self.kappa) * phi**self.power + (phi**4 if self.quartic else 0)


def test_whole_numbers_are_couplings_and_what_is_static_or_a_switch_is_none():
    for given in (-1, np.int64(-1), -1.0):
        action = Whole(given, kappa=2)
        assert couplings(action) == {"mass2": -1.0, "kappa": 2.0}
        phi = field(4, 4)
        assert conjugate(action, phi).mass2 == pytest.approx(float(jnp.sum(phi**2)) / 2, rel=1e-6)


def test_the_class_of_an_action_is_no_action():
    with pytest.raises(InputError, match="Phi4 is the class of an action: give it couplings"):
        as_action(Phi4)
