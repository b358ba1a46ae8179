"""Blocking rules: maps from a field to the field of its blocks of side b, on periodic lattices of any
dimension.
"""

import abc
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Num, PRNGKeyArray

from kadanoff.arguments import require_ensembles
from kadanoff.ensemble import Ensemble
from kadanoff.errors import InputError
from kadanoff.random import along_one_axis
from kadanoff.random import key as make_key
from kadanoff.renormalization.block_gaussian import BlockGaussian
from kadanoff.renormalization.blocking_rule import BlockingRule, require_rule, required_key
from kadanoff.renormalization.blocks import from_blocks, to_blocks
from kadanoff.whole import whole

__all__ = [
    "BLOCKING_RULES",
    "BlockGaussian",
    "BlockMean",
    "BlockSum",
    "BlockingRule",
    "Decimation",
    "Majority",
    "MajorityMean",
    "RandomMajoritySite",
    "SoftMajority",
    "SpinRule",
    "block",
    "from_blocks",
    "to_blocks",
]


class MajorityMean(BlockingRule):
    """Mean of those sites of the block that share the sign of the block's sum.

    It reduces to the majority rule in the Ising limit and its amplitude has a fixed point, so that
    magnetisations of blocked and direct lattices cross at the critical point. Spins that add up to zero have no such
    sites and give 0, no spin: block spins by `Majority`.

    >>> import jax.numpy as jnp, kadanoff as kd
    >>> field = jnp.array([[2.0, 1.0], [-0.5, 3.0]])
    >>> float(kd.MajorityMean(b=2).reduce(None, field.reshape(1, 4))[0])
    2.0
    """

    def reduce(self, key: PRNGKeyArray | None, blocks: Num[Array, "*coarse sites"]) -> Num[Array, "*coarse"]:
        """Mean over the sites with the sign of the sum."""
        # a sum that is no number compares with nothing: all sites are members then, and the mean is none either
        member = ~(blocks * jnp.sum(blocks, axis=-1, keepdims=True) <= 0)
        count = jnp.maximum(jnp.sum(member, axis=-1), 1)
        return jnp.sum(jnp.where(member, blocks, 0), axis=-1) / count


class BlockSum(BlockingRule):
    """Sum of the block times a given factor; `from_eta` gives the factor b^{-(d+2-eta)/2} of a linear fixed
    point.

    Raises `InputError` for a factor that is not positive and finite.

    >>> BlockSum.from_eta(eta=0.25, dimension=2).factor
    0.2726269331663144
    """

    factor: float = eqx.field(static=True, default=0.25)

    def __check_init__(self) -> None:
        """Refuse a factor that keeps no field."""
        if not 0 < self.factor < math.inf:
            raise InputError(f"the factor of a block sum must be a positive number, got {self.factor}")

    @classmethod
    def from_eta(cls, eta: float, dimension: int, b: int = 2) -> "BlockSum":
        """The rule that keeps a field of anomalous dimension eta at its fixed point."""
        return cls(b=b, factor=float(b) ** (-(dimension + 2 - eta) / 2))

    def reduce(self, key: PRNGKeyArray | None, blocks: Num[Array, "*coarse sites"]) -> Num[Array, "*coarse"]:
        """Factor times sum."""
        return self.factor * jnp.sum(blocks, axis=-1)


class BlockMean(BlockingRule):
    """Mean of the block; the magnetisation is unchanged, so nothing crosses."""

    def reduce(self, key: PRNGKeyArray | None, blocks: Num[Array, "*coarse sites"]) -> Num[Array, "*coarse"]:
        """Mean."""
        return jnp.mean(blocks, axis=-1)


