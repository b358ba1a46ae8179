"""Couplings as a user may give them, and by their names, as `couplings` tells them."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from kadanoff.errors import InputError

__all__ = ["as_coupling", "coupling_of", "named_leaves", "one_coupling", "with_couplings"]


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


def named_leaves(action: Any) -> list[tuple[str, Any]]:
    """What an action and its parts hold, each with its name.

    >>> named_leaves({2: [0.5], 3: 1.0})
    [('[2][0]', 0.5), ('[3]', 1.0)]
    """
    return [(_name(path), leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(action)]


def coupling_of(action: Any, name: str) -> Any:
    """One coupling of an action, also of a part of it; None where there is none of this name.

    >>> import kadanoff as kd
    >>> coupling_of(kd.Phi4(-0.9515, 0.7), "quartic").item(), coupling_of({2: [0.5]}, "[2][0]")
    (0.699999988079071, 0.5)
    """
    return dict(named_leaves(action)).get(name)


def with_couplings(action: Any, values: Mapping[str, Any]) -> Any:
    """The action with other values of the couplings that are named, also those of its parts; nothing is checked.

    >>> with_couplings({2: [0.5], 3: 1.0}, {"[2][0]": 0.7})
    {2: [0.7], 3: 1.0}
    """
    return jax.tree_util.tree_map_with_path(lambda path, leaf: values.get(_name(path), leaf), action)


def _name(path: Any) -> str:
    return jax.tree_util.keystr(path).lstrip(".")
