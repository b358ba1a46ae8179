"""The run loop: what is refused before a folder is made, and the free field with the defaults of `sample`."""

import json
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.signal import lfilter

import kadanoff as kd
from kadanoff.action_records import action_record
from kadanoff.errors import InputError, KadanoffWarning, StoreError
from kadanoff.runs import save_ensemble
from kadanoff.sampling import sample
from kadanoff.sampling.target import reached


class Tilted(kd.NearestNeighbourAction):
    """A potential that is not even."""

    kappa: float = 1.0

    def potential(self, phi, dimension):
        return phi**4 - 0.3 * phi


class Spins(kd.Action):
    """Spins of which nothing but the density is known."""

    beta: float

    spins: ClassVar[bool] = True

    def density(self, field):
        return -self.beta * field * jnp.roll(field, 1, 0)


class SpinsInField(kd.NearestNeighbourAction):
    """Spins in a field, of one number or one a site."""

    field: Any
    kappa: float = 0.3

    spins: ClassVar[bool] = True

    def potential(self, phi, dimension):
        return -self.field * phi


@pytest.mark.exact
@pytest.mark.parametrize(
    ("action", "sampler", "mend"),
    [
        (Spins(0.3), None, "interaction graph"),
        (Spins(0.3), kd.Wolff(), "interaction graph"),
        (SpinsInField(0.1), kd.SwendsenWang(), "use Metropolis or HeatBath"),
        (SpinsInField(jnp.ones((4, 4))), kd.Metropolis(), "use InhomogeneousIsing"),
    ],
)
def test_refused_spins_are_not_sent_to_updates_that_refuse_them(action, sampler, mend):
    with pytest.raises(InputError, match=mend) as refused:
        sample(action, kd.Lattice((4, 4)), sampler=sampler, draws=2, chains=2)
    assert "HybridMonteCarlo" not in str(refused.value)


