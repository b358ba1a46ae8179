"""Inverses with random weights: where training starts, and the mould that saved weights are poured into."""

from jaxtyping import PRNGKeyArray

from kadanoff.renormalization.blocking import BlockingRule
from kadanoff.renormalization.inverse.base import Inverse
from kadanoff.renormalization.inverse.consistent import ConsistentInverse
from kadanoff.renormalization.inverse.density import ConditionalDensity
from kadanoff.renormalization.inverse.network import OddNetwork
from kadanoff.renormalization.inverse.spins import SpinDensity
from kadanoff.renormalization.inverse.stochastic import StochasticInverse

__all__ = ["untrained_inverse"]


def untrained_inverse(
    key: PRNGKeyArray,
    kind: str,
    dimension: int,
    rule: BlockingRule,
    *,
    consistent: bool,
    width: int,
    kernels: tuple[int, ...],
    noise: int,
    components: int,
) -> Inverse:
    """An inverse of kind 'deterministic', 'stochastic' or 'density', for spins 'spins' or 'minimal', untrained.

    >>> import jax, kadanoff as kd
    >>> shape = {"consistent": False, "width": 4, "kernels": (3, 1), "noise": 0, "components": 1}
    >>> untrained_inverse(jax.random.key(0), "deterministic", 2, kd.MajorityMean(b=2), **shape).receptive_field
    3
    """
    if kind == "minimal":
        return SpinDensity.minimal(dimension, rule.b)
    if kind == "spins":
        return SpinDensity.random(key, dimension, rule.b, width, kernels)
    if kind == "density":
        inside = rule if consistent else None
        return ConditionalDensity.random(key, dimension, rule.b, width, kernels, components, inside)
    channels = noise if kind == "stochastic" else 0
    network = OddNetwork.random(key, dimension, 1 + channels, width, rule.b**dimension, kernels)
    plain = StochasticInverse(network=network, noise=channels)
    return ConsistentInverse(inner=plain, rule=rule) if consistent else plain
