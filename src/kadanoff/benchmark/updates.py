"""Site updates a second of the samplers, phi^4 and Ising; beside them a plain compiled loop."""

from collections.abc import Iterator
from typing import Any, no_type_check

import jax
import jax.numpy as jnp
import numba
import numpy as np

from kadanoff.actions import Ising, Phi4
from kadanoff.benchmark.clock import Line, seconds_a_call
from kadanoff.random import key as make_key
from kadanoff.sampling import HeatBath, Metropolis, SwendsenWang, Wolff
from kadanoff.sampling.run import advance

__all__ = ["update_lines"]

_SWEEPS, _COUPLING = 10, 0.440687
_ACTIONS = {"phi^4": Phi4(-0.9515, 0.7), "Ising": Ising(_COUPLING)}


def update_lines(seconds: float) -> Iterator[Line]:
    """Local updates of many small lattices and a large one, clusters, and the peer."""
    local, cluster = (256, 32, 32), (256, 64, 64)
    for name, action in _ACTIONS.items():
        for sampler in (Metropolis(sweeps=_SWEEPS), HeatBath(sweeps=_SWEEPS)):
            yield _line(name, action, sampler, local, seconds)
    yield _line("phi^4", _ACTIONS["phi^4"], Metropolis(sweeps=_SWEEPS), (1, 2048, 2048), seconds)
    for name, action in _ACTIONS.items():
        yield _line(name, action, SwendsenWang(), cluster, seconds)
    yield _line("Ising", _ACTIONS["Ising"], Wolff(), cluster, seconds)
    spins = np.ones(local, np.int8)
    time = seconds_a_call(lambda: _plain_loop(spins, _COUPLING, _SWEEPS), seconds)
    yield Line("peer: plain loop, Ising", spins.size * _SWEEPS / time, "updates/s", "numba, a chain a thread")


def _line(name: str, action: Any, sampler: Any, shape: tuple[int, ...], seconds: float) -> Line:
    """Sites of the lattice times sweeps, from a state that a few sweeps made of a hot start."""
    fields = jax.random.normal(make_key(1), shape, jnp.float32)
    fields = jnp.sign(fields) if name == "Ising" else fields
    state = advance(sampler, make_key(2), action, sampler.init(action, fields), 2)[0]
    key, sweeps = make_key(3), getattr(sampler, "sweeps", 1)
    time = seconds_a_call(lambda: advance(sampler, key, action, state, 1)[0], seconds)
    lattice = "x".join(map(str, shape[1:]))
    what = f"{name}, {type(sampler).__name__}"
    return Line(what, np.prod(shape) * sweeps / time, "updates/s", f"{shape[0]} chains of {lattice}")


@numba.njit(parallel=True, fastmath=True)
@no_type_check  # numba compiles the function itself, not a wrapper that checks it
def _plain_loop(spins, beta, sweeps):  # pragma: no cover - compiled
    """Metropolis, one colour of the checkerboard after the other."""
    chains, height, width = spins.shape
    table = np.exp(-2 * beta * np.arange(-4.0, 5.0))
    for chain in numba.prange(chains):
        field = spins[chain]
        for _ in range(sweeps):
            for colour in range(2):
                for x in range(height):
                    up, down = field[x - 1], field[(x + 1) % height]
                    for y in range((x + colour) % 2, width, 2):
                        near = up[y] + down[y] + field[x, y - 1] + field[x, (y + 1) % width]
                        if np.random.random() < table[field[x, y] * near + 4]:
                            field[x, y] = -field[x, y]