@pytest.mark.exact
@pytest.mark.parametrize(
    ("action", "options", "said"),
    [
        (kd.Phi4(-0.9515, 0.7), {"start": "warm"}, "unknown start 'warm'"),
        (kd.Phi4(-0.9515, 0.7), {"thin": 0}, "thin must be 1 or more"),
        (Tilted(), {"sampler": kd.SwendsenWang()}, "not even"),
        (Tilted(), {"sampler": "metropolis"}, "is no sampler"),
        (Tilted(), {"sampler": kd.Metropolis}, "is no sampler"),
        (Tilted, {}, "is the class of an action"),
        (Tilted(), {"thin": 2.0}, "thin must be a whole number"),
        (Tilted(), {"thermalize": -1}, "thermalize must be 0 or more"),
        (Tilted(), {"seed": 2**32}, "seed 4294967296 is out of range"),
        (Tilted(), {"seed": None}, "seed must be a whole number"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_what_cannot_run_leaves_no_folder(tmp_path, action, options, said):
    with pytest.raises(InputError, match=said):
        sample(action, kd.Lattice((4, 4)), draws=2, chains=2, out=tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


@pytest.mark.exact
def test_selected_draws_of_a_store_are_those_of_memory(tmp_path):
    plan = {"chains": 4, "draws": 6, "thermalize": 5, "thin": 1, "seed": 2}
    stored = sample(kd.Phi4(-0.9515, 0.7), kd.Lattice((4, 4)), out=tmp_path / "run", **plan)
    held = sample(kd.Phi4(-0.9515, 0.7), kd.Lattice((4, 4)), **plan)
    assert np.array_equal(np.asarray(stored.fields), held.fields)
    for draws, chains in ((slice(1, 4), None), (None, slice(0, 2)), (slice(None, None, 2), slice(1, 3))):
        one, other = stored.select(draws, chains), held.select(draws, chains)
        assert np.array_equal(one.fields, other.fields)


def quadratic(weight):
    return lambda field: weight * jnp.sum(field**2)


def own_class(power):
    class Own(kd.NearestNeighbourAction):
        mass2: float
        kappa: float = 1.0

        def potential(self, phi, dimension):
            return (self.mass2 / 2 + dimension * self.kappa) * phi**2 + phi**power

    return Own


@pytest.mark.exact
@pytest.mark.filterwarnings("ignore::kadanoff.errors.PrecisionWarning")
@pytest.mark.parametrize(
    ("first", "other", "said"),
    [
        (quadratic(1.0), quadratic(50.0), "another version of <lambda>"),
        (own_class(4)(1.0), own_class(6)(1.0), "another version of Own"),
        (own_class(4)(-1), own_class(4)(8), "config.couplings.mass2 is -1.0, 8.0"),
    ],
    ids=["function", "class", "whole coupling"],
)
def test_a_run_goes_on_with_its_own_action_only(tmp_path, first, other, said):
    plan = {"chains": 2, "draws": 2, "thermalize": 2, "out": tmp_path / "run"}
    begun = sample(first, (4, 4), **plan)
    assert np.array_equal(np.asarray(sample(first, (4, 4), **plan).fields), np.asarray(begun.fields))
    with pytest.raises(StoreError, match=said):
        sample(other, (4, 4), **plan)


@pytest.mark.exact
def test_a_run_of_ones_own_action_opens_with_that_action(tmp_path):
    run, coarse = tmp_path / "run", tmp_path / "coarse"
    sampled = sample(own_class(4)(1.0), (4, 4), chains=2, draws=2, thermalize=2, out=run)
    opened = kd.open_ensemble(run, own_class(4)(1.0))
    assert np.array_equal(opened.series("action_density"), sampled.series("action_density"))
    blocked = kd.block(sampled, kd.BlockMean(b=2))
    save_ensemble(blocked, coarse, "block", {}, run)
    assert kd.open_ensemble(coarse, own_class(4)(1.0)).simulated.action.mass2 == 1.0
    assert kd.open_ensemble(coarse).parent is None
    with pytest.raises(StoreError, match=r"kd.open_ensemble\(path, action\)"):
        kd.open_ensemble(run)
    for other, said in (
        (own_class(6)(1.0), "another version of Own"),
        (own_class(4)(2.0), "its couplings is"),
        (kd.Phi4(1.0, 1.0), "its action is 'Own', 'Phi4' was given"),
    ):
        for folder in (run, coarse):
            with pytest.raises(StoreError, match=said):
                kd.open_ensemble(folder, other)


@pytest.mark.exact
@pytest.mark.parametrize("kept", [None, {"jax": "0.0.1", "digest": "of another JAX"}])
def test_a_run_begun_by_another_version_goes_on(tmp_path, kept):
    plan = {"chains": 2, "draws": 2, "thermalize": 2, "out": tmp_path / "run"}
    sample(own_class(4)(-1), (4, 4), **plan)
    file = tmp_path / "run" / "run.json"
    record = json.loads(file.read_text())
    record["config"]["program"] = kept
    if kept is None:
        del record["config"]["program"], record["config"]["couplings"]["mass2"]
    file.write_text(json.dumps(record))
    assert sample(own_class(4)(-1), (4, 4), **plan).draws == 2


@pytest.mark.exact
def test_couplings_given_as_numbers_or_arrays_are_the_same_action():
    records = [
        action_record(own_class(4)(mass2), (4, 4)) for mass2 in (1, 1.0, np.float32(1), jnp.float32(1))
    ]
    assert all(record == records[0] for record in records)
    assert "program" not in action_record(kd.Phi4(1.0, 1.0), (4, 4))


@pytest.mark.exact
@pytest.mark.usefixtures("unchecked")
def test_counts_and_seeds_of_numpy_are_those_of_python():
    plan = {"chains": 2, "draws": 3, "thin": 2, "thermalize": 2, "seed": 7}
    one = sample(kd.Phi4(-0.9515, 0.7), kd.Lattice((4, 4)), **plan)
    other = sample(kd.Phi4(-0.9515, 0.7), (4, 4), **{name: np.int64(count) for name, count in plan.items()})
    assert np.array_equal(one.fields, other.fields)


@pytest.mark.exact
def test_a_target_out_of_reach_is_reported_at_the_longest_run():
    with pytest.warns(KadanoffWarning, match="after 10 draws of every chain: raise max_draws"):
        ensemble = sample(
            kd.Phi4(-0.9515, 0.7), (8, 8), chains=8, thermalize=20, target_error=0.001, max_draws=10
        )
    assert ensemble.draws == 10
    with pytest.warns(KadanoffWarning, match="is zero after 4 draws of every chain: no relative error"):
        sample(kd.Ising(-5.0), (4, 4), chains=4, thermalize=50, start="hot", target_error=0.1, max_draws=4)


def free_field(shape, mass2):
    """Exact |m|, susceptibility and <phi^2> of the free field; m is Gaussian of variance 1/(V mass2)."""
    k2 = [2 - 2 * np.cos(2 * np.pi * np.arange(side) / side) for side in shape]
    propagator = 1 / (mass2 + sum(np.ix_(*k2)))
    return {
        "abs_magnetization": np.sqrt(2 / (np.pi * mass2 * propagator.size)),
        "susceptibility": 1 / mass2,
        "phi2": propagator.mean(),
        "schwinger_dyson": 1.0,
    }


@pytest.mark.statistical
@pytest.mark.parametrize(
    "shape", [(16, 16), *(pytest.param(shape, marks=pytest.mark.slow) for shape in ((16,), (8, 8, 8)))]
)
def test_the_default_run_ends_at_its_target_with_the_free_field(shape):
    # Twelve numbers at 4 standard errors: significance below 8e-4. A target of 1 % is the default's 0.3 % with
    # a ninth of the draws.
    found = sample(kd.Phi4(0.3, 0.0), kd.Lattice(shape), target_error=0.01, seed=1).observables()
    estimate = found["abs_magnetization"]
    assert 0.005 < estimate.error / estimate.value <= 0.01
    for name, exact in free_field(shape, 0.3).items():
        assert abs(found[name].pull(exact)) < 4, f"{name}: {found[name]} instead of {exact}"


@pytest.mark.exact
def test_few_chains_do_not_stop_by_an_error_that_is_hardly_known():
    few = [0.7 + 0.01 * np.random.default_rng(0).normal(size=(2, 32))]
    assert reached(few, 0.01)[0] < 0.01 and 64 <= reached(few, 0.01)[1] < 200
    many = [few[0].reshape(16, 4).repeat(8, 1)]
    assert reached(many, 0.01)[1] == 32
    with pytest.warns(KadanoffWarning, match="independent draws, too few of 1 chains"):
        sample(kd.Ising(0.43), (6, 6), chains=1, thermalize=20, target_error=0.2, max_draws=48)


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.statistical
def test_a_single_chain_ends_at_its_target():
    """Sixty chains of tau_int = 20 asked for 5 %: they reach 2.5 %, and 4 % by chance with probability 1e-8."""
    rng, factor, found = np.random.default_rng(1), 39 / 41, []
    for _ in range(60):
        noise = rng.normal(size=(1, 10_000))
        noise[:, 1:] *= np.sqrt(1 - factor**2)
        chain = 1 + 0.3 * lfilter([1], [1, -factor], noise)
        draws = next(n for n in range(32, 10_000, 32) if reached([chain[:, :n]], 0.05)[1] <= n)
        found.append(np.abs(chain[:, :draws]).mean())
    assert np.sqrt(np.mean(np.square(np.array(found) - 1))) < 0.04
