"""Site updates per second of every sampler, phi^4 and Ising, and peak memory; peers where they are installed.

    uv run python benchmarks/updates.py [--chains 256] [--side 64] [--seconds 3]

Each line compiles first, then repeats calls until the time is up: ten sweeps a call of a local sampler, one update of
every chain a call of a cluster sampler. Wolff is counted in sites of the lattice, as if it had visited all of them,
and in flipped sites. The peer is a plain loop over one checkerboard colour after the other, compiled by numba, one
chain a thread.
"""

import argparse
import resource
import time
from typing import Any

import jax
import jax.numpy as jnp
import numba
import numpy as np

import kadanoff as kd

CRITICAL = {"phi4": kd.Phi4(-0.9515, 0.7), "ising": kd.Ising(0.4406867935097715)}
SAMPLERS = {
    "metropolis": kd.Metropolis(sweeps=10),
    "heat bath": kd.HeatBath(sweeps=10),
    "swendsen-wang": kd.SwendsenWang(),
    "wolff": kd.Wolff(),
}


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--chains", type=int, default=256)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each line is measured")
    options = parser.parse_args()
    print(f"{options.chains} chains of {options.side} x {options.side}")
    print(f"{'action':<8}{'sampler':<16}{'updates/s':>12}{'flips/s':>12}{'peak GiB':>10}")
    for model, action in CRITICAL.items():
        for name, sampler in SAMPLERS.items():
            updates, flips = throughput(action, sampler, options.chains, options.side, options.seconds)
            report(model, name, updates, flips)
    report("ising", "numba metropolis", numba_loop(options.chains, options.side, options.seconds), None)


def throughput(
    action: Any, sampler: Any, chains: int, side: int, seconds: float
) -> tuple[float, float | None]:
    """Lattice sites times steps a second, and flipped sites a second where the cluster of one site flips."""
    ensemble = kd.sample(
        action, kd.Lattice((side, side)), chains=chains, draws=1, thermalize=100, thin=10, seed=0
    )
    fields = jnp.asarray(ensemble.fields[:, 0], jnp.float32)
    state = sampler.init(action, fields)
    calls, flipped, spent, sweeps = 0, 0.0, 0.0, getattr(sampler, "sweeps", 1)
    wolff = isinstance(sampler, kd.Wolff)
    key = jax.random.key(1)
    state, _ = jax.block_until_ready(sampler.step(key, action, state))
    while spent < seconds:
        begun = time.perf_counter()
        before = state.fields
        state, _ = jax.block_until_ready(sampler.step(jax.random.fold_in(key, calls), action, state))
        spent += time.perf_counter() - begun
        calls += 1
        if wolff:
            flipped += float(jnp.sum(jnp.sign(before) != jnp.sign(state.fields)))
    return calls * sweeps * fields.size / spent, flipped / spent if wolff else None


def numba_loop(chains: int, side: int, seconds: float) -> float:
    """Updates a second of the peer."""
    fields = np.ones((chains, side, side), np.int8)
    table = np.exp(-2 * float(CRITICAL["ising"].beta) * np.arange(-4, 5))
    _sweep(fields, table, 1, 0)
    sweeps, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < seconds:
        _sweep(fields, table, 10, sweeps)
        sweeps += 10
    return sweeps * fields.size / (time.perf_counter() - begun)


@numba.njit(parallel=True)
def _sweep(fields, table, sweeps, seed):  # pragma: no cover - compiled
    chains, rows, columns = fields.shape
    for chain in numba.prange(chains):
        np.random.seed(seed * chains + chain)
        own = fields[chain]
        for _ in range(sweeps):
            for colour in range(2):
                for x in range(rows):
                    for y in range((x + colour) % 2, columns, 2):
                        around = (
                            own[x - 1, y] + own[(x + 1) % rows, y] + own[x, y - 1] + own[x, (y + 1) % columns]
                        )
                        if np.random.random() < table[own[x, y] * around + 4]:
                            own[x, y] = -own[x, y]


def report(model: str, name: str, updates: float, flips: float | None) -> None:
    """Print a line."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    extra = f"{flips:>12.3g}" if flips is not None else f"{'':>12}"
    print(f"{model:<8}{name:<16}{updates:>12.3g}{extra}{peak:>10.2f}", flush=True)


if __name__ == "__main__":
    main()
