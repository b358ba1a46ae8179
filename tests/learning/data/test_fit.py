"""Every method recovers known couplings within its errors, and bad data are refused in one line.

Fifteen couplings a method, each within 4 standard errors (about 1e-3 for all of them), and mean squared pulls within
what fifteen unit normals give at 1e-4.
"""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

import kadanoff as kd
from kadanoff.errors import KadanoffWarning
from kadanoff.learning.data import METHODS, fit_data, score

OPTIONS: dict[str, dict[str, Any]] = {"likelihood": {"steps": 40}, "contrastive divergence": {"steps": 20}}


@pytest.mark.statistical
@pytest.mark.parametrize(
    "method",
    [
        pytest.param(name, marks=[pytest.mark.slow, pytest.mark.ci] if name == "likelihood" else [])
        for name in METHODS
    ],
)
def test_known_couplings_come_back(method: str, truth: Any, data: np.ndarray) -> None:
    start = kd.InhomogeneousPhi4.random(truth.graph, seed=1)
    fit = fit_data(start, data, method, seed=1, **OPTIONS.get(method, {}))
    pulls = fit.pulls(truth)
    assert len(pulls) == 15 and np.all(np.abs(pulls) < 4), dict(zip(fit.names, pulls, strict=True))
    assert 0.15 < np.mean(pulls**2) < 3.2
    assert all(0.005 < coupling.error < 0.2 for coupling in fit.couplings.values())
    assert fit.held_out is not None and fit.fields == 5760


@pytest.mark.statistical
@pytest.mark.slow
@pytest.mark.ci
def test_errors_are_those_of_repeated_experiments() -> None:
    # 40 data sets: the mean squared pull of 3 couplings is chi-squared with about 120 degrees; 4 sigma is 0.52.
    rng, pulls = np.random.default_rng(5), []
    truth = kd.Phi4(1.0, 0.0, 0.0)
    for _ in range(40):
        fields = rng.normal(size=(400, 4, 4))
        fit = fit_data(truth, fields, "score matching", train=("mass2", "kappa"), held_out=0)
        pulls.append(fit.pulls(truth))
    assert np.mean(np.square(pulls)) == pytest.approx(1, abs=4 * np.sqrt(2 / 80))


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.statistical
@pytest.mark.filterwarnings("error:likelihood has not converged:kadanoff.errors.KadanoffWarning")
def test_likelihood_of_data_without_a_quartic_coupling_stays_with_them() -> None:
    # On the way the quartic coupling would fall below zero: held at a small number while the others moved on, it
    # let the chains run off to fields of 1e9. Three couplings within 4 standard errors (2e-4).
    fields = np.random.default_rng(2).normal(size=(200, 4, 4)).astype(np.float32)
    fit = fit_data(kd.Phi4(1.0, 0.3, 0.1), fields, "likelihood", seed=2, steps=60)
    assert np.all(np.abs(fit.pulls(kd.Phi4(1.0, 0.0, 0.0))) < 4)


@pytest.mark.exact
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_data_that_do_not_fluctuate_are_refused(method: str, sign: float) -> None:
    fields = np.array([1.0, sign, 1.0])[:, None, None] * np.linspace(0.5, 2, 16, dtype=np.float32).reshape(
        4, 4
    )
    with pytest.raises(kd.KadanoffError, match="all 3 fields of the data are the same"):
        fit_data(kd.Phi4(1.0, 0.3), fields.astype(np.float32), method, held_out=0)


@pytest.mark.exact
def test_score_matching_of_a_gaussian_is_the_inverse_of_its_moments() -> None:
    # S = m phi^2 / 2 without links: sum phi^2 m = number of sites.
    fields = np.random.default_rng(0).normal(size=(50, 4, 4)).astype(np.float32)
    fit = fit_data(kd.Phi4(3.0, 0.0, 0.0), fields, "score matching", train=("mass2",), held_out=0)
    assert float(fit.model.mass2) == pytest.approx(1 / np.mean(np.square(fields, dtype=np.float64)), rel=1e-5)


