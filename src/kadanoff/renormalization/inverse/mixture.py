"""Gaussian mixtures over the sites of a block: density, draws, and the density of the block's shape."""

import math
from functools import partial
from itertools import accumulate
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import ndtr
from jaxtyping import Array, Float

from kadanoff.compiled.foreign import on_cpu

__all__ = ["Mixture", "draw", "log_density", "log_shape_density"]


class Mixture(NamedTuple):
    """Components of a mixture over n sites: log-weights (..., k), means (..., k, n), precision factors.

    The precision of a component is A^T A, A lower triangular with `diagonal` (..., k, n) > 0 and `lower`
    (..., k, n(n-1)/2), so that whitening is a product and drawing a substitution.
    """

    log_weight: Float[Array, "..."]
    mean: Float[Array, "..."]
    diagonal: Float[Array, "..."]
    lower: Float[Array, "..."]

    def whiten(self, vector: Float[Array, "..."]) -> Float[Array, "..."]:
        """A times a vector (..., k, n), row by row."""
        parts, lower = jnp.unstack(vector, axis=-1), jnp.unstack(self.lower, axis=-1)
        rows = [scale * part for scale, part in zip(jnp.unstack(self.diagonal, axis=-1), parts, strict=True)]
        for i in range(len(parts)):
            for j in range(i):
                rows[i] = rows[i] + lower[i * (i - 1) // 2 + j] * parts[j]
        return jnp.stack(rows, axis=-1)

    def tempered(self, temperature: float) -> "Mixture":
        """The same mixture with the spread of every component multiplied by `temperature`.

        Weights and means stay, and so does the spread between components.
        """
        if temperature == 1.0:
            return self
        return self._replace(diagonal=self.diagonal / temperature, lower=self.lower / temperature)

    @property
    def log_normalisation(self) -> Float[Array, "..."]:
        """Log of the weight times the Gaussian's prefactor, by component."""
        n = self.mean.shape[-1]
        return self.log_weight + jnp.sum(jnp.log(self.diagonal), axis=-1) - 0.5 * n * math.log(2 * math.pi)


def log_density(mixture: Mixture, block: Float[Array, "... n"]) -> Float[Array, "..."]:
    """Log-density of the sites of a block."""
    white = mixture.whiten(block[..., None, :] - mixture.mean)
    return jax.nn.logsumexp(mixture.log_normalisation - 0.5 * jnp.sum(white**2, axis=-1), axis=-1)


def log_shape_density(
    mixture: Mixture, coarse: Float[Array, "..."], block: Float[Array, "... n"]
) -> Float[Array, "..."]:
    """Log-density of a block rescaled to the block value `coarse`, on the surface RG(block) = coarse.

    A draw v of the mixture is rescaled to v coarse / RG(v); its ray v = t block is integrated out in closed form,
    |coarse| int |t|^{n-1} q(t block) dt, with respect to the measure delta(RG(block) - coarse) d^n block.
    """
    n = block.shape[-1]
    if not on_cpu():
        # XLA takes minutes for GPUs to weigh what of the network before and of the moments after to fuse.
        mixture = Mixture(*jax.lax.optimization_barrier(tuple(mixture)))
    along = mixture.whiten(jnp.broadcast_to(block[..., None, :], mixture.mean.shape))
    centre = mixture.whiten(mixture.mean)
    alpha = jnp.sum(along**2, axis=-1)
    beta = jnp.sum(along * centre, axis=-1)
    rest = jnp.sum(centre**2, axis=-1) - beta**2 / alpha
    moment = _log_absolute_moment(beta / jnp.sqrt(alpha), n - 1)
    terms = mixture.log_normalisation - 0.5 * rest - 0.5 * n * jnp.log(alpha) + moment
    return jax.nn.logsumexp(terms, axis=-1) + jnp.log(jnp.abs(coarse))


def draw(
    mixture: Mixture, uniform: Float[Array, "..."], normals: Float[Array, "... n"]
) -> Float[Array, "... n"]:
    """Turn one uniform and n normals a block into a draw."""
    # Blocks innermost: loops over a few components, or a few sites of a block, would make no vectors.
    cumulative = list(accumulate(jnp.exp(jnp.moveaxis(mixture.log_weight, -1, 0))))
    parts = [jnp.moveaxis(part, (-2, -1), (0, 1)) for part in (mixture.mean, mixture.diagonal, mixture.lower)]
    mean, diagonal, lower = (part[-1] for part in parts)
    for component in reversed(range(len(cumulative) - 1)):
        here = uniform < cumulative[component]
        mean, diagonal, lower = (
            jnp.where(here, part[component], other)
            for part, other in zip(parts, (mean, diagonal, lower), strict=True)
        )
    steps: list[Array] = []
    for i in range(normals.shape[-1]):
        rest = normals[..., i]
        for j in range(i):
            rest = rest - lower[i * (i - 1) // 2 + j] * steps[j]
        steps.append(rest / diagonal[i])
    return jnp.moveaxis(mean + jnp.stack(steps), 0, -1)


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def _log_absolute_moment(centre: Float[Array, "..."], order: int) -> Float[Array, "..."]:
    """Log of int |z|^order exp(-(z - centre)^2/2) dz, for an order of one or more."""
    return _moment_and_slope(centre, order)[0]


@_log_absolute_moment.defjvp
def _slope(order: int, primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    # Known from the same recurrence; differentiated, XLA would compute it anew for every site of a block.
    moment, slope = _moment_and_slope(*primals, order)
    return moment, slope * tangents[0]


def _moment_and_slope(centre: Array, order: int) -> tuple[Array, Array]:
    """By the recurrence of the two half-lines: the derivative of a moment by the centre is order times that below."""
    size, halves = jnp.abs(centre), []
    for side in (size, -size):
        gauss = jnp.exp(-0.5 * side**2)
        below, now = jnp.sqrt(2 * jnp.pi) * ndtr(side), gauss + side * jnp.sqrt(2 * jnp.pi) * ndtr(side)
        for p in range(2, order + 1):
            below, now = now, side * now + (p - 1) * below
        halves.append((below, now))
    (right_below, right), (left_below, left) = halves
    slope = jnp.sign(centre) * order * (right_below - left_below) / (right + left)
    return jnp.log(right + left), slope
