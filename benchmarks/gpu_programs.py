"""What updates cost on a GPU, read off the programs that XLA compiles for one: no GPU has to be there.

    uv run --extra cuda python benchmarks/gpu_programs.py

XLA compiles for a GPU that is described to it, an H100. In what it makes, these are counted for each update of a site:
kernels (for a sweep); bytes that they read and write: what a kernel keeps to itself moves nothing, and caches are not
thought of; operations on numbers of 32 bits within fused kernels, not those in libraries of NVIDIA; and for each site
the memory that a call takes, results included. Loops count as often as they turn; where that depends on the fields
(the labels of clusters), one turn is counted, and the word "rounds" says so. What the device can move and compute
bounds the rate from above. No rate is measured here.
"""

import re
from collections.abc import Callable, Iterator
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import topologies
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from program_cost import computations, cost_of

import kadanoff as kd
from kadanoff.devices import CHAIN, SLAB, use
from kadanoff.renormalization.blocking import block_fields

BANDWIDTH = 3.35e12
"""Bytes a second of an H100 (SXM), by its data sheet."""

H100 = """
gpu_device_info {
  threads_per_block_limit: 1024 threads_per_warp: 32 threads_per_core_limit: 2048 core_count: 132 fpus_per_core: 128
  shared_memory_per_block: 49152 shared_memory_per_core: 233472 shared_memory_per_block_optin: 232448
  block_dim_limit_x: 2147483647 block_dim_limit_y: 65535 block_dim_limit_z: 65535
  registers_per_core_limit: 65536 registers_per_block_limit: 65536
  memory_bandwidth: 3352320000000 l2_cache_size: 52428800 clock_rate_ghz: 1.98 device_memory_size: 84929347584
  cuda_compute_capability { major: 9 }
}
platform_name: "CUDA"
dnn_version_info { major: 9 minor: 8 }
runtime_version { major: 12 minor: 8 }
device_description_str: "NVIDIA H100 80GB HBM3"
"""

OPERATIONS = 132 * 64 * 1.98e9
"""Operations on integers a second: a multiprocessor makes 64 a clock, and twice as many on floats."""


def main() -> None:
    """Compile everything, and print tables."""
    jax.config.update("jax_platforms", "cpu")
    jax.default_backend = lambda: "gpu"  # which kernels for CPUs ask
    print(f"{'':<24}{'shape':<20}{'kernels':>9}{'bytes':>8}{'operations':>12}{'memory':>8}{'M/s, <':>10}")
    for name, chains, sides, updates, make in cases():
        compiled = compile_whole(*make(chains, sides))
        cost, needed, sites = cost_of(compiled.as_text()), compiled.memory_analysis(), chains * prod(sides)
        shape = f"{chains} of {'x'.join(map(str, sides))}"
        moved, operations = cost.moved / sites / updates, cost.operations / sites / updates
        memory = needed.argument_size_in_bytes + needed.output_size_in_bytes + needed.temp_size_in_bytes
        print(
            f"{name:<24}{shape:<20}{cost.kernels / updates:>9.1f}{moved:>8.1f}"
            f"{operations:>12.0f}{memory / sites:>8.1f}{min(BANDWIDTH / moved, OPERATIONS / operations) / 1e6:>10.0f}"
            f"{'  rounds' if cost.unknown_loops else ''}",
            flush=True,
        )
    print("\nA sweep of one 1024 x 1024 lattice of phi^4 in slabs on 8 GPUs, what crosses:")
    for crossing in crossings(8, 1024):
        print(" ", crossing)