@pytest.mark.exact
@pytest.mark.slow
@pytest.mark.ci
def test_pseudo_likelihood_of_pairs_is_that_by_differentiation(truth: Any, data: np.ndarray) -> None:
    import jax

    from kadanoff.learning.data.conditionals import log_conditionals
    from kadanoff.learning.data.pair_sites import PairSites
    from kadanoff.learning.data.parameters import Parameters

    parameters = Parameters(truth)
    fields = np.asarray(data[:20], np.float32)
    sites = PairSites(parameters, fields, np.full(20, 1 / 20), np.zeros(15))

    def loss(vector: Any) -> Any:
        action = parameters.at(vector)
        energy = jax.vmap(lambda f: jnp.sum(log_conditionals(action, f, jnp.linspace(-5.0, 5.0, 128))))
        return -jnp.mean(energy(jnp.asarray(fields)))

    vector = jnp.asarray(parameters.values, jnp.float32)
    gradient, hessian = sites.slopes(parameters.values)
    assert sites.value(parameters.values) == pytest.approx(float(loss(vector)), rel=1e-5)
    np.testing.assert_allclose(gradient, jax.grad(loss)(vector), atol=2e-5)
    for number in (0, 4, 14):
        step = 0.05 * np.eye(15)[number]
        slopes = [sites.slopes(parameters.values + sign * step)[0] for sign in (1, -1)]
        np.testing.assert_allclose(hessian.toarray()[number], (slopes[0] - slopes[1]) / 0.1, atol=1e-2)
    np.testing.assert_allclose(sites.terms(parameters.values).mean(axis=0), gradient, atol=1e-9)


@pytest.mark.exact
def test_scores_by_hand() -> None:
    field = jnp.asarray(np.random.default_rng(1).normal(size=(3, 3)), jnp.float32)
    action = kd.Phi4(-0.5, 0.7, 0.0)
    force, second = -0.5 * field + 0.7 * field**3, -0.5 + 2.1 * field**2
    assert float(score(action, field)) == pytest.approx(float(jnp.sum(force**2 / 2 - second)), rel=1e-5)


@pytest.mark.statistical
def test_spins_are_learnt_by_their_conditionals() -> None:
    # One coupling, within 4 standard errors.
    states = 1.0 - 2.0 * ((np.arange(512)[:, None] >> np.arange(9)) & 1).reshape(-1, 3, 3)
    links = sum(np.sum(states * np.roll(states, 1, axis), axis=(1, 2)) for axis in (1, 2))
    weight = np.exp(0.3 * links)
    draws = np.random.default_rng(0).choice(512, 1000, p=weight / weight.sum())
    fit = fit_data(kd.Ising(0.1), states[draws], "pseudo-likelihood")
    assert abs(fit.pulls(kd.Ising(0.3))[0]) < 4 and fit.couplings["beta"].error < 0.02


@pytest.mark.exact
def test_weights_count_as_copies() -> None:
    fields = np.random.default_rng(2).normal(size=(6, 1, 4, 4)).astype(np.float32)
    weight = np.log(np.array([1.0, 2.0, 1.0, 1.0, 3.0, 1.0]))[:, None]
    options: dict[str, Any] = {"method": "score matching", "train": ("mass2",), "held_out": 0}
    weighted = fit_data(kd.Phi4(2.0, 0.0, 0.0), kd.Ensemble(fields, log_weight=weight), **options)
    copies = np.repeat(fields[:, 0], [1, 2, 1, 1, 3, 1], axis=0)
    assert weighted.values == pytest.approx(
        fit_data(kd.Phi4(2.0, 0.0, 0.0), copies, **options).values, rel=1e-5
    )


SMOOTH = np.random.default_rng(0).normal(size=(200, 4, 4))
BAD = [
    (SMOOTH.astype(complex), "score matching", "type complex"),
    ((SMOOTH * 10).astype(np.uint8), "likelihood", "scale integers"),
    (np.sign(SMOOTH).astype(np.int8), "likelihood", "they are spins, and Phi4 has real fields"),
    (np.full((4, 4, 4), "x"), "likelihood", "give real numbers"),
    (SMOOTH > 0, "pseudo-likelihood", "give spins as .1 and -1"),
    (np.where(np.arange(200)[:, None, None] == 7, np.nan, SMOOTH), "likelihood", "field 7 of the data"),
    (SMOOTH[:1], "score matching", "one alone has no spread"),
    (SMOOTH[:, 0, 0], "score matching", "give fields of shape"),
    (np.clip(SMOOTH, -1, 1), "score matching", "clipped data have a border"),
    (np.round(SMOOTH, 1), "score matching", "the data are rounded"),
    (SMOOTH, "scorematching", "did you mean 'score matching'"),
]


