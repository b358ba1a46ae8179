"""Joined simulations against exact answers, pymbar and their own scatter; what cannot be joined."""

from collections.abc import Callable
from dataclasses import replace

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

import kadanoff as kd
from kadanoff.errors import InputError, OverlapError
from kadanoff.reweighting.multihistogram import MultiHistogram

BETAS = (0.36, 0.42, 0.48)


@pytest.fixture(scope="module")
def spins():
    return [
        kd.sample(kd.Ising(beta), kd.Lattice((8, 8)), chains=32, draws=64, thin=2, seed=number)
        for number, beta in enumerate(BETAS)
    ]


def gaussian(mass2, rng, chains=32, draws=32, tau=0.5, shape=(4, 4)):
    """Independent sites of variance 1/mass2, each an autoregressive chain."""
    from scipy.signal import lfilter

    a = (2 * tau - 1) / (2 * tau + 1)
    noise = rng.normal(size=(chains, draws, *shape)) * np.sqrt(1 - a * a)
    noise[:, 0] /= np.sqrt(1 - a * a)
    fields = lfilter([1.0], [1.0, -a], noise, axis=1) / np.sqrt(mass2)
    return kd.Ensemble(fields.astype(np.float32), kd.Phi4(mass2, 0.0, 0.0))


@pytest.mark.statistical
def test_ising_energies_and_partition_functions_are_kaufmans(spins):
    # Eleven pulls, correlated: 4 standard errors each, significance below 7e-4.
    joined = MultiHistogram(spins)
    exact = [kd.exact.kaufman(beta, 8).log_partition for beta in BETAS]
    for found, known in zip(joined.free_energies[1:], exact[1:], strict=True):
        assert abs(found.pull(exact[0] - known)) < 4
        assert 0 < found.error < 0.01 * abs(found.value)
    assert joined.free_energies[0].value == joined.free_energies[0].error == 0
    grid = np.linspace(0.35, 0.49, 9)
    curve = joined.curve("energy", grid)
    known = np.array([kd.exact.kaufman(beta, 8).energy for beta in grid])
    assert np.all(np.abs(curve.values - known) < 4 * curve.errors)
    assert np.all(curve.errors < 0.01) and curve.samples.shape == (200, 9)
    # the middle of the range is covered by all three, more than by the simulation there
    assert curve.effective[4] * curve.configurations > spins[1].chains * spins[1].draws
    assert curve.configurations == 3 * 32 * 64
    alone = np.array(
        [kd.reweight(spins[1], kd.Ising(beta)).observe("energy").error for beta in grid[[0, -1]]]
    )
    assert np.all(curve.errors[[0, -1]] < alone)


@pytest.mark.exact
def test_values_and_actions_are_the_same_targets(spins):
    joined = MultiHistogram(spins, samples=20)
    grid = np.array([0.38, 0.45])
    one, two = joined.curve("binder", grid), joined.curve("binder", [kd.Ising(beta) for beta in grid])
    np.testing.assert_allclose(one.values, two.values, atol=1e-5)
    np.testing.assert_allclose(one.errors, two.errors, rtol=1e-3)
    np.testing.assert_array_equal(two.couplings, [0, 1])


