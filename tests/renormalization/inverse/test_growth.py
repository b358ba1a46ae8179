"""Growth in memory: shapes, depths, ancestry, and random numbers that depend on the configuration alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kadanoff.actions import (
    Action,
    InhomogeneousPhi4,
    LongerRangeIsing,
    NearestNeighbourAction,
    Phi4,
    total,
)
from kadanoff.ensemble import Ensemble
from kadanoff.errors import DepthWarning, InputError
from kadanoff.exact import enumerate_spins
from kadanoff.graph import Graph
from kadanoff.measuring import measure
from kadanoff.random import key
from kadanoff.renormalization import Levels, MajorityMean, Relaxation, block, grow
from kadanoff.renormalization.inverse import growth, growth_folder, growth_step
from kadanoff.reweighting.curves import reweighted_curve
from kadanoff.reweighting.response import derivative
from kadanoff.reweighting.target import reweight, reweight_external
from kadanoff.runs import open_ensemble

pytestmark = [pytest.mark.exact, pytest.mark.filterwarnings("ignore::kadanoff.errors.DepthWarning")]

PHI4 = Phi4(-0.9515, 0.7)


class Octic(NearestNeighbourAction):
    """A user's action with local differences."""

    lam: float
    kappa: float = 1.0

    def potential(self, phi, dimension):
        return 0.5 * phi**2 + self.lam * phi**8


class Stiff(Action):
    """A user's action of which nothing is known but its density: independent sites of variance 1/stiffness."""

    stiffness: float

    def density(self, field):
        return 0.5 * self.stiffness * field**2


def depths(levels):
    return [level.depth for level in levels]


