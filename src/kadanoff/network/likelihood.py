"""The log-partition function and log-likelihood of networks of any size, by annealed importance sampling."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from kadanoff.compiled.purposes import ANNEALED
from kadanoff.errors import InputError
from kadanoff.learning.partition import annealed_importance_sampling
from kadanoff.network.exact import exact_log_partition, visible_energy
from kadanoff.network.model import Phi4Network, interpolated
from kadanoff.network.units import Unit
from kadanoff.products import matmul
from kadanoff.random import key as make_key
from kadanoff.statistics import Estimate
from kadanoff.whole import whole

__all__ = [
    "best_log_partition",
    "log_likelihood",
    "log_partition",
    "mean_log_likelihood",
    "mean_score",
    "unlinked_log_partition",
]


class _Path(eqx.Module):
    """The networks between two, for the annealing."""

    start: Phi4Network
    end: Phi4Network

    def __call__(self, t: Array) -> Phi4Network:
        return interpolated(self.start, self.end, t)


def log_partition(
    network: Phi4Network,
    base: Phi4Network | None = None,
    *,
    chains: int = ANNEALED,
    steps: int = 2000,
    seed: int = 0,
) -> Estimate:
    """ln Z by annealing from the unlinked network `base`, whose ln Z is exact, in `steps` changes of the couplings.

    `base` is by default the network itself without links; one whose visible units were fitted to the data is nearer to
    a trained network. The error is that of the spread of the weights over chains: trust it when they agree within a
    few nats, and double `steps` to see.

    Raises `InputError` for a base with links or of other units, and for fewer than two chains.

    >>> network = Phi4Network.random("bernoulli", 6, "ising", 4, seed=1, width=0.5)
    >>> abs(log_partition(network, chains=64, steps=100).pull(float(exact_log_partition(network)))) < 4
    True

    Source: R. Salakhutdinov, I. Murray, ICML 2008.
    """
    if base is None:
        base = Phi4Network(jnp.zeros_like(network.w), network.visible, network.hidden)
    kinds = [(type(each.visible), type(each.hidden), each.w.shape) for each in (base, network)]
    if kinds[0] != kinds[1]:
        raise InputError(f"an annealing to {network!r} starts from units of the same kinds, but got {base!r}")
    chains = whole("chains", chains, least=2)
    start = unlinked_log_partition(base)
    key = make_key(seed, 31)
    v = base.unlinked(make_key(seed, 32), chains)
    annealed = annealed_importance_sampling(key, v, _Path(base, network), _terms, _gibbs, steps)
    ratio = annealed.log_ratio
    return Estimate(start + ratio.value, ratio.error)


def unlinked_log_partition(network: Phi4Network) -> float:
    """ln Z of a network without links, the sum over its units; `InputError` where there are links."""
    if np.any(np.asarray(network.w)):
        raise InputError("the network that an annealing starts from has links; give one with w = 0")
    layers = (network.visible, network.hidden)
    return float(sum(np.asarray(_unit_terms(layer), np.float64).sum() for layer in layers))


@eqx.filter_jit
def _unit_terms(layer: Unit) -> Float[Array, " units"]:
    return layer.log_partition(jnp.zeros_like(layer.r))


def best_log_partition(network: Phi4Network, base: Phi4Network | None = None, **options: Any) -> Estimate:
    """ln Z with its error: exact, with the error 0, where a layer is small; else by `log_partition`."""
    try:
        return Estimate(float(exact_log_partition(network)), 0.0)
    except InputError:
        return log_partition(network, base, **options)


def log_likelihood(
    network: Phi4Network, v: Float[ArrayLike, "sample visible"], log_partition: float
) -> Float[np.ndarray, " sample"]:
    """ln p(v) of every sample, given ln Z."""
    energies = visible_energy(network, jnp.asarray(np.asarray(v, np.float32)))
    return -np.asarray(energies, np.float64) - log_partition


def mean_log_likelihood(
    network: Phi4Network,
    v: Float[ArrayLike, "sample visible"],
    base: Phi4Network | None = None,
    **options: Any,
) -> Estimate:
    """<ln p(v)> over samples, exact ln Z where the network is small; the error holds ln Z and the samples."""
    partition = best_log_partition(network, base, **options)
    return mean_score(log_likelihood(network, v, partition.value), partition)


def mean_score(scores: Float[np.ndarray, " sample"], partition: Estimate) -> Estimate:
    """The mean of ln p over samples, given with the ln Z that it rests on; the error holds both.

    >>> str(mean_score(np.array([-3.0, -1.0]), Estimate(2.0, 0.0)))
    '-2.0(1.0)'
    """
    spread = scores.std(ddof=1) / np.sqrt(len(scores)) if len(scores) > 1 else float("nan")
    return Estimate(float(scores.mean()), float(np.hypot(spread, partition.error)))


def _terms(network: Phi4Network, v: Array) -> Array:
    """The terms of -ln of what is left when the hidden units are summed over."""
    hidden = network.hidden.log_partition(matmul(v, network.w))
    return jnp.concatenate([network.visible.energy(v), -hidden], axis=-1)


def _gibbs(key: PRNGKeyArray, network: Phi4Network, v: Array) -> Array:
    return network.gibbs(key, v)
