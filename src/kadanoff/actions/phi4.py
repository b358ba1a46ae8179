"""The phi^4 lattice field theory."""

from typing import ClassVar

import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from kadanoff.actions.base import NearestNeighbourAction, shown
from kadanoff.actions.coupling import one_coupling
from kadanoff.errors import InputError

__all__ = ["Phi4"]

_LARGEST = 16.0  # k^2 in four dimensions


class Phi4(NearestNeighbourAction):
    """phi^4 theory on a periodic lattice of any dimension d, every link counted once.

    S = -kappa sum_<xy> phi_x phi_y + (mass2 + 2 d kappa)/2 sum_x phi_x^2 + quartic/4 sum_x phi_x^4.

    The convention is that of D. Schaich and W. Loinaz (arXiv:0902.0045) and of D. Bachtis et al., PRL 128,
    081603. Critical in d = 2 with kappa = 1 at (mass2, quartic) = (-0.9515, 0.7) and (-1.2723, 1.0).

    Raises `InputError` for couplings that are not finite, quartic < 0 (S is unbounded below), and quartic = 0
    with mass2 <= 0, or with kappa < 0 and mass2 <= 16 |kappa| (the free field has no normalisable distribution).

    >>> Phi4(mass2=-0.9515, quartic=0.7)
    Phi4(mass2=-0.9515, quartic=0.7, kappa=1.0)
    """

    mass2: Float[Array, ""]
    quartic: Float[Array, ""]
    kappa: Float[Array, ""]

    positive: ClassVar[tuple[str, ...]] = ("quartic",)

    def __init__(self, mass2: float | Array, quartic: float | Array, kappa: float | Array = 1.0) -> None:
        """Set the couplings."""
        given = {"mass2": mass2, "quartic": quartic, "kappa": kappa}
        self.mass2, self.quartic, self.kappa = (one_coupling(name, value) for name, value in given.items())

    def __check_init__(self) -> None:
        """Refuse couplings that define no distribution."""
        values = (self.mass2, self.quartic, self.kappa)
        if any(isinstance(value, Tracer) for value in values):
            return
        mass2, quartic, kappa = (float(value) for value in values)
        if not np.all(np.isfinite([mass2, quartic, kappa])):
            raise InputError(
                f"couplings must be finite numbers, got mass2={mass2:g}, quartic={quartic:g}, kappa={kappa:g}"
            )
        if quartic < 0:
            raise InputError(f"quartic={quartic:g} < 0 leaves the action unbounded below; give quartic >= 0")
        if quartic == 0 and mass2 <= 0:
            raise InputError(
                f"quartic=0 with mass2={mass2:g} <= 0 has no normalisable distribution; "
                "give mass2 > 0 or quartic > 0"
            )
        # The stiffness of a mode is mass2 + kappa k^2, with k^2 up to 4 d.
        if quartic == 0 and kappa < 0 and mass2 <= _LARGEST * -kappa:
            raise InputError(
                f"quartic=0 with kappa={kappa:g} < 0 has no normalisable distribution unless mass2 > 4 d |kappa|: "
                f"give mass2 > {_LARGEST:g} |kappa|, enough in up to four dimensions, or quartic > 0; or turn every "
                "other sign, which takes mass2 to mass2 + 4 d kappa and kappa to -kappa"
            )

    @classmethod
    def from_hopping(cls, hopping: float, quartic: float, dimension: int) -> "Phi4":
        """Convert from S = sum[-2k phi phi' + (1 - 2l) phi^2 + l phi^4], with phi = sqrt(2k) phi_hopping.

        mass2 = (1 - 2l)/k - 2d, quartic = l/k^2, kappa = 1.

        >>> Phi4.from_hopping(0.25, 0.0625, dimension=2)
        Phi4(mass2=-0.5, quartic=1.0, kappa=1.0)
        """
        if not hopping > 0:
            raise InputError(f"the hopping parameter must be positive, got {hopping}")
        return cls((1 - 2 * quartic) / hopping - 2 * dimension, quartic / hopping**2)

    def site_couplings(self, dimension: int) -> tuple[Array, Array]:
        """Couplings (a, b) of the quartic site: given its neighbours, p(x) ~ exp(h x - a x^2 - b x^4)."""
        return (self.mass2 + 2 * dimension * self.kappa) / 2, self.quartic / 4

    def potential(self, phi: Float[Array, "..."], dimension: int) -> Float[Array, "..."]:
        """V(phi) = (mass2 + 2 d kappa)/2 phi^2 + quartic/4 phi^4."""
        a, b = self.site_couplings(dimension)
        square = phi * phi
        return square * (a + b * square)

    def __repr__(self) -> str:
        """Print the couplings as they were typed."""
        return shown(self)
