"""Updates on graphs against quadrature on up to four sites and enumeration of spins.

Each test compares up to ten numbers, each within 4.5 standard errors (about 3e-4 for all of them).
"""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kadanoff.actions import Action, InhomogeneousIsing, InhomogeneousPhi4, MarkovRandomField, Phi4
from kadanoff.ensemble import Ensemble
from kadanoff.errors import InputError, StoreError
from kadanoff.exact import enumerate_spins
from kadanoff.graph import Graph
from kadanoff.graph_models import load_graph_model, pack_graph_model
from kadanoff.lattice import Lattice
from kadanoff.random import key as key_of
from kadanoff.renormalization import BlockMean, block
from kadanoff.runs import open_ensemble
from kadanoff.sampling import ColourBlock, HybridMonteCarlo, colour_block, default_sampler, sample

SIGMAS = 4.5
SMALL = {
    "double links": Graph.grid((2, 2)),
    "triangle": Graph.complete(3),
    "star": Graph([(3, 1), (1, 0), (1, 2)]),
}
SAMPLERS = {
    "heat bath": ColourBlock(),
    "metropolis": ColourBlock("metropolis", sweeps=2),
    "hybrid": HybridMonteCarlo(),
}

#: A triangle with a tail, and potentials of its two cliques that favour some signs and a sum.
KITE = Graph([(0, 1), (1, 2), (2, 0), (2, 3)])


def edge(values):
    return 1.5 + jnp.tanh(values[:, 0] * values[:, 1])


def triangle(values):
    return jnp.exp(jnp.sin(0.7 * values.sum(axis=1)))


def pair_means(ensemble: Ensemble) -> tuple[np.ndarray, np.ndarray]:
    """Means <x_i> and <x_i x_j>, i <= j, and their errors over chains, which are independent."""
    flat = np.asarray(ensemble.fields, float).reshape(ensemble.chains, ensemble.draws, -1)
    upper = np.triu_indices(flat.shape[-1])
    pairs = np.einsum("cdi,cdj->cij", flat, flat)[:, *upper] / ensemble.draws
    means = np.concatenate([flat.mean(axis=1), pairs], axis=1)
    return means.mean(axis=0), means.std(axis=0, ddof=1) / np.sqrt(len(means))


def exact_means(graph: Graph, values: np.ndarray, w: np.ndarray, site_terms: np.ndarray) -> np.ndarray:
    """The same means by summing exp(-S) over a product grid of values; site terms are (site, value)."""
    count = graph.volume
    axes = [values.reshape([-1 if k == i else 1 for k in range(count)]) for i in range(count)]
    action = sum(site_terms[i].reshape(axes[i].shape) for i in range(count)) - sum(
        w[e] * axes[i] * axes[j] for e, (i, j) in enumerate(graph.edges)
    )
    weight = np.exp(-(action - np.min(action)))
    weight = weight / weight.sum()
    one = [(weight * x).sum() for x in axes]
    two = [(weight * axes[i] * axes[j]).sum() for i, j in zip(*np.triu_indices(count), strict=True)]
    return np.array(one + two)


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("graph", "sampler"),
    [
        pytest.param("double links", "heat bath", marks=pytest.mark.slow),
        ("triangle", "heat bath"),
        ("star", "metropolis"),
        pytest.param("star", "hybrid", marks=[pytest.mark.slow, pytest.mark.ci]),
    ],
)
def test_moments_agree_with_quadrature(graph: str, sampler: str) -> None:
    space = SMALL[graph]
    rng = np.random.default_rng(5)
    w, r, a = (rng.normal(size=n) for n in (len(space.edges), space.volume, space.volume))
    b = rng.uniform(0.3, 1, space.volume)
    shaped = (value.reshape(space.shape) for value in (a, b, r))
    action = InhomogeneousPhi4(space, w, *shaped)
    found, error = pair_means(sample(action, sampler=SAMPLERS[sampler], chains=256, draws=64, seed=1))
    x = np.linspace(-4.5, 4.5, 41)
    terms = np.outer(r, x) + np.outer(a, x**2) + np.outer(b, x**4)
    assert np.all(np.abs(found - exact_means(space, x, w, terms)) < SIGMAS * error)


