"""What a blocking rule is: a map from the sites of a block to one value."""

import abc
from typing import Any

import equinox as eqx
from jaxtyping import Array, Float, Num, PRNGKeyArray

from kadanoff.errors import InputError
from kadanoff.lattice import Lattice
from kadanoff.renormalization.blocks import to_blocks
from kadanoff.whole import whole

__all__ = ["BlockingRule", "require_rule", "required_key"]


class BlockingRule(eqx.Module):
    """A standard renormalization group transformation with rescaling factor b.

    A rule turns the sites of one block into one value by `reduce`; `__call__(key, field)` blocks a whole
    field. `deterministic` tells whether it draws random numbers, `homogeneous` whether RG(c phi) = c RG(phi). A rule
    that draws may offer `log_probability(coarse, blocks)`: growths of its inverses have importance weights then.

    Raises `InputError` for a b that is no whole number of 2 or more.
    """

    b: int = eqx.field(
        static=True, default=2, converter=lambda b: whole("the rescaling factor b", b, least=2)
    )

    @property
    def deterministic(self) -> bool:
        """Whether the block value is a function of the block alone."""
        return True

    @property
    def homogeneous(self) -> bool:
        """Whether the block value scales with the field."""
        return True

    @abc.abstractmethod
    def reduce(self, key: PRNGKeyArray | None, blocks: Num[Array, "*coarse sites"]) -> Num[Array, "*coarse"]:
        """The value of each block from its sites; no key is needed where the rule is deterministic."""

    def log_probability(
        self, coarse: Float[Array, "*coarse"], blocks: Float[Array, "*coarse sites"]
    ) -> Float[Array, "*coarse"]:
        """ln K(coarse|block), the law by which a rule draws; `InputError` for rules that do not tell it."""
        raise InputError(f"{type(self).__name__} does not tell with which probability a block has its value")

    def __call__(self, key: PRNGKeyArray, field: Num[Array, "..."]) -> Num[Array, "..."]:
        """Block one field; `InputError` when b does not divide every side."""
        Lattice(field.shape).blocked(self.b)
        return self.reduce(key, to_blocks(field, self.b))


def require_rule(rule: Any) -> None:
    """`InputError` for what is no blocking rule, such as the class of one."""
    if not isinstance(rule, BlockingRule):
        raise InputError(f"{rule!r} is no blocking rule: give an instance of one, such as kd.Majority(b=2)")


def required_key(key: PRNGKeyArray | None) -> PRNGKeyArray:
    """The key; `InputError` for None."""
    if key is None:
        raise InputError("this rule draws random numbers and needs a random key")
    return key
