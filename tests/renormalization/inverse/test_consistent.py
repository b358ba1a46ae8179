"""Consistent maps: blocking what they make gives back the coarse field, for every rule that is a function."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kadanoff.errors import InputError
from kadanoff.random import key
from kadanoff.renormalization import (
    BLOCKING_RULES,
    ConditionalDensity,
    ConsistentInverse,
    MajorityMean,
    RandomMajoritySite,
    learn_inverse,
)
from kadanoff.renormalization.inverse.consistent import rescale

pytestmark = pytest.mark.exact

DETERMINISTIC = [name for name, rule in BLOCKING_RULES.items() if rule().deterministic]


@pytest.mark.parametrize(
    ("name", "b"),
    [
        pytest.param("majority-mean", 3, marks=[pytest.mark.slow, pytest.mark.ci]),
        *((name, 2) for name in DETERMINISTIC),
    ],
)
def test_blocking_gives_the_coarse_field_back(made_up, gaussians, name, b):
    rule, coarse = BLOCKING_RULES[name](b=b), gaussians((4, 6, 4))
    wrapped = made_up("stochastic", rule=rule, consistent=True).map
    fine = wrapped.fine(key(0), coarse, jnp.arange(4, dtype=jnp.uint32))
    blocked = jax.vmap(lambda field: rule(key(0), field))(fine)
    # relative to the largest sites of a block: a mean of large sites of both signs is small
    size = np.maximum(1, np.asarray(jax.vmap(lambda f: MajorityMean(b=b)(key(0), jnp.abs(f)))(fine)))
    assert np.max(np.abs(blocked - coarse) / size) < 1e-5
    free = wrapped.inner.fine(key(0), coarse, jnp.arange(4, dtype=jnp.uint32))
    assert np.abs(jax.vmap(lambda field: rule(key(0), field))(free) - coarse).max() > 0.05


@pytest.mark.parametrize("name", DETERMINISTIC)
def test_blocks_of_no_value_become_constant(name):
    rule = BLOCKING_RULES[name]()
    coarse, blocks = jnp.array([0.7, -1.2, 0.0]), jnp.zeros((3, 4)).at[2].set(1.0)
    made = rescale(rule, coarse, blocks)
    np.testing.assert_allclose(rule.reduce(None, made), coarse, atol=1e-6)
    assert np.all(np.ptp(np.asarray(made), axis=1) == 0)


@pytest.mark.parametrize("kind", ["linear", "density"])
def test_random_rules_have_nothing_to_invert(made_up, critical, kind):
    rule = RandomMajoritySite(b=2)
    with pytest.raises(InputError, match="RandomMajoritySite draws its block value at random"):
        learn_inverse(critical, rule, kind=kind, consistent=True, steps=1, width=2)
    inner = made_up(kind).map
    with pytest.raises(InputError, match="at random"):
        if isinstance(inner, ConditionalDensity):
            ConditionalDensity(inner.first, inner.second, rule)
        else:
            ConsistentInverse(inner=inner, rule=rule)


def test_a_consistent_linear_map_is_one(critical, tmp_path):
    rule = MajorityMean(b=2)
    learnt = learn_inverse(critical, rule, kind="linear", consistent=True)
    coarse = jnp.asarray(critical.fields[:, 0])
    fine = learnt.map.fine(key(0), coarse, jnp.arange(len(coarse), dtype=jnp.uint32))
    blocked = jax.vmap(lambda field: rule(key(0), field))(fine)
    assert learnt.record.consistent
    np.testing.assert_allclose(blocked, coarse, atol=1e-5)
    assert type(learnt).load(learnt.save(tmp_path / "inverse")).digest == learnt.digest
