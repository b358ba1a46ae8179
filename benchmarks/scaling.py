"""Weak and strong scaling of local updates over devices: chains dealt out, and one lattice in slabs.

    uv run python benchmarks/scaling.py [--devices 1,2,4] [--side 1024] [--chains 64] [--seconds 3]

Strong scaling keeps the work, weak scaling the work of each device. On a CPU as many virtual devices are made as are
asked for; to each belongs one core at most, so that more of them than cores say nothing. Metropolis updates of
critical phi^4, ten sweeps a call; the ideal is a constant rate a device. Last comes what crosses devices in one sweep.
"""

import argparse
import os
import re
import time
from typing import Any


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    cores = len(os.sched_getaffinity(0))
    parser.add_argument("--devices", default=",".join(str(n) for n in (1, 2, 4, 8, 16) if n <= cores))
    parser.add_argument("--side", type=int, default=1024, help="of the one lattice in slabs")
    parser.add_argument("--chains", type=int, default=64, help="of 64 x 64, dealt out")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each line is measured")
    options = parser.parse_args()
    counts = [int(n) for n in options.devices.split(",")]
    flags = f"--xla_force_host_platform_device_count={max(counts)} --xla_cpu_multi_thread_eigen=false"
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flags}"
    print(f"{'':<24}{'devices':>8}{'updates/s':>12}{'a device':>12}{'efficiency':>12}")
    for how in ("strong", "weak"):
        for what in ("chains", "slabs"):
            first = None
            for n in counts:
                grown = n if how == "weak" else 1
                if what == "chains":
                    shape = (options.chains * grown, 64, 64)
                else:
                    shape = (1, options.side * grown, options.side)
                rate = throughput(shape, n, options.seconds)
                first = first or rate / n
                print(f"{how + ', ' + what:<24}{n:>8}{rate:>12.3g}{rate / n:>12.3g}{rate / n / first:>12.2f}")
    print(f"crossing devices in one sweep of one {options.side} x {options.side} lattice in slabs:")
    for line in crossing(options.side, max(counts)):
        print(f"  {line}")


def prepared(shape: tuple[int, ...], devices: int, sweeps: int) -> tuple[Any, Any, Any, Any, Any]:
    """Mesh, sampler, key, action and state for fields of a shape (chain, *sides)."""
    import jax

    import kadanoff as kd
    from kadanoff.devices import layout, spread
    from kadanoff.sampling.sharded import shard

    mesh = layout(devices, shape[0], shape[1:], slabs=True)
    sampler, action = kd.Metropolis(sweeps=sweeps), kd.Phi4(-0.9515, 0.7)
    state = shard(sampler.init(action, jax.random.normal(jax.random.key(0), shape)), mesh)
    return mesh, sampler, spread(mesh, jax.random.key(1)), action, state


def throughput(shape: tuple[int, ...], devices: int, seconds: float) -> float:
    """Site updates a second, the compilation left out."""
    import math

    import jax

    from kadanoff.devices import use
    from kadanoff.sampling.run import advance

    mesh, sampler, key, action, state = prepared(shape, devices, 10)
    with use(mesh):
        state = jax.block_until_ready(advance(sampler, key, action, state, 1)[0])
        calls, begun = 0, time.perf_counter()
        while time.perf_counter() - begun < seconds:
            state = jax.block_until_ready(advance(sampler, key, action, state, 1)[0])
            calls += 1
        return math.prod(shape) * 10 * calls / (time.perf_counter() - begun)


def crossing(side: int, devices: int) -> list[str]:
    """The collective operations of one compiled sweep, with what each of them moves."""
    import jax

    from kadanoff.devices import use

    mesh, sampler, key, action, state = prepared((1, side, side), devices, 1)
    with use(mesh):
        step = jax.jit(lambda key, action, state: sampler.step(key, action, state))
        program = step.lower(key, action, state).compile().as_text() or ""
    found = re.findall(r"= (\S+) (collective-permute|all-gather|all-to-all|all-reduce)\(", program)
    return [f"{operation} of {shape.split('{')[0]}" for shape, operation in found]


if __name__ == "__main__":
    main()
