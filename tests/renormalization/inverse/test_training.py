"""Learning an inverse: better than the best linear map, stopped in time, repeatable, and honest about bad requests."""

import equinox as eqx
import jax
import numpy as np
import pytest

from kadanoff.actions import Ising, Phi4
from kadanoff.ensemble import Ensemble
from kadanoff.errors import InputError, KadanoffWarning
from kadanoff.random import key
from kadanoff.renormalization import (
    Decimation,
    MajorityMean,
    RandomMajoritySite,
    Relaxation,
    block,
    grow,
    learn_inverse,
    learn_phase,
)
from kadanoff.renormalization.discriminator import discriminate
from kadanoff.renormalization.inverse import descent, training
from kadanoff.renormalization.inverse.linear import fit_linear
from kadanoff.renormalization.inverse.pairs import Pairs, training_pairs
from kadanoff.renormalization.inverse.training import linear_density
from kadanoff.reweighting.target import reweight

# A few steps do not make a good inverse.
pytestmark = pytest.mark.filterwarnings("ignore:on held-out pairs:kadanoff.errors.KadanoffWarning")

RULE = MajorityMean(b=2)
QUICK = {"kind": "deterministic", "width": 2, "kernels": (3, 1), "steps": 20}


@pytest.fixture(scope="module")
def quick(critical):
    return learn_inverse(critical, RULE, **QUICK)


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("kind", "steps", "kernels"),
    [("deterministic", 150, (3, 3)), pytest.param("density", 50, (3, 1), marks=pytest.mark.slow)],
)
def test_a_few_steps_beat_the_best_linear_map(critical, kind, steps, kernels):
    learnt = learn_inverse(
        critical, RULE, kind=kind, steps=steps, kernels=kernels, width=12, components=2, seed=1
    )
    record = learnt.record
    # on held-out fields, by standard errors of the paired difference: a fixed seed, significance 3e-7
    assert record.advantage_sigma > 5, record
    assert record.held_out < record.linear
    assert record.steps == steps and [entry[0] for entry in record.history] == [*range(50, steps + 1, 50)]
    assert record.consistent == (kind == "density")
    assert "better by" in learnt.describe() and f"{learnt.map.parameters} parameters" in learnt.describe()


@pytest.mark.exact
def test_an_inverse_that_is_worse_than_the_linear_map_is_told(critical):
    with pytest.warns(KadanoffWarning, match="deterministic inverse does worse than the best linear map, by"):
        learnt = learn_inverse(critical, RULE, **{**QUICK, "steps": 1})
    assert learnt.record.advantage_sigma < -3


@pytest.mark.exact
def test_the_best_weights_are_kept_and_training_stops(critical, monkeypatch):
    monkeypatch.setattr(descent, "_ROUND", 4)
    monkeypatch.setattr(descent, "_PATIENCE", 3)
    scores, seen = iter([5.0, 3.0, 4.0, 3.5, 3.0, 1.0]), []

    def told(kind, inverse, key, pairs):
        seen.append(inverse)
        return np.full(len(pairs.held_out_coarse), next(scores))

    for module in (descent, training):
        monkeypatch.setattr(module, "held_out_losses", told)
    learnt = learn_inverse(critical, RULE, **{**QUICK, "steps": 100})
    assert [entry[0] for entry in learnt.record.history] == [4, 8, 12, 16, 20]
    assert eqx.tree_equal(learnt.map, seen[1]) and not eqx.tree_equal(learnt.map, seen[4])


@pytest.mark.exact
def test_the_linear_map_is_scored_as_the_inverse_is(critical):
    pairs = training_pairs(critical, RULE, 0, None, 0)
    linear = fit_linear(np.asarray(pairs.coarse), np.asarray(pairs.fine), RULE.b)
    for kind in ("linear", "deterministic", "stochastic"):
        expected = descent.held_out_losses(kind, linear, key(0), pairs)
        found = training._linear_score(kind, linear, linear, key(0), pairs)
        np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.exact
@pytest.mark.parametrize("consistent", [pytest.param(True, marks=[pytest.mark.slow, pytest.mark.ci]), False])
def test_a_rule_that_keeps_a_site_has_a_finite_yardstick(critical, consistent):
    options = {"consistent": consistent, "width": 2, "kernels": (3,), "components": 1, "steps": 2}
    record = learn_inverse(critical, Decimation(b=2), **options).record
    # The other three sites spread by about 0.6: minus their log-density, and a quarter of that of a spread of 0.006.
    assert 0 < record.linear < 1 if consistent else -1 < record.linear < 0


@pytest.mark.exact
def test_no_step_more_than_asked_for(quick, critical):
    assert quick.record.steps == 20 and [entry[0] for entry in quick.record.history] == [20]
    reports = []
    learn_inverse(critical, RULE, **{**QUICK, "steps": 60}, progress=lambda *told: reports.append(told[:2]))
    assert reports == [(50, 60), (60, 60)]


