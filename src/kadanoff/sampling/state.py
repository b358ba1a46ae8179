"""What every sampler shares: the state of many chains, and how they start."""

import math
from typing import Any, Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, UInt32

from kadanoff.errors import InputError
from kadanoff.graph import Graph
from kadanoff.lattice import Lattice
from kadanoff.whole import whole

__all__ = ["STARTS", "ChainState", "Info", "Sampler", "require_start", "start"]

STARTS = ("hot", "cold", "mixed")


class ChainState(eqx.Module):
    """Fields of many chains with the numbers that key their random streams and the tuned step of the sampler.

    `fields` is (chain, *lattice); `chain` holds global chain numbers, so that a batch of chains draws the
    same random numbers wherever it runs; `step_size` is the width of a proposal, or the step of an
    integrator, or one of each sampler that a mixture has.
    """

    fields: Float[Array, "chain ..."]
    chain: UInt32[Array, " chain"]
    step_size: Float[Array, "..."]

    @property
    def lattice(self) -> Lattice:
        """The lattice of the fields."""
        return Lattice(self.fields.shape[1:])


class Info(eqx.Module):
    """What a step tells: the fraction of accepted proposals (1 for rejection-free updates)."""

    acceptance: Float[Array, ""]


@runtime_checkable
class Sampler(Protocol):
    """A Markov chain update that leaves exp(-S) invariant.

    One with an attribute `tuned` that is False has no step size.
    """

    def init(self, action: Any, fields: Array, chain: Array | None = None) -> ChainState:
        """Make the state from fields (chain, *lattice); refuses actions it cannot update."""
        ...

    def step(self, key: PRNGKeyArray, action: Any, state: ChainState) -> tuple[ChainState, Info]:
        """Advance every chain once."""
        ...

    def tune(self, state: ChainState, info: Info) -> ChainState:
        """Adapt the step size; called during thermalisation only."""
        ...


def require_sampler(sampler: Any) -> None:
    """Raise `InputError` for what is no sampler."""
    if isinstance(sampler, type) or not isinstance(sampler, Sampler):
        raise InputError(
            f"{sampler!r} is no sampler: give an object such as kd.HybridMonteCarlo(), or leave it out"
        )


def require_proposals(sweeps: int, width: float = 1.0, target_acceptance: float = 0.5) -> None:
    """Raise `InputError` for options of local updates out of range."""
    whole("sweeps", sweeps, least=1)
    for name, value, high in (("width", width, math.inf), ("target_acceptance", target_acceptance, 1)):
        if not 0 < value < high:
            raise InputError(f"{name}={value} is out of range; give a number between 0 and {high}")


def chain_state(fields: Array | np.ndarray, chain: Array | None, step_size: float) -> ChainState:
    """Make a state; chains are numbered from zero unless told."""
    numbers = (
        jax.device_put(np.arange(len(fields), dtype=np.uint32))
        if chain is None
        else jnp.asarray(chain, dtype=jnp.uint32)
    )
    fields = jnp.asarray(fields)  # a copy: `device_put` would share the memory of a NumPy array
    if not jnp.issubdtype(fields.dtype, jnp.inexact):  # stored spins: updates work in floating point
        fields = fields.astype(jnp.float32)
    return ChainState(fields, numbers, jnp.asarray(step_size, dtype=fields.dtype))


def tuned_width(state: ChainState, info: Info, target: float) -> ChainState:
    """The state with the width of its proposals moved towards the target acceptance."""
    width = _tuned(state.step_size, info.acceptance, jnp.asarray(target, jnp.float32))
    return eqx.tree_at(lambda s: s.step_size, state, width)


@jax.jit
def _tuned(width: Array, acceptance: Array, target: Array) -> Array:
    return (width * jnp.exp(jnp.clip(acceptance - target, -0.3, 0.3))).astype(width.dtype)


def require_start(kind: str) -> None:
    """Raise `InputError` unless chains can start in this way."""
    if kind not in STARTS:
        raise InputError(f"unknown start {kind!r}; choose one of {', '.join(STARTS)}")


def start(
    key: PRNGKeyArray, lattice: Lattice | Graph, chains: int, kind: str = "mixed", spins: bool = False
) -> Float[Array, "chain ..."]:
    """Starting fields: 'hot' (standard normal, or random spins), 'cold' (all one), or 'mixed' (even chains hot, odd
    chains cold).

    >>> import jax
    >>> start(jax.random.key(0), Lattice((4, 4)), chains=2, kind="cold").shape
    (2, 4, 4)
    """
    require_start(kind)
    # By NumPy: XLA would compile a program for each of these.
    shape = (chains, *lattice.shape)
    hot = np.asarray(jax.random.normal(key, (math.prod(shape),), jnp.float32)).reshape(shape)
    if spins:
        hot = np.where(hot < 0, np.float32(-1), np.float32(1))
    if kind == "hot":
        return jax.device_put(hot)
    fields = np.ones_like(hot)
    if kind == "mixed":
        fields[::2] = hot[::2]
    return jax.device_put(fields)
