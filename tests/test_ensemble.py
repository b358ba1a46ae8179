import numpy as np
import pytest

from kadanoff.actions import Ising, Phi4
from kadanoff.ensemble import Ensemble
from kadanoff.errors import InputError
from kadanoff.store import Store

pytestmark = pytest.mark.exact

FIELDS = np.random.default_rng(0).normal(size=(4, 10, 4, 4)).astype(np.float32)


def test_weights_are_honoured_and_equal_repetition():
    counts = np.random.default_rng(1).integers(1, 4, size=(4, 10))
    weighted = Ensemble(FIELDS, log_weight=np.log(counts.astype(float)))
    repeated = Ensemble(np.repeat(FIELDS.reshape(-1, 4, 4), counts.ravel(), axis=0)[None])
    for name, estimate in weighted.observables().items():
        assert estimate.value == pytest.approx(repeated.observe(name).value, rel=1e-9), name
    assert weighted.effective_sample_size == pytest.approx(counts.sum() ** 2 / np.sum(counts**2))
    assert Ensemble(FIELDS).effective_sample_size == 40


def test_a_phase_is_reported():
    phases = np.zeros((4, 10), dtype=complex)
    phases[:, ::2] = 1j * np.pi / 2
    ensemble = Ensemble(FIELDS, log_weight=phases)
    assert ensemble.average_phase == pytest.approx(np.sqrt(0.5))
    assert np.iscomplexobj(ensemble.observe("phi2").value)


def test_ancestry_is_kept_and_cut_together():
    root = Ensemble(FIELDS, Phi4(0.5, 0.5), log_weight=np.arange(40.0).reshape(4, 10) / 40)
    child = root.derive(FIELDS[..., ::2, ::2], "halved", 1).derive(FIELDS[..., :2, :2], "cut", 2)
    assert child.simulated is root and child.depth == 2 and child.history[-2:] == ("halved", "cut")
    part = child.select(draws=slice(2, 5), chains=slice(1, 3))
    np.testing.assert_array_equal(part.simulated.fields, FIELDS[1:3, 2:5])
    np.testing.assert_array_equal(part.log_weight, root.log_weight[1:3, 2:5])
    assert part.simulated.series("phi2").shape == (2, 3)


def test_series_are_measured_once_and_forgotten_with_the_action():
    ensemble = Ensemble(FIELDS, Phi4(0.5, 0.5))
    first = ensemble.series("action_density")
    assert ensemble.series("action_density") is first
    other = ensemble.with_action(Phi4(1.5, 0.5))
    change = 0.5 * np.mean(FIELDS.astype(np.float64) ** 2, axis=(2, 3))
    np.testing.assert_allclose(other.series("action_density") - first, change, rtol=1e-4)
    assert other.series("phi2") is ensemble.series("phi2")


def test_blocks_cover_every_draw_in_order():
    ensemble = Ensemble(FIELDS)
    pieces = list(ensemble.blocks(sites=4 * 16 * 3))
    assert [(begin, stop) for begin, stop, _ in pieces] == [(0, 3), (3, 6), (6, 9), (9, 10)]
    np.testing.assert_array_equal(np.concatenate([fields for *_, fields in pieces], axis=1), FIELDS)


@pytest.mark.parametrize(
    ("fields", "weight", "words"),
    [
        (np.zeros((3, 4)), None, "shape"),
        (np.zeros((0, 4, 4)), None, "empty"),
        (np.zeros((2, 0, 4)), None, "empty"),
        (FIELDS, np.zeros((4, 9)), "log_weight"),
        ((FIELDS > 0).astype(np.int8), None, "are spins, .* and here is 0"),
        (np.full((2, 3, 4, 4), 127, np.int8), None, "and here is 127"),
        (np.where(FIELDS > 0, 1, -1).astype(np.uint8), None, "of uint8 are spins, .* and here is 255"),
        (FIELDS > 0, None, "of bool are spins"),
    ],
)
def test_what_is_no_ensemble_is_refused(fields, weight, words):
    with pytest.raises(InputError, match=words):
        Ensemble(fields, log_weight=weight)


def test_stored_whole_numbers_are_looked_at_when_they_are_read(tmp_path):
    values = np.where(FIELDS > 0, 1, -1).astype(np.int8)
    values[1, 7, 2, 2] = 0
    with Store.create(tmp_path / "run", "imported", {}, 4, (4, 4), dtype="int8") as store:
        store.append(values)
        ensemble = Ensemble(store.fields, Ising(0.0))
    with pytest.raises(InputError, match="and here is 0"):
        ensemble.observe("energy")
    assert np.isfinite(ensemble.select(draws=slice(0, 7)).observe("energy").value)


@pytest.mark.parametrize("number", [3, -2, np.int64(0)])
@pytest.mark.usefixtures("unchecked")
def test_a_number_selects_one_draw_or_chain(number):
    root = Ensemble(FIELDS, Phi4(0.5, 0.5), log_weight=np.arange(40.0).reshape(4, 10) / 40)
    child = root.derive(FIELDS[..., ::2, ::2], "halved", 1)
    draw, chain = child.select(draws=number), child.select(chains=number)
    np.testing.assert_array_equal(draw.fields, np.asarray(child.fields)[:, number][:, None])
    np.testing.assert_array_equal(chain.fields, np.asarray(child.fields)[number][None])
    np.testing.assert_array_equal(draw.simulated.fields, FIELDS[:, number][:, None])
    np.testing.assert_array_equal(chain.log_weight, np.asarray(root.log_weight)[number][None])


@pytest.mark.parametrize(
    ("chosen", "said"), [(10, "draws=10 is out of range"), (-11, "range"), ([0, 1], "whole")]
)
@pytest.mark.usefixtures("unchecked")
def test_what_selects_nothing_is_refused(chosen, said):
    with pytest.raises(InputError, match=said):
        Ensemble(FIELDS).select(draws=chosen)


def test_it_prints_as_physicists_write():
    table = str(Ensemble(FIELDS).observables(["phi2", "binder"]))
    assert table.splitlines()[0].startswith("phi2") and "(" in table
    assert "4x4, 4 chains of 10 draws" in repr(Ensemble(FIELDS))


def test_values_that_the_action_does_not_know_are_refused():
    spins = np.where(np.random.default_rng(0).normal(size=(2, 3, 4, 4)) > 0, 1, -1)
    for kind in ("int8", "float32"):
        assert Ensemble(spins.astype(kind), Ising(0.4)).chains == 2
    with pytest.raises(InputError, match="Ising has spins, .* 0.5"):
        Ensemble(0.5 * spins, Ising(0.4))
    with pytest.raises(InputError, match="Phi4 has real fields"):
        Ensemble(spins.astype("int8"), Phi4(-0.9515, 0.7))


@pytest.mark.parametrize(
    ("fields", "without"),
    [
        (np.tile(np.int8([[1, 1], [1, 1], [-1, -1], [-1, -1]]), (2, 5, 1, 1)), {"binder"}),
        (np.zeros((2, 5, 4, 4), np.float32), {"binder", "xi_over_L"}),
        (np.ones((2, 5, 4, 6), np.float32), {"xi_over_L"}),
    ],
    ids=["stripes", "zero", "uniform"],
)
def test_an_observable_without_a_value_leaves_the_others(fields, without):
    """At <m> = 0 there is no Binder cumulant; with nothing at the smallest momentum rounding made 4e15(0) of xi/L."""
    found = Ensemble(fields).observables()
    assert {name for name, estimate in found.items() if np.isnan(estimate.value)} == without
    assert all(np.isnan(found[name].error) for name in without)
    assert found["neighbours"].error == 0
