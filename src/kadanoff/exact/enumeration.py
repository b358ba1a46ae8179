"""Small systems of spins, by going through all their states."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int8

from kadanoff.actions.base import Action, has_spins, total
from kadanoff.errors import InputError
from kadanoff.graph import Graph
from kadanoff.lattice import Lattice

__all__ = ["Enumeration", "enumerate_spins"]

_MOST = 22  # sites: four million states
_BATCH = 1 << 16


class Enumeration(NamedTuple):
    """All states of a small system: `fields` (state, *lattice) of spins, their probabilities, and ln Z."""

    fields: Int8[np.ndarray, "state ..."]
    probability: Float[np.ndarray, " state"]
    log_partition: float

    def mean(self, function: Callable[[Any], Any]) -> float:
        """Exact mean of a function of one field."""
        values = [np.asarray(jax.vmap(function)(chunk), np.float64) for chunk in _chunks(self.fields)]
        return float(np.sum(np.concatenate(values) * self.probability))

    def energy_distribution(self) -> tuple[np.ndarray, np.ndarray]:
        """Total energies H = -sum_<xy> s_x s_y that occur, ascending, and their probabilities.

        >>> import kadanoff as kd
        >>> energy, probability = kd.exact.enumerate_spins(kd.Ising(0.0), kd.Lattice((2, 2))).energy_distribution()
        >>> energy.tolist(), probability.tolist()
        ([-8, 0, 8], [0.125, 0.75, 0.125])
        """
        lattice = Lattice(self.fields.shape[1:])
        parts = [
            np.asarray(jnp.sum(chunk * lattice.forward_sum(chunk), axis=tuple(range(1, chunk.ndim))))
            for chunk in _chunks(self.fields)
        ]
        energy = -np.concatenate(parts).round().astype(int)
        levels, inverse = np.unique(energy, return_inverse=True)
        return levels, np.bincount(inverse, self.probability)


def enumerate_spins(action: Action, lattice: Lattice | Graph) -> Enumeration:
    """Go through all 2^V states of an action with spins on a lattice or graph, V at most 22.

    Raises `InputError` for an action without spins and for larger lattices.

    >>> import kadanoff as kd
    >>> exact = enumerate_spins(kd.Ising(0.3), kd.Lattice((3, 4)))
    >>> bool(abs(exact.log_partition - kd.exact.kaufman(0.3, (3, 4)).log_partition) < 1e-5)
    True
    """
    if not has_spins(action):
        raise InputError(f"only spins can be enumerated, and the sites of {type(action).__name__} are real")
    if lattice.volume > _MOST:
        raise InputError(f"{lattice.shape} has 2^{lattice.volume} states; enumerate {_MOST} sites or fewer")
    state = np.arange(1 << lattice.volume, dtype=np.uint32)
    bits = (state[:, None] >> np.arange(lattice.volume, dtype=np.uint32)) & 1
    fields = (1 - 2 * bits.astype(np.int8)).reshape(-1, *lattice.shape)
    value = jax.jit(jax.vmap(lambda field: total(action, field)))
    exponent = -np.concatenate([np.asarray(value(chunk), np.float64) for chunk in _chunks(fields)])
    largest = exponent.max()
    weight = np.exp(exponent - largest)
    return Enumeration(fields, weight / weight.sum(), float(largest + np.log(weight.sum())))


def _chunks(fields: np.ndarray) -> list[Any]:
    """Fields in floating point, a batch at a time."""
    return [jnp.asarray(fields[i : i + _BATCH], jnp.float32) for i in range(0, len(fields), _BATCH)]