class RandomMajoritySite(BlockingRule):
    """A random one of those sites of the block that share the sign of the block's sum."""

    @property
    def deterministic(self) -> bool:
        """It draws the site."""
        return False

    def reduce(self, key: PRNGKeyArray | None, blocks: Num[Array, "*coarse sites"]) -> Num[Array, "*coarse"]:
        """Choose among the majority by the largest of independent uniforms."""
        # where spins add up to zero every one of them is a member
        total = jnp.sum(blocks, axis=-1)
        member = blocks * total[..., None] >= 0
        lot = jnp.where(member, along_one_axis(jax.random.uniform, required_key(key), blocks.shape), -1.0)
        chosen = jnp.take_along_axis(blocks, jnp.argmax(lot, axis=-1)[..., None], axis=-1)[..., 0]
        return _or_no_number(total, chosen).astype(blocks.dtype)


class SpinRule(BlockingRule):
    """A rule that gives a block a spin, with a probability that depends on the sum of its sites only."""

    @property
    def homogeneous(self) -> bool:
        """A spin does not scale."""
        return False

    @abc.abstractmethod
    def probability(self, aligned: Float[Array, "..."]) -> Float[Array, "..."]:
        """Probability that a block has a spin, from the sum of its sites times that spin."""

    def log_probability(
        self, coarse: Float[Array, "*coarse"], blocks: Float[Array, "*coarse sites"]
    ) -> Float[Array, "*coarse"]:
        """The logarithm of `probability`."""
        return jnp.log(self.probability(jnp.sum(blocks, axis=-1) * coarse))


class Majority(SpinRule):
    """Sign of the block's sum, the rule of the Ising model; a sum of zero gives either sign with probability 1/2.

    Spins stay spins; of a real field it keeps the signs.

    >>> import jax, jax.numpy as jnp, kadanoff as kd
    >>> spins = jnp.array([[1, 1, 1, -1], [-1, -1, -1, 1]], dtype=jnp.int8)
    >>> kd.Majority(b=2).reduce(jax.random.key(0), spins).tolist()
    [1, -1]

    Source: Th. Niemeijer, J. M. J. van Leeuwen, PRL 31 (1973) 1411.
    """

    @property
    def deterministic(self) -> bool:
        """Blocks of an even number of spins can tie."""
        return self.b % 2 == 1

    def probability(self, aligned: Float[Array, "..."]) -> Float[Array, "..."]:
        """1 for a majority, 1/2 for a tie, else 0."""
        return (jnp.sign(aligned) + 1) / 2

    def reduce(self, key: PRNGKeyArray | None, blocks: Num[Array, "*coarse sites"]) -> Num[Array, "*coarse"]:
        """Sign of the sum, of the type of the sites."""
        total = jnp.sum(blocks, axis=-1)
        sign = jnp.where(total > 0, 1, -1)
        if not self.deterministic:
            coin = along_one_axis(jax.random.uniform, required_key(key), total.shape) < 0.5
            sign = jnp.where(total == 0, jnp.where(coin, 1, -1), sign)
        return _or_no_number(total, sign).astype(blocks.dtype)


class SoftMajority(SpinRule):
    """Kadanoff's rule: a block has spin t with probability ~ exp(weight t sum_block s), so that minorities may win.

    An infinite weight is the majority rule. The fixed point depends on the weight: in 3D with b = 2, near 0.41, three
    couplings of short range hold it approximately; `kadanoff reproduce inverse-ising` says how nearly.

    Raises `InputError` for a weight that is not positive.

    >>> import jax.numpy as jnp, kadanoff as kd
    >>> kd.SoftMajority(b=2, weight=0.5).probability(jnp.array([2.0, 0.0])).round(3).tolist()
    [0.8810000419616699, 0.5]

    Source: H. W. J. Blöte et al., PRL 76 (1996) 2613.
    """

    weight: float = eqx.field(static=True, default=0.43)

    def __check_init__(self) -> None:
        """Refuse a weight that favours minorities."""
        if not self.weight > 0:
            raise InputError(f"the weight of a soft majority must be positive, got {self.weight}")

    @property
    def deterministic(self) -> bool:
        """It draws the spin."""
        return False

    def probability(self, aligned: Float[Array, "..."]) -> Float[Array, "..."]:
        """exp(w a)/(2 cosh(w a)) for the aligned sum a."""
        # an infinite weight times no majority is no number, and a tie is one by half at any weight
        return jnp.where(aligned == 0, 0.5, jax.nn.sigmoid(2 * self.weight * aligned))

    def reduce(self, key: PRNGKeyArray | None, blocks: Num[Array, "*coarse sites"]) -> Num[Array, "*coarse"]:
        """A drawn spin, of the type of the sites."""
        total = jnp.sum(blocks, axis=-1, dtype=jnp.float32)
        up = self.probability(total)
        spin = jnp.where(along_one_axis(jax.random.uniform, required_key(key), up.shape) < up, 1, -1)
        return _or_no_number(total, spin).astype(blocks.dtype)


