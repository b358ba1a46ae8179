"""The consistent inverse: each generated block rescaled so that blocking it returns the coarse value exactly."""

import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, UInt32

from kadanoff.errors import InputError
from kadanoff.renormalization.blocking import BlockingRule
from kadanoff.renormalization.inverse.base import Inverse

__all__ = ["ConsistentInverse", "require_function", "rescale"]


class ConsistentInverse(Inverse):
    """Wrap an inverse so that RG(inverse(x)) = x holds for every block, whatever the network learnt.

    The rule is homogeneous, RG(c phi) = c RG(phi), so a block times x / RG(block) has the value x; a block of the
    wrong sign is turned over by the same factor. This locks the amplitude, the neutral direction in which errors of
    a learnt map pile up, without knowing any exponent.

    Raises `InputError` for a rule that draws random numbers.
    """

    inner: Inverse
    rule: BlockingRule

    def __check_init__(self) -> None:
        """Refuse rules that have no function to invert."""
        require_function(self.rule)

    @property
    def b(self) -> int:
        """Rescaling factor of the rule."""
        return self.rule.b

    @property
    def dimension(self) -> int:
        """Dimension of the lattice."""
        return self.inner.dimension

    @property
    def reach(self) -> int:
        """Reach of the wrapped inverse."""
        return self.inner.reach

    def blocks(
        self, key: PRNGKeyArray, coarse: Float[Array, "n ..."], number: UInt32[Array, " n"]
    ) -> Float[Array, "n ..."]:
        """Sites of every block, rescaled."""
        return rescale(self.rule, coarse, self.inner.blocks(key, coarse, number))


def require_function(rule: BlockingRule) -> None:
    """`InputError` for a rule that draws random numbers, or whose block value does not scale with the block."""
    if not rule.deterministic:
        raise InputError(
            f"{type(rule).__name__} draws its block value at random, so no rescaling makes blocking return it; use a "
            "stochastic inverse or a density that is not consistent"
        )
    if not rule.homogeneous:
        raise InputError(
            f"{type(rule).__name__} keeps no amplitude, so no rescaling makes blocking return the coarse value; "
            "use an inverse that is not consistent"
        )


def rescale(
    rule: BlockingRule, coarse: Float[Array, "*coarse"], blocks: Float[Array, "*coarse sites"]
) -> Float[Array, "*coarse sites"]:
    """Multiply each block by coarse / RG(block); a block of no value becomes constant.

    >>> import jax.numpy as jnp, kadanoff as kd
    >>> rescale(kd.MajorityMean(b=2), jnp.array([1.5]), jnp.array([[2.0, 1.0, -0.5, 3.0]])).tolist()
    [[1.5, 0.75, -0.375, 2.25]]
    """
    value = rule.reduce(None, blocks)
    empty = jnp.abs(value) < 1e-6
    constant = jnp.ones_like(blocks)
    shape = jnp.where(empty[..., None], constant, blocks)
    value = jnp.where(empty, rule.reduce(None, constant), value)
    return shape * (coarse / value)[..., None]
