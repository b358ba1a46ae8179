"""What updates cost on a GPU, read off the programs that XLA compiles for one: no GPU has to be there.

    uv run --extra cuda python benchmarks/gpu_programs.py

XLA compiles for a GPU that is described to it, an H100. In what it makes, kernels are counted, and the bytes that
they are given and give back: what a kernel keeps to itself moves nothing, and caches are not thought of. Loops count
as often as they turn; where that depends on the fields (the labels of clusters), one turn is counted, and the word
"rounds" says so. Bandwidth over bytes bounds the rate from above; no rate is measured here.
"""

import re
from collections.abc import Callable, Iterator
from math import prod
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import topologies
from jax.sharding import Mesh, NamedSharding, PartitionSpec

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

FREE = {"parameter", "constant", "tuple", "get-tuple-element", "bitcast", "after-all", "opt-barrier"}


class Instruction(NamedTuple):
    """One line of a compiled program."""

    name: str
    shape: str
    kind: str
    rest: str


class Cost(NamedTuple):
    """What a program does to memory, each time it is called."""

    kernels: int
    moved: int
    unknown_loops: int


def main() -> None:
    """Compile everything, and print tables."""
    jax.config.update("jax_platforms", "cpu")
    jax.default_backend = lambda: "gpu"  # which kernels for CPUs ask
    print(f"{'':<30}{'shape':<22}{'kernels':>9}{'bytes':>9}{'memory':>9}{'M/s, <':>10}")
    for name, chains, sides, updates, make in cases():
        compiled = compile_for(devices(1), *make(chains, sides))
        cost, sites = cost_of(compiled.as_text()), chains * prod(sides)
        moved, shape = cost.moved / sites / updates, f"{chains} of {'x'.join(map(str, sides))}"
        print(
            f"{name:<30}{shape:<22}{cost.kernels / updates:>9.1f}{moved:>9.1f}"
            f"{compiled.memory_analysis().temp_size_in_bytes / sites:>9.1f}{BANDWIDTH / moved / 1e6:>10.0f}"
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
    yield "growth, the map", 16, (256, 256), 4, grown
    yield "blocking", 256, (64, 64), 1, blocked


def step_of(action: Any, sampler: Any) -> Callable[..., Any]:
    """One step of a sampler."""

    def make(chains: int, sides: tuple[int, ...]) -> tuple[Callable[..., Any], Any]:
        state = sampler.init(action, np.ones((chains, *sides), np.float32))
        return lambda key, state: sampler.step(key, action, state), (jax.random.key(0), state)

    return make


def grown(count: int, sides: tuple[int, ...]) -> tuple[Callable[..., Any], Any]:
    """The map of an inverse of the default kind, its weights learnt in two steps."""
    pairs = kd.Ensemble(np.random.default_rng(0).normal(size=(64, 2, 16, 16)).astype(np.float32))
    inverse = kd.learn_inverse(pairs, kd.MajorityMean(b=2), steps=2).map
    number = jnp.arange(count, dtype=jnp.uint32)
    return lambda *given: inverse.fine(*given), (jax.random.key(0), jnp.zeros((count, *sides)), number)


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


def compile_for(there: list[Any], function: Callable[..., Any], arguments: Any) -> Any:
    """Compile a function of arrays for the first GPU."""
    whole = NamedSharding(Mesh(np.array(there), ("gpu",)), PartitionSpec())
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


def cost_of(text: str) -> Cost:
    """Count kernels and bytes of a compiled program."""
    parts, entry = computations(text)
    return _cost(parts, entry, 1)


def _cost(parts: dict[str, list[Instruction]], name: str, times: int) -> Cost:
    shapes = {one.name: one.shape for one in parts[name]}
    kernels = moved = unknown = 0
    for one in parts[name]:
        if one.kind in FREE:
            continue
        called = re.findall(
            r"(?:body|condition|to_apply|true_computation|false_computation)=%([\w.\-]+)", one.rest
        )
        called += re.findall(
            r"%([\w.\-]+)", "".join(re.findall(r"branch_computations=\{([^}]*)\}", one.rest))
        )
        if one.kind in ("while", "call", "conditional"):
            turns = re.search(r'"known_trip_count":\{"n":"(\d+)"', one.rest)
            count = int(turns.group(1)) if turns else 1
            unknown += one.kind == "while" and turns is None
            inner = [_cost(parts, each, times * count) for each in called]
            kernels, moved = kernels + sum(c.kernels for c in inner), moved + sum(c.moved for c in inner)
            unknown += sum(c.unknown_loops for c in inner)
        else:
            given = re.findall(r"%([\w.\-]+)", one.rest.split(")")[0])
            kernels += times
            moved += times * (size(one.shape) + sum(size(shapes.get(each, "")) for each in given))
    return Cost(kernels, moved, unknown)


def computations(text: str) -> tuple[dict[str, list[Instruction]], str]:
    """The computations of a program of XLA, by name, and which of them it begins with."""
    parts: dict[str, list[Instruction]] = {}
    entry = name = ""
    for line in text.splitlines():
        if begun := re.match(r"(ENTRY )?%?([\w.\-]+) \(.*\) -> .* \{$", line):
            name = begun.group(2)
            parts[name], entry = [], name if begun.group(1) else entry
        elif found := re.match(r"\s+(?:ROOT )?%([\w.\-]+) = (\(.*?\)|\S+) ([\w\-]+)\((.*)$", line):
            parts[name].append(Instruction(*found.groups()))
    return parts, entry


def size(shape: str) -> int:
    """Bytes of a shape, or of all in a tuple of them."""
    total = 0
    for kind, sides in re.findall(r"\b(pred|[suf]\d+|bf16)\[([\d,]*)\]", shape):
        bits = re.search(r"\d+", kind)
        total += prod(int(side) for side in sides.split(",") if side) * (
            int(bits.group()) // 8 if bits else 1
        )
    return total


if __name__ == "__main__":
    main()
