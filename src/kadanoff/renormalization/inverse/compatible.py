"""Compatible Monte Carlo: fine spins by local moves of the fine Hamiltonian that keep the majority of every block."""

from itertools import product
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray, UInt32

from kadanoff.actions.base import NearestNeighbourAction, has_spins
from kadanoff.errors import InputError
from kadanoff.random import site_words, uniform
from kadanoff.renormalization.blocking import BlockingRule, Majority
from kadanoff.renormalization.inverse.base import Inverse, site_numbers
from kadanoff.sampling.heat_bath import spin_odds

__all__ = ["CompatibleMonteCarlo", "tie_weight"]


class CompatibleMonteCarlo(Inverse):
    """The inverse of the majority rule by simulation: P(fine | coarse) ~ exp(-S(fine)) K(coarse | fine).

    K is the probability that the rule gives the coarse spins: 1 for a majority, 1/2 for a tie, 0 else. From blocks of
    equal spins, `sweeps` sweeps of a heat bath under this weight update one site of all blocks at a time. The chain's
    law tends to P(fine | coarse); blocks keep their spin, so that it relaxes in a few sweeps at any size.
    Fields that were blocked by the rule are thus turned back into the fine law itself.

    Raises `InputError` for an action without spins, rules other than the majority, and fewer than one sweep.

    >>> import jax, jax.numpy as jnp, kadanoff as kd
    >>> inverse = kd.CompatibleMonteCarlo(kd.Ising(0.44), sweeps=8)
    >>> coarse = jnp.array([[1.0, -1.0], [1.0, 1.0]])
    >>> blocks = inverse.blocks(jax.random.key(0), coarse[None], jnp.zeros(1, jnp.uint32))
    >>> bool((blocks.sum(axis=-1) * coarse >= 0).all())
    True

    Source: D. Ron, R. Swendsen, A. Brandt, PRL 89 (2002) 275701.
    """

    action: NearestNeighbourAction
    rule: Majority
    #: A leaf, not static: one compiled map serves every number of sweeps.
    sweeps: Int[Array, ""]
    lattice_dimension: int

    spins: ClassVar[bool] = True

    def __init__(
        self,
        action: Any,
        rule: BlockingRule | None = None,
        sweeps: int = 16,
        dimension: int = 2,
    ) -> None:
        """Set the fine action, the rule (by default the majority of blocks of side 2) and the sweeps."""
        rule = Majority(b=2) if rule is None else rule
        if not (has_spins(action) and isinstance(action, NearestNeighbourAction)):
            raise InputError(
                f"compatible Monte Carlo draws spins of neighbours, and {type(action).__name__} has none; use kd.Ising"
            )
        if not isinstance(rule, Majority):
            raise InputError(
                f"compatible Monte Carlo keeps majorities, and {type(rule).__name__} is another rule; use kd.Majority"
            )
        if sweeps < 1:
            raise InputError(f"compatible Monte Carlo needs at least one sweep, got {sweeps}")
        self.action, self.rule, self.lattice_dimension = action, rule, dimension
        self.sweeps = jnp.asarray(sweeps, jnp.int32)

    @property
    def b(self) -> int:
        """Rescaling factor of the rule."""
        return self.rule.b

    @property
    def dimension(self) -> int:
        """Dimension of the lattice."""
        return self.lattice_dimension

    @property
    def reach(self) -> int:
        """At most one coarse site a sweep."""
        return int(self.sweeps)

    @property
    def parameters(self) -> int:
        """Nothing is trained."""
        return 0

    def blocks(
        self, key: PRNGKeyArray, coarse: Float[Array, "n ..."], number: UInt32[Array, " n"]
    ) -> Float[Array, "n ..."]:
        """Sites of every block, (n, *coarse, b**d), after `sweeps` sweeps from blocks of equal spins."""
        # The configurations come last, so that a shift along any lattice axis moves whole rows of memory.
        target, site, label = (
            jnp.moveaxis(part, 0, -1) for part in (coarse, *site_numbers(coarse.shape[1:], number))
        )
        places = list(product(range(self.b), repeat=self.dimension))
        odds = spin_odds(self.action, self.dimension)

        # A loop of one turn, unknown to the compiler, about every place: else the places of a sweep are fused into one
        # another and drawn again wherever they are read, in three dimensions ten times slower.
        once = jnp.minimum(self.sweeps, 1)

        def sweep(index: Array, spins: tuple[Array, ...]) -> tuple[Array, ...]:
            here, now = jax.random.fold_in(key, index), dict(zip(places, spins, strict=True))
            for order, place in enumerate(places):

                def draw(_: Array, own: Array, order: int = order, place: tuple[int, ...] = place) -> Array:
                    word = site_words(jax.random.fold_in(here, order // 4), site, label)[order % 4]
                    rest = sum(spin for other, spin in now.items() if other != place)
                    up = tie_weight((rest + 1) * target)
                    down = tie_weight((rest - 1) * target) * odds(_neighbours(now, place, self.b))
                    return jnp.where(uniform(word) * (up + down) < up, 1.0, -1.0)

                now[place] = jax.lax.fori_loop(0, once, draw, now[place])
            return tuple(now[place] for place in places)

        spins = jax.lax.fori_loop(0, self.sweeps, sweep, (target,) * len(places))
        return jnp.moveaxis(jnp.stack(spins, axis=-1), -2, 0)


def tie_weight(aligned: Float[Array, "..."]) -> Float[Array, "..."]:
    """Probability that a block has a spin, from its sum times that spin: 1, 1/2 for a tie, or 0.

    >>> import jax.numpy as jnp
    >>> tie_weight(jnp.array([2.0, 0.0, -4.0])).tolist()
    [1.0, 0.5, 0.0]
    """
    return (jnp.sign(aligned) + 1) / 2


def _neighbours(now: dict[tuple[int, ...], Array], place: tuple[int, ...], b: int) -> Array:
    """Sum of the neighbours of one place of all blocks; places by their coordinates within the block."""
    found: list[Array] = []
    for axis, own in enumerate(place):
        for step in (-1, 1):
            blocks, inside = divmod(own + step, b)
            other = now[(*place[:axis], inside, *place[axis + 1 :])]
            found.append(jnp.roll(other, -blocks, axis) if blocks else other)
    return sum(found[1:], found[0])
