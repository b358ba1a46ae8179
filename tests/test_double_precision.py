"""`jax_enable_x64` belongs to the application: with it everything works, and gives what it gives without."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import kadanoff as kd
from kadanoff import quartic
from kadanoff.action_records import action_record, is_recorded
from kadanoff.graph_models import pack_graph_model
from kadanoff.network.products import state_outer
from kadanoff.network.training import Training
from kadanoff.network.units import BernoulliUnit, Phi4Unit
from kadanoff.network.units.quartic import redraw_quartic
from kadanoff.random import key
from kadanoff.renormalization.inverse.given import as_grower
from kadanoff.store.checkpoint import Checkpoint

pytestmark = [pytest.mark.exact, pytest.mark.slow, pytest.mark.ci]

T = TypeVar("T")


@pytest.fixture
def fields() -> np.ndarray:
    """Smooth fields (chain, draw, 4, 4) in double precision."""
    return np.random.default_rng(0).normal(size=(16, 4, 4, 4)).cumsum(-1) / 4


def test_a_network_learns_the_same() -> None:
    """From the first fit to completions: single precision throughout, and up to rounding the same numbers."""
    data = np.random.default_rng(1).normal(size=(32, 4))

    def made() -> list[np.ndarray]:
        network = kd.Phi4RBM(n_hidden=3, visible="gaussian", epochs=2, smoothing=1.0, random_state=0).fit(
            data
        )
        assert {leaf.dtype for leaf in jax.tree_util.tree_leaves(network.network_)} == {jnp.dtype("float32")}
        return [network.transform(data), network.complete(data, np.arange(4) < 2, steps=4)]

    for expected, found in zip(made(), _in_double(made), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_units_are_fitted_in_the_precision_of_the_data() -> None:
    """Newton steps on phi^4 units, whose carry keeps its type."""
    data = jnp.asarray(np.random.default_rng(2).normal(size=(64, 2)), jnp.float32)
    with jax.enable_x64(True):
        unit = Phi4Unit.fitted(data)
        assert unit.a.dtype == jnp.float32
        np.testing.assert_allclose(unit.mean(jnp.zeros(2, jnp.float32)), data.mean(0), atol=1e-3)


def test_a_network_of_double_precision_is_trained_in_single() -> None:
    """A user's own couplings may have more digits than training keeps."""
    data, training = np.eye(3), Training(batch_size=3, total_epochs=1)
    with jax.enable_x64(True):
        network = kd.Phi4Network(np.full((3, 2), 0.1), BernoulliUnit(np.zeros(3)), BernoulliUnit(np.zeros(2)))
        assert network.gibbs(key(0), jnp.zeros((2, 3), jnp.float32), 2).dtype == jnp.float64
        state, _ = training.epoch(training.init(network, data, keep=True), data)
        assert state.network.w.dtype == jnp.float32


def test_kernels_are_given_single_precision_only() -> None:
    """They read memory as it is: states of double precision go to the generic code."""
    shape = (70, 93)
    with jax.enable_x64(True):
        held, h = jnp.full(shape, 777.0), jnp.zeros(shape, jnp.float32)
        a, b = jnp.ones((2, 93), jnp.float32)
        np.testing.assert_array_equal(
            redraw_quartic(key(0), held, h, a, b), quartic.redraw(key(0), held, h, a, b)
        )
        states = (np.random.default_rng(0).random((2, 128, 192)) < 0.5).astype(np.float32)
        data, model = jnp.asarray(states[0]), jnp.asarray(states[1], jnp.float64)
        back = jnp.ones((256, 64), jnp.float32)
        found = state_outer(BernoulliUnit(jnp.zeros(192)), data, model, back)
        np.testing.assert_allclose(found[:, 0], states.sum((0, 1)))


@pytest.mark.parametrize("kind", ["linear", "density"])
def test_an_inverse_is_learnt_and_what_one_process_keeps_another_reads(
    kind: str, fields: np.ndarray, tmp_path: Path
) -> None:
    """Weights are of single precision, from fields of either."""
    rule, ensemble = kd.BlockMean(2), kd.Ensemble(fields, kd.Phi4(-0.95, 0.7))

    def grown() -> np.ndarray:
        return np.asarray(kd.grow(ensemble, kd.LearntInverse.load(tmp_path)).ensembles[-1].fields)

    with jax.enable_x64(True):
        inverse = kd.learn_inverse(ensemble, rule, kind=kind, steps=2, width=4, components=2)
        inverse.save(tmp_path)
    assert {leaf.dtype for leaf in jax.tree_util.tree_leaves(inverse.map)} == {jnp.dtype("float32")}
    np.testing.assert_allclose(_in_double(grown), grown(), rtol=1e-4, atol=1e-4)


