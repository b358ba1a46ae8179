"""What the tests of inverses share: a few critical fields, inverses learnt or made up, and small ensembles."""

from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from kadanoff.actions import Phi4
from kadanoff.ensemble import Ensemble
from kadanoff.lattice import Lattice
from kadanoff.random import key
from kadanoff.renormalization import (
    ConditionalDensity,
    ConsistentInverse,
    LearntInverse,
    MajorityMean,
    StochasticInverse,
)
from kadanoff.renormalization.inverse.learnt import TrainingRecord
from kadanoff.renormalization.inverse.network import OddNetwork
from kadanoff.sampling import sample

WIDTH, KERNELS, NOISE, COMPONENTS = 4, (3, 1), 2, 2


def record(kind: str, **changes: Any) -> TrainingRecord:
    """What `learn_inverse` would have noted of the inverses below."""
    about = TrainingRecord(
        kind=kind,
        seed=0,
        parameters=0,
        receptive_field=3,
        steps=0,
        history=((50, 1.0, 1.0),),
        held_out=1.0,
        linear=1.0,
        advantage_sigma=0.0,
        relaxed_pairs=0,
        consistent=False,
        width=WIDTH,
        kernels=KERNELS,
        noise=NOISE,
        components=COMPONENTS,
        seconds=0.0,
    )
    return replace(about, **changes)


@pytest.fixture(scope="session")
def made_up():
    """Untrained inverses by kind, as `learn_inverse` would return them."""

    def make(kind, *, rule=None, dimension=2, consistent=False, depth=0, relaxed_pairs=0, seed=0):
        rule = rule or MajorityMean(b=2)
        sites, noise = rule.b**dimension, NOISE if kind == "stochastic" else 0
        if kind == "density":
            inside = rule if consistent else None
            inverse = ConditionalDensity.random(
                key(seed), dimension, rule.b, WIDTH, KERNELS, COMPONENTS, inside
            )
        else:
            kernels = (3,) if kind == "linear" else KERNELS
            inverse = StochasticInverse(
                network=OddNetwork.random(key(seed), dimension, 1 + noise, WIDTH, sites, kernels), noise=noise
            )
            if consistent:
                inverse = ConsistentInverse(inner=inverse, rule=rule)
        about = record(
            kind, consistent=consistent, relaxed_pairs=relaxed_pairs, parameters=inverse.parameters
        )
        return LearntInverse(inverse, rule, depth, about)

    return make


@pytest.fixture(scope="session")
def critical():
    """phi^4 near its critical point on 16 x 16."""
    return sample(Phi4(-0.9515, 0.7), Lattice((16, 16)), chains=64, draws=8, thermalize=60, seed=0)


@pytest.fixture(scope="session")
def small():
    """Ten draws of three chains that claim to be simulated, not blocked."""
    fields = np.random.default_rng(5).normal(size=(3, 10, 4, 4)).astype(np.float32)
    return Ensemble(fields, Phi4(-0.9515, 0.7))


def fields(shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), dtype=jnp.float32)


@pytest.fixture(scope="session")
def gaussians():
    """Standard normals of a shape."""
    return fields
