"""Sums over the sites of a field that most measurements take: all at once by a kernel on CPUs."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Num

from kadanoff.compiled.fields import field_plan
from kadanoff.compiled.fields import field_sums as kernel
from kadanoff.compiled.foreign import call, either, threads

__all__ = ["FIELD_SUMS", "Pairs", "field_sums", "smallest_wave"]

#: Names of raw measurements, in the order of the kernel's results.
FIELD_SUMS = ("magnetization", "phi2", "phi4", "neighbours", "structure_factor")
#: Compensated pairs, each (config): the second number is what the first lacks, None for nothing.
Pairs = list[tuple[Array, Array | None]]


def field_sums(
    fields: Num[Array, "config ..."], names: Sequence[str], generic: Callable[[Array], Pairs]
) -> Pairs:
    """Sum what is named over the sites of every field, as `generic` does: the same terms, by one pass over them.

    >>> names = ("phi2", "neighbours")
    >>> pairs = field_sums(jnp.full((1, 4, 4), 2.0), names, lambda fields: [(fields[:, 0, 0], None)] * 2)
    >>> [float(high[0]) for high, _ in pairs]
    [64.0, 128.0]
    """
    if not names:
        return []

    def compiled(fields: Array) -> Pairs:
        one = jax.ShapeDtypeStruct(fields.shape[:1], jnp.float32)
        wave = jnp.asarray(smallest_wave(max(fields.shape[1:])), jnp.float32)
        found = call(kernel, (one,) * 9, (fields, wave), field_plan(fields.shape, threads()))
        pairs = [(found[2 * k], found[2 * k + 1] if k < 4 else None) for k in range(5)]
        return [pairs[FIELD_SUMS.index(name)] for name in names]

    return either(compiled, generic, fields, when=fields.dtype == jnp.float32)


def smallest_wave(side: int) -> Num[np.ndarray, "2 side"]:
    """Cosine and sine of the smallest momentum along a side.

    >>> smallest_wave(4).round().astype(int).tolist()
    [[1, 0, -1, 0], [0, 1, 0, -1]]
    """
    angle = 2 * np.pi * np.arange(side) / side
    return np.stack([np.cos(angle), np.sin(angle)])