def cases() -> Iterator[tuple[str, int, tuple[int, ...], int, Callable[..., Any]]]:
    """What is compiled: name, chains, sides, and by how many updates of a site bytes are divided."""
    phi4, ising, sweeps = kd.Phi4(-0.9515, 0.7), kd.Ising(0.4407), 16
    local = {
        "phi^4 Metropolis": (phi4, kd.Metropolis(sweeps=sweeps)),
        "phi^4 heat bath": (phi4, kd.HeatBath(sweeps=sweeps)),
        "Ising Metropolis": (ising, kd.Metropolis(sweeps=sweeps)),
        "Ising heat bath": (ising, kd.HeatBath(sweeps=sweeps)),
    }
    for name, (action, sampler) in local.items():
        for chains, sides in ((256, (32, 32)), (1, (2048, 2048)), (1, (128, 128, 128))):
            yield name, chains, sides, sweeps, step_of(action, sampler)
    hybrid = kd.HybridMonteCarlo()
    yield "phi^4 HMC", 256, (32, 32), 1, step_of(phi4, hybrid)
    for action, kind in ((phi4, "phi^4"), (ising, "Ising")):
        for sampler in (kd.SwendsenWang(), kd.Wolff()):
            yield f"{kind} {type(sampler).__name__}", 256, (64, 64), 1, step_of(action, sampler)
    yield "growth, the map", 16, (512, 512), 1, grown
    yield "blocking", 256, (64, 64), 1, blocked


def step_of(action: Any, sampler: Any) -> Callable[..., Any]:
    """One step of a sampler."""

    def make(chains: int, sides: tuple[int, ...]) -> tuple[Callable[..., Any], Any]:
        state = sampler.init(action, np.ones((chains, *sides), np.float32))
        return lambda key, state: sampler.step(key, action, state), (jax.random.key(0), state)

    return make


def grown(count: int, sides: tuple[int, ...]) -> tuple[Callable[..., Any], Any]:
    """The map of an inverse of the default kind, its weights learnt in two steps, to fields of these sides."""
    pairs = kd.Ensemble(np.random.default_rng(0).normal(size=(64, 2, 16, 16)).astype(np.float32))
    inverse = kd.learn_inverse(pairs, kd.MajorityMean(b=2), steps=2).map
    number = jnp.arange(count, dtype=jnp.uint32)
    return lambda *given: inverse.fine(*given), (
        jax.random.key(0),
        jnp.zeros((count, *(side // 2 for side in sides))),
        number,
    )


def blocked(count: int, sides: tuple[int, ...]) -> tuple[Callable[..., Any], Any]:
    """The majority rule with means of blocks."""
    return lambda key, fields: block_fields(kd.MajorityMean(b=2), key, fields), (
        jax.random.key(0),
        jnp.zeros((count, *sides)),
    )


def devices(count: int) -> list[Any]:
    """So many GPUs of one host that are not there."""
    described = topologies.get_topology_desc(platform="cuda", target_config=H100, topology=f"1x1x{count}")
    return list(described.devices)


def compile_whole(function: Callable[..., Any], arguments: Any) -> Any:
    """Compile a function of arrays for one GPU."""
    whole = NamedSharding(Mesh(np.array(devices(1)), ("gpu",)), PartitionSpec())
    return compile_laid_out(function, arguments, lambda leaf: whole)


def compile_laid_out(function: Callable[..., Any], arguments: Any, layout: Callable[[Any], Any]) -> Any:
    """Compile a function of arrays that lie as `layout` says of each."""
    described = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=layout(leaf)), arguments
    )
    return jax.jit(function).trace(*described).lower(lowering_platforms=("cuda",)).compile()


def crossings(count: int, side: int) -> list[str]:
    """What a sweep of one lattice in slabs sends from one GPU to another."""
    mesh = Mesh(np.array(devices(count)).reshape(1, count), (CHAIN, SLAB))
    function, arguments = step_of(kd.Phi4(-0.9515, 0.7), kd.Metropolis())(1, (side, side))

    def layout(leaf: Any) -> NamedSharding:
        axes = (CHAIN, SLAB, None) if leaf.ndim == 3 else ()
        return NamedSharding(mesh, PartitionSpec(*axes))

    with use(mesh):
        text = compile_laid_out(function, arguments, layout).as_text()
    kinds = ("collective-permute", "all-gather", "all-to-all", "all-reduce", "reduce-scatter")
    found: dict[str, int] = {}
    for instructions in computations(text)[0].values():
        for one in instructions:
            if one.kind.removesuffix("-start") in kinds:
                title = f"{one.kind.removesuffix('-start')} {re.sub(r'{.*?}', '', one.shape)}"
                found[title] = found.get(title, 0) + 1
    return [f"{number} x {title}" for title, number in found.items()]


if __name__ == "__main__":
    main()
