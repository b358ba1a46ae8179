"""Couplings as a user may give them."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from kadanoff.errors import InputError

__all__ = ["as_coupling"]


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
