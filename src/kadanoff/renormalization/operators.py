"""Operators: sums over the lattice of local terms, in families that grow, for the linearised renormalization group.

An operator has the symmetry of the lattice: it is summed over all translations of a pattern of sites and over all its
rotations and reflections.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations, product
from typing import TypeVar

import jax.numpy as jnp
from jaxtyping import Array, Num

from kadanoff.errors import InputError

__all__ = [
    "SIGN_OPERATORS",
    "SITE_OPERATORS",
    "SPIN_OPERATORS",
    "Operator",
    "default_operators",
    "fitting",
    "pattern",
    "power",
]

Offset = tuple[int, ...]
Entry = TypeVar("Entry")


@dataclass(frozen=True)
class Operator:
    """A sum over sites of the terms that a function gives for one field of any shape.

    `odd` tells its sign under phi -> -phi: even operators couple to the thermal direction, odd ones to the magnetic
    one.

    >>> import jax.numpy as jnp
    >>> Operator("phi^6", lambda field: field**6)(2 * jnp.ones((2, 2))).sum().item()
    256.0
    """

    name: str
    terms: Callable[[Array], Array]
    odd: bool = False

    def __call__(self, field: Num[Array, "..."]) -> Num[Array, "..."]:
        """Per-site terms of one field."""
        return self.terms(field)


@dataclass(frozen=True)
class _Pattern:
    """Products of the field over a pattern of sites, summed over the images of the pattern."""

    offsets: tuple[Offset, ...]
    signs: bool

    def __call__(self, field: Array) -> Array:
        value = jnp.sign(field) if self.signs else field
        total = jnp.zeros_like(value)
        for image in images(self.offsets, field.ndim):
            term = jnp.ones_like(value)
            for offset in image:
                term = term * jnp.roll(value, [-step for step in offset], range(field.ndim))
            total = total + term
        return total


@dataclass(frozen=True)
class _Power:
    """A power of the field at one site."""

    exponent: int

    def __call__(self, field: Array) -> Array:
        return field**self.exponent


def pattern(name: str, *offsets: Offset, signs: bool = False) -> Operator:
    """The product of the field over a pattern of sites, summed over the lattice and the images of the pattern.

    `offsets` are sites relative to a first one, which is added; in a higher dimension they lie in a plane.
    With `signs` the signs of the field are multiplied, so that its amplitude drops out.

    Raises `InputError` for a site that occurs twice.

    >>> import jax.numpy as jnp
    >>> float(pattern("nearest", (1,))(jnp.ones((4, 4))).sum())
    32.0
    """
    width = max((len(offset) for offset in offsets), default=1)
    sites = tuple(offset + (0,) * (width - len(offset)) for offset in ((0,) * width, *offsets))
    if len(set(sites)) < len(sites):
        raise InputError(f"the pattern {name!r} has a site twice: give the offsets of different sites, not 0")
    return Operator(name, _Pattern(sites, signs), odd=len(sites) % 2 == 1)


def power(exponent: int) -> Operator:
    """The sum over sites of a power of the field.

    >>> power(3).name, power(3).odd
    ('phi^3', True)
    """
    if exponent < 1:
        raise InputError(f"a power of the field must be 1 or more, got {exponent}")
    return Operator(f"phi^{exponent}" if exponent > 1 else "phi", _Power(exponent), odd=exponent % 2 == 1)


@lru_cache
def images(offsets: tuple[Offset, ...], dimension: int) -> tuple[tuple[Offset, ...], ...]:
    """All different rotations and reflections of a pattern, up to translations.

    Raises `InputError` for a pattern that needs more dimensions.

    >>> images(((0, 0), (1, 0)), 2)
    (((0, 0), (0, 1)), ((0, 0), (1, 0)))
    """
    if not _fit(offsets, dimension):
        raise InputError(f"the pattern {offsets} does not fit into {dimension} dimensions")
    padded = [(offset + (0,) * dimension)[:dimension] for offset in offsets]
    found = set()
    for order in permutations(range(dimension)):
        for flips in product((1, -1), repeat=dimension):
            turned = sorted(
                tuple(flip * offset[axis] for flip, axis in zip(flips, order, strict=True))
                for offset in padded
            )
            first = turned[0]
            found.add(tuple(tuple(a - b for a, b in zip(offset, first, strict=True)) for offset in turned))
    return tuple(sorted(found))


def _fit(offsets: tuple[Offset, ...], dimension: int) -> bool:
    return not any(any(offset[dimension:]) for offset in offsets)


def _spin_patterns(signs: bool) -> tuple[Operator, ...]:
    return (
        pattern("nearest", (1, 0), signs=signs),
        pattern("diagonal", (1, 1), signs=signs),
        pattern("plaquette", (1, 0), (0, 1), (1, 1), signs=signs),
        pattern("third", (2, 0), signs=signs),
        pattern("knight", (2, 1), signs=signs),
        pattern("diamond", (1, 1), (2, 0), (1, -1), signs=signs),
        pattern("magnetization", signs=signs),
        pattern("corner", (1, 0), (0, 1), signs=signs),
        pattern("line", (1, 0), (2, 0), signs=signs),
        pattern("hook", (1, 0), (2, 1), signs=signs),
        pattern("cross", (1, 1), (2, 0), (1, -1), (1, 0), signs=signs),
    )


#: Spins: six even operators, five odd ones, the shortest first.
SPIN_OPERATORS: tuple[Operator, ...] = _spin_patterns(signs=False)

#: The same of the signs of a real field: whatever happens to its amplitude is not seen.
SIGN_OPERATORS: tuple[Operator, ...] = _spin_patterns(signs=True)

#: Real fields with their amplitude: single-site powers and products of neighbours. Under a homogeneous rule the
#: amplitude is a redundant direction, and the leading eigenvalue does not settle as this family grows: read no
#: exponent from it there.
SITE_OPERATORS: tuple[Operator, ...] = (
    pattern("nearest", (1, 0)),
    power(2),
    power(4),
    pattern("diagonal", (1, 1)),
    pattern("plaquette", (1, 0), (0, 1), (1, 1)),
    pattern("third", (2, 0)),
    power(1),
    power(3),
    pattern("corner", (1, 0), (0, 1)),
    pattern("line", (1, 0), (2, 0)),
    power(5),
)


def default_operators(spins: bool) -> tuple[Operator, ...]:
    """The family that is taken unless another is given: of spins, or of the signs of a real field."""
    return SPIN_OPERATORS if spins else SIGN_OPERATORS


def fitting(given: Sequence[Entry] | None, default: Sequence[Entry], dimension: int) -> tuple[Entry, ...]:
    """What was given, or of a default what fits into the dimension; entries that are no operators always do.

    Raises `InputError` for an operator that was given and does not fit.

    >>> [operator.name for operator in fitting(None, SPIN_OPERATORS, 1)]
    ['nearest', 'third', 'magnetization', 'line']
    """
    entries = tuple(default if given is None else given)
    fits = [
        not (isinstance(entry, Operator) and isinstance(entry.terms, _Pattern))
        or _fit(entry.terms.offsets, dimension)
        for entry in entries
    ]
    if given is not None and not all(fits):
        name = getattr(entries[fits.index(False)], "name", None)
        raise InputError(
            f"the operator {name!r} has sites in more than {dimension} dimension{'s' * (dimension > 1)}: leave it out"
        )
    return tuple(entry for entry, fit in zip(entries, fits, strict=True) if fit)
