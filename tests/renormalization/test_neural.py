"""Neural networks as observables: exact symmetry, external couplings against enumeration, records on disk."""

import itertools
import json

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from kadanoff.actions import Ising
from kadanoff.ensemble import Ensemble
from kadanoff.errors import InputError, StoreError
from kadanoff.measuring import measure
from kadanoff.observables import Observable, observable
from kadanoff.renormalization import NeuralObservable, learn_phase
from kadanoff.renormalization.crossing import find_crossing
from kadanoff.reweighting.curves import reweighted_curve
from kadanoff.reweighting.response import conjugate_series, derivative
from kadanoff.reweighting.target import reweight_external


def noisy(seed, flipped, side=8, action=None):
    """Fields of one sign each, a fraction of whose spins is flipped: as easy to tell apart as two phases."""
    rng = np.random.default_rng(seed)
    spins = np.where(rng.random((8, 16, side, side)) < flipped, -1, 1) * rng.choice([-1, 1], (8, 16, 1, 1))
    return Ensemble(spins.astype(np.int8), action)


@pytest.fixture(scope="module")
def networks():
    cold, hot = [noisy(0, 0.05, action=Ising(0.6))], [noisy(1, 0.45, action=Ising(0.2))]
    return {kind: learn_phase(cold, hot, kind=kind, steps=150, seed=3) for kind in ("global", "local")}


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.statistical
@pytest.mark.parametrize("kind", ["global", "local"])
def test_the_phases_are_told_apart_and_the_record_says_how(networks, kind):
    # fixed seeds; the two classes differ by dozens of standard deviations of m
    found = networks[kind]
    assert found.record.accuracy > 0.9 and found.record.held_out == 64
    assert found.record.ordered == {"beta": (0.6, 0.6)} and found.record.disordered == {"beta": (0.2, 0.2)}
    assert found.record.shape == (8, 8) and found.record.depths == (0,) and found.record.signs
    cold, hot = (noisy(seed, flipped, 12).observe(found).value for seed, flipped in ((5, 0.05), (6, 0.45)))
    assert cold > 0.6 and hot < 0.5, "a lattice of another size"


@pytest.mark.exact
@pytest.mark.parametrize("kind", ["global", "local"])
def test_it_is_even_and_does_not_see_translations(networks, kind):
    fields = noisy(7, 0.3).fields[0]
    plain = networks[kind].probability(fields)
    np.testing.assert_allclose(networks[kind].probability(-fields), plain, rtol=1e-6)
    moved = np.roll(fields, (3, 5), axis=(1, 2))
    np.testing.assert_allclose(networks[kind].probability(moved), plain, rtol=1e-5)
    assert np.ptp(plain) > 1e-3


@pytest.mark.exact
def test_a_network_of_spins_sees_the_signs_of_real_fields(networks):
    spins = noisy(8, 0.3)
    sizes = np.random.default_rng(0).uniform(0.1, 2.0, spins.fields.shape)
    real = Ensemble((spins.fields * sizes).astype(np.float32))
    for network in networks.values():
        assert real.observe(network).value == pytest.approx(spins.observe(network).value, rel=1e-6)


@pytest.mark.exact
def test_a_function_of_the_whole_field_is_measured_as_it_is():
    fields = np.random.default_rng(0).normal(size=(5, 4, 6)).astype(np.float32)

    def largest(field):
        return jnp.max(field)

    found = measure(fields, None, (largest,))[largest]
    np.testing.assert_allclose(found, fields.max(axis=(1, 2)), rtol=1e-7)
    entry = Observable("largest", (largest,), lambda means, lattice: means[0], "max")
    assert Ensemble(fields[None]).observe(entry).value == pytest.approx(fields.max(axis=(1, 2)).mean())


@pytest.fixture(scope="module")
def every_state():
    """All states of 3 x 3 spins, weighted as an Ising model: means without noise."""
    states = np.array(list(itertools.product((-1, 1), repeat=9)), dtype=np.int8).reshape(1, -1, 3, 3)
    links = states * (np.roll(states, 1, 2) + np.roll(states, 1, 3))
    return Ensemble(states, Ising(0.1), 0.1 * links.sum(axis=(2, 3)).astype(float))


@pytest.mark.exact
@pytest.mark.parametrize("kind", ["global", "local"])
def test_an_external_coupling_gives_the_means_of_the_changed_action(networks, every_state, kind):
    network, value = networks[kind], 0.05
    p = network.probability(every_state.fields[0])
    m = np.abs(every_state.fields[0].mean(axis=(1, 2)))
    weight = np.exp(every_state.log_weight[0] + 9 * value * p)
    expected = {"P": np.sum(weight * p) / weight.sum(), "m": np.sum(weight * m) / weight.sum()}
    for ensemble in (every_state, Ensemble(every_state.fields, None, every_state.log_weight)):
        tilted = reweight_external(ensemble, network, value)
        assert tilted.observe(network).value == pytest.approx(expected["P"], rel=1e-5)
        assert tilted.observe("abs_magnetization").value == pytest.approx(expected["m"], rel=1e-5)
        assert tilted.action is None
        curve = reweighted_curve(ensemble, network, np.array([0.0, value]), network, samples=2)
        assert curve.values[1] == pytest.approx(expected["P"], rel=1e-5)
    # the response at Y = 0 is a difference of such means
    step = 1e-3
    up, down = (
        reweight_external(every_state, network, s).observe("abs_magnetization").value for s in (step, -step)
    )
    slope = derivative(every_state, "abs_magnetization", network).value
    assert slope == pytest.approx((up - down) / (2 * step), rel=1e-3) and slope != 0


