"""Draws of a conditional density by compiled code on CPUs: one pass, from coarse fields to fine ones."""

from functools import partial
from typing import TYPE_CHECKING

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, UInt32

from kadanoff.compiled.density import density_draws, draw_plan
from kadanoff.compiled.foreign import call, either, kernels_apply, threads
from kadanoff.compiled.layout import layout
from kadanoff.compiled.mixtures import mixture_draws
from kadanoff.compiled.vectors import LANES, SUMS
from kadanoff.lattice import Lattice
from kadanoff.random import site_words

if TYPE_CHECKING:
    from kadanoff.renormalization.inverse.density import ConditionalDensity, MixtureHead

__all__ = ["draw_fine"]


def draw_fine(
    density: "ConditionalDensity",
    key: PRNGKeyArray,
    coarse: Float[Array, "n ..."],
    number: UInt32[Array, " n"],
) -> Float[Array, "n ..."]:
    """Draw as `density.generic_fine` does, from the same random numbers and up to rounding.

    Sides are to be even, dimensions two or more, and both heads of one width; rules, other types and shards are left
    to the generic code, as are derivatives.
    """
    lattice, alike = Lattice(coarse.shape[1:]), _form(density.first) == _form(density.second)
    known = lattice.is_bipartite and lattice.dimension > 1 and density.rule is None and alike
    one_width = len({kernel.shape[-1] for kernel in density.first.network.kernels}) == 1
    if not (known and one_width and kernels_apply() and coarse.dtype == jnp.float32):
        return density.generic_fine(key, coarse, number)
    return _draw(density, key, coarse, number)


def _form(head: "MixtureHead") -> tuple:
    """All sizes of a head but how many channels come in."""
    kernels = head.network.kernels
    return head.components, [(kernel.shape[0], kernel.shape[-1]) for kernel in kernels], head.mean.shape


@eqx.filter_custom_jvp
def _draw(density: "ConditionalDensity", key: PRNGKeyArray, coarse: Array, number: Array) -> Array:
    def generic(*given: Array) -> Array:
        return density.generic_fine(*given)  # the method itself has no hash while its weights are traced

    return either(partial(_call, density), generic, key, coarse, number)


@_draw.def_jvp
def _derivative(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    return eqx.filter_jvp(lambda density, *given: density.generic_fine(*given), primals, tangents)


def _call(density: "ConditionalDensity", key: PRNGKeyArray, coarse: Array, number: Array) -> Array:
    b, n, across = density.b, density.b**density.dimension, coarse.shape[2:]
    choice, *keys = jax.random.split(key, 3)
    network = density.first.network
    width, kernels = network.kernels[-1].shape[-1], tuple(kernel.shape[0] for kernel in network.kernels)
    given = [
        coarse,
        number.astype(jnp.uint32),
        (site_words(choice, jnp.uint32(0), number)[0] % 2).astype(jnp.int32),
        jnp.stack([_keys(one, -(-n // 4)) for one in keys]),
        jnp.array([n, width, density.first.components], jnp.int32),
        jnp.array([density.temperature], jnp.float32),
    ]
    for head, inputs in ((density.first, 1), (density.second, 1 + n)):
        tables = layout(across, b, kernels, inputs, width, -(-width // LANES) * LANES)
        given += [*map(jnp.asarray, tables), _weights(head)]
    shape = (len(coarse), *[b * side for side in coarse.shape[1:]])
    plan = draw_plan(len(coarse), coarse.shape[1], coarse[0].size, threads())
    results = jax.ShapeDtypeStruct(shape, jnp.float32)
    return call(density_draws, results, tuple(given), plan, inner=(mixture_draws,))


def _keys(key: PRNGKeyArray, groups: int) -> UInt32[Array, "keys 2"]:
    """The data of the key of components, and of those of every four normals."""
    component, values = jax.random.split(key)
    every = [component, *[jax.random.fold_in(values, group) for group in range(groups)]]
    return jnp.stack([jax.random.key_data(one) for one in every])


def _weights(head: "MixtureHead") -> Float[Array, " numbers"]:
    """All matrices of a head in one vector, as `density_draws` wants them."""

    def padded(matrix: Array, rows: int, columns: int) -> Array:
        return jnp.pad(matrix, ((0, -matrix.shape[0] % rows), (0, -matrix.shape[1] % columns)))

    kernels, skip = head.network.kernels, head.network.skip
    start = jnp.concatenate(
        [jnp.zeros_like(head.mean[0]), jnp.zeros(-head.mean.shape[1] % SUMS), head.offset]
    )
    parts = [
        *[padded(kernel.reshape(-1, kernel.shape[-1]), 1, LANES) for kernel in kernels],
        padded(skip, 1, LANES),
        padded(jnp.concatenate([padded(head.mean.T, 1, LANES), head.skip.T], axis=1), SUMS, 1),
        padded(head.shape.T, SUMS, LANES),
        padded(jnp.repeat(start[:, None], LANES, axis=1), SUMS, 1),
    ]
    return jnp.concatenate([part.ravel() for part in parts]).astype(jnp.float32)
