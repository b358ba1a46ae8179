"""Raw measurements of many fields: sums over sites, batch by batch, that lose no digits."""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Inexact, Num

from kadanoff.actions.base import NearestNeighbourAction, gradient
from kadanoff.field_sums import FIELD_SUMS, Pairs, field_sums, smallest_wave
from kadanoff.lattice import Lattice
from kadanoff.products import matmul
from kadanoff.summation import compensated_pair, to_double

__all__ = ["in_batches", "measure", "measurement_names"]

#: Sites measured at once: bounds the memory of temporaries on any device.
_SITES_PER_BATCH = 1 << 22
#: Up to so many sites fields are filled up to a power of two of them: one program for ensembles of many sizes.
_FEW_SITES = 1 << 18


def measurement_names(with_action: bool, spins: bool = False, on_lattice: bool = True) -> tuple[str, ...]:
    """Raw measurements of a field; those that need an action, real sites or a lattice are left out without them."""
    names = ("magnetization", "structure_factor", "neighbours") if on_lattice else ("magnetization",)
    if not spins:
        names += ("phi2", "phi4")
    if with_action:
        names += ("action_density",) if spins else ("action_density", "schwinger_dyson")
    return names


def measure(
    fields: Num[Array, "config ..."] | np.ndarray, action: Any, names: tuple[str | Callable, ...]
) -> Mapping[Any, Inexact[np.ndarray, " config"]]:
    """Measure raw quantities on many fields; returns double-precision series, one value a configuration.

    `names` are those of `measurement_names`, or functions field -> terms, of which the mean is taken: one a site,
    or a single number of the whole field. Works through the fields in batches, so that temporaries stay small.

    >>> import jax.numpy as jnp, kadanoff as kd
    >>> result = measure(jnp.ones((1, 4, 4)), kd.Phi4(-0.9515, 0.7), ("action_density",))
    >>> float(result["action_density"][0].round(6))
    -0.30075
    """
    hopping = _HOPPING if _hops(action) else {}
    parts = [(hopping[name][0], "neighbours") if name in hopping else (name,) for name in names]
    needed = tuple(dict.fromkeys(chain(*parts)))
    sums = in_batches(fields, lambda chunk: _measure_batch(chunk, action, needed))
    found: dict[Any, np.ndarray] = dict(zip(needed, sums, strict=True))
    for name in [name for name in names if name in hopping]:
        local, links = hopping[name]
        found[name] = found[local] - links * np.asarray(action.kappa)[()] * found["neighbours"]
    return {name: found[name] / _terms(name, fields.shape[1:], fields.dtype) for name in names}


def _hops(action: Any) -> bool:
    """Whether S is local terms and a hopping term, so that its sums need no other pass over neighbours."""
    return (
        isinstance(action, NearestNeighbourAction)
        and type(action).density is NearestNeighbourAction.density
        and np.ndim(action.kappa) == 0
    )


def in_batches(
    fields: Num[Array, "config ..."] | np.ndarray,
    function: Callable[[Array], Sequence[tuple[Array, Array | None]]],
) -> list[Inexact[np.ndarray, "config ..."]]:
    """Apply a function of many fields batch by batch, so that its temporaries stay small.

    `function` gives compensated pairs, each (config, ...); the answer has them as double-precision series.
    """
    volume = int(np.prod(fields.shape[1:]))
    few = 1 << max(len(fields) - 1, 0).bit_length()
    batch = max(1, min(few if few * volume <= _FEW_SITES else len(fields), _SITES_PER_BATCH // volume))
    parts: list[list[np.ndarray]] = []
    for begin in range(0, len(fields), batch):
        chunk = fields[begin : begin + batch]
        if not jnp.issubdtype(chunk.dtype, jnp.inexact) or chunk.dtype.itemsize < 4:
            chunk = chunk.astype(np.float32)  # an int8 overflows in a sum, and so does half precision
        missing = batch - len(chunk)
        if missing:  # one compiled shape serves the last batch too
            join = np.concatenate if isinstance(chunk, np.ndarray) else jnp.concatenate
            chunk = join([chunk, np.zeros((missing, *chunk.shape[1:]), chunk.dtype)])
        parts.append([to_double(pair)[: batch - missing] for pair in function(jax.device_put(chunk))])
    return [np.concatenate(series) for series in zip(*parts, strict=True)]


@eqx.filter_jit
def _measure_batch(fields: Array, action: Any, names: tuple[str | Callable, ...]) -> Pairs:
    at_once = [name for name in names if isinstance(name, str) and name in FIELD_SUMS]
    others = [name for name in names if name not in FIELD_SUMS]
    found = dict(zip(at_once, field_sums(fields, at_once, _each(action, at_once)), strict=True))
    found |= dict(zip(others, _each(action, others)(fields), strict=True))
    return [found[name] for name in names]


def _each(action: Any, names: Sequence[str | Callable]) -> Callable[[Array], Pairs]:
    return jax.vmap(
        lambda field: [_RAW[n](field, action) if isinstance(n, str) else _sum(n(field)) for n in names]
    )


def _terms(name: str | Callable, shape: tuple[int, ...], dtype: Any) -> int:
    """How many terms a raw measurement sums."""
    if isinstance(name, str):
        return 1 if name == "structure_factor" else int(np.prod(shape))
    kind = dtype if jnp.issubdtype(dtype, jnp.inexact) else jnp.float32
    terms = jax.eval_shape(lambda field: jnp.asarray(name(field)), jax.ShapeDtypeStruct(shape, kind))
    return terms.size


def _sum(terms: Any) -> tuple[Array, Array]:
    terms = jnp.asarray(terms)
    small = not jnp.issubdtype(terms.dtype, jnp.inexact) or terms.dtype.itemsize < 4
    return compensated_pair(terms.astype(jnp.float32) if small else terms)


def _structure_factor(field: Array, action: Any) -> tuple[Array, None]:
    """|sum_x phi_x exp(i k x)|^2 / V at the smallest momentum, averaged over the longest axes."""
    lattice = Lattice(field.shape)
    axes = [axis for axis, side in enumerate(field.shape) if side == lattice.longest]
    wave = jnp.asarray(smallest_wave(lattice.longest).T, field.dtype)
    profiles = [jnp.sum(field, axis=[other for other in range(field.ndim) if other != axis]) for axis in axes]
    power = jnp.sum(matmul(jnp.stack(profiles), wave) ** 2) / (lattice.volume * len(axes))
    return power, None


#: What S and phi dS/dphi are where neighbours hop: local terms, less so many times kappa phi and its forward ones.
_HOPPING: dict[Any, tuple[str, int]] = {
    "action_density": ("potential", 1),
    "schwinger_dyson": ("site_force", 2),
}


class _Sites(eqx.Module):
    """The local terms of an action alone."""

    action: NearestNeighbourAction

    def density(self, field: Array) -> Array:
        return self.action.potential(field, field.ndim)


_RAW: dict[str, Callable[[Array, Any], tuple[Array, Array | None]]] = {
    "magnetization": lambda field, action: _sum(field),
    "structure_factor": _structure_factor,
    "phi2": lambda field, action: _sum(field**2),
    "phi4": lambda field, action: _sum(field**4),
    "neighbours": lambda field, action: _sum(field * Lattice(field.shape).forward_sum(field)),
    "potential": lambda field, action: _sum(action.potential(field, field.ndim)),
    "site_force": lambda field, action: _sum(field * gradient(_Sites(action), field)),
    "action_density": lambda field, action: _sum(action.density(field)),
    "schwinger_dyson": lambda field, action: _sum(field * gradient(action, field)),
}
