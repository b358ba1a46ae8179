"""The phi^4 theory with more terms: next-nearest neighbours and phi^6."""

from dataclasses import fields
from itertools import combinations

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Inexact, Num

from kadanoff.actions.base import Action, shown
from kadanoff.actions.coupling import one_coupling
from kadanoff.errors import InputError
from kadanoff.lattice import sum_of_rolls

__all__ = ["LongerRangePhi4"]


class LongerRangePhi4(Action):
    """phi^4 theory with next-nearest neighbours and a phi^6 term, on a periodic lattice of two dimensions or more.

    S = S_phi4(mass2, quartic, kappa) - next_nearest sum_<<xy>> phi_x phi_y + sextic sum_x phi_x^6, where S_phi4 is the
    action of `Phi4`, and <<xy>> are the diagonals of the unit squares, each counted once. The talk's A_4 has
    next_nearest = 1 at (mass2, quartic, kappa) = (-0.9515, 0.7, 1). Every coupling may be complex, for a target of
    reweighting; S is linear in all of them.

    Raises `InputError` for couplings that are not finite, and real ones that leave S unbounded below: sextic < 0, or
    sextic = 0 without quartic > 0.

    >>> import jax.numpy as jnp, kadanoff as kd
    >>> float(kd.total(LongerRangePhi4(-0.9515, 0.7, next_nearest=1.0), jnp.ones((4, 4)))).__round__(3)
    -36.812

    Source: D. Bachtis, G. Aarts, B. Lucini, PRD 103 (2021) 074510, the target action A_4.
    """

    mass2: Inexact[Array, ""]
    quartic: Inexact[Array, ""]
    kappa: Inexact[Array, ""]
    next_nearest: Inexact[Array, ""]
    sextic: Inexact[Array, ""]

    def __init__(
        self,
        mass2: ArrayLike,
        quartic: ArrayLike,
        kappa: ArrayLike = 1.0,
        next_nearest: ArrayLike = 0.0,
        sextic: ArrayLike = 0.0,
    ) -> None:
        """Set the couplings."""
        self.mass2, self.quartic, self.kappa, self.next_nearest, self.sextic = (
            one_coupling(name, value, complex_too=True)
            for name, value in (
                ("mass2", mass2),
                ("quartic", quartic),
                ("kappa", kappa),
                ("next_nearest", next_nearest),
                ("sextic", sextic),
            )
        )

    def __check_init__(self) -> None:
        """Refuse couplings that define no distribution."""
        given = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        if any(isinstance(value, Tracer) for value in given.values()):
            return
        for name, value in given.items():
            if not np.isfinite(complex(value)):
                raise InputError(f"couplings must be finite numbers, got {name}={value}")
        quartic, sextic = (float(np.real(value)) for value in (self.quartic, self.sextic))
        if sextic < 0 or (sextic == 0 and quartic <= 0):
            raise InputError(
                f"sextic={sextic:g} with quartic={quartic:g} leaves the action unbounded below; "
                "give sextic > 0, or sextic = 0 and quartic > 0"
            )

    def potential(self, phi: Num[Array, "..."], dimension: int) -> Inexact[Array, "..."]:
        """V(phi) = (mass2 + 2 d kappa)/2 phi^2 + quartic/4 phi^4 + sextic phi^6."""
        square = phi * phi
        mass = (self.mass2 + 2 * dimension * self.kappa) / 2
        return square * (mass + square * (self.quartic / 4 + square * self.sextic))

    def local_field(self, field: Num[Array, "..."]) -> Inexact[Array, "..."]:
        """What the other sites do to every site, h_x: its conditional is ~ exp(h_x phi_x - V(phi_x))."""
        near = sum_of_rolls(field, field.ndim, (-1, 1))
        back = [jnp.roll(field, tuple(-s for s in step), axes) for axes, step in _diagonals(field.ndim)]
        forth = [jnp.roll(field, step, axes) for axes, step in _diagonals(field.ndim)]
        return self.kappa * near + self.next_nearest * sum(back + forth)

    def density(self, field: Num[Array, "..."]) -> Inexact[Array, "..."]:
        """V(phi_x) and the links that site x owns: to x + e_mu, and to x + e_mu +- e_nu."""
        near = sum_of_rolls(field, field.ndim, (-1,))
        far = sum(jnp.roll(field, tuple(-s for s in step), axes) for axes, step in _diagonals(field.ndim))
        return self.potential(field, field.ndim) - field * (self.kappa * near + self.next_nearest * far)

    def __repr__(self) -> str:
        """Print the couplings as they were typed."""
        return shown(self)


def _diagonals(dimension: int) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """The pairs of axes and the steps along them, one of every two opposite ones."""
    if dimension < 2:
        raise InputError("next-nearest neighbours are diagonals: give a lattice of two dimensions or more")
    return [(axes, step) for axes in combinations(range(dimension), 2) for step in ((1, 1), (1, -1))]
