"""MBAR where the answer is known to rounding, and against pymbar."""

import json
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from scipy.special import logsumexp

from kadanoff.errors import InputError
from kadanoff.statistics import solve_mbar

PYMBAR = """
import json, sys
import numpy as np
sys.modules["jax"] = None  # plain numpy gives the same, sooner
import pymbar
del sys.modules["jax"]
data = np.load(sys.argv[1])
found = pymbar.MBAR(data["potentials"], data["sizes"], relative_tolerance=1e-12, solver_protocol="robust")
means = found.compute_expectations(data["series"], data["target"], compute_uncertainty=False)["mu"]
print(json.dumps([found.f_k.tolist(), found.compute_overlap()["matrix"].tolist(), float(np.squeeze(means))]))
"""


def by_pymbar(folder, densities, sizes, series, target):
    """Free energies, overlap, and the mean of a series at a target."""
    if find_spec("pymbar") is None:  # not imported here: it switches JAX to double precision
        pytest.skip("the extra 'oracles' brings pymbar")
    path = folder / "data.npz"
    np.savez(path, potentials=-densities, sizes=sizes, series=series, target=-target)
    done = subprocess.run(
        [sys.executable, "-c", PYMBAR, str(path)], capture_output=True, text=True, check=True
    )
    return [np.array(each) for each in json.loads(done.stdout.splitlines()[-1])]


def discrete():
    """Log-densities (5, 40) of five distributions of 40 outcomes; exact samples of the first four."""
    rng = np.random.default_rng(0)
    energy, other = 6 * rng.random(40), rng.normal(size=40)
    couplings = [(0.2, 0.0), (0.6, 0.3), (1.0, -0.3), (1.5, 0.5), (0.8, 0.1)]
    densities = np.array([-a * energy - b * other for a, b in couplings])
    probability = np.exp(densities - logsumexp(densities, axis=1)[:, None])
    sizes = np.array([100.0, 30.0, 200.0, 80.0])
    counts = (sizes[:, None] * probability[:4]).ravel()
    return densities, np.repeat(np.arange(4), 40), counts, energy


@pytest.mark.exact
def test_exact_samples_give_exact_free_energies_and_means():
    densities, owner, counts, energy = discrete()
    every = np.tile(densities, (1, 4))
    every += 1000 * np.random.default_rng(1).normal(
        size=every.shape[1]
    )  # cancels, configuration by configuration
    found = solve_mbar(every[:4], owner, counts)
    free = -logsumexp(densities, axis=1)
    np.testing.assert_allclose(found.free_energies, (free - free[0])[:4], atol=1e-9)
    log_weights = found.log_weights(every)
    np.testing.assert_allclose(-logsumexp(log_weights, axis=1), free - free[0], atol=1e-9)
    weights = np.exp(log_weights[4] - logsumexp(log_weights[4]))
    exact = np.exp(densities[4] - logsumexp(densities[4]))
    np.testing.assert_allclose(weights @ np.tile(energy, 4), exact @ energy, rtol=1e-9)


@pytest.mark.exact
def test_overlap_is_a_chance_and_balanced():
    densities, owner, counts, _ = discrete()
    found = solve_mbar(np.tile(densities[:4], (1, 4)), owner, counts)
    np.testing.assert_allclose(found.overlap.sum(axis=1), 1, rtol=1e-9)
    flow = found.sizes[:, None] * found.overlap
    np.testing.assert_allclose(flow, flow.T, rtol=1e-9)
    mixture = (found.sizes[:, None] * np.exp(densities[:4] - logsumexp(densities[:4], axis=1)[:, None])).sum(
        axis=0
    )
    exact = [
        [
            found.sizes[j] * np.sum(np.exp(a - logsumexp(a) + b - logsumexp(b)) / mixture)
            for j, b in enumerate(densities[:4])
        ]
        for a in densities[:4]
    ]
    np.testing.assert_allclose(found.overlap, exact, rtol=1e-8)


@pytest.mark.exact
def test_counts_are_repetitions_and_resamples_solve_anew():
    rng = np.random.default_rng(2)
    x = np.concatenate([rng.normal(size=60), 1 + rng.normal(size=40)])
    owner, densities = np.repeat([0, 1], [60, 40]), np.array([-(x**2) / 2, -((x - 1) ** 2) / 2])
    often = rng.integers(1, 4, size=100)
    repeated = solve_mbar(np.repeat(densities, often, axis=1), np.repeat(owner, often))
    counted = solve_mbar(densities, owner, often)
    np.testing.assert_allclose(counted.free_energies, repeated.free_energies, atol=1e-9)
    resampled = solve_mbar(densities, owner).resampled(often.astype(float), owner)
    np.testing.assert_allclose(resampled.free_energies, repeated.free_energies, atol=1e-9)
    np.testing.assert_allclose(resampled.sizes, repeated.sizes)


@pytest.mark.exact
def test_a_start_far_from_the_solution_still_arrives():
    """Log-densities of thousands, as of large lattices, and unequal sizes: the first guess is off by many."""
    rng = np.random.default_rng(3)
    centres = np.linspace(0, 12, 7)
    sizes = [400, 20, 300, 40, 500, 30, 100]
    x = np.concatenate([c + rng.normal(size=n) for c, n in zip(centres, sizes, strict=True)])
    offsets = 1000 * rng.normal(size=7)
    densities = -((x - centres[:, None]) ** 2) / 2 + offsets[:, None]
    found = solve_mbar(densities, np.repeat(np.arange(7), sizes))
    np.testing.assert_allclose(found.free_energies + offsets - offsets[0], 0, atol=1.0)
    expected = np.exp(densities + found.free_energies[:, None] - found.log_mixture).sum(axis=1)
    np.testing.assert_allclose(expected, 1, rtol=1e-9)


@pytest.mark.reference
def test_pymbar_gives_the_same(tmp_path):
    rng = np.random.default_rng(4)
    centres, widths, sizes = np.array([0.0, 0.8, 2.0]), np.array([1.0, 0.7, 1.3]), np.array([150, 80, 220])
    x = np.concatenate([c + w * rng.normal(size=n) for c, w, n in zip(centres, widths, sizes, strict=True)])
    densities = -(((x - centres[:, None]) / widths[:, None]) ** 2) / 2
    target = -((x - 1) ** 2)
    free, overlap, mean = by_pymbar(tmp_path, densities, sizes, x**2, target)
    found = solve_mbar(densities, np.repeat(np.arange(3), sizes))
    np.testing.assert_allclose(found.free_energies, free, atol=1e-7)
    np.testing.assert_allclose(found.overlap, overlap, atol=1e-7)
    weights = np.exp(found.log_weights(target))
    assert weights @ x**2 / weights.sum() == pytest.approx(float(mean), rel=1e-7)


@pytest.mark.exact
def test_what_cannot_be_solved_is_refused():
    two = np.zeros((2, 4))
    with pytest.raises(InputError, match="do not fit"):
        solve_mbar(two, [0, 1])
    with pytest.raises(InputError, match="one positive count"):
        solve_mbar(two, [0, 0, 1, 1], [1.0, 1.0, 0.0, 1.0])
    with pytest.raises(InputError, match="1 log-densities are NaN"):
        solve_mbar([[0, 0, 0, np.nan], [0, 0, 0, 0]], [0, 0, 1, 1])
    with pytest.raises(InputError, match="every one of 2 states"):
        solve_mbar(two, [0, 0, 0, 0])
