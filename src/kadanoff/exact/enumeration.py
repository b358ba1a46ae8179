"""Small systems of spins, by going through all their states."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int8

from kadanoff.actions import InhomogeneousIsing, Ising
from kadanoff.actions.base import Action, has_spins, total
from kadanoff.errors import InputError
from kadanoff.graph import Graph
from kadanoff.lattice import Lattice
from kadanoff.sites import space_of

__all__ = ["Enumeration", "enumerate_spins"]

_MOST = 22  # sites: four million states
_BATCH = 1 << 16


class Enumeration(NamedTuple):
    """All states of a small system: `fields` (state, *lattice) of spins, their probabilities, ln Z, and the space."""

    fields: Int8[np.ndarray, "state ..."]
    probability: Float[np.ndarray, " state"]
    log_partition: float
    space: Lattice | Graph

    def mean(self, function: Callable[[Any], Any]) -> float:
        """Exact mean of a function of one field."""
        values = [np.asarray(jax.vmap(function)(chunk), np.float64) for chunk in _chunks(self.fields)]
        return float(np.sum(np.concatenate(values) * self.probability))

    def energy_distribution(self) -> tuple[np.ndarray, np.ndarray]:
        """Total energies H = -sum_<xy> s_x s_y over the links that occur, ascending, and their probabilities.

        >>> import kadanoff as kd
        >>> energy, probability = kd.exact.enumerate_spins(kd.Ising(0.0), kd.Lattice((2, 2))).energy_distribution()
        >>> energy.tolist(), probability.tolist()
        ([-8, 0, 8], [0.125, 0.75, 0.125])
        """
        links = InhomogeneousIsing(self.space, w=1.0) if isinstance(self.space, Graph) else Ising(1.0)
        energy = _totals(links, self.fields).round().astype(int)
        levels, inverse = np.unique(energy, return_inverse=True)
        return levels, np.bincount(inverse, self.probability)


def enumerate_spins(
    action: Action, lattice: Lattice | Graph | int | Sequence[int] | None = None
) -> Enumeration:
    """Go through all 2^V states of an action with spins, V at most 22, on a lattice, or its sides, or on a graph.

    An action with a graph of its own needs none of them. Raises `InputError` for an action without spins, for larger
    lattices, and where no lattice or another one is given.

    >>> import kadanoff as kd
    >>> exact = enumerate_spins(kd.Ising(0.3), kd.Lattice((3, 4)))
    >>> bool(abs(exact.log_partition - kd.exact.kaufman(0.3, (3, 4)).log_partition) < 1e-5)
    True
    """
    if not has_spins(action):
        raise InputError(f"only spins can be enumerated, and the sites of {type(action).__name__} are real")
    space = space_of(action, lattice)
    if space.volume > _MOST:
        raise InputError(f"{space.shape} has 2^{space.volume} states; enumerate {_MOST} sites or fewer")
    state = np.arange(1 << space.volume, dtype=np.uint32)
    bits = (state[:, None] >> np.arange(space.volume, dtype=np.uint32)) & 1
    fields = (1 - 2 * bits.astype(np.int8)).reshape(-1, *space.shape)
    exponent = -_totals(action, fields)
    largest = exponent.max()
    weight = np.exp(exponent - largest)
    return Enumeration(fields, weight / weight.sum(), float(largest + np.log(weight.sum())), space)


def _totals(action: Action, fields: np.ndarray) -> Float[np.ndarray, " state"]:
    """S of every state."""
    value = jax.jit(jax.vmap(lambda field: total(action, field)))
    return np.concatenate([np.asarray(value(chunk), np.float64) for chunk in _chunks(fields)])


def _chunks(fields: np.ndarray) -> list[Any]:
    """Fields in floating point, a batch at a time."""
    return [jnp.asarray(fields[i : i + _BATCH], jnp.float32) for i in range(0, len(fields), _BATCH)]
