"""Compatible Monte Carlo: fine spins by local moves of the fine Hamiltonian that keep the spin of every block."""

from collections.abc import Callable
from itertools import product
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray, UInt32

from kadanoff.actions.base import NearestNeighbourAction, has_spins
from kadanoff.actions.longer_range_ising import LongerRangeIsing
from kadanoff.errors import InputError
from kadanoff.lattice import shell_sum
from kadanoff.random import site_words, uniform
from kadanoff.renormalization.blocking import BlockingRule, Majority, SpinRule
from kadanoff.renormalization.inverse.base import Inverse, site_numbers
from kadanoff.sampling.heat_bath import spin_odds
from kadanoff.whole import whole

__all__ = ["CompatibleMonteCarlo"]


class CompatibleMonteCarlo(Inverse):
    """The inverse of a rule of spins by simulation: P(fine | coarse) ~ exp(-S(fine)) K(coarse | fine).

    K is the probability that the rule gives the coarse spins: of a majority 1, 1/2 for a tie, 0 else. From blocks of
    equal spins, `sweeps` sweeps of a heat bath under this weight update one site of all blocks at a time. The chain's
    law tends to P(fine | coarse); blocks keep their spin, so that it relaxes in a few sweeps at any size.
    Fields that were blocked by the rule are thus turned back into the fine law itself. Over many steps that law is the
    blocked one, too, where the action is the fixed point of the rule, as `kd.fixed_point` finds it.

    Raises `InputError` for an action without spins or without sublattices, a rule that gives no spins, and fewer than
    one sweep.

    >>> import jax, jax.numpy as jnp, kadanoff as kd
    >>> inverse = kd.CompatibleMonteCarlo(kd.Ising(0.44), sweeps=8)
    >>> coarse = jnp.array([[1.0, -1.0], [1.0, 1.0]])
    >>> blocks = inverse.blocks(jax.random.key(0), coarse[None], jnp.zeros(1, jnp.uint32))
    >>> bool((blocks.sum(axis=-1) * coarse >= 0).all())
    True

    Source: D. Ron, R. Swendsen, A. Brandt, PRL 89 (2002) 275701.
    """

    action: NearestNeighbourAction | LongerRangeIsing
    rule: SpinRule
    #: A leaf, not static: one compiled map serves every number of sweeps.
    sweeps: Int[Array, ""]
    lattice_dimension: int = eqx.field(static=True)

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
        if not (has_spins(action) and isinstance(action, NearestNeighbourAction | LongerRangeIsing)):
            raise InputError(
                f"compatible Monte Carlo updates spins that do not interact within one place of all blocks, and "
                f"{type(action).__name__} has none; use kd.Ising or kd.LongerRangeIsing"
            )
        if not isinstance(rule, SpinRule):
            raise InputError(
                f"compatible Monte Carlo keeps spins of blocks, and {type(rule).__name__} draws none; use kd.Majority "
                "or kd.SoftMajority"
            )
        self.action, self.rule = action, rule
        self.lattice_dimension = whole("the dimension of the lattice", dimension, least=1)
        self.sweeps = jnp.asarray(whole("the sweeps of compatible Monte Carlo", sweeps, least=1), jnp.int32)

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
        odds = _odds(self.action, self.b)

        # A loop of one turn, unknown to the compiler, about every place: else the places of a sweep are fused into one
        # another and drawn again wherever they are read, in three dimensions ten times slower.
        once = jnp.minimum(self.sweeps, 1)

        def sweep(index: Array, spins: tuple[Array, ...]) -> tuple[Array, ...]:
            here, now = jax.random.fold_in(key, index), dict(zip(places, spins, strict=True))
            for order, place in enumerate(places):

                def draw(_: Array, own: Array, order: int = order, place: tuple[int, ...] = place) -> Array:
                    word = site_words(jax.random.fold_in(here, order // 4), site, label)[order % 4]
                    rest = sum(spin for other, spin in now.items() if other != place)
                    up = self.rule.probability((rest + 1) * target)
                    down = self.rule.probability((rest - 1) * target) * odds(now, place)
                    return jnp.where(uniform(word) * (up + down) < up, 1.0, -1.0)

                now[place] = jax.lax.fori_loop(0, once, draw, now[place])
            return tuple(now[place] for place in places)

        spins = jax.lax.fori_loop(0, self.sweeps, sweep, (target,) * len(places))
        return jnp.moveaxis(jnp.stack(spins, axis=-1), -2, 0)


def _odds(
    action: NearestNeighbourAction | LongerRangeIsing, b: int
) -> Callable[[dict[tuple[int, ...], Array], tuple[int, ...]], Array]:
    """The function of the sites of all places, and of one place, that gives p(-1)/p(+1) of the spins there."""
    if isinstance(action, LongerRangeIsing):
        return lambda now, place: jnp.exp(-2 * action.field_at(now, place, b))
    return lambda now, place: spin_odds(action, len(place))(shell_sum(now, place, b, 1))
