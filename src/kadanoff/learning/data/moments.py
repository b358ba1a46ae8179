"""What likelihood and contrastive divergence share: chains of the model whose operators are to match the data's."""

from dataclasses import dataclass

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.linalg import eigh

from kadanoff import random
from kadanoff.actions.base import has_spins
from kadanoff.errors import InputError
from kadanoff.learning.data.newton import bounded_step
from kadanoff.learning.data.parameters import Parameters
from kadanoff.sampling.run import advance, default_sampler
from kadanoff.sampling.state import ChainState, Sampler

__all__ = ["Chains", "natural_step"]

_MOST = 4096  # couplings whose Fisher matrix is still solved with


@dataclass
class Chains:
    """Chains of a model whose couplings change as it is learnt; `fields` are where they are now, (chain, *shape).

    Raises `InputError` where the model has too many couplings for a Fisher matrix, or the sampler cannot update it.
    """

    parameters: Parameters
    sampler: Sampler
    state: ChainState
    seed: int
    moves: int = 0

    @classmethod
    def start(
        cls, parameters: Parameters, fields: np.ndarray, sampler: Sampler | None, seed: int, number: int = 0
    ) -> "Chains":
        """Start one chain at each field."""
        count = len(parameters.values)
        if count > _MOST:
            raise InputError(
                f"{count} couplings have a Fisher matrix of {8 * count**2 / 2**30:.1f} GiB: take pseudo-likelihood, "
                "or train fewer couplings"
            )
        action = parameters.at(parameters.values)
        chosen = default_sampler(action) if sampler is None else sampler
        if sampler is None and not hasattr(action, "graph") and has_spins(action):
            from kadanoff.sampling.heat_bath import HeatBath

            chosen = HeatBath()
        return cls(parameters, chosen, chosen.init(action, jnp.asarray(fields)), seed, number)

    @property
    def fields(self) -> Array:
        """Where the chains are."""
        return self.state.fields

    def move_to(self, fields: np.ndarray | Array) -> None:
        """Put the chains elsewhere."""
        self.state = eqx.tree_at(lambda s: s.fields, self.state, jnp.asarray(fields, self.state.fields.dtype))

    def advance(self, vector: Float[np.ndarray, " K"], steps: int, tune: bool = False) -> None:
        """Update every chain with these couplings; raises `InputError` when a field ceases to be finite."""
        key = random.key(self.seed, 71, self.moves)
        action = self.parameters.at(vector)
        self.state, info = advance(self.sampler, key, action, self.state, steps)
        self.moves += 1
        if tune:
            self.state = self.sampler.tune(self.state, info)
        if not bool(jnp.all(jnp.isfinite(self.state.fields))):
            raise InputError(
                "the chains of the model left every finite field: its couplings are no density any more; start from "
                "couplings nearer to the data, such as those of pseudo-likelihood or score matching"
            )


def natural_step(
    gradient: Float[np.ndarray, " K"],
    fisher: Float[np.ndarray, "K K"],
    response: Float[np.ndarray, "K K"],
    largest: float,
    most: Float[np.ndarray, " K"] | None = None,
) -> Float[np.ndarray, " K"]:
    """The Newton step of a response matrix, shortened to a divergence of `largest` nats between the models.

    `response` is a part of the `fisher` matrix (all of it for the likelihood); in the metric of the latter its
    eigenvalues are kept above 0.05, since those that are small are known badly. Components fall by `most` at most,
    0 or less; where some would fall further, the others move as is best given where those stop.

    >>> natural_step(np.array([2.0]), np.eye(1), np.eye(1), largest=0.5).round(3).tolist()
    [1.0]
    """
    size = np.sqrt(np.maximum(np.diag(fisher), np.finfo(np.float64).tiny))
    metric = fisher / size[:, None] / size
    # A matrix from a finite sample is singular where operators outnumber fields: those directions rest.
    metric = metric + 1e-4 * np.eye(len(metric))
    values, vectors = eigh((response + response.T) / 2 / size[:, None] / size, metric)
    values = np.maximum(values, 0.05)

    def shortened(step: np.ndarray) -> np.ndarray:
        divergence = step @ metric @ step / 2
        return step / size * min(1.0, np.sqrt(largest / max(divergence, 1e-300)))

    step = shortened(vectors @ ((vectors.T @ (gradient / size)) / values))
    if most is None or not (step < most).any():
        return step
    dual = metric @ vectors
    kept = (dual * values) @ dual.T * size[:, None] * size
    return shortened(bounded_step(-gradient, kept, most) * size)
