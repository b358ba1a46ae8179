"""Couplings as a user may give them."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from kadanoff.errors import InputError

__all__ = ["as_coupling", "one_coupling"]


def as_coupling(name: str, value: Any) -> Array:
    """A real coupling, or several, as a floating array; `InputError` for what is no real number.

    >>> float(as_coupling("mass2", -1))
    -1.0
    """
    if np.iscomplexobj(value):
        raise InputError(
            f"{name} is complex, and an action that is sampled has real couplings: give its real part here, and "
            "reweight to a complex target such as LongerRangePhi4"
        )
    try:
        return jnp.asarray(value, dtype=jnp.result_type(float))
    except (TypeError, ValueError):
        raise InputError(f"{name} must be a real number, got {value!r}") from None


def one_coupling(name: str, value: Any, complex_too: bool = False) -> Array:
    """One coupling as an array without axes; `InputError` for several, and for a complex one unless it may be.

    >>> complex(one_coupling("mass2", 1j, complex_too=True))
    1j
    """
    if complex_too and np.iscomplexobj(value):
        coupling = jnp.asarray(value)
    else:
        coupling = as_coupling(name, value)
    if coupling.ndim:
        raise InputError(
            f"{name} is one number for all sites, got the shape {coupling.shape}; couplings of every site and edge "
            "are those of InhomogeneousPhi4 and InhomogeneousIsing"
        )
    return coupling