@pytest.mark.reference
def test_pymbar_joins_them_alike(spins, tmp_path):
    from tests.statistics.test_mbar import by_pymbar

    joined = MultiHistogram(spins, autocorrelation=False, samples=2)
    links = -64 * np.concatenate([each.series("energy").ravel() for each in spins])
    betas = np.array([float(each.action.beta) for each in spins])  # in single precision
    densities, sizes = betas[:, None] * links, np.full(3, 32 * 64)
    free, overlap, mean = by_pymbar(tmp_path, densities, sizes, -links / 64, 0.45 * links)
    np.testing.assert_allclose([each.value for each in joined.free_energies], free, atol=1e-6)
    np.testing.assert_allclose(joined.overlap, overlap, atol=1e-6)
    assert joined.curve("energy", [0.45]).values[0] == pytest.approx(float(mean), abs=1e-7)


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.statistical
@pytest.mark.parametrize(("chains", "draws", "tau"), [(32, 16, 0.5), (4, 400, 3.0)], ids=["chains", "blocks"])
def test_errors_cover_the_truth(chains, draws, tau):
    rng, masses = np.random.default_rng(5), (1.3, 1.6, 2.0)
    free, means = [], []
    for seed in range(24):
        ensembles = [gaussian(mass2, rng, chains, draws, tau) for mass2 in masses]
        joined = MultiHistogram(ensembles, samples=60, seed=seed)
        free.append(joined.free_energies[2].pull(8 * np.log(masses[2] / masses[0])))
        curve = joined.curve("phi2", [1.45])
        means.append((curve.values[0] - 1 / 1.45) / curve.errors[0])
    # 24 independent pulls each: the sum of squares lies in this range with probability 1 - 1e-3
    assert 7 < np.sum(np.square(free)) < 54
    assert 7 < np.sum(np.square(means)) < 54


@pytest.mark.statistical
def test_correlated_simulations_count_less():
    rng = np.random.default_rng(6)
    slow, quick = gaussian(1.5, rng, 32, 64, tau=4.0), gaussian(1.52, rng, 32, 64)
    solution = MultiHistogram([slow, quick], samples=2).solution
    # phi^2 of such a chain has tau = 2.03 (exactly (1 + a^2) / (1 - a^2) / 2), known here to ten per cent or so
    a = 7 / 9
    assert solution.sizes[1] / solution.sizes[0] == pytest.approx((1 + a**2) / (1 - a**2), rel=0.25)
    assert (
        MultiHistogram([slow, quick], autocorrelation=False, samples=2).solution.sizes.tolist() == [2048] * 2
    )


@pytest.mark.statistical
def test_noise_of_autocorrelation_times_does_not_choose_between_like_simulations():
    """Twelve sets of three single chains of one tau_int: ln counts differed by 0.69, now by 0.06."""
    spread = []
    for seed in range(12):
        rng = np.random.default_rng([7, seed])
        like = [gaussian(mass2, rng, 1, 300, tau=12.0) for mass2 in (1.5, 1.52, 1.54)]
        sizes = MultiHistogram(like, samples=2).solution.sizes
        spread.append(np.ptp(np.log(sizes)))
    assert np.mean(spread) < 0.25


