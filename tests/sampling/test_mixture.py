"""Mixtures of samplers: every one has its own step size, tuned by what it told itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kadanoff import Phi4, random
from kadanoff.errors import InputError
from kadanoff.lattice import Lattice
from kadanoff.sampling import (
    HeatBath,
    HybridMonteCarlo,
    Metropolis,
    Mixture,
    SwendsenWang,
    Tempering,
    sample,
    start,
)
from kadanoff.sampling.run import advance

ACTION = Phi4(-0.9515, 0.7)


def tuned(sampler, rounds=40):
    """The state of 32 chains on 4 x 4 after so many rounds of tuning, and what the last round told."""
    state = sampler.init(ACTION, start(random.key(3), Lattice((4, 4)), 32))
    info = None
    for number in range(rounds):
        state, info = advance(sampler, random.key(3, number), ACTION, state, 5)
        state = sampler.tune(state, info)
    return state, info


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.statistical
def test_two_samplers_with_steps_are_tuned_to_their_own_acceptances() -> None:
    """From steps wrong by a factor of ten in either direction; forty rounds of 5 x 32 trajectories, so that an
    acceptance is known to 0.02 and a step size to some hundredths."""
    local, hybrid = Metropolis(width=0.4), HybridMonteCarlo(step_size=0.02, steps=4)
    state, info = tuned(Mixture((hybrid, SwendsenWang(), local)))
    assert state.step_size.shape == (2,)
    alone = [float(tuned(each)[0].step_size) for each in (hybrid, local)]
    np.testing.assert_allclose(state.step_size, alone, rtol=0.15)
    assert float(info.each[0].acceptance) == pytest.approx(0.8, abs=0.06)
    assert float(info.each[2].acceptance) == pytest.approx(0.5, abs=0.06)


@pytest.mark.exact
def test_a_sampler_without_a_step_may_come_first() -> None:
    clusters, local = SwendsenWang(), Metropolis(width=0.7)
    mixture = Mixture((clusters, local))
    state = mixture.init(ACTION, jnp.ones((4, 4, 4)))
    assert state.step_size.shape == ()
    assert float(state.step_size) == pytest.approx(0.7)
    moved, info = mixture.step(random.key(4), ACTION, state)
    gain = float(jnp.clip(info.each[1].acceptance - 0.5, -0.3, 0.3))
    assert gain > 0.1
    assert float(mixture.tune(moved, info).step_size) == pytest.approx(0.7 * np.exp(gain), rel=1e-5)
    still = Mixture((HeatBath(), clusters)).init(ACTION, jnp.ones((4, 4, 4)))
    assert still.step_size.shape == ()


@pytest.mark.exact
def test_mixtures_of_mixtures_hand_on_their_parts() -> None:
    inner = Mixture((Metropolis(width=0.5), Metropolis(width=2.0)))
    outer = Mixture((HybridMonteCarlo(step_size=0.1, steps=2), inner, SwendsenWang()))
    state = outer.init(ACTION, jnp.ones((4, 4, 4)))
    np.testing.assert_allclose(state.step_size, [0.1, 0.5, 2.0], rtol=1e-6)
    moved, info = outer.step(random.key(1), ACTION, state)
    np.testing.assert_array_equal(moved.step_size, state.step_size)
    after = outer.tune(moved, info).step_size
    rates = jnp.array([part.acceptance for part in info.each[1].each])
    np.testing.assert_allclose(
        after[1:], state.step_size[1:] * jnp.exp(jnp.clip(rates - 0.5, -0.3, 0.3)), rtol=1e-5
    )


@pytest.mark.exact
def test_a_run_with_two_steps_goes_on_where_it_was(tmp_path) -> None:
    mixture = Mixture((Metropolis(width=2.0), Metropolis(width=5.0)))
    given = {"chains": 4, "thermalize": 30, "sampler": mixture, "seed": 5, "thin": 1}

    def stop(done, total, message):
        if message == "drawing" and done >= 16:
            raise KeyboardInterrupt

    whole = sample(ACTION, (4, 4), draws=40, **given)
    with pytest.raises(KeyboardInterrupt):
        sample(ACTION, (4, 4), draws=40, out=tmp_path / "run", progress=stop, **given)
    resumed = sample(ACTION, (4, 4), draws=40, out=tmp_path / "run", **given)
    np.testing.assert_array_equal(np.asarray(resumed.fields), np.asarray(whole.fields))


@pytest.mark.exact
def test_a_ladder_tempers_a_whole_mixture_and_is_no_second_part_of_one() -> None:
    mixture = Mixture((Metropolis(width=2.0), HybridMonteCarlo(step_size=0.1, steps=2)))
    ladder = Tempering(mixture, (1.0, 2.0, 4.0))
    state, info = ladder.step(random.key(2), ACTION, ladder.init(ACTION, jnp.ones((4, 4, 4))))
    state = ladder.tune(state, info)
    assert state.step_sizes.shape == (3, 2)
    assert state.step_size.shape == (2,)
    # all start alike, and a hotter rung accepts more of the same steps
    assert bool(jnp.all(jnp.diff(state.step_sizes[:, 0]) > 0))
    first = Mixture((Tempering(Metropolis(), (1.0, 2.0)), HybridMonteCarlo(step_size=0.3, steps=2)))
    moved, told = first.step(random.key(2), ACTION, first.init(ACTION, jnp.ones((4, 4, 4))))
    assert first.tune(moved, told).step_size.shape == (2,)
    with pytest.raises(InputError, match="put it first in the mixture"):
        Mixture((Metropolis(), Tempering(Metropolis(), (1.0, 2.0)))).init(ACTION, jnp.ones((4, 4, 4)))


@pytest.mark.exact
@pytest.mark.usefixtures("unchecked")
def test_a_sampler_of_ones_own_counts_as_one_with_a_step() -> None:
    class Shift:
        def init(self, action, fields, chain=None):
            return Metropolis(width=1.5).init(action, fields, chain)

        def step(self, key, action, state):
            return Metropolis().step(key, action, state)

        def tune(self, state, info):
            return Metropolis().tune(state, info)

    mixture = Mixture((Metropolis(width=2.5), Shift()))
    state = mixture.init(ACTION, jnp.ones((2, 4, 4)))
    np.testing.assert_allclose(state.step_size, [2.5, 1.5])
    assert jax.tree_util.tree_leaves(state)
