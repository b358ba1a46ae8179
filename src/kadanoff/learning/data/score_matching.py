"""Score matching: the couplings in closed form, by one symmetric linear solve."""

from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from kadanoff.actions.base import gradient, has_spins
from kadanoff.errors import InputError
from kadanoff.learning.data.parameters import Parameters
from kadanoff.learning.data.samples import Samples
from kadanoff.learning.data.solution import Solution, solve
from kadanoff.sampling.run import Progress
from kadanoff.store.checkpoint import Checkpoint

__all__ = ["ScoreMatching", "score"]

_TERMS = 1 << 23  # numbers held at once
_DISTINCT, _LOOKED_AT = 0.5, 1 << 20  # share of values that must differ, and how many are looked at
_AT_BORDER = 0.002  # share of values that may equal the largest or the smallest one
_SINGULAR = 1e-6  # of the scaled matrix, whose sums are made in single precision


@dataclass(frozen=True)
class ScoreMatching:
    """sum_a <grad O_b . grad O_a> g_a = <laplacian O_b>, O_a = dS/dg_a: the Fisher divergence of data and model.

    For every action that is linear in its couplings. An identity of integration by parts: it holds for smooth
    densities without borders, so spins, clipped and rounded data are refused, and so are a singular system and an
    action that is not linear (`InputError`).

    Source: A. Hyvarinen, J. Mach. Learn. Res. 6 (2005) 695.
    """

    def solve(
        self, parameters: Parameters, samples: Samples, seed: int, progress: Progress, checkpoint: Checkpoint
    ) -> Solution:
        """Solve the linear system; nothing is random, nor kept on the way: it is one pass over the data."""
        _require_smooth(parameters.action, samples.fields)
        count, weights = len(parameters.values), samples.weights
        matrix, right = np.zeros((count, count)), np.zeros(count)
        _require_linear(parameters, samples.fields[:2])
        origin = jnp.zeros(count)
        batches = _batches(samples.fields, count)
        for done, part in enumerate(batches):
            jacobian, laplacian, rest = _derivatives(parameters, origin, jnp.asarray(samples.fields[part]))
            weighted = np.asarray(jacobian, np.float64) * np.sqrt(weights[part])[:, None, None]
            flat = weighted.reshape(-1, count)
            matrix += flat.T @ flat
            fixed = np.einsum("nik,ni->nk", np.asarray(jacobian, np.float64), np.asarray(rest, np.float64))
            right += weights[part] @ (np.asarray(laplacian, np.float64) - fixed)
            progress(done + 1, 2 * len(batches), "score matching")
        _require_regular(matrix, parameters)
        vector = solve(matrix, right)
        terms = []
        for done, part in enumerate(batches):
            jacobian, laplacian, rest = _derivatives(parameters, origin, jnp.asarray(samples.fields[part]))
            jacobian = np.asarray(jacobian, np.float64)
            force = jacobian @ vector + np.asarray(rest, np.float64)
            terms.append(np.einsum("nik,ni->nk", jacobian, force) - np.asarray(laplacian, np.float64))
            progress(len(batches) + done + 1, 2 * len(batches), "score matching")
        return Solution(vector, -solve(matrix, np.concatenate(terms).T).T)


def score(action: object, field: Float[Array, "..."]) -> Float[Array, ""]:
    """Hyvarinen's score of one field, |grad S|^2/2 - laplacian S: the smaller its mean, the better the action.

    >>> import jax.numpy as jnp, kadanoff as kd
    >>> float(score(kd.Phi4(2.0, 0.0, 0.0), jnp.ones((4, 4))))  # S = sum phi^2: 4/2 - 2 a site
    0.0
    """
    return _score(action, field)


@eqx.filter_jit
def _score(action: object, field: Array) -> Array:
    return jnp.sum(gradient(action, field) ** 2) / 2 - _laplacian(action, field)  # pyright: ignore


def _laplacian(action: object, field: Array) -> Array:
    def second(direction: Array) -> Array:
        slope = jax.jvp(lambda phi: gradient(action, phi), (field,), (direction,))[1]  # pyright: ignore
        return jnp.sum(slope * direction)

    basis = jnp.eye(field.size, dtype=field.dtype).reshape(-1, *field.shape)
    return jnp.sum(jax.vmap(second)(basis))


@eqx.filter_jit
def _derivatives(parameters: Parameters, vector: Array, fields: Array) -> tuple[Array, Array, Array]:
    """Of every field: grad O (n, site, K), laplacian O (n, K), and the force at these couplings (n, site)."""

    def force(values: Array, field: Array) -> Array:
        return gradient(parameters.at(values), field).ravel()

    def one(field: Array) -> tuple[Array, Array, Array]:
        rest = force(vector, field)
        jacobian = jax.jacfwd(force)(vector, field)
        laplacian = jax.grad(lambda values: _laplacian(parameters.at(values), field))(vector)
        return jacobian, laplacian, rest

    return jax.vmap(one)(fields)


def _batches(fields: np.ndarray, count: int) -> list[slice]:
    volume = fields[0].size
    rows = max(1, _TERMS // (volume * max(count, volume)))
    return [slice(i, min(i + rows, len(fields))) for i in range(0, len(fields), rows)]


def _require_linear(parameters: Parameters, fields: np.ndarray) -> None:
    two = [
        _derivatives(parameters, jnp.asarray(vector, jnp.float32), jnp.asarray(fields))[0]
        for vector in (parameters.values + 0.5, 2 * parameters.values - 1)
    ]
    if not np.allclose(two[0], two[1], rtol=1e-3, atol=1e-4 * float(np.abs(two[0]).max())):
        raise InputError(
            "score matching solves for couplings in which the action is linear, and "
            f"{type(parameters.action).__name__} is not: take likelihood"
        )


def _require_smooth(action: object, fields: np.ndarray) -> None:
    if has_spins(action):
        raise InputError(
            "score matching differentiates the density, and spins have none: take pseudo-likelihood"
        )
    values = fields.ravel()[:_LOOKED_AT].astype(np.float32)
    for border in (values.max(), values.min()):
        share = np.mean(values == border)
        if share > max(_AT_BORDER, 1.5 / len(values)):
            raise InputError(
                f"{100 * share:.1f} % of the values are exactly {border:g}: clipped data have a border, where score "
                "matching does not hold; add noise, or take pseudo-likelihood"
            )
    # Updates that refuse a proposal repeat a value at its site, which is no rounding; that repeats it at all sites.
    site = np.arange(len(values)) % fields[0].size
    anew = len(np.unique(np.stack([values.view(np.uint32), site.astype(np.uint32)], 1).view(np.uint64)))
    if len(np.unique(values)) < _DISTINCT * anew:
        raise InputError(
            "the data are rounded: half of their values repeat, and score matching needs a smooth density; add noise "
            "of the width of a step, or take pseudo-likelihood"
        )


def _require_regular(matrix: np.ndarray, parameters: Parameters) -> None:
    if not np.isfinite(matrix).all():
        raise InputError(
            "operators of the data are beyond single precision, as fourth powers of large values are: divide the "
            "data, so that they deviate by 1"
        )
    scale = 1 / np.sqrt(np.maximum(np.diag(matrix), np.finfo(np.float64).tiny))
    values, vectors = np.linalg.eigh(matrix * scale[:, None] * scale)
    if values[0] < _SINGULAR * values[-1]:
        name = parameters.components[int(np.argmax(np.abs(vectors[:, 0])))]
        raise InputError(
            f"the data do not determine the couplings ({name} among them): the linear system is singular; give more "
            "fields, or name fewer couplings in `train`"
        )