def two_sites(action, rng=None, size=0):
    """<phi^2> of a ring of two sites by quadrature, or fields (32, size, 2) drawn from the same grid."""
    x = np.linspace(-4, 4, 401)
    weight = np.exp(-np.asarray(action.potential(jnp.asarray(x), 1), dtype=np.float64))
    joint = np.outer(weight, weight) * np.exp(2 * action.kappa * np.outer(x, x))
    joint /= joint.sum()
    if rng is None:
        return float(np.sum(joint * x[:, None] ** 2))
    drawn = rng.choice(joint.size, size=(32, size), p=joint.ravel())
    return kd.Ensemble(np.stack([x[drawn // 401], x[drawn % 401]], axis=-1).astype(np.float32), action)


@pytest.mark.statistical
def test_two_couplings_at_once():
    # Three pulls below 4: significance below 2e-4.
    rng = np.random.default_rng(7)
    actions = [kd.Phi4(-1.0, 1.0), kd.Phi4(-0.6, 1.4), kd.Phi4(-0.8, 0.7, 1.2)]
    joined = MultiHistogram([two_sites(action, rng, 128) for action in actions])
    assert joined.varied == ("mass2", "quartic", "kappa")
    targets = [kd.Phi4(-0.8, 1.1, 1.1), kd.Phi4(-0.7, 1.0, 1.0), kd.Phi4(-0.9, 1.2, 1.0)]
    curve = joined.curve("phi2", targets)
    exact = np.array([two_sites(action) for action in targets])
    assert np.all(np.abs(curve.values - exact) < 4 * curve.errors) and np.all(curve.errors < 0.02 * exact)
    with pytest.raises(InputError, match="differ in mass2, quartic, kappa"):
        joined.curve("phi2", [-0.8])


@pytest.mark.exact
def test_a_resample_of_a_curve_is_what_its_own_solution_gives(spins):
    joined = MultiHistogram(spins, samples=3)
    curve = joined.curve("energy", [0.45])
    energy = np.concatenate([each.series("energy").ravel() for each in spins])
    owner, links = np.repeat([0, 1, 2], 32 * 64), -64 * energy
    for index in range(3):
        # chains are whole units: every draw of a chain counts alike
        often = joined._multiplicity(index)
        assert np.all(often.reshape(96, 64) == often.reshape(96, 64)[:, :1])
        alone = joined.solution.resampled(often, owner)
        assert np.all(alone.free_energies[1:] != joined.solution.free_energies[1:])
        # the log-densities of the solution lack the action that each simulation had: -S = beta links
        own = np.array([float(each.action.beta) for each in spins])[owner] * links
        weights = alone.counts * np.exp(0.45 * links - own - alone.log_mixture)
        assert curve.samples[index, 0] == pytest.approx(np.sum(weights * energy) / weights.sum(), rel=1e-6)


@pytest.mark.exact
def test_blocked_fields_have_the_weights_of_their_originals(spins):
    blocked = [kd.block(each, kd.Majority(b=2)) for each in spins]
    plain, coarse = MultiHistogram(spins, samples=10), MultiHistogram(blocked, samples=10)
    np.testing.assert_allclose(coarse.solution.free_energies, plain.solution.free_energies, atol=1e-9)
    assert coarse.curve("energy", [0.4]).values[0] != plain.curve("energy", [0.4]).values[0]


@pytest.mark.exact
@pytest.mark.usefixtures("unchecked")
def test_what_cannot_be_joined_is_refused(spins):
    rng = np.random.default_rng(8)
    one, near = gaussian(1.5, rng), gaussian(1.6, rng)
    for wrong, said in (
        ([one], "two simulations or more"),
        ([one, one], "one simulation"),
        ([one, gaussian(1.6, rng, shape=(2, 2))], "cannot be joined"),
        ([one, kd.block(gaussian(1.6, rng, shape=(8, 8)), kd.BlockMean(b=2))], "cannot be joined"),
        ([one, kd.reweight(near, kd.Phi4(1.55, 0.0, 0.0))], "log-weights"),
        ([one, near.with_action(None)], "with_action"),
        ([one, near.select(draws=0, chains=0)], "one draw"),
        ([spins[0], kd.Ensemble(np.ones((2, 2, 8, 8), np.float32), kd.Phi4(1.0, 0.0))], "spins and real"),
    ):
        with pytest.raises(InputError, match=said):
            MultiHistogram(wrong)
    with pytest.raises(OverlapError, match="2 groups that do not overlap"):
        MultiHistogram([one, near, gaussian(9.0, rng)])
    joined = MultiHistogram([one, near], samples=4)
    with pytest.raises(OverlapError, match="beyond what the simulations cover"):
        joined.curve("phi2", [1.55, 1000.0])
    with pytest.raises(InputError, match="contains the action"):
        joined.curve("action_density", [1.55])
    for none in ([], 1.55):
        with pytest.raises(InputError, match="list of targets"):
            joined.curve("phi2", none)
    with pytest.raises(InputError, match="values of kappa"):
        joined.curve("phi2", [0.1], "kappa")
    same = MultiHistogram([one, replace(near, action=one.action)], samples=4)
    with pytest.raises(InputError, match="differ in nothing"):
        same.curve("phi2", [1.55])
    assert same.curve("phi2", [1.55], "mass2").values[0] > 0


@pytest.mark.statistical
def test_simulations_that_differ_in_an_array_of_couplings(spins):
    # One pull within 4 standard errors.
    graph = kd.Graph.grid((8, 8))
    ensembles = [
        kd.Ensemble(np.asarray(each.fields), kd.InhomogeneousIsing(graph, beta))
        for each, beta in zip(spins[:2], BETAS[:2], strict=True)
    ]
    joined = MultiHistogram(ensembles, samples=50)
    exact = [kd.exact.kaufman(beta, 8).log_partition for beta in BETAS[:2]]
    assert joined.varied == ("w",)
    assert abs(joined.free_energies[1].pull(exact[0] - exact[1])) < 4
    alike = MultiHistogram(spins[:2], samples=50).curve("abs_magnetization", [0.39]).values
    curve = joined.curve("abs_magnetization", [kd.InhomogeneousIsing(graph, 0.39)])
    np.testing.assert_allclose(curve.values, alike, rtol=1e-5)


@pytest.mark.exact
@pytest.mark.parametrize("samples", [0, 1, 2.5])
@pytest.mark.usefixtures("unchecked")
def test_resamples_are_two_or_more(spins, samples):
    with pytest.raises(InputError, match="samples"):
        MultiHistogram(spins[:2], samples=samples)


class Site(eqx.Module):
    mass2: float

    def __call__(self, field):
        return self.mass2 / 2 * field**2


class Parted(kd.Action):
    """The Gaussian sites of `gaussian`, whose coupling lies in a part of the action."""

    site: Site

    def density(self, field):
        return self.site(field)


@pytest.mark.exact
def test_a_coupling_in_a_part_of_the_action_is_joined_as_one_of_its_own():
    rng = np.random.default_rng(5)
    plain = [gaussian(mass2, rng) for mass2 in (1.0, 1.2)]
    parted = [each.with_action(Parted(Site(float(each.action.mass2)))) for each in plain]
    one, two = (MultiHistogram(each, samples=5) for each in (plain, parted))
    assert (one.varied, two.varied) == (("mass2",), ("site.mass2",))
    values = [each.curve("phi2", [1.0, 1.1]).values for each in (one, two)]
    np.testing.assert_allclose(*values, rtol=1e-6)


class Well(kd.NearestNeighbourAction):
    """A potential with a power that is no coupling, and a function that need not be the same object."""

    strength: float
    power: int = eqx.field(static=True)
    kappa: float = 0.5
    even: Callable = eqx.field(static=True, default=jnp.abs)

    def potential(self, phi, dimension):
        return phi**2 + self.strength * self.even(phi) ** self.power


@pytest.mark.statistical
@pytest.mark.parametrize("strengths", [(0.3, 0.5), (0.4, 0.4)])
def test_simulations_that_differ_in_what_is_no_coupling(strengths):
    # Two pulls below 4: significance below 2e-4.
    rng = np.random.default_rng(11)
    actions = [Well(strength, power) for strength, power in zip(strengths, (4, 6), strict=True)]
    joined = MultiHistogram([two_sites(action, rng, 128) for action in actions])
    x = np.linspace(-4, 4, 401)
    partition = [
        np.sum(np.exp(-well[:, None] - well + 2 * action.kappa * np.outer(x, x)))
        for action in actions
        for well in [np.asarray(action.potential(jnp.asarray(x), 1), dtype=np.float64)]
    ]
    assert abs(joined.free_energies[1].pull(np.log(partition[0] / partition[1]))) < 4
    assert joined.varied == (("strength", "power") if strengths[0] != strengths[1] else ("power",))
    with pytest.raises(InputError, match="power, so values of strength do not say"):
        joined.curve("phi2", [0.4], "strength")


@pytest.mark.exact
def test_functions_made_anew_do_not_tell_two_simulations_apart():
    rng = np.random.default_rng(12)
    made = [Well(strength, 4, 0.5, lambda phi: jnp.abs(phi)) for strength in (0.3, 0.4)]
    assert MultiHistogram([two_sites(each, rng, 16) for each in made], samples=4).varied == ("strength",)
