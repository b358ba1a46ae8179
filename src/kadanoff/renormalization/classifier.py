"""What classifiers of fields share: odd local features, and training on two classes."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Num, PRNGKeyArray

from kadanoff.renormalization.inverse.network import OddNetwork, wrap

__all__ = ["OddFeatures", "fit_classifier", "log_odds"]

_BATCH_SITES = 1 << 16

Model = TypeVar("Model", bound=eqx.Module)


class OddFeatures(eqx.Module):
    """Local features h of a field between -1 and 1 from periodic convolutions, h(-phi) = -h(phi), on any lattice."""

    network: OddNetwork

    @classmethod
    def random(cls, key: PRNGKeyArray, dimension: int, width: int, kernels: Sequence[int]) -> "OddFeatures":
        """Random weights: `width` features, layers of the given odd sides."""
        network = OddNetwork.random(key, dimension, 1, width, width, kernels)
        # The last layer of a network that makes fields starts small; features want its full size.
        return cls(eqx.tree_at(lambda n: n.kernels[-1], network, 10 * network.kernels[-1]))

    def __call__(self, fields: Float[Array, "n ..."]) -> Float[Array, "n ..."]:
        """Features (n, *lattice, width) of fields (n, *lattice)."""
        return jnp.tanh(self.network(wrap(fields[..., None], self.network.reach)))


def fit_classifier(
    key: PRNGKeyArray, model: Model, classes: Sequence[np.ndarray], steps: int, batch: int | None = None
) -> Model:
    """Train a model that maps fields (n, *lattice) to log-odds (n,) of the second of two classes of fields.

    Adam on the cross entropy, random batches of `batch` fields of each class (by default about 65,000 sites); the step
    falls as a cosine from 0.01.
    """
    data = [jnp.asarray(fields) for fields in classes]
    if batch is None:
        batch = max(8, min(128, _BATCH_SITES // int(np.prod(data[0].shape[1:]))))
    optimiser = optax.adam(optax.cosine_decay_schedule(1e-2, steps, alpha=0.01))
    arrays, rest = eqx.partition(model, eqx.is_inexact_array)
    label = jnp.repeat(jnp.array([0, 1], jnp.float32), batch)

    def loss(arrays: Any, fields: Array) -> Array:
        return jnp.mean(optax.sigmoid_binary_cross_entropy(eqx.combine(arrays, rest)(fields), label))

    @jax.jit
    def run(arrays: Any, keys: Array) -> Any:
        def step(carry: tuple[Any, Any], key: Array) -> tuple[tuple[Any, Any], None]:
            arrays, state = carry
            picks = [
                jax.random.randint(k, (batch,), 0, len(d), jnp.int32)
                for k, d in zip(jax.random.split(key), data, strict=True)
            ]
            fields = jnp.concatenate([d[pick] for d, pick in zip(data, picks, strict=True)])
            update, state = optimiser.update(jax.grad(loss)(arrays, fields.astype(jnp.float32)), state)
            return (optax.apply_updates(arrays, update), state), None

        return jax.lax.scan(step, (arrays, optimiser.init(arrays)), keys)[0][0]

    return eqx.combine(run(arrays, jax.random.split(key, steps)), rest)


def log_odds(model: Callable[[Array], Array], fields: Num[np.ndarray, "n ..."]) -> Float[np.ndarray, " n"]:
    """Log-odds of many fields, batch by batch, in double precision."""
    batch = max(1, _BATCH_SITES // int(np.prod(fields.shape[1:])))
    apply = eqx.filter_jit(model)
    parts = [
        np.asarray(apply(jnp.asarray(fields[i : i + batch], dtype=jnp.float32)))
        for i in range(0, len(fields), batch)
    ]
    return np.concatenate(parts).astype(np.float64)
