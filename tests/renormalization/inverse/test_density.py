"""The density integrates to one, on the plane or on the surface of a rule, and is what is drawn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kadanoff.random import key
from kadanoff.renormalization import BlockMean, BlockSum, Decimation, MajorityMean
from kadanoff.renormalization.blocking import to_blocks

COARSE = np.array([0.8, -0.3, 0.5, 1.1], dtype=np.float32)
OTHERS = np.array([[0.9, 0.6], [-0.5, 0.2], [0.1, 0.9], [1.4, 0.8]], dtype=np.float32)


def probability(inverse):
    """Density of block number `which` at each of some blocks (n, 2), the others held; compiled once."""
    terms = jax.jit(lambda fine, coarse: inverse.block_log_prob(fine, coarse))

    def at(which, blocks):
        fine = np.repeat(OTHERS[None], len(blocks), axis=0)
        fine[:, which] = blocks
        coarse = np.repeat(COARSE[None], len(blocks), axis=0)
        return np.exp(np.asarray(terms(jnp.asarray(fine), jnp.asarray(coarse))[:, which], dtype=np.float64))

    return at


@pytest.mark.exact
def test_a_block_integrates_to_one(made_up):
    """By the rectangle rule, exact to rounding for Gaussians much wider than the step. Both sublattices."""
    density, step = probability(made_up("density", dimension=1).map), 0.08
    line = np.arange(-6, 6, step)
    grid = np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1).reshape(-1, 2).astype(np.float32)
    for which in range(4):
        assert density(which, grid).sum() * step**2 == pytest.approx(1, abs=1e-4)


def everywhere(count):
    """The line, with the measure that goes with equal weights: heavy tails need points far out."""
    angle = (np.arange(count) + 0.5) / count * np.pi - np.pi / 2
    return np.tan(angle), np.pi / count / np.cos(angle) ** 2


def between(low, high, count):
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return low + (high - low) * (nodes + 1) / 2, weights * abs(high - low) / 2


def surface(rule, coarse):
    """Blocks of two sites with the value `coarse`, and their measure delta(RG(block) - coarse) d^2 block."""
    if isinstance(
        rule, MajorityMean
    ):  # both sites of one sign, or one that is coarse and a smaller one against it
        x, dx = between(0, 2 * coarse, 80)
        y, dy = between(-coarse, 0, 80)
        value = np.full_like(y, coarse)
        blocks = [(x, 2 * coarse - x), (value, y), (y, value)]
        weights = [2 * dx, dy, dy]
        return np.concatenate([np.stack(b, axis=-1) for b in blocks]), np.concatenate(weights)
    x, dx = everywhere(4000)
    if isinstance(rule, Decimation):
        return np.stack([np.full_like(x, coarse), x], axis=-1), dx
    factor = rule.factor if isinstance(rule, BlockSum) else 0.5
    return np.stack([coarse / factor - x, x], axis=-1), dx / factor


@pytest.mark.exact
@pytest.mark.parametrize("rule", [MajorityMean(), BlockMean(), BlockSum(factor=0.3), Decimation()])
def test_on_the_surface_of_a_rule_it_integrates_to_one(made_up, rule):
    density = probability(made_up("density", dimension=1, rule=rule, consistent=True).map)
    for which in (0, 1):
        blocks, weights = surface(rule, COARSE[which])
        values = rule.reduce(None, jnp.asarray(blocks))
        np.testing.assert_allclose(values, COARSE[which], rtol=1e-3, atol=1e-3)
        total = np.sum(density(which, blocks.astype(np.float32)) * np.abs(weights))
        assert total == pytest.approx(1, abs=2e-3)


@pytest.mark.statistical
@pytest.mark.slow
@pytest.mark.parametrize("consistent", [True, False])
def test_draws_have_the_density(made_up, consistent):
    """Weights p/q turn means over draws of q into means over draws of p; q is as p, but wider and shifted."""
    learnt = made_up("density", dimension=1, consistent=consistent)
    narrow = learnt.at_temperature(0.8).map
    coarse = jnp.broadcast_to(COARSE, (20_000, 4))
    number = jnp.arange(len(coarse), dtype=jnp.uint32)
    wide = learnt.at_temperature(1.1).map
    first, second = wide.fine(key(0), coarse, number), narrow.fine(key(1), coarse, number)
    weight = np.exp(np.asarray(narrow.log_prob(first, coarse) - wide.log_prob(first, coarse), np.float64))
    error = weight.std() / np.sqrt(len(weight))
    assert error < 0.03 and abs(weight.mean() - 1) < 4 * error
    blocks, drawn = (np.asarray(jax.vmap(lambda f: to_blocks(f, 2))(f)) for f in (first, second))
    for moment in (
        lambda b: b[:, 1, 0],
        lambda b: b[:, 1, 0] * b[:, 1, 1],
        lambda b: b[:, 0, 0] * b[:, 1, 1],
        lambda b: b[:, 2, 1] > 0.4,
    ):
        ours, theirs = weight * moment(blocks), moment(drawn).astype(np.float64)
        variance = (ours.var() + theirs.var()) / len(ours)
        # 4 moments of 2 densities and their means: significance 6e-5 each
        assert abs(ours.mean() - theirs.mean()) < 4 * np.sqrt(variance)


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.statistical
def test_the_order_of_sublattices_is_drawn_for_each_configuration(made_up):
    """Blocks of both colours have one law in the mean over orders: equal marginals at equal coarse values."""
    inverse = made_up("density", dimension=1, seed=3).map
    coarse = jnp.full((20_000, 4), 0.7)
    fine = inverse.fine(key(0), coarse, jnp.arange(20_000, dtype=jnp.uint32))
    sites = np.asarray(fine).reshape(-1, 4, 2).astype(np.float64)
    for site in (0, 1):
        for power in (1, 2):
            values = sites[:, :, site] ** power
            gap = values[:, [0, 2]].mean(axis=1) - values[:, [1, 3]].mean(axis=1)
            assert abs(gap.mean()) < 4 * gap.std() / np.sqrt(len(gap))