class Decimation(BlockingRule):
    """The first site of the block."""

    def reduce(self, key: PRNGKeyArray | None, blocks: Num[Array, "*coarse sites"]) -> Num[Array, "*coarse"]:
        """Keep one corner."""
        return blocks[..., 0]


#: Rules by the name that the command line uses.
BLOCKING_RULES: dict[str, type[BlockingRule]] = {
    "majority-mean": MajorityMean,
    "sum": BlockSum,
    "mean": BlockMean,
    "gaussian": BlockGaussian,
    "random-majority-site": RandomMajoritySite,
    "decimation": Decimation,
    "majority": Majority,
    "soft-majority": SoftMajority,
}


def _or_no_number(total: Num[Array, "*coarse"], value: Num[Array, "*coarse"]) -> Num[Array, "*coarse"]:
    """The value, or NaN where the sum of a block is NaN, which has no sign to follow."""
    return jnp.where(jnp.isnan(total), total, value)


@eqx.filter_jit
def block_fields(rule: BlockingRule, key: PRNGKeyArray, fields: Num[Array, "config ..."]) -> Array:
    """Block many fields, each with a key of its own."""
    return jax.vmap(rule)(jax.random.split(key, len(fields)), fields)


def block(ensemble: Ensemble, rule: BlockingRule, *, steps: int = 1, seed: int = 0) -> Ensemble:
    """Block every configuration `steps` times; weights and ancestry are kept, the depth rises by `steps`.

    Raises `InputError` for what is no rule, when b does not divide every side or a side would fall below 2, and when
    the sites lie on another graph than a hypercubic lattice.

    >>> import numpy as np, kadanoff as kd
    >>> fine = kd.Ensemble(np.ones((1, 3, 8, 8), dtype=np.float32))
    >>> kd.block(fine, kd.MajorityMean(b=2)).lattice.shape
    (4, 4)
    """
    require_ensembles(ensemble)
    require_rule(rule)
    steps = whole("the number of blocking steps", steps, least=1)
    if not ensemble.on_lattice:
        raise InputError(
            f"blocks are cut from hypercubic lattices, and these fields lie on {ensemble.graph!r}"
        )
    for step in range(steps):
        coarse = ensemble.lattice.blocked(rule.b)
        fields: np.ndarray | None = None
        for begin, stop, fine in ensemble.blocks():
            # Keys fold in unsigned numbers, and grown fields may have a depth below zero.
            chunk_key = make_key(seed, step, ensemble.depth % 2**32, begin)
            flat = block_fields(rule, chunk_key, jnp.asarray(fine.reshape(-1, *ensemble.lattice.shape)))
            blocked = np.asarray(flat).reshape(ensemble.chains, stop - begin, *coarse.shape)
            if fields is None:
                fields = np.empty((ensemble.chains, ensemble.draws, *coarse.shape), dtype=blocked.dtype)
            fields[:, begin:stop] = blocked
        ensemble = ensemble.derive(fields, f"blocked by {rule!r}", ensemble.depth + 1)
    return ensemble