@pytest.mark.exact
@pytest.mark.parametrize(("fields", "method", "said"), BAD)
def test_bad_data_are_refused_in_one_line(fields: np.ndarray, method: str, said: str) -> None:
    with pytest.raises(kd.KadanoffError, match=said) as refusal:
        fit_data(kd.Phi4(1.0, 0.0, 0.0), fields, method)
    assert "\n" not in str(refusal.value)


@pytest.mark.exact
def test_values_that_updates_refused_to_change_are_no_rounding() -> None:
    once, thrice = (
        fit_data(kd.Phi4(1.0, 0.0, 0.0), np.repeat(SMOOTH, copies, axis=0), "score matching", held_out=0)
        for copies in (1, 3)
    )
    assert thrice.values == pytest.approx(once.values, rel=1e-5)


@pytest.mark.exact
def test_what_a_method_cannot_do_is_refused(truth: Any) -> None:
    class Bare(kd.Action):
        g: float

        def density(self, field: Any) -> Any:
            return self.g * field**2

    spins = np.sign(SMOOTH[:, 0]).astype(np.float32)
    refusals = [
        (kd.Ising(0.1), spins.reshape(-1, 2, 2), "score matching", "spins have none"),
        (Bare(1.0), SMOOTH, "pseudo-likelihood", "offers no `local_field"),
        (truth, SMOOTH[:3, 0], "score matching", "system is singular"),
        (truth, SMOOTH, "score matching", r"\(n, 4\)"),
    ]
    for action, fields, method, said in refusals:
        with pytest.raises(kd.KadanoffError, match=said):
            fit_data(action, fields, method, held_out=0)


@pytest.mark.exact
@pytest.mark.parametrize(
    ("method", "options", "said"),
    [
        ("likelihood", {"sweep": 3}, "no option 'sweep'"),
        ("likelihood", {"chains": 0}, "chains must be 1 or more, got 0"),
        ("contrastive divergence", {"sweeps": 0}, "sweeps must be 1 or more, got 0"),
        ("pseudo-likelihood", {"steps": -1}, "steps must be 1 or more, got -1"),
        ("pseudo-likelihood", {"ridge": 1.0}, "ridge=1.0 does not say of which coupling"),
    ],
)
def test_options_that_are_none_get_one_line(truth: Any, method: str, options: dict, said: str) -> None:
    with pytest.raises(kd.errors.InputError, match=said) as refused:
        fit_data(truth, SMOOTH[:, 0], method, **options)
    assert "\n" not in str(refused.value)


@pytest.mark.exact
@pytest.mark.parametrize("given", ["score-matching", "score matching"])
def test_hyphens_and_spaces_name_one_method(given: str) -> None:
    fit = fit_data(kd.Phi4(1.0, 0.0, 0.0), SMOOTH, given, train=("mass2",), held_out=0)
    assert fit.method == "score matching"


class ThreeSites(eqx.Module):
    """ln psi of a triangle: a product of three sites, which no conditional of pairs knows."""

    g: Any

    def __call__(self, x: Any) -> Any:
        return self.g * x.prod(-1) - (0.1 * x**2 + 0.05 * x**4).sum(-1)


@pytest.mark.exact
@pytest.mark.slow
@pytest.mark.ci
def test_cliques_of_three_are_learnt_and_scored_by_score_matching() -> None:
    action = kd.MarkovRandomField(kd.Graph.grid((4, 4), "triangular"), ThreeSites(jnp.asarray(0.2)), log=True)
    fit = fit_data(action, SMOOTH, "score matching")
    assert fit.score == "-(Hyvarinen score) per site" and fit.held_out is not None
    with pytest.raises(kd.errors.InputError, match="offers no `local_field"):
        fit_data(action, SMOOTH, "pseudo-likelihood")


class Sextic(kd.NearestNeighbourAction):
    mass2: float
    sextic: float
    kappa: float = 0.0

    def potential(self, phi: Any, dimension: int) -> Any:
        return self.mass2 / 2 * phi**2 + self.sextic * phi**6


class Wells(kd.NearestNeighbourAction):
    """A site in one of two narrow wells: V = depth (phi^2 - 1)^2, as a potential of one's own."""

    depth: float
    kappa: float = 0.0

    def potential(self, phi: Any, dimension: int) -> Any:
        return self.depth * (phi**2 - 1) ** 2


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.exact
def test_wells_narrower_than_the_nodes_of_integration_are_resolved() -> None:
    # Near its minima V is 4 depth x^2: of normal noise of this spread the depth is 1/(8 spread^2) to first order.
    spread, rng = 0.004, np.random.default_rng(3)
    fields = (rng.choice([-1.0, 1.0], (400, 4)) + spread * rng.normal(size=(400, 4))).astype(np.float32)
    fit = fit_data(Wells(1 / spread**2), fields, "pseudo-likelihood", train=("depth",))
    assert float(fit.model.depth) == pytest.approx(1 / (8 * spread**2), rel=5 / np.sqrt(800))
    assert fit.held_out is not None and fit.held_out.value > 2.0