def test_levels_grow_with_ancestry_weights_and_depths(made_up, small):
    weighted = Ensemble(small.fields, small.action, np.arange(30.0).reshape(3, 10), depth=1)
    levels = grow(weighted, made_up("deterministic"), steps=2, seed=3)
    assert [level.lattice.shape for level in levels] == [(4, 4), (8, 8), (16, 16)]
    assert depths(levels) == [1, 0, -1] and not levels.relaxed and levels.b == 2
    assert levels[0] is weighted
    for below, level in zip(levels, levels[1:], strict=False):
        assert level.parent is below and level.simulated is weighted and level.action is None
        assert level.log_weight is weighted.log_weight
        flat = below.fields.reshape(-1, *below.lattice.shape)
        made = made_up("deterministic").map.fine(key(0), jnp.asarray(flat), jnp.arange(30, dtype=jnp.uint32))
        np.testing.assert_allclose(level.fields.reshape(made.shape), made, rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(level.fields.dtype, np.float32)
    for level, before in zip(levels[1:], levels.before[1:], strict=True):
        expected = measure(level.fields.reshape(30, *level.lattice.shape), PHI4, ("schwinger_dyson",))
        np.testing.assert_allclose(before["schwinger_dyson"].ravel(), expected["schwinger_dyson"], rtol=1e-5)
    assert [e.lattice.shape for e in levels[1:]] == [(8, 8), (16, 16)] and len(list(levels)) == 3


def test_relaxed_levels_follow_the_target(made_up, small):
    relax = Relaxation(PHI4, sweeps=2)
    levels = grow(small, made_up("deterministic", depth=0, relaxed_pairs=2), steps=2, relax=relax, seed=3)
    assert depths(levels) == [0, 0, 0] and levels.relaxed and levels[2].action == PHI4
    pure = grow(small, made_up("deterministic"), steps=1, seed=3)
    assert np.mean(pure[1].fields == levels[1].fields) < 0.9  # some proposals are refused
    np.testing.assert_allclose(pure.before[1]["schwinger_dyson"], levels.before[1]["schwinger_dyson"])
    other = grow(small, made_up("deterministic", relaxed_pairs=2), steps=1, relax=relax, seed=4)
    assert np.mean(other[1].fields == levels[1].fields) < 0.5


def test_relaxed_levels_respond_to_the_simulated_coupling_no_more(made_up, small, tmp_path):
    # Weights of the ancestors would say what the relaxed fields, drawn to one coupling, do not do.
    options = {"relax": Relaxation(PHI4, sweeps=1), "seed": 3}
    inverse, there = made_up("deterministic", depth=0, relaxed_pairs=2), Phi4(-0.95, 0.7)
    level = grow(small, inverse, out=tmp_path, **options)[1]
    for ensemble in (level, block(level, MajorityMean(b=2)), level.select(slice(0, 4))):
        for ask in (
            lambda ensemble: reweight(ensemble, there),
            lambda ensemble: reweight_external(ensemble, "abs_magnetization", 0.01),
            lambda ensemble: derivative(ensemble, "abs_magnetization"),
            lambda ensemble: reweighted_curve(ensemble, "phi2", np.array([-0.95])),
        ):
            with pytest.raises(InputError, match="erases their response"):
                ask(ensemble)
    with pytest.raises(InputError, match="erases their response"):
        reweight(Levels.open(tmp_path)[1], there)
    pure = grow(small, made_up("deterministic"))
    np.testing.assert_array_equal(reweight(pure[1], there).log_weight, reweight(small, there).log_weight)


def test_consistent_maps_are_consistent_before_relaxation(made_up, small):
    levels = grow(small, made_up("stochastic", consistent=True), relax=Relaxation(PHI4, sweeps=1))
    assert levels.before[1]["inconsistency"].max() < 1e-10
    assert grow(small, made_up("stochastic")).before[1]["inconsistency"].min() > 1e-4


@pytest.mark.parametrize("relaxed", [False, True])
def test_batches_and_blocks_change_nothing(made_up, small, monkeypatch, relaxed):
    relax = Relaxation(PHI4, sweeps=2) if relaxed else None
    inverse = made_up("stochastic")
    whole = grow(small, inverse, 1, relax, seed=1)
    sizes: list[int] = []
    monkeypatch.setattr(growth_step, "_BATCH_SITES", 64 * 4)  # four configurations at once
    monkeypatch.setattr(growth_folder, "_BLOCK_SITES", 64 * 3 * 3)  # three draws of every chain
    one = growth_step.Step._batch

    def watched(self, coarse, number, batch):
        sizes.append(len(coarse))
        return one(self, coarse, number, batch)

    monkeypatch.setattr(growth_step.Step, "_batch", watched)
    cut = grow(small, inverse, 1, relax, seed=1)
    assert max(sizes) <= 4 and sum(sizes) == 30 and len(sizes) >= 8
    np.testing.assert_allclose(cut[1].fields, whole[1].fields, atol=1e-5)
    for name, series in whole.before[1].items():
        np.testing.assert_allclose(cut.before[1][name], series, rtol=1e-4, atol=1e-6)


def test_seeds_steps_and_configurations_have_noise_of_their_own(made_up):
    same = Ensemble(np.full((2, 3, 4, 4), 0.5, dtype=np.float32), depth=1)
    inverse = made_up("stochastic")
    first, again, other = (grow(same, inverse, 2, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first[2].fields, again[2].fields)
    assert np.abs(first[1].fields - other[1].fields).max(axis=(2, 3)).min() > 1e-3
    flat = first[1].fields.reshape(6, -1)
    assert min(np.abs(flat[i] - flat[j]).max() for i in range(6) for j in range(i)) > 1e-3


def test_steps_in_several_calls_are_those_of_one(made_up, small, tmp_path):
    inverse = made_up("stochastic")
    levels = grow(small, inverse, steps=3, seed=3)
    first = grow(small, inverse, seed=3, out=tmp_path / "first")[1]
    for start in (first, open_ensemble(tmp_path / "first" / "level-01")):
        again = grow(start, inverse, steps=2, seed=3)
        for level, whole in zip(again, levels[1:], strict=True):
            np.testing.assert_array_equal(level.fields, whole.fields)
        assert (start.depth, start.history) == (levels[1].depth, levels[1].history)


@pytest.mark.parametrize(
    ("asked", "chains", "kept"),
    [(None, 3, range(10)), (99, 3, range(10)), (6, 3, [4, 9]), (9, 3, [2, 5, 8]), (3, 3, [9]), (2, 2, [9])],
)
def test_configurations_are_spread_over_draws(made_up, small, asked, chains, kept):
    levels = grow(small, made_up("linear"), configurations=asked)
    np.testing.assert_array_equal(levels[0].fields, small.fields[:chains][:, list(kept)])
    assert levels[1].fields.shape == (chains, len(kept), 8, 8) and levels[0].action == small.action


def test_the_amplitude_multiplies_the_start(made_up, small):
    plain, doubled = (grow(small, made_up("linear"), amplitude=factor) for factor in (1.0, 2.0))
    np.testing.assert_array_equal(doubled[0].fields, 2 * small.fields)
    assert doubled[0].simulated is small and doubled[0].action is None and doubled.amplitude == 2.0
    np.testing.assert_allclose(doubled[1].fields, 2 * plain[1].fields, atol=1e-5)


CASES = [
    # depth of the input, of the inverse, relaxed pairs, growth relaxed: what is said
    (1, 0, 0, False, None),
    (0, 0, 0, False, "blocked 1 times, and these were blocked 0 times"),
    (1, 1, 0, False, "blocked 2 times"),
    (2, 1, 0, False, None),
    (0, 0, 4, True, None),
    (1, 0, 4, True, "blocked 0 times, and these were blocked 1 times"),
    (0, 0, 4, False, "relaxed coarse fields, and growth without relaxation"),
    (0, 0, 0, True, "blocked 1 times, and these were blocked 0 times"),
]


@pytest.mark.parametrize(("depth", "trained", "pairs", "relaxed", "said"), CASES)
def test_another_distribution_than_in_training_is_warned_of(
    made_up, small, recwarn, depth, trained, pairs, relaxed, said
):
    start = Ensemble(small.fields, depth=depth)
    inverse = made_up("linear", depth=trained, relaxed_pairs=pairs)
    growth._warn_of_depth(start, inverse, Relaxation(PHI4) if relaxed else None)
    found = [str(w.message) for w in recwarn if w.category is DepthWarning]
    assert len(found) == (said is not None) and (said is None or said in found[0])


@pytest.mark.filterwarnings("default::kadanoff.errors.DepthWarning")
def test_growth_itself_warns_and_tells_of_progress(made_up, small):
    told = []
    with pytest.warns(DepthWarning, match="certificate"):
        grow(small, made_up("linear"), 2, progress=lambda *report: told.append(report))
    done = [entry[0] for entry in told]
    assert done == sorted(done) and done[-1] == told[-1][1] == 30 * (64 + 256)
    assert {entry[2] for entry in told} == {"growing to 8x8", "growing to 16x16"}


def test_a_users_actions_relax(made_up, small):
    local = grow(small, made_up("linear"), relax=Relaxation(Octic(lam=0.1), sweeps=30, width=1.0))
    assert local[1].action == Octic(lam=0.1)
    # a potential that steep confines every site
    assert np.abs(local[1].fields).max() < 2.2
    # independent sites of variance 1/4: twenty trajectories forget the map
    free = grow(small, made_up("linear"), relax=Relaxation(Stiff(4.0), sweeps=20))
    assert isinstance(free[1].action, Stiff)
    assert np.mean(free[1].fields.astype(np.float64) ** 2) == pytest.approx(0.25, rel=0.1)
    assert np.abs(np.mean(free[1].fields * np.roll(free[1].fields, 1, 2))) < 0.03


def test_fields_of_a_graph_grow_and_relax_on_theirs_only(made_up):
    small, large = (InhomogeneousPhi4(Graph.grid((side, side)), 1.0, 1.5, 0.2) for side in (4, 8))
    fields = np.random.default_rng(0).normal(size=(3, 4, 4, 4)).astype(np.float32)
    start = Ensemble(fields, small)
    pure = grow(start, made_up("linear"))
    assert pure[1].action is None and "schwinger_dyson" not in pure.before[1]
    relaxed = grow(start, made_up("linear"), relax=Relaxation(large, sweeps=2))
    assert relaxed[1].action is large and "schwinger_dyson" in relaxed.before[1]
    for steps, action in ((1, small), (2, large)):
        with pytest.raises(InputError, match="relax by an action of any lattice"):
            grow(start, made_up("linear"), steps=steps, relax=Relaxation(action, sweeps=2))


@pytest.mark.statistical
def test_spins_with_an_interaction_graph_relax_towards_their_action():
    action = LongerRangeIsing(0.2, 0.1)
    fields = jnp.ones((512, 3, 4))
    relaxed = Relaxation(action, sweeps=40)(key(1), fields, jnp.arange(512, dtype=jnp.uint32))
    energies = np.asarray(jax.vmap(lambda field: total(action, field))(relaxed), np.float64)
    exact = enumerate_spins(action, (3, 4)).mean(lambda field: total(action, field))
    assert abs(energies.mean() - exact) < 4 * energies.std() / np.sqrt(512)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"steps": 0}, "steps must be 1 or more, got 0"),
        ({"steps": 1.5}, "steps must be a whole number, got 1.5"),
        ({"configurations": 0}, "configurations must be 1 or more"),
        ({"configurations": 2.5}, "configurations must be a whole number"),
        ({"relax": 4}, "4 is no relaxation: give kd.Relaxation"),
        ({"amplitude": 0.0}, "amplitude must be positive"),
        ({"amplitude": float("nan")}, "amplitude must be positive"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_growth_that_cannot_be_done_is_refused(made_up, small, options, said):
    with pytest.raises(InputError, match=said):
        grow(small, made_up("linear"), **options)


@pytest.mark.usefixtures("unchecked")
def test_sweeps_and_inverses_of_another_kind_are_refused(small):
    with pytest.raises(InputError, match="sweeps of a relaxation must be a whole number, got 1.5"):
        Relaxation(PHI4, sweeps=1.5)
    with pytest.raises(
        InputError, match="MajorityMean.. is no inverse: give what `kd.learn_inverse` returns"
    ):
        grow(small, MajorityMean(b=2))


def test_relaxation_and_fields_that_are_not_finite(made_up, small):
    with pytest.raises(InputError, match="at least one sweep"):
        Relaxation(PHI4, sweeps=0)
    for width in (float("nan"), float("inf"), 0.0):
        with pytest.raises(InputError, match="width must be positive and finite"):
            Relaxation(PHI4, width=width)
    wild = Ensemble(np.full((1, 2, 4, 4), 1e38, dtype=np.float32))
    with pytest.raises(InputError, match="not finite"):
        grow(wild, made_up("linear"), steps=3, amplitude=3.0)
    assert len(Levels((small,))) == 1
