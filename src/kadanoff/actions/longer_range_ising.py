"""The Ising model with couplings to all sites of the unit cubes around a spin."""

import itertools
from functools import lru_cache
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Float, Num

from kadanoff.actions.base import Action, shown
from kadanoff.actions.coupling import one_coupling
from kadanoff.actions.inhomogeneous import InhomogeneousIsing
from kadanoff.errors import InputError
from kadanoff.graph import Graph
from kadanoff.lattice import Lattice, shell_sum

__all__ = ["LongerRangeIsing"]


class LongerRangeIsing(Action):
    """The Ising model with diagonal couplings, s = +-1 on a periodic lattice of any dimension.

    S = -nearest sum_<xy> s_x s_y - diagonal sum_<<xy>> s_x s_y - cubic sum_<<<xy>>> s_x s_y, where pairs differ by one
    step along one axis, along each of two and along each of three; every pair is counted once. In two dimensions there
    are no pairs of the third kind. Renormalised spins interact like this: `kd.fixed_point` finds the couplings that a
    blocking rule leaves as they are.

    Raises `InputError` for couplings that are not finite numbers.

    >>> import jax.numpy as jnp, kadanoff as kd
    >>> float(kd.total(LongerRangeIsing(0.1, 0.01, 0.001), jnp.ones((4, 4, 4)))).__round__(3)
    -23.296

    Source: H. W. J. Blöte et al., PRL 76 (1996) 2613.
    """

    nearest: Float[Array, ""]
    diagonal: Float[Array, ""]
    cubic: Float[Array, ""]

    spins: ClassVar[bool] = True

    def __init__(self, nearest: ArrayLike, diagonal: ArrayLike = 0.0, cubic: ArrayLike = 0.0) -> None:
        """Set the couplings."""
        given = {"nearest": nearest, "diagonal": diagonal, "cubic": cubic}
        self.nearest, self.diagonal, self.cubic = (one_coupling(name, value) for name, value in given.items())

    def __check_init__(self) -> None:
        """Refuse what are no couplings."""
        for name, value in zip(("nearest", "diagonal", "cubic"), self.shells, strict=True):
            if not isinstance(value, Tracer) and not np.isfinite(float(value)):
                raise InputError(f"couplings must be finite numbers, got {name}={float(value)}")

    @property
    def shells(self) -> tuple[Array, Array, Array]:
        """The couplings by the number of axes along which a pair differs."""
        return self.nearest, self.diagonal, self.cubic

    def on(self, lattice: Lattice) -> InhomogeneousIsing:
        """The same model as pairs of a graph, whose colours a sampler updates one after the other.

        >>> import kadanoff as kd
        >>> LongerRangeIsing(0.1, 0.01).on(kd.Lattice((4, 4)))
        InhomogeneousIsing(Graph(shape=(4, 4), edges=64))
        """
        steps = _half_steps(lattice.dimension)
        graph = _graph(lattice, tuple(itertools.chain(*steps)))
        counts = [len(own) * lattice.volume for own in steps]
        parts = [jnp.full(count, coupling) for count, coupling in zip(counts, self.shells, strict=False)]
        return InhomogeneousIsing(graph, jnp.concatenate(parts))

    def field_at(self, sublattices: dict[tuple[int, ...], Array], place: tuple[int, ...], b: int) -> Array:
        """What the other sites do to every site of one sublattice, h_x: its conditional is ~ exp(h_x s_x).

        Sublattices hold the sites of one place of all blocks of side b, as in `kadanoff.lattice.shell_sum`.
        """
        near = self.shells[: len(place)]
        parts = [coupling * shell_sum(sublattices, place, b, axes) for axes, coupling in enumerate(near, 1)]
        return sum(parts[1:], parts[0])

    def density(self, field: Num[Array, "..."]) -> Float[Array, "..."]:
        """Minus half of s_x h_x: a pair gives each of its sites one half."""
        origin = (0,) * field.ndim
        return -0.5 * field * self.field_at({origin: field}, origin, 1)

    def __repr__(self) -> str:
        """Print the couplings as they were typed."""
        return shown(self)


def _half_steps(dimension: int) -> list[list[tuple[int, ...]]]:
    """The steps to the partners of a site by how many axes they take, one of every two opposite ones."""
    steps = [step for step in itertools.product((0, 1, -1), repeat=dimension) if any(step)]
    forth = [step for step in steps if next(along for along in step if along) > 0]
    return [
        [step for step in forth if np.count_nonzero(step) == axes] for axes in range(1, min(dimension, 3) + 1)
    ]


@lru_cache(maxsize=16)
def _graph(lattice: Lattice, steps: tuple[tuple[int, ...], ...]) -> Graph:
    """The graph, kept with its colouring, which takes a second on large lattices."""
    return Graph.periodic(lattice.shape, steps)
