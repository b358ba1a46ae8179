"""Site updates per second on a grid graph with site-dependent couplings, beside the homogeneous lattice and thrml.

    uv run --group bench python benchmarks/graph_updates.py [--chains 16] [--side 256] [--seconds 3]

Each line compiles first, then repeats calls of ten sweeps until the time is up. thrml draws the spins of the same
graph with the same couplings, two colours and chains, by its block Gibbs sampling.
"""

import argparse
import importlib.util
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

import kadanoff as kd

SWEEPS = 10
#: (key, state) -> the state ten sweeps later.
Advance = Callable[[jax.Array, Any], Any]


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
        "phi4 lattice metropolis": (kd.Phi4(-0.9515, 0.7), kd.Metropolis(sweeps=SWEEPS)),
        "phi4 lattice heat bath": (kd.Phi4(-0.9515, 0.7), kd.HeatBath(sweeps=SWEEPS)),
        "phi4 graph metropolis": (action, kd.ColourBlock("metropolis", sweeps=SWEEPS)),
        "phi4 graph heat bath": (action, kd.ColourBlock(sweeps=SWEEPS)),
        "spins graph metropolis": (spins, kd.ColourBlock("metropolis", sweeps=SWEEPS)),
        "spins graph heat bath": (spins, kd.ColourBlock(sweeps=SWEEPS)),
    }
    print(f"{options.chains} chains of {options.side} x {options.side}")
    speeds: dict[str, float] = {}
    for name, (model, sampler) in cases.items():
        advance, start = ours(model, sampler, (options.chains, *shape))
        speeds[name] = measured(name, advance, start, options.chains * graph.volume, options.seconds)

    def fastest(kind: str) -> float:
        return max(speed for name, speed in speeds.items() if name.startswith(kind))

    if importlib.util.find_spec("thrml") is None:
        print("thrml is not installed: run with `uv run --group bench` to time it beside")
    else:
        advance, start = theirs(spins, options.chains)
        sites = options.chains * graph.volume
        peer = measured("spins thrml heat bath", advance, start, sites, options.seconds)
        print(f"spins on the graph, the faster update: {fastest('spins graph') / peer:.1f} times thrml")
    ratio = fastest("phi4 graph") / fastest("phi4 lattice")
    print(f"phi^4 on the graph, the faster update: {ratio:.2f} times the homogeneous lattice")


def ours(action: Any, sampler: Any, shape: tuple[int, ...]) -> tuple[Advance, Any]:
    """Ten sweeps of a sampler, and the state to begin with."""
    fields = jax.numpy.where(jax.random.bernoulli(jax.random.key(1), shape=shape), 1.0, -1.0)
    return lambda key, state: sampler.step(key, action, state)[0], sampler.init(action, fields)


def theirs(action: kd.InhomogeneousIsing, chains: int) -> tuple[Advance, Any]:
    """Ten sweeps of thrml's block Gibbs sampling of the same spins, many chains at once."""
    from thrml import Block, SamplingSchedule, SpinNode, sample_states
    from thrml.models.ising import IsingEBM, IsingSamplingProgram, hinton_init

    graph = action.graph
    nodes = [SpinNode() for _ in range(graph.volume)]
    links = [(nodes[i], nodes[j]) for i, j in graph.edges]
    energy = IsingEBM(nodes, links, -action.r.ravel(), action.w, jax.numpy.ones(()))
    colours = graph.colouring.ravel()
    blocks = [
        Block([nodes[site] for site in np.flatnonzero(colours == colour)]) for colour in range(graph.colours)
    ]
    program, schedule = IsingSamplingProgram(energy, blocks, []), SamplingSchedule(SWEEPS, 1, 1)

    @jax.jit
    def advance(key: jax.Array, state: Any) -> Any:
        def one(key: jax.Array, state: Any) -> Any:
            return [block[0] for block in sample_states(key, program, schedule, state, [], blocks)]

        return jax.vmap(one)(jax.random.split(key, chains), state)

    return advance, hinton_init(jax.random.key(1), energy, blocks, (chains,))


def measured(name: str, advance: Advance, state: Any, sites: int, seconds: float) -> float:
    """Sites times sweeps a second, printed."""
    key = jax.random.key(1)
    state = jax.block_until_ready(advance(key, state))
    calls, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < seconds:
        state = jax.block_until_ready(advance(jax.random.fold_in(key, calls), state))
        calls += 1
    speed = calls * SWEEPS * sites / (time.perf_counter() - begun)
    print(f"{name:<24}{speed / 1e6:>10.1f} M updates/s", flush=True)
    return speed


if __name__ == "__main__":
    main()