@pytest.mark.statistical
@pytest.mark.parametrize("update", ["heat bath", "metropolis"])
def test_spins_agree_with_enumeration(update: str) -> None:
    space = Graph.complete(4)
    rng = np.random.default_rng(3)
    w, r = rng.normal(size=len(space.edges)), rng.normal(size=space.volume)
    action = InhomogeneousIsing(space, w, r)
    ensemble = sample(action, sampler=ColourBlock(update, sweeps=2), chains=256, draws=64, seed=2)
    found, error = pair_means(ensemble)
    spins = np.array([-1.0, 1.0])
    expected = exact_means(space, spins, w, np.outer(r, spins))
    assert ensemble.spins
    assert np.all(np.abs(found - expected) < SIGMAS * np.maximum(error, 1e-12))


@pytest.mark.statistical
@pytest.mark.parametrize(
    "links", [True, pytest.param(False, marks=[pytest.mark.slow, pytest.mark.ci])], ids=["links", "cliques"]
)
def test_metropolis_reaches_every_state_of_a_ring(links: bool) -> None:
    # Half of all flips on a ring cost nothing; taken for certain, colour after colour, they keep to a few states.
    ring, beta = Graph.grid((16,)), 0.5
    cliques = MarkovRandomField(ring, lambda x: jnp.exp(beta * x.prod(-1)), spins=True)
    action = InhomogeneousIsing(ring, beta) if links else cliques
    ensemble = sample(action, sampler=ColourBlock("metropolis"), chains=64, draws=400, seed=0)
    # <s_0 s_r> = (t^r + t^(16 - r)) / (1 + t^16), t = tanh(beta); the susceptibility is their sum
    t, r = np.tanh(beta), np.arange(16)
    assert abs(ensemble.observe("susceptibility").pull(((t**r + t ** (16 - r)) / (1 + t**16)).sum())) < SIGMAS


@pytest.mark.statistical
def test_sharp_wells_agree_with_enumeration() -> None:
    # b = 400, a = -2 b: wells of width 1/sqrt(16 b) about +-1, the Ising limit, up to a shift of order 1/b
    space, b = Graph.complete(3), 400.0
    w, r = np.array([0.4, -0.3, 0.2]), np.array([0.2, 0.0, -0.3])
    action = InhomogeneousPhi4(space, w, -2 * b, b, r)
    found, error = pair_means(sample(action, chains=256, draws=64, seed=4))
    spins = np.array([-1.0, 1.0])
    expected = exact_means(space, spins, w, np.outer(r, spins))
    assert np.all(np.abs(found - expected) < SIGMAS * error + 2 / b)


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.statistical
def test_spins_of_cliques_agree_with_enumeration() -> None:
    action = MarkovRandomField(KITE, {2: edge, 3: triangle}, spins=True)
    ensemble = sample(action, chains=256, draws=64, seed=2)
    found, error = pair_means(ensemble)
    exact = enumerate_spins(action, KITE)
    spins = exact.fields.astype(float)
    upper = np.triu_indices(4)
    values = np.concatenate([spins, spins[:, upper[0]] * spins[:, upper[1]]], axis=1)
    assert ensemble.spins
    assert np.all(np.abs(found - exact.probability @ values) < SIGMAS * np.maximum(error, 1e-12))


@pytest.mark.statistical
@pytest.mark.slow
@pytest.mark.ci
def test_real_fields_of_cliques_agree_with_quadrature() -> None:
    def bounded(values):
        return (edge(values) if values.shape[1] == 2 else triangle(values)) * jnp.exp(
            -(values**4).sum(axis=1)
        )

    action = MarkovRandomField(KITE, bounded)
    found, error = pair_means(sample(action, sampler=SAMPLERS["metropolis"], chains=256, draws=64, seed=3))
    x = np.linspace(-3, 3, 25, dtype=np.float32)
    fields = np.stack(np.meshgrid(x, x, x, x, indexing="ij"), axis=-1).reshape(-1, 4)
    weight = np.exp(-np.asarray(jax.vmap(lambda field: action.density(field).sum())(fields), float))
    weight /= weight.sum()
    upper = np.triu_indices(4)
    values = np.concatenate([fields, fields[:, upper[0]] * fields[:, upper[1]]], axis=1)
    assert np.all(np.abs(found - weight @ values) < SIGMAS * error)