def test_spins_are_learnt_and_told_apart() -> None:
    """The minimal law of blocks of spins, and a network of phases."""
    rng = np.random.default_rng(3)
    spins, other = (
        kd.Ensemble(rng.choice(np.array([-1, 1], np.int8), (16, 2, 8, 8), p=(p, 1 - p)), kd.Ising(0.4))
        for p in (0.5, 0.2)
    )
    with jax.enable_x64(True):
        inverse = kd.learn_inverse(spins, kd.Majority(2), kind="minimal", steps=2)
        phase = kd.learn_phase([other], [spins], steps=2)
        for learnt in (inverse.map, phase.network):
            leaves = jax.tree_util.tree_leaves(eqx.filter(learnt, eqx.is_inexact_array))
            assert {leaf.dtype for leaf in leaves} == {jnp.dtype("float32")}


def test_steps_of_samplers_keep_their_type() -> None:
    """A tuned width would make fields of double precision out of single ones; swap rates would be no carry."""
    ring = kd.Graph([(0, 1), (1, 2), (2, 0)])
    bound = kd.MarkovRandomField(ring, lambda phi: (phi**4).sum(-1), log=False)
    cases = [
        (kd.Phi4(-0.9, 0.7), kd.Tempering(kd.Metropolis(), (1.0, 0.9), "quartic"), (4, 4)),
        (bound, kd.Metropolis(), None),
    ]
    for action, sampler, shape in cases:
        with jax.enable_x64(True):
            found = kd.sample(action, shape, sampler=sampler, chains=2, draws=2, thermalize=6)
            assert found.fields.dtype == np.float32


class Sextic(kd.NearestNeighbourAction):
    """An action of a user."""

    mass2: float
    kappa: float = 1.0

    def potential(self, phi: jax.Array, dimension: int) -> jax.Array:
        """The terms of a site."""
        return (self.mass2 / 2 + dimension * self.kappa) * phi**2 + phi**6 / 6


def test_a_run_goes_on_in_the_other_precision(tmp_path: Path) -> None:
    """Couplings are the same where they are in single precision, which is all that a record of it keeps."""
    action = kd.Phi4(-0.9515, 0.7)

    def run() -> np.ndarray:
        kd.sample(action, (4, 4), chains=2, draws=2, thermalize=3, seed=0, out=tmp_path)
        return np.asarray(kd.open_ensemble(tmp_path, action).fields)

    np.testing.assert_array_equal(run(), _in_double(run))
    with jax.enable_x64(True), pytest.raises(kd.KadanoffError, match="mass2"):
        kd.open_ensemble(tmp_path, kd.Phi4(-0.9516, 0.7))


def test_records_are_the_same_in_either_precision() -> None:
    """Of actions of the library and of a user's, of those on graphs, and of inverses that were given."""
    for action in (kd.Phi4(-0.9515, 0.7), Sextic(mass2=-0.3)):
        single, double = action_record(action, (4, 4)), _in_double(lambda a=action: action_record(a, (4, 4)))
        assert is_recorded(action, (4, 4), double)
        assert _in_double(lambda a=action, kept=single: is_recorded(a, (4, 4), kept))
        assert not _in_double(lambda a=action, kept=single: is_recorded(kd.Phi4(0.1, 0.1), (4, 4), kept))
    for digest in (
        lambda: pack_graph_model(kd.InhomogeneousPhi4(kd.Graph.grid((2, 3)), w=0.3, a=0.9, b=0.7)),
        lambda: as_grower(kd.CompatibleMonteCarlo(kd.Ising(0.44))).digest,
    ):
        assert digest() == _in_double(digest)


def test_a_checkpoint_gives_the_types_of_the_process_that_reads_it(tmp_path: Path) -> None:
    """The vector of a solver is of double precision where that is the default."""
    Checkpoint(tmp_path).save((jnp.zeros(2, jnp.float32),))
    with jax.enable_x64(True):
        (vector,) = Checkpoint(tmp_path).load((jnp.zeros(2),))
        assert vector.dtype == jnp.float64


def _in_double(made: Callable[[], T]) -> T:
    """As a process with JAX_ENABLE_X64=1 makes it."""
    with jax.enable_x64(True):
        return made()
