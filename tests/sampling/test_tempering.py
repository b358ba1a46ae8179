"""Parallel tempering where a single chain is stuck, against quadrature and enumeration on every rung.

Each test compares up to ten numbers, each within 4.5 standard errors (about 1e-4 for all of them).
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kadanoff.actions import (
    Action,
    InhomogeneousPhi4,
    Ising,
    LongerRangeIsing,
    MarkovRandomField,
    NearestNeighbourAction,
    Phi4,
)
from kadanoff.errors import InputError
from kadanoff.exact import enumerate_spins
from kadanoff.graph import Graph
from kadanoff.lattice import Lattice
from kadanoff.random import key as key_of
from kadanoff.sampling import ColourBlock, HeatBath, HybridMonteCarlo, Metropolis, Tempering, sample

SIGMAS = 4.5
PAIR = Graph([(0, 1)])
#: Two sites in wells at +-1.7 with a barrier of 9 each, leaning a little to one side.
WELLS = InhomogeneousPhi4(PAIR, w=0.5, a=-6.0, b=1.0, r=0.1)

COLD, LADDER = Ising(0.9), Tempering(HeatBath(), (1.0, 1.5, 2.2, 3.2))


class Link(eqx.Module):
    """psi of a pair of sites with a strength of its own."""

    strength: jax.Array

    def __call__(self, values):
        return jnp.exp(self.strength * values.prod(axis=-1) - (values**2).sum(axis=-1))


def run(sampler, action, fields, steps, skip):
    """Fields (step, rung, chain, *lattice) of all rungs after a number of steps, and the last state."""

    def body(state, key):
        state, info = sampler.step(key, action, state)
        return state, (jnp.concatenate([state.fields[None], state.higher]), info)

    state = sampler.init(action, fields)
    state, (fields, info) = jax.lax.scan(body, state, jax.random.split(key_of(3), steps))
    return np.asarray(fields[skip:], np.float64), state, info


def over_chains(series):
    """Mean and error of series (step, chain), the chains being independent."""
    means = series.mean(axis=0)
    return means.mean(), means.std(ddof=1) / np.sqrt(len(means))


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.statistical
def test_two_wells_agree_with_quadrature_on_every_rung() -> None:
    ladder = (1.0, 1.8, 3.3, 6.0)
    sampler = Tempering(HybridMonteCarlo(step_size=0.2, steps=5), ladder)
    fields, state, info = run(sampler, WELLS, jnp.ones((256, 2)), 1500, 500)
    x = np.linspace(-3.5, 3.5, 141)
    one, two = np.meshgrid(x, x, indexing="ij")
    action = sum(0.1 * y - 6 * y**2 + y**4 for y in (one, two)) - 0.5 * one * two
    for rung, temperature in enumerate(ladder):
        weight = np.exp(-(action - action.min()) / temperature)
        weight /= weight.sum()
        for exact, series in (
            ((weight * one).sum(), fields[:, rung, :, 0]),
            ((weight * one * two).sum(), fields[:, rung].prod(axis=-1)),
        ):
            found, error = over_chains(series)
            assert abs(found - exact) < SIGMAS * error
            assert error < 0.05
    report = sampler.report(state)
    assert report.round_trips > 256
    assert np.all((report.swap_rates > 0.3) & (report.swap_rates < 0.99))
    np.testing.assert_allclose(report.swap_rates, np.asarray(info.swaps).mean(axis=0), rtol=1e-4)


@pytest.mark.slow
@pytest.mark.statistical
def test_cold_spins_agree_with_enumeration_in_a_run_from_one_start() -> None:
    action, lattice = COLD, Lattice((4, 4))
    ensemble = sample(action, lattice, sampler=LADDER, chains=128, draws=64, start="cold", seed=1)
    exact = enumerate_spins(action, lattice)
    magnetisation = exact.fields.mean(axis=(1, 2), dtype=float)
    m = np.asarray(ensemble.fields, float).mean(axis=(2, 3))
    found, error = over_chains(m.T)
    assert abs(found) < SIGMAS * error  # half of the chains have turned over
    assert error < 0.15
    found, error = over_chains((m**2).T)
    assert abs(found - exact.probability @ magnetisation**2) < SIGMAS * error
    assert "round trips of 128 chains" in ensemble.history[-1]


@pytest.mark.slow
@pytest.mark.statistical
def test_a_ladder_in_a_coupling_ends_where_it_says() -> None:
    # the last rung has no links: two quartic sites, whose product has mean zero, and those of the first do not
    action = InhomogeneousPhi4(PAIR, w=1.0, a=0.5, b=0.5)
    sampler = Tempering(ColourBlock("metropolis", sweeps=2), (1.0, 0.5, 0.0), coupling="w")
    fields, _, _ = run(sampler, action, jnp.ones((256, 2)), 400, 100)
    x = np.linspace(-4, 4, 161)
    one, two = np.meshgrid(x, x, indexing="ij")
    for rung, factor in enumerate(sampler.ladder):
        weight = np.exp(factor * one * two - sum(0.5 * y**2 + 0.5 * y**4 for y in (one, two)))
        found, error = over_chains(fields[:, rung].prod(axis=-1))
        assert abs(found - (weight * one * two).sum() / weight.sum()) < SIGMAS * error


@pytest.mark.exact
def test_swaps_move_whole_fields_and_lose_none() -> None:
    # equal rungs always swap: with a sampler that leaves all as it is, the fields are permuted
    class Still(Metropolis):
        def step(self, key, action, state):
            from kadanoff.sampling import Info

            return state, Info(jnp.ones(()))

    action = Phi4(0.5, 0.5)
    sampler = Tempering(Still(), (1.0, 1.0, 1.0), coupling=lambda action, value: action)
    fields, state, _ = run(sampler, action, jnp.arange(8.0).reshape(2, 4), 1, 0)
    state = state.__class__(**{**vars(state), "higher": state.higher.at[0].add(10).at[1].add(20)})
    before = np.concatenate([state.fields[None], state.higher])
    after, _ = sampler.step(key_of(0), action, state)  # the odd pairs: rungs 1 and 2
    np.testing.assert_array_equal(np.concatenate([after.fields[None], after.higher]), before[[0, 2, 1]])
    again, _ = sampler.step(key_of(1), action, after)
    np.testing.assert_array_equal(np.concatenate([again.fields[None], again.higher]), before[[2, 0, 1]])


@pytest.mark.exact
def test_a_tempered_run_goes_on_where_it_was(tmp_path) -> None:
    plan = {"lattice": Lattice((4, 4)), "sampler": LADDER, "chains": 128, "thermalize": 20, "seed": 5}
    whole = sample(COLD, draws=32, out=tmp_path / "whole", **plan)

    class StoppedError(Exception):
        pass

    def interrupt(done, total, message):
        if message == "drawing" and done >= 16:
            raise StoppedError

    with pytest.raises(StoppedError):
        sample(COLD, draws=32, out=tmp_path / "cut", progress=interrupt, **plan)
    resumed = sample(COLD, draws=32, out=tmp_path / "cut", **plan)
    np.testing.assert_array_equal(np.asarray(resumed.fields), np.asarray(whole.fields))
    assert resumed.history == whole.history


class Cubic(Action):
    """A density that is not linear in its coupling."""

    g: float

    def density(self, field):
        return self.g**2 * field**4


@pytest.mark.exact
def test_temperatures_divide_any_action() -> None:
    field = jnp.linspace(-1, 1, 4)
    for action in (Cubic(1.5), Phi4(-0.9515, 0.7)):
        hot = Tempering(HybridMonteCarlo(), (1.0, 2.0))._rung(action, 2.0)
        np.testing.assert_allclose(hot.density(field), action.density(field) / 2, rtol=1e-5, atol=1e-6)


class InField(NearestNeighbourAction):
    """Spins that antiferromagnetic links frustrate on odd rings, in a field."""

    kappa: float
    field: float
    spins = True

    def potential(self, phi, dimension):
        return -self.field * phi


class OwnPhi4(NearestNeighbourAction):
    """Quartic sites that a heat bath draws."""

    quartic: float
    kappa: float = 0.4

    def site_couplings(self, dimension):
        return 1.0, self.quartic

    def potential(self, phi, dimension):
        return phi**2 + self.quartic * phi**4


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("action", "sampler"),
    [
        (LongerRangeIsing(0.5, -0.3), HeatBath()),
        pytest.param(InField(-0.6, 0.3), Metropolis(), marks=[pytest.mark.slow, pytest.mark.ci]),
    ],
    ids=["interaction graph", "own potential"],
)
def test_temperatures_of_every_action_with_local_updates_agree_with_enumeration(action, sampler) -> None:
    ladder = (1.0, 1.6, 2.5)
    fields, _, _ = run(Tempering(sampler, ladder), action, jnp.ones((256, 3, 3)), 400, 100)
    states = enumerate_spins(action, Lattice((3, 3)))
    for rung, temperature in enumerate(ladder):
        weight = states.probability ** (1 / temperature)
        weight /= weight.sum()
        for power in (1, 2):
            exact = weight @ states.fields.mean(axis=(1, 2), dtype=float) ** power
            found, error = over_chains(fields[:, rung].mean(axis=(2, 3)) ** power)
            assert abs(found - exact) < SIGMAS * error
            assert error < 0.01


@pytest.mark.exact
def test_temperatures_leave_the_quartic_sites_of_an_action_to_a_heat_bath() -> None:
    hot = Tempering(HeatBath(), (1.0, 2.0))._rung(OwnPhi4(0.3), 2.0)
    assert HeatBath().init(hot, jnp.ones((2, 4, 4))).fields.shape == (2, 4, 4)
    assert hot.site_couplings(2) == (0.5, pytest.approx(0.15))


@pytest.mark.exact
@pytest.mark.usefixtures("unchecked")
def test_what_is_refused() -> None:
    fields = jnp.ones((1, 2))
    refusals = {
        "two finite values or more": lambda: Tempering(HeatBath(), (1.0,)),
        "begins with 1": lambda: Tempering(HeatBath(), (2.0, 1.0)),
        "temperatures are positive": lambda: Tempering(HeatBath(), (1.0, -2.0)),
        "no coupling 'beta'": lambda: Tempering(ColourBlock(), (1.0, 0.5), coupling="beta").init(
            WELLS, fields
        ),
        "b=-0.5 < 0 at site 0": lambda: Tempering(ColourBlock(), (1.0, -0.5), coupling="b").init(
            WELLS, fields
        ),
        "tuple of two finite values": lambda: Tempering(HeatBath(), [1.0, 2.0]),
        "or more, got '12'": lambda: Tempering(HeatBath(), "12"),
        "is no sampler": lambda: Tempering(HeatBath, (1.0, 2.0)),
        "needs local differences": lambda: Tempering(Metropolis(), (1.0, 2.0)).init(Cubic(1.0), fields),
    }
    for message, call in refusals.items():
        with pytest.raises(InputError, match=message):
            call()


@pytest.mark.exact
def test_a_ladder_of_a_coupling_in_a_part_of_the_action() -> None:
    action = MarkovRandomField(PAIR, {2: Link(jnp.array(0.8))})
    rungs = Tempering(HybridMonteCarlo(), (1.0, 0.5), coupling="potentials[2].strength").rungs(action)
    np.testing.assert_allclose(rungs.potentials[2].strength, [0.8, 0.4], rtol=1e-6)