@pytest.mark.exact
def test_a_seed_gives_its_weights(quick, critical):
    assert learn_inverse(critical, RULE, **QUICK).digest == quick.digest
    other = learn_inverse(critical, RULE, **QUICK, seed=1)
    assert other.digest != quick.digest
    ours, theirs = (jax.tree_util.tree_leaves(i.map)[0] for i in (quick, other))
    assert np.abs(ours - theirs).min() > 1e-4


@pytest.mark.exact
def test_pairs_are_fields_and_their_blocks_and_chains_are_held_out(critical):
    pairs = training_pairs(critical, RULE, 0, None, 0)
    assert pairs.coarse.shape == (448, 8, 8) and pairs.held_out_fine.shape == (64, 16, 16)
    np.testing.assert_array_equal(pairs.held_out_fine, np.asarray(critical.fields[56:]).reshape(-1, 16, 16))
    np.testing.assert_allclose(pairs.coarse, jax.vmap(lambda f: RULE(key(0), f))(pairs.fine), rtol=1e-5)
    few = training_pairs(critical.select(chains=slice(0, 4)), RULE, 1, None, 0)
    assert few.coarse.shape == (28, 4, 4) and few.held_out_coarse.shape == (4, 4, 4)
    once = block(critical.select(chains=slice(0, 4)), RULE).fields
    np.testing.assert_array_equal(few.held_out_fine, once[:, -1])
    np.testing.assert_array_equal(few.fine[:4], once[:, 0])


@pytest.mark.exact
def test_training_is_compiled_while_pairs_are_relaxed(critical, monkeypatch, caplog):
    few, compiled = critical.select(chains=slice(0, 16)), []

    def noted(*given):
        with jax.log_compiles():  # another thread
            compile_descent(*given)
        compiled.extend(_compiled(caplog))
        caplog.clear()

    compile_descent = training.compile_descent
    monkeypatch.setattr(training, "compile_descent", noted)
    relax = Relaxation(Phi4(-0.9515, 0.7), sweeps=1)
    with jax.log_compiles():
        learnt = learn_inverse(few, RULE, **{**QUICK, "width": 3, "steps": 7}, relax=relax)
    assert {"jit(_advance)", "jit(_score)"} <= set(compiled)
    assert not {"jit(_advance)", "jit(_start)"} & set(_compiled(caplog))
    plain = learn_inverse(few, RULE, **{**QUICK, "width": 3, "steps": 7}, relax=relax)
    assert plain.digest == learnt.digest


def _compiled(caplog):
    """Names of the programs that XLA has compiled."""
    told = (record.getMessage() for record in caplog.records)
    return [line.split()[4] for line in told if line.startswith("Finished XLA compilation of")]


@pytest.mark.exact
def test_relaxed_pairs_relax_the_coarse_member_only(critical):
    few = critical.select(chains=slice(0, 4))
    relax = Relaxation(Phi4(-0.9515, 0.7), sweeps=2)
    plain, relaxed = (training_pairs(few, RULE, 0, how, 0) for how in (None, relax))
    np.testing.assert_array_equal(plain.fine, relaxed.fine)
    assert np.mean(np.asarray(plain.coarse) != relaxed.coarse) > 0.5
    learnt = learn_inverse(few, RULE, kind="linear", relax=relax)
    assert (learnt.record.relaxed_pairs, learnt.depth, learnt.input_depth) == (2, 0, 0)
    assert "relaxed 2 sweeps" in learnt.describe()
    assert learn_inverse(few, RULE, depth=1, kind="linear").input_depth == 2


@pytest.mark.exact
@pytest.mark.parametrize("kind", ["linear", "deterministic"])
def test_a_map_without_noise_has_no_temperature(critical, kind):
    with pytest.raises(InputError, match="draws nothing, so temperature 0.5 would change nothing"):
        learn_inverse(critical, RULE, **{**QUICK, "kind": kind}, temperature=0.5)
    assert learn_inverse(critical, RULE, kind="linear", temperature=1.0).temperature == 1.0


@pytest.mark.exact
def test_the_temperature_is_that_of_the_draws(made_up, gaussians):
    coarse, number = gaussians((2, 4, 4)), np.arange(2, dtype=np.uint32)
    for kind in ("stochastic", "density"):
        learnt = made_up(kind, consistent=kind == "stochastic")
        cold, warm = learnt.at_temperature(1e-6), learnt.at_temperature(0.7)
        assert (learnt.temperature, warm.temperature) == (1.0, 0.7)
        assert "temperature 0.7" in warm.describe() and "temperature" not in learnt.describe()
        assert len({learnt.digest, warm.digest, learnt.at_temperature(1.1).digest}) == 3
        if kind == "stochastic":
            one, two = (cold.map.fine(key(seed), coarse, jax.numpy.asarray(number)) for seed in (0, 1))
            np.testing.assert_allclose(one, two, atol=1e-4)
        for wrong in (0.0, -1.0, float("nan"), float("inf")):
            with pytest.raises(InputError, match="temperature must be positive"):
                learnt.at_temperature(wrong)