@pytest.mark.exact
def test_a_chain_draws_the_same_wherever_it_runs() -> None:
    action, sampler = InhomogeneousPhi4.random(Graph.complete(4)), ColourBlock("metropolis")
    fields = jnp.linspace(-1, 1, 12).reshape(3, 4)
    key = key_of(7)
    together, _ = sampler.step(key, action, sampler.init(action, fields))
    alone, _ = sampler.step(key, action, sampler.init(action, fields[2:], jnp.array([2])))
    np.testing.assert_array_equal(together.fields[2:], alone.fields)


@pytest.mark.exact
def test_observables_of_a_graph_leave_out_those_of_lattices() -> None:
    triangular = InhomogeneousIsing(Graph.grid((3, 3), "triangular"), 0.1)
    spins = np.ones((2, 8, 3, 3), np.int8)
    names = set(Ensemble(spins, triangular).observables())
    assert {"abs_magnetization", "binder", "action_density"} <= names
    assert not {"xi_over_L", "neighbours", "energy"} & names
    assert Ensemble(spins, triangular).observe("action_density").value == pytest.approx(-0.3)
    with pytest.raises(InputError, match="xi_over_L is defined on hypercubic lattices"):
        Ensemble(spins, triangular).observe("xi_over_L")
    square = InhomogeneousIsing(Graph.grid((3, 3)), 0.1)
    assert Ensemble(spins, square).observe("neighbours").value == pytest.approx(2.0)


@pytest.mark.exact
def test_fields_on_a_graph_stay_there_without_their_action() -> None:
    action = InhomogeneousPhi4.random(Graph([(3, 1), (1, 0), (1, 2)]))
    bare = Ensemble(np.ones((2, 8, 4), np.float32), action).with_action(None)
    assert bare.action is None
    assert not bare.on_lattice
    assert not {"xi_over_L", "neighbours"} & set(bare.observables())
    assert bare.derive(bare.fields, "as they are", 0).graph == action.graph
    assert bare.derive(bare.fields[..., :2], "cut", 0).graph is None
    assert bare.select(draws=slice(0, 4)).graph == action.graph
    with pytest.raises(InputError, match="blocks are cut from hypercubic lattices"):
        block(bare, BlockMean(2))
    with pytest.raises(InputError, match="have its shape"):
        Ensemble(np.ones((2, 8, 3), np.float32), graph=action.graph)


@pytest.mark.exact
def test_a_run_on_a_graph_is_kept_resumed_and_opened(tmp_path) -> None:
    graph = KITE
    rng = np.random.default_rng(0)
    w, r = rng.normal(size=len(graph.edges)), rng.normal(size=graph.shape)
    action = InhomogeneousIsing(graph, w, r)
    plan = {"chains": 4, "thermalize": 10, "seed": 3}
    whole = sample(action, draws=40, **plan)

    def stop(done, total, message):
        if message == "drawing" and done >= 16:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sample(action, draws=40, out=tmp_path / "run", progress=stop, **plan)
    assert open_ensemble(tmp_path / "run").draws == 16
    resumed = sample(action, draws=40, out=tmp_path / "run", **plan)
    np.testing.assert_array_equal(np.asarray(resumed.fields), whole.fields)
    opened = open_ensemble(tmp_path / "run")
    assert opened.graph == graph
    np.testing.assert_array_equal(opened.action.w, action.w)
    np.testing.assert_array_equal(opened.action.r, action.r)
    assert opened.observables()["action_density"] == whole.observables()["action_density"]
    other = InhomogeneousIsing(graph, np.nextafter(np.float32(w), 9), r)
    with pytest.raises(StoreError, match="holds another run: its config.model.checksum"):
        sample(other, draws=40, out=tmp_path / "run", **plan)


def _kept(action: Action, path: Path) -> Path:
    path.write_bytes(pack_graph_model(action))
    return path


