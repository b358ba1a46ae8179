"""Site updates per second on a grid graph with site-dependent couplings, beside the homogeneous lattice.

    uv run python benchmarks/graph_updates.py [--chains 16] [--side 256] [--seconds 3]

Each line compiles first, then repeats calls of ten sweeps until the time is up.
"""

import argparse
import time
from typing import Any

import jax
import numpy as np

import kadanoff as kd


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--chains", type=int, default=16)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each line is measured")
    options = parser.parse_args()
    shape = (options.side, options.side)
    graph = kd.Graph.grid(shape)
    rng = np.random.default_rng(0)
    # Around the homogeneous theory at (mass2, quartic) = (-0.9515, 0.7), spread by a tenth.
    w, a, b = (1 + 0.1 * rng.normal(size=size) for size in (len(graph.edges), shape, shape))
    action = kd.InhomogeneousPhi4(graph, w, 1.52425 * a, 0.175 * b)
    spins = kd.InhomogeneousIsing(graph, 0.44 * w)
    cases: dict[str, tuple[Any, Any]] = {
        "lattice metropolis": (kd.Phi4(-0.9515, 0.7), kd.Metropolis(sweeps=10)),
        "lattice heat bath": (kd.Phi4(-0.9515, 0.7), kd.HeatBath(sweeps=10)),
        "graph metropolis": (action, kd.ColourBlock("metropolis", sweeps=10)),
        "graph heat bath": (action, kd.ColourBlock(sweeps=10)),
        "graph spins metropolis": (spins, kd.ColourBlock("metropolis", sweeps=10)),
        "graph spins heat bath": (spins, kd.ColourBlock(sweeps=10)),
    }
    print(f"{options.chains} chains of {options.side} x {options.side}")
    for name, (model, sampler) in cases.items():
        speed = throughput(model, sampler, (options.chains, *shape), options.seconds)
        print(f"{name:<24}{speed / 1e6:>10.1f} M updates/s", flush=True)


def throughput(action: Any, sampler: Any, shape: tuple[int, ...], seconds: float) -> float:
    """Sites times sweeps a second."""
    key = jax.random.key(1)
    fields = jax.numpy.where(jax.random.bernoulli(key, shape=shape), 1.0, -1.0)
    state = sampler.init(action, fields)
    state, _ = jax.block_until_ready(sampler.step(key, action, state))
    calls, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < seconds:
        state, _ = jax.block_until_ready(sampler.step(jax.random.fold_in(key, calls), action, state))
        calls += 1
    return calls * sampler.sweeps * fields.size / (time.perf_counter() - begun)


if __name__ == "__main__":
    main()