@pytest.mark.exact
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"kind": "magic"}, "unknown kind of inverse 'magic'; choose one of linear"),
        (
            {"kernels": (3, 3, 3), "kind": "deterministic", "depth": 1},
            "see 7 coarse sites, which wraps around",
        ),
        ({"kernels": (4,), "kind": "deterministic"}, "must be odd"),
        ({"depth": -1}, "depth must be 0 or more"),
        ({"depth": 0.5}, "depth must be a whole number, got 0.5"),
        ({"depth": 4}, "below 2"),
        ({"steps": 0}, "steps must be 1 or more"),
        ({"steps": 1.5}, "steps must be a whole number, got 1.5"),
        ({"width": 0}, "width must be 1 or more"),
        ({"width": 1.5}, "width must be a whole number"),
        ({"kernels": "3"}, "kernels takes a sequence"),
        ({"relax": 4}, "4 is no relaxation: give kd.Relaxation"),
        ({"components": -1}, "components must be 1 or more"),
        ({"noise": 0, "kind": "stochastic"}, "at least one noise channel"),
        ({"relax": Relaxation(Ising(0.3))}, "Ising is no action of real numbers: relax by one that is"),
        ({"temperature": 0.0, "steps": 10**9}, "temperature must be positive"),
        ({"temperature": float("nan"), "kind": "linear"}, "temperature must be positive"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_what_cannot_be_learnt_is_refused(critical, options, said):
    with pytest.raises(InputError, match=said):
        learn_inverse(critical, RULE, **options)


@pytest.mark.exact
@pytest.mark.parametrize(
    "shape", [(16, 4, 8, 8), (16, 4, 1, 1), (16, 4, 1, 8)], ids=["white", "constant", "striped"]
)
def test_the_best_linear_map_exists_for_fields_that_tell_no_neighbours_apart(shape):
    fields = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    ensemble = Ensemble(np.broadcast_to(fields, (16, 4, 8, 8)).copy())
    learnt = learn_inverse(ensemble, RULE, kind="linear")
    assert np.isfinite(learnt.record.held_out)
    assert max(abs(leaf).max() for leaf in jax.tree_util.tree_leaves(learnt.map)) < 3
    if shape[2:] == (1, 1):
        np.testing.assert_allclose(grow(block(ensemble, RULE), learnt)[1].fields, ensemble.fields, atol=1e-6)


@pytest.mark.exact
@pytest.mark.parametrize("value", [1.0, 0.0])
def test_the_yardstick_of_a_density_is_finite_where_the_linear_map_is_exact(value):
    fine = np.full((32, 8, 8), value, dtype=np.float32)
    coarse = fine[:, ::2, ::2]
    score = linear_density(fit_linear(coarse, fine, b=2), Pairs(coarse, fine, coarse[:8], fine[:8]), None)
    assert np.all(np.isfinite(score)) and np.all(score < -1)


@pytest.mark.exact
def test_a_wrapping_map_is_refused_on_four_by_four(critical):
    with pytest.raises(
        InputError, match="see 5 coarse sites, which wraps around the training lattice of side 4"
    ):
        learn_inverse(block(critical, RULE), RULE, kind="deterministic", kernels=(3, 3))


@pytest.mark.exact
def test_ensembles_that_are_too_small_or_odd_are_refused(critical):
    with pytest.raises(InputError, match="at least 16 configurations, the ensemble has 15"):
        learn_inverse(critical.select(chains=slice(0, 3), draws=slice(0, 5)), RULE)
    with pytest.raises(InputError, match="not a multiple of 3"):
        learn_inverse(critical, MajorityMean(b=3))
    with pytest.raises(InputError, match="7 is not a multiple of 2"):
        learn_inverse(Ensemble(np.ones((16, 2, 7, 7), dtype=np.float32)), RULE)


@pytest.mark.exact
def test_log_weights_that_differ_are_refused(critical):
    even = Ensemble(critical.fields, critical.action, np.full((critical.chains, critical.draws), 0.5))
    assert (
        learn_inverse(even, RULE, kind="linear").digest == learn_inverse(critical, RULE, kind="linear").digest
    )
    weighted = reweight(critical, Phi4(-0.9, 0.7))
    with pytest.raises(InputError, match="learning an inverse counts every configuration alike"):
        learn_inverse(weighted, RULE, kind="linear")
    with pytest.raises(InputError, match="telling ensembles apart counts every configuration alike"):
        discriminate(critical, weighted)
    with pytest.raises(InputError, match="learning a phase counts every configuration alike"):
        learn_phase([critical], [weighted])


@pytest.mark.exact
def test_random_rules_can_be_learnt_without_the_wrapper(critical):
    learnt = learn_inverse(critical, RandomMajoritySite(b=2), kind="linear")
    assert not learnt.record.consistent and learnt.rule == RandomMajoritySite(b=2)
