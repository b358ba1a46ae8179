"""The Ising model."""

from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Num

from kadanoff.actions.base import NearestNeighbourAction, shown
from kadanoff.actions.coupling import one_coupling
from kadanoff.errors import InputError

__all__ = ["Ising"]


class Ising(NearestNeighbourAction):
    """The Ising model on a periodic lattice of any dimension, S = -beta sum_<xy> s_x s_y with s = +-1.

    Every link is counted once; the energy is H = -sum_<xy> s_x s_y. Spins are kept as int8. In two dimensions the
    critical point is at beta = ln(1 + sqrt 2)/2 = 0.440687 (L. Onsager, Phys. Rev. 65 (1944) 117).

    Raises `InputError` for a beta that is not a finite number.

    >>> import jax.numpy as jnp, kadanoff as kd
    >>> float(kd.total(Ising(0.5), jnp.ones((4, 4))))
    -16.0
    """

    beta: Float[Array, ""]

    spins: ClassVar[bool] = True

    def __init__(self, beta: float | Array) -> None:
        """Set the inverse temperature."""
        self.beta = one_coupling("beta", beta)

    def __check_init__(self) -> None:
        """Refuse what is no inverse temperature."""
        if not isinstance(self.beta, Tracer) and not np.isfinite(float(self.beta)):
            raise InputError(f"beta must be a finite number, got {float(self.beta)}")

    @property
    def kappa(self) -> Array:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The coupling of neighbours."""
        return self.beta

    def potential(self, phi: Num[Array, "..."], dimension: int) -> Float[Array, "..."]:
        """Nothing but neighbours: zero."""
        return jnp.zeros(phi.shape, self.beta.dtype)

    def __repr__(self) -> str:
        """Print beta as it was typed."""
        return shown(self)
