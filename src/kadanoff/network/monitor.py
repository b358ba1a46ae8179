"""What is watched while a network learns: reconstruction, pseudo-likelihood, likelihood, gradient, mixing."""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from kadanoff.network.likelihood import mean_log_likelihood
from kadanoff.network.model import Phi4Network
from kadanoff.network.training import Epoch, TrainingState
from kadanoff.products import matmul
from kadanoff.random import key as make_key
from kadanoff.statistics import Estimate

__all__ = ["Monitor", "Record", "pseudo_likelihood", "reconstruction"]

_SUBSET = 256  # samples that the monitors look at
_NODES = 129  # of the line along which one real unit varies
_SEARCHED = 33  # of them to find out where the line has to be
_TRIES = 50
_REACH = 8.0  # standard deviations in the network that the first line covers beyond the data
_DEPTH = 30.0  # nats below the largest value at which a line ends


class Record(NamedTuple):
    """One epoch: errors of reconstruction (mean square), pseudo-likelihood and likelihood in nats a sample."""

    epoch: int
    reconstruction: float
    pseudo_likelihood: float
    gradient: float
    mixing: float
    log_likelihood: Estimate | None


class Monitor(eqx.Module):
    """Looks at a fixed subset of the data after every epoch.

    `likelihood_every` epochs (0: never) it anneals for the log-likelihood, with its error.

    >>> import numpy as np
    >>> from kadanoff.network.training import Training
    >>> x = np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32)
    >>> training = Training(total_epochs=1)
    >>> state, epoch = training.epoch(training.init(Phi4Network.random("phi4", 4, "bernoulli", 3), x), x)
    >>> Monitor.of(x).record(state, epoch).log_likelihood is None
    True
    """

    subset: Float[Array, "sample visible"]
    likelihood_every: int = eqx.field(static=True, default=0)
    seed: int = eqx.field(static=True, default=0)

    @classmethod
    def of(
        cls, x: Float[np.ndarray, "sample visible"], likelihood_every: int = 0, seed: int = 0
    ) -> "Monitor":
        """Choose the subset, evenly from the data."""
        rows = np.unique(np.linspace(0, len(x) - 1, min(len(x), _SUBSET)).astype(int))
        return cls(jnp.asarray(x[rows].astype(np.float32)), likelihood_every, seed)

    def record(self, state: TrainingState, epoch: Epoch) -> Record:
        """Measure the network after an epoch."""
        network = state.network
        likelihood = None
        if self.likelihood_every and state.epochs % self.likelihood_every == 0:
            likelihood = mean_log_likelihood(network, self.subset, state.base, steps=500, seed=self.seed)
        key = make_key(self.seed, 41, state.epochs)
        error, pseudo = _means(key, network, self.subset)
        return Record(state.epochs, float(error), float(pseudo), epoch.gradient, epoch.mixing, likelihood)


@eqx.filter_jit
def _means(key: PRNGKeyArray, network: Phi4Network, v: Float[Array, "sample visible"]) -> tuple[Array, Array]:
    """What every epoch asks for, in one program."""
    return reconstruction(network, v).mean(), pseudo_likelihood(key, network, v).mean()


@eqx.filter_jit
def reconstruction(network: Phi4Network, v: Float[Array, "sample visible"]) -> Float[Array, " sample"]:
    """The mean square of v - <v> given the means of the hidden units given v."""
    return jnp.mean((v - network.visible_mean(network.hidden_mean(v))) ** 2, axis=-1)


@eqx.filter_jit
def pseudo_likelihood(
    key: PRNGKeyArray, network: Phi4Network, v: Float[Array, "sample visible"]
) -> Float[Array, " sample"]:
    """The number of units times ln p(v_i | all others) of one random unit a sample: on average sum_i of them.

    The normalisation is a sum over two levels, or the trapezoidal rule along the line of a real unit, which goes as
    far as the network gives it any mass.
    """
    unit = jax.random.randint(key, (len(v),), 0, v.shape[1], jnp.int32)
    rows = jnp.arange(len(v))

    # Only one unit changes, and with it one row of w: no product of matrices for every node.
    field = matmul(v, network.w)
    old = v[rows, unit]

    def energy(value: Array) -> Array:
        moved = v.at[rows, unit].set(value)
        h = field + (value - old)[:, None] * network.w[unit]
        site = network.visible.energy(moved)[rows, unit]
        return site - network.hidden.log_partition(h).sum(axis=-1)

    if network.visible.levels is not None:
        values = jnp.broadcast_to(jnp.asarray(network.visible.levels, v.dtype), (len(v), 2))
        spacing = jnp.zeros(len(v), v.dtype)
    else:
        back = matmul(network.hidden.mean(field), network.w.T)
        centre, variance = network.visible.mean(back)[rows, unit], network.visible.variance(back)[rows, unit]
        reach = _REACH * jnp.sqrt(variance)
        low, high = _line(
            energy,
            jnp.minimum(centre, v.min(axis=0)[unit]) - reach,
            jnp.maximum(centre, v.max(axis=0)[unit]) + reach,
        )
        values = low[:, None] + (high - low)[:, None] * jnp.linspace(0, 1, _NODES, dtype=v.dtype)
        spacing = jnp.log((high - low) / (_NODES - 1))

    here = energy(old)
    norm = jax.scipy.special.logsumexp(-jax.lax.map(energy, values.T), axis=0) + spacing
    return v.shape[1] * (-here - norm)


def _line(energy: Callable[[Array], Array], low: Array, high: Array) -> tuple[Array, Array]:
    """The ends, for every sample, between which exp(-energy) is not all but nothing; from a first guess of them.

    A line that has mass at an end grows there, and one with mass in a small part of it shrinks to that part.
    """
    last_node = _SEARCHED - 1

    def search(carry: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        low, high, open_, tries = carry
        length = high - low
        nodes = low[:, None] + length[:, None] * jnp.linspace(0, 1, _SEARCHED, dtype=low.dtype)
        values = jax.lax.map(energy, nodes.T)
        massive = values < values.min(axis=0) + _DEPTH
        first, last = jnp.argmax(massive, axis=0), last_node - jnp.argmax(massive[::-1], axis=0)
        touching = (first == 0) | (last == last_node)
        open_ = touching | (last - first < _SEARCHED // 4)
        step = length / last_node
        below = jnp.where(first == 0, low - length, low + (first - 1) * step)
        above = jnp.where(last == last_node, high + length, low + (last + 1) * step)
        return jnp.where(open_, below, low), jnp.where(open_, above, high), open_, tries + 1

    def going(carry: tuple[Array, Array, Array, Array]) -> Array:
        return carry[2].any() & (carry[3] < _TRIES)

    start = (low, high, jnp.ones(low.shape, bool), jnp.zeros((), int))
    return jax.lax.while_loop(going, search, start)[:2]