@pytest.mark.exact
def test_conjugates_of_couplings_and_observables_go_together():
    ensemble = noisy(2, 0.2, action=Ising(0.4))
    m = observable("abs_magnetization")
    found = conjugate_series(ensemble, ("beta", m))
    np.testing.assert_allclose(found[m], -64 * ensemble.series("abs_m"))
    np.testing.assert_allclose(found["beta"], conjugate_series(ensemble)["beta"])
    chi = observable("susceptibility")
    np.testing.assert_allclose(conjugate_series(ensemble, (chi,))[chi], -(64**2) * ensemble.series("m2"))
    with pytest.raises(InputError, match="binder"):
        conjugate_series(ensemble, (observable("binder"),))


@pytest.mark.exact
def test_fields_of_different_couplings_do_not_match_in_an_external_one(networks):
    first, second = noisy(2, 0.2, action=Ising(0.4)), noisy(3, 0.2, action=Ising(0.5))
    with pytest.raises(InputError, match="beta; only Y"):
        find_crossing(first, second, "abs_magnetization", networks["global"])


@pytest.mark.exact
@pytest.mark.parametrize("kind", ["global", "local"])
def test_saved_and_loaded_it_is_the_same(networks, kind, tmp_path):
    networks[kind].save(tmp_path / "P")
    again = NeuralObservable.load(tmp_path / "P")
    assert again.record == networks[kind].record and again.describe() == networks[kind].describe()
    fields = noisy(9, 0.3).fields[0]
    np.testing.assert_array_equal(again.probability(fields), networks[kind].probability(fields))


@pytest.mark.exact
def test_damaged_and_foreign_folders_are_refused(networks, tmp_path):
    folder = networks["global"].save(tmp_path / "P")
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="is a file"):
        networks["global"].save(tmp_path / "file")
    with pytest.raises(StoreError, match="nowhere does not exist: check the path, or make a phase"):
        NeuralObservable.load(tmp_path / "nowhere")
    whole, header = (folder / "weights.eqx").read_bytes(), (folder / "phase.json").read_text()
    flipped = bytearray(whole)
    flipped[-3] ^= 1
    for content in (bytes(flipped), whole[:-5], b""):
        (folder / "weights.eqx").write_bytes(content)
        with pytest.raises(StoreError, match="damaged"):
            NeuralObservable.load(folder)
    (folder / "weights.eqx").write_bytes(whole)
    changes = ({"record": {}}, {"record": None}, {"format": 99}, {"format": "x"})
    for change, words in zip(changes, ("damaged", "damaged", "newer", "damaged"), strict=True):
        (folder / "phase.json").write_text(json.dumps({**json.loads(header), **change}))
        with pytest.raises(StoreError, match=words):
            NeuralObservable.load(folder)


@pytest.mark.exact
def test_what_cannot_be_learnt_is_refused():
    fields = noisy(0, 0.1)
    with pytest.raises(InputError, match="global, local"):
        learn_phase([fields], [fields], kind="deep")
    with pytest.raises(InputError, match="both phases"):
        learn_phase([fields], [])
    with pytest.raises(InputError, match="one size"):
        learn_phase([fields], [noisy(0, 0.1, 4)])
    with pytest.raises(InputError, match="two chains"):
        learn_phase([fields.select(chains=slice(1))], [fields])
    for name, wrong in {"steps": 0, "width": 0}.items():
        with pytest.raises(InputError, match=f"{name} must be 1 or more, got 0"):
            learn_phase([fields], [fields], **{name: wrong})
    with pytest.raises(InputError, match="a network needs a kernel"):
        learn_phase([fields], [fields], kernels=())


@pytest.mark.exact
def test_another_dimension_than_that_of_training_is_refused(networks):
    solid = Ensemble(np.ones((2, 3, 4, 4, 4), np.int8))
    with pytest.raises(InputError, match="trained in dimension 2, and the fields have dimension 3"):
        solid.observe(networks["global"])


@pytest.mark.exact
def test_equal_weights_are_not_the_same_series(networks):
    """Series are kept by identity: two networks of one shape do not answer for each other."""
    first = networks["global"]
    changed = eqx.tree_at(lambda n: n.out.bias, first.network, jnp.array([5.0]))
    second, ensemble = NeuralObservable.of(changed, first.record), noisy(4, 0.3)
    assert ensemble.observe(second).value > ensemble.observe(first).value + 0.01
