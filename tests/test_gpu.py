"""On a GPU, where there is one: the main samplers, growth, and the same fields as the processor makes."""

from typing import Any

import jax
import numpy as np
import pytest

import kadanoff as kd
from kadanoff.renormalization import MajorityMean, Relaxation, learn_inverse

pytestmark = [pytest.mark.gpu, pytest.mark.exact]

PHI4, ISING = kd.Phi4(-0.9515, 0.7), kd.Ising(0.440687)
SAMPLERS = {
    "metropolis": (PHI4, kd.Metropolis()),
    "heat bath": (PHI4, kd.HeatBath()),
    "hybrid": (PHI4, kd.HybridMonteCarlo()),
    "local and cluster": (PHI4, None),
    "spins, swendsen-wang": (ISING, kd.SwendsenWang()),
    "spins, wolff": (ISING, kd.Wolff()),
}


def on_both(make: Any) -> tuple[Any, Any]:
    """What the GPU makes, and what the processor makes."""
    there = make()
    with jax.default_device(jax.devices("cpu")[0]):
        return there, make()


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_sampler_makes_the_fields_of_the_processor(name: str) -> None:
    action, sampler = SAMPLERS[name]

    def make() -> Any:
        options: dict[str, Any] = {"chains": 16, "draws": 1, "thermalize": 2, "thin": 1, "seed": 1}
        return kd.sample(action, kd.Lattice((16, 16)), sampler=sampler, start="cold", **options).fields

    there, here = on_both(make)
    # Rounding differs, and may turn a proposal or a cluster of one chain; the others agree.
    same = np.abs(there.astype(np.float64) - here).reshape(16, -1).max(axis=1) < 1e-3
    assert same.sum() >= 12, same


def test_growth_makes_the_fields_of_the_processor() -> None:
    pairs = kd.Ensemble(np.random.default_rng(0).normal(size=(16, 2, 8, 8)).astype(np.float32))
    inverse = learn_inverse(pairs, MajorityMean(b=2), kind="linear")

    def make() -> Any:
        return kd.grow(pairs, inverse, 1, Relaxation(PHI4, sweeps=1)).ensembles[1].fields

    with pytest.warns(kd.errors.DepthWarning):
        there, here = on_both(make)
    assert np.mean(np.abs(there - here) < 1e-3) > 0.99


def test_the_magnetisation_is_that_of_the_onsager_solution_on_a_large_lattice() -> None:
    beta = 0.5
    spins = kd.sample(kd.Ising(beta), kd.Lattice((256, 256)), chains=16, draws=32, start="cold", seed=2)
    found = spins.observe("abs_magnetization")
    assert abs(found.pull((1 - np.sinh(2 * beta) ** -4) ** 0.125)) < 4  # significance 6e-5, a fixed seed
