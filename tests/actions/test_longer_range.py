"""The action with next-nearest neighbours and phi^6 against loops over sites and links."""

import jax.numpy as jnp
import numpy as np
import pytest

import kadanoff as kd

pytestmark = pytest.mark.exact

COUPLINGS = {"mass2": -0.4, "quartic": 0.9, "kappa": 0.7, "next_nearest": 0.3, "sextic": 0.2}


def by_loops(field: np.ndarray, g: dict[str, float]) -> float:
    side = len(field)
    mass = (g["mass2"] + 4 * g["kappa"]) / 2
    total = np.sum(mass * field**2 + g["quartic"] / 4 * field**4 + g["sextic"] * field**6)
    for x, y in np.ndindex(field.shape):
        for dx, dy, strength in [
            (1, 0, "kappa"),
            (0, 1, "kappa"),
            (1, 1, "next_nearest"),
            (1, -1, "next_nearest"),
        ]:
            total -= g[strength] * field[x, y] * field[(x + dx) % side, (y + dy) % side]
    return total


def test_total_is_that_of_loops_over_sites_and_links() -> None:
    field = np.random.default_rng(0).normal(size=(5, 5))
    assert float(kd.total(kd.LongerRangePhi4(**COUPLINGS), jnp.asarray(field))) == pytest.approx(
        by_loops(field, COUPLINGS), rel=1e-5
    )


def test_without_more_terms_it_is_phi4_also_in_three_dimensions() -> None:
    field = jnp.asarray(np.random.default_rng(1).normal(size=(4, 4, 4)))
    plain, more = kd.Phi4(-0.9515, 0.7), kd.LongerRangePhi4(-0.9515, 0.7)
    np.testing.assert_allclose(more.density(field), plain.density(field), rtol=1e-5, atol=1e-5)


def test_local_field_and_potential_give_the_change_of_one_site() -> None:
    action = kd.LongerRangePhi4(**COUPLINGS)
    field = jnp.asarray(np.random.default_rng(2).normal(size=(5, 5)))
    moved = field.at[1, 4].set(0.9)
    h = action.local_field(field)[1, 4]
    local = [action.potential(x, 2) - h * x for x in (moved[1, 4], field[1, 4])]
    assert float(kd.total(action, moved) - kd.total(action, field)) == pytest.approx(
        float(local[0] - local[1]), abs=1e-4
    )


def test_complex_couplings_make_a_complex_action() -> None:
    field = jnp.ones((4, 4))
    action = kd.LongerRangePhi4(-0.9515 + 0.3j, 0.7, next_nearest=1.0)
    assert complex(kd.total(action, field)).imag == pytest.approx(0.15 * 16, rel=1e-6)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sextic": -0.1}, "unbounded below"),
        ({"quartic": 0.0}, "unbounded below"),
        ({"mass2": np.nan}, "mass2=nan"),
    ],
)
def test_bad_couplings_are_refused(options: dict[str, float], said: str) -> None:
    with pytest.raises(kd.KadanoffError, match=said):
        kd.LongerRangePhi4(**{"mass2": -1.0, "quartic": 0.7, **options})


def test_a_ring_has_no_diagonals() -> None:
    with pytest.raises(kd.KadanoffError, match="two dimensions"):
        kd.LongerRangePhi4(-1.0, 0.7).density(jnp.ones(4))
