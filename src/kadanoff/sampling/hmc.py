"""Hybrid (Hamiltonian) Monte Carlo: global updates of any action that has a density."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erfinv
from jaxtyping import Array, Float, PRNGKeyArray

from kadanoff.actions.base import HasDensity, gradient, has_spins
from kadanoff.devices import everywhere
from kadanoff.errors import InputError
from kadanoff.random import normal, site_words, uniform
from kadanoff.sampling.integrators import coefficients, integrate
from kadanoff.sampling.state import ChainState, Info, chain_state
from kadanoff.summation import compensated_sum
from kadanoff.whole import whole

__all__ = ["HybridInfo", "HybridMonteCarlo", "energy_violation"]


class HybridInfo(Info):
    """The mean probability to accept, and the energy violation dH of every chain's trajectory.

    The mean of exp(-dH) is 1 in equilibrium, whatever the step size.
    """

    energy_violation: Float[Array, " chain"]


class HybridMonteCarlo(eqx.Module):
    """Molecular dynamics with fresh Gaussian momenta, corrected by a Metropolis decision for every chain.

    `integrator` is "omelyan", "leapfrog" or a tuple of coefficients (see `kadanoff.sampling.integrators`).
    Each trajectory has its own step size, uniform within `jitter` of the tuned one, lest a mode of the field
    turn by a multiple of pi in every trajectory. The energy violation is formed from differences at every
    site before they are summed without loss, so that it stays exact to rounding however large the lattice.

    Raises `InputError` for parameters out of range, and from `init` for actions without a real,
    differentiable density.

    >>> import jax, kadanoff as kd
    >>> sampler = HybridMonteCarlo(step_size=0.2, steps=8)
    >>> state = sampler.init(kd.Phi4(-0.9515, 0.7), jax.numpy.ones((16, 8, 8)))
    >>> state, info = sampler.step(jax.random.key(0), kd.Phi4(-0.9515, 0.7), state)
    >>> state.fields.shape, info.energy_violation.shape
    ((16, 8, 8), (16,))

    Source: S. Duane, A. D. Kennedy, B. J. Pendleton, D. Roweth, PLB 195 (1987) 216.
    """

    step_size: float = 0.2
    steps: int = eqx.field(static=True, default=8)
    integrator: str | tuple[float, ...] = eqx.field(static=True, default="omelyan")
    target_acceptance: float = 0.8
    jitter: float = 0.2

    def __check_init__(self) -> None:
        coefficients(self.integrator)
        whole("steps", self.steps, least=1)
        ranges = {"step_size": (0, float("inf")), "target_acceptance": (0, 1)}
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if isinstance(value, float | int) and not low < value < high:
                raise InputError(f"{name}={value} is out of range; give a number between {low} and {high}")
        if isinstance(self.jitter, float | int) and not 0 <= self.jitter < 1:
            raise InputError(
                f"jitter={self.jitter} is out of range; give a fraction of the step size, 0 <= jitter < 1"
            )

    def init(self, action: Any, fields: Array | np.ndarray, chain: Array | None = None) -> ChainState:
        """Make the state from fields (chain, *lattice)."""
        if not hasattr(action, "density"):
            raise InputError(
                f"HybridMonteCarlo needs the forces of {type(action).__name__}, which has no `density(field)`"
            )
        if has_spins(action):
            raise InputError(
                f"HybridMonteCarlo moves real fields along forces, and {type(action).__name__} has spins; "
                "use HeatBath, Metropolis, SwendsenWang or Wolff"
            )
        fields = jnp.asarray(fields)
        real = fields.ndim > 0 and jnp.issubdtype(fields.dtype, jnp.floating)
        if not real or jnp.iscomplexobj(jax.eval_shape(action.density, fields[0])):
            raise InputError(
                f"HybridMonteCarlo needs real fields (chain, *lattice) and a real action, got {fields.dtype} "
                f"fields of shape {fields.shape}; sample a real action and reweight to a complex one"
            )
        return chain_state(fields, chain, self.step_size)

    @eqx.filter_jit
    def step(self, key: PRNGKeyArray, action: HasDensity, state: ChainState) -> tuple[ChainState, HybridInfo]:
        """Propose one trajectory for every chain, and accept it with probability min(1, exp(-dH))."""
        momentum_key, chain_key = jax.random.split(key)
        fields = state.fields
        dimension = fields.ndim - 1
        chain = state.chain.reshape(-1, *[1] * dimension)
        site = jnp.arange(fields[0].size, dtype=jnp.uint32).reshape(fields.shape[1:])
        words = site_words(momentum_key, site, chain)
        momenta = normal(words[0], words[1])[0].astype(fields.dtype)
        length, verdict, *_ = site_words(chain_key, jnp.uint32(0), chain)
        step_size = (state.step_size * (1 + self.jitter * (2 * uniform(length) - 1))).astype(fields.dtype)

        proposal, final = self.trajectory(action, fields, momenta, step_size)
        violation = energy_violation(action, fields, momenta, proposal, final)
        probability = jnp.where(jnp.isfinite(violation), jnp.exp(-jnp.maximum(violation, 0)), 0.0)
        accepted = uniform(verdict) < probability.reshape(chain.shape)
        state = eqx.tree_at(lambda s: s.fields, state, jnp.where(accepted, proposal, fields))
        return state, HybridInfo(jnp.mean(everywhere(probability)), violation)

    def trajectory(
        self, action: HasDensity, fields: Array, momenta: Array, step_size: Array
    ) -> tuple[Array, Array]:
        """Integrate the equations of motion of every chain; reversible, and volume preserving."""
        force = jax.vmap(lambda field: gradient(action, field))
        return integrate(force, fields, momenta, step_size, self.steps, coefficients(self.integrator))

    def tune(self, state: ChainState, info: Info) -> ChainState:
        """Move the step size towards the target acceptance; for use during thermalisation only.

        The acceptance is erfc(c eps^2) for a reversible integrator of second order on a large lattice, so
        that one measured value fixes c. Half the change this asks for (of the logarithm, and at most a factor
        of two) is made: near the edge of stability dH grows faster, and the full one would overshoot for
        ever.

        Source: S. Gupta, A. Irbaeck, F. Karsch, B. Petersson, PLB 242 (1990) 437.
        """
        measured, wanted = (
            erfinv(1 - jnp.clip(value, 1e-6, 0.9999)) for value in (info.acceptance, self.target_acceptance)
        )
        factor = jnp.clip((wanted / measured) ** 0.25, 0.5, 2.0)
        return eqx.tree_at(
            lambda s: s.step_size, state, (state.step_size * factor).astype(state.step_size.dtype)
        )


def energy_violation(
    action: HasDensity, fields: Array, momenta: Array, proposal: Array, final: Array
) -> Float[Array, " chain"]:
    """dH of every chain: S and the kinetic energy are subtracted at every site before the sum."""
    density = jax.vmap(action.density)
    terms = density(proposal) - density(fields) + (final - momenta) * (final + momenta) / 2
    return compensated_sum(terms, fields.ndim - 1)