@pytest.mark.exact
def test_a_model_file_that_is_none_is_refused(tmp_path) -> None:
    action = InhomogeneousPhi4.random(Graph.complete(3))
    grid = InhomogeneousPhi4.random(Graph.grid((3, 4), "triangular"))
    assert load_graph_model(_kept(grid, tmp_path / "grid.npz")).graph == grid.graph
    good = _kept(action, tmp_path / "model.npz")
    assert float(load_graph_model(good).b[2]) == float(action.b[2])
    good.write_bytes(good.read_bytes()[:200])
    np.savez(tmp_path / "other.npz", x=np.ones(3))
    _kept(MarkovRandomField(KITE, {2: edge, 3: triangle}), tmp_path / "field.npz")
    for name, message in {
        "model.npz": "is no saved model",
        "other.npz": "but no model",
        "field.npz": "potentials are functions",
        "none.npz": "cannot be read",
    }.items():
        with pytest.raises(StoreError, match=message):
            load_graph_model(tmp_path / name)


class Sextic(InhomogeneousPhi4):
    """An action of one's own, whose sites no update here knows."""

    def density(self, field):
        return super().density(field) + field**6


@pytest.mark.exact
def test_what_is_refused() -> None:
    action = InhomogeneousPhi4.random(Graph.complete(3))
    assert isinstance(default_sampler(action), ColourBlock)
    flat = Sextic(action.graph, action.w, action.a, action.b)
    assert isinstance(default_sampler(flat), HybridMonteCarlo)
    refusals = {
        "and Sextic has others": lambda: ColourBlock().init(flat, jnp.zeros((1, 3))),
        "unknown update": lambda: ColourBlock("wolff"),
        "has none; use": lambda: ColourBlock().init(Phi4(1.0, 1.0), jnp.zeros((1, 4, 4))),
        "not the potentials of": lambda: ColourBlock().init(
            MarkovRandomField(KITE, {2: edge, 3: triangle}), jnp.zeros((1, 4))
        ),
        "have the shape": lambda: ColourBlock().init(action, jnp.zeros((1, 4))),
        "leave the lattice out": lambda: sample(action, Lattice((4, 4)), draws=1),
        "say which": lambda: sample(Phi4(1.0, 1.0), draws=1),
    }
    for message, call in refusals.items():
        with pytest.raises(InputError, match=message):
            call()


@pytest.mark.exact
@pytest.mark.parametrize(
    ("update", "spins", "chains"),
    [
        ("metropolis", False, 21),
        ("metropolis", True, 21),
        ("heat bath", True, 21),
        # Rows of 6 of the 8 sites of a colour, and of 2.
        pytest.param("heat bath", False, 37, marks=[pytest.mark.slow, pytest.mark.ci]),
        ("heat bath", False, 300),  # more chains than a row has
    ],
)
def test_compiled_sweeps_are_those_of_xla(
    update: str, spins: bool, chains: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same accepted proposals, in blocks of chains that are filled and that are not; reals up to rounding."""
    graph, sampler = Graph.grid((4, 6), "triangular"), ColourBlock(update, sweeps=2)
    links = np.linspace(-0.3, 0.4, len(graph.edges))
    if spins:
        action = InhomogeneousIsing(graph, links, 0.2)
    else:
        rng = np.random.default_rng(1)
        a, b = rng.uniform(-3, 3, graph.shape), rng.uniform(0.1, 1, graph.shape)
        a[0, 0], b[0, 0] = 3, 0  # a Gaussian site
        action = InhomogeneousPhi4(graph, links, a, b, 0.2)
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(chains, 4, 6))
    numbers = jnp.arange(7, 7 + chains, dtype=jnp.uint32)
    state = sampler.init(action, jnp.asarray(signs, jnp.float32), numbers)
    called, whole = [], colour_block.call

    def noted(kernel: Any, *rest: Any) -> Any:
        called.append(kernel.__name__)
        return whole(kernel, *rest)

    monkeypatch.setattr(colour_block, "call", noted)
    with jax.set_mesh(jax.make_mesh((1,), ("chain",))):
        expected, rate = sampler.step(key_of(5), action, state)
    assert not called
    found, other = sampler.step(key_of(5), action, state)
    assert called == [f"graph_{'spin_' * spins}{update.replace(' ', '_')}"]
    np.testing.assert_allclose(found.fields, expected.fields, rtol=0, atol=0 if spins else 1e-5)
    assert float(other.acceptance) == pytest.approx(float(rate.acceptance), abs=1e-6)