@pytest.mark.exact
def test_a_potential_that_falls_without_bound_is_told() -> None:
    fields = np.random.default_rng(0).standard_t(12, size=(500, 4, 4))
    with pytest.warns(KadanoffWarning, match="lower at phi = .* cannot be normalised"):
        fit = fit_data(Sextic(1.0, 0.1), fields, "score matching", train=("mass2", "sextic"))
    assert fit.couplings["sextic"].value < 0 and fit.held_out is None


@pytest.mark.exact
def test_a_fit_beyond_the_bounds_of_its_action_is_told() -> None:
    # Uniform numbers have lighter tails than any Gaussian: here the quartic term comes out with its own sign.
    fields = np.random.default_rng(0).standard_t(12, size=(500, 4, 4))
    with pytest.warns(KadanoffWarning, match="no action to sample"):
        fit = fit_data(kd.Phi4(1.0, 0.1, 0.0), fields, "score matching", train=("mass2", "quartic"))
    assert fit.couplings["quartic"].value < 0 and fit.held_out is None


class Tilted(kd.Phi4):
    """phi^4 sites with a field, by a potential of their own over the site couplings of the parent."""

    field: Any

    def __init__(self, mass2: float, field: Any) -> None:
        super().__init__(mass2, 0.0, 0.0)
        self.field = field

    def potential(self, phi: Any, dimension: int) -> Any:
        return super().potential(phi, dimension) - self.field * phi


class Widened(kd.Phi4):
    """phi^4 with a link of its own, which `potential` and `kappa` do not tell."""

    link: float

    def __init__(self, link: float) -> None:
        super().__init__(1.0, 0.5)
        self.link = link

    def density(self, field: Any) -> Any:
        return super().density(field) - self.link * field * jnp.roll(field, 2, 0)


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.exact
@pytest.mark.parametrize("offset", [0.3, 50.0])
@pytest.mark.parametrize("uniform", [True, False])
def test_sites_of_ones_own_potential_far_from_zero(offset: float, uniform: bool) -> None:
    # Independent normal sites: their mean and variance are the answer, and score matching finds it exactly.
    fields = (offset + 0.5 * np.random.default_rng(2).normal(size=(1000, 4))).astype(np.float32)
    start = Tilted(3.0, 3.0 * offset if uniform else jnp.full(4, 3.0 * offset))
    found, wanted = (
        fit_data(start, fields, method, train=("mass2", "field"), held_out=0).values
        for method in ("pseudo-likelihood", "score matching")
    )
    assert len(found) == (2 if uniform else 5)
    np.testing.assert_allclose(found, wanted, rtol=1e-2)


@pytest.mark.exact
def test_a_density_of_ones_own_needs_conditionals_of_its_own() -> None:
    fields = np.random.default_rng(2).normal(size=(50, 6)).astype(np.float32)
    with pytest.raises(kd.KadanoffError, match="beside its `density` Widened offers no"):
        fit_data(Widened(0.3), fields, "pseudo-likelihood")
    fit = fit_data(Widened(0.3), fields, "score matching")
    assert fit.score == "-(Hyvarinen score) per site"


@pytest.mark.exact
@pytest.mark.parametrize("seed", [-1, 1.5])
@pytest.mark.usefixtures("unchecked")
def test_seeds_are_whole_numbers(seed: Any) -> None:
    with pytest.raises(kd.KadanoffError, match="seed"):
        fit_data(kd.Phi4(1.0, 1.0), np.random.default_rng(0).normal(size=(20, 4)), "likelihood", seed=seed)


@pytest.mark.exact
@pytest.mark.parametrize("method", ["likelihood", "pseudo-likelihood"])
def test_a_fit_that_has_not_converged_says_so(method: str) -> None:
    fields = np.random.default_rng(0).normal(size=(200, 4, 4))
    with pytest.warns(KadanoffWarning, match=f"{method} has not converged"):
        fit_data(kd.Phi4(40.0, 9.0), fields, method, steps=1)
