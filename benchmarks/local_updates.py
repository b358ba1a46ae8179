"""Local updates per core against a plain vectorised C loop of the same algorithm, measured in the same run.

    uv run python benchmarks/local_updates.py [--sweeps 16] [--seconds 2] [--quick]

Needs gcc: `local_updates.c` is compiled with `-O3 -march=native -ffast-math`. It keeps checkerboard halves as separate
arrays with the chains innermost and draws from 16 lanes of xoshiro128+; spins are int8. Both run on one core, the C
loop and ours in turn, and the best round of each counts, so that other work on the machine hurts both alike; then
ours runs on all cores. A call of ours is `sampler.step`, `--sweeps` sweeps from fields to fields.
"""

import argparse
import ctypes
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

SHAPES = {(32, 32): 256, (2048, 2048): 1, (16, 16, 16): 256, (128, 128, 128): 1}
QUICK = {(32, 32): 256, (16, 16, 16): 256}
BETA = {2: 0.4406867935097715, 3: 0.22165463}
UPDATES = ("phi4 metropolis", "phi4 heat bath", "ising metropolis", "ising heat bath")


def main() -> None:
    """Measure on one core and on all, each in a process of its own, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sweeps", type=int, default=16, help="sweeps a call")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each number is measured")
    parser.add_argument("--quick", action="store_true", help="small lattices only")
    parser.add_argument("--cores", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.cores is not None:
        print(json.dumps(measure(options)))
        return
    cores = len(os.sched_getaffinity(0))
    one, every = (in_process(options, count) for count in (1, cores))
    print(f"million site updates a second, {options.sweeps} sweeps a call")
    print(
        f"{'':<18}{'lattice':<15}{'chains':>6}{'C':>8}{'ours':>8}{'ratio':>7}{f'{cores} cores':>9}{'peak GiB':>10}"
    )
    for alone, together in zip(one, every, strict=True):
        shape = " x ".join(map(str, alone["shape"]))
        print(
            f"{alone['update']:<18}{shape:<15}{alone['chains']:>6}{alone['C'] / 1e6:>8.0f}{alone['ours'] / 1e6:>8.0f}"
            f"{alone['ours'] / alone['C']:>7.2f}{together['ours'] / 1e6:>9.0f}{together['peak']:>10.2f}"
        )


def in_process(options: argparse.Namespace, cores: int) -> list[dict[str, Any]]:
    """Measure in a process that is bound to so many cores before anything starts threads."""
    available = sorted(os.sched_getaffinity(0))[:cores]
    arguments = [f"--cores={cores}", f"--sweeps={options.sweeps}", f"--seconds={options.seconds}"]
    done = subprocess.run(
        [sys.executable, __file__, *arguments, *(["--quick"] if options.quick else [])],
        stdout=subprocess.PIPE,
        check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, available),
    )
    return json.loads(done.stdout)


def measure(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Updates a second of ours and, on one core, of the C loop."""
    library = c_library() if options.cores == 1 else None
    rows = []
    for shape, chains in (QUICK if options.quick else SHAPES).items():
        for update in UPDATES:
            runs = {"ours": ours(update, shape, chains, options.sweeps)}
            if library is not None:
                runs["C"] = c_loop(library, update, shape, chains, options.sweeps)
            updates = chains * float(np.prod(shape)) * options.sweeps
            best = {name: updates / seconds for name, seconds in fastest(runs, options.seconds).items()}
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
            rows.append({"update": update, "shape": shape, "chains": chains, "peak": peak} | best)
    return rows


def fastest(runs: dict[str, Callable[[], None]], seconds: float) -> dict[str, float]:
    """The shortest time of each call; calls take turns."""
    shortest = dict.fromkeys(runs, float("inf"))
    end = time.perf_counter() + seconds * len(runs)
    while time.perf_counter() < end:
        for name, run in runs.items():
            begun = time.perf_counter()
            run()
            shortest[name] = min(shortest[name], time.perf_counter() - begun)
    return shortest


def ours(update: str, shape: tuple[int, ...], chains: int, sweeps: int) -> Callable[[], None]:
    """A call of our sampler, compiled, which goes on where the last one ended."""
    import jax
    import jax.numpy as jnp

    import kadanoff as kd

    model, rule = update.split(" ", 1)
    action = kd.Phi4(-0.9515, 0.7) if model == "phi4" else kd.Ising(BETA[len(shape)])
    sampler = {"metropolis": kd.Metropolis, "heat bath": kd.HeatBath}[rule](sweeps=sweeps)
    state = [sampler.init(action, jnp.ones((chains, *shape)))]
    keys = iter(range(10**9))

    def run() -> None:
        key = jax.random.key(next(keys))
        state[0], _ = jax.block_until_ready(sampler.step(key, action, state[0]))

    run()
    return run


def c_library() -> ctypes.CDLL:
    """Compile the C loop."""
    source = Path(__file__).with_suffix(".c")
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "loop.so"
        flags = ["-O3", "-march=native", "-ffast-math", "-shared", "-fPIC"]
        subprocess.run(["gcc", *flags, str(source), "-o", str(library), "-lm"], check=True)
        return ctypes.CDLL(str(library))


def c_loop(
    library: ctypes.CDLL, update: str, shape: tuple[int, ...], chains: int, sweeps: int
) -> Callable[[], None]:
    """A call of the C loop."""
    import kadanoff as kd
    from kadanoff.quartic.rejection import envelopes

    dimension, (model, rule) = len(shape), update.split(" ", 1)
    if model == "ising":
        parameters = [BETA[dimension]]
    else:
        a, b = kd.Phi4(-0.9515, 0.7).site_couplings(dimension)
        scale, table = envelopes(2.0 * dimension, a, b, 256)
        parameters = [1.0, a, b, *([2.7] if rule == "metropolis" else [scale, *np.asarray(table)])]
    kind = np.float32 if model == "phi4" else np.int8
    halves, row = np.ones(chains * int(np.prod(shape)), kind), np.empty(shape[-1] // 2 * chains, kind)
    numbers, sides = np.array(parameters, np.float32), np.array(shape, np.int32)
    function = getattr(library, f"{rule.replace(' ', '_')}_{model}")
    library.seed(ctypes.c_uint64(1))

    def run() -> None:
        function(
            *(ctypes.c_void_p(halves.ctypes.data), dimension, ctypes.c_void_p(sides.ctypes.data)),
            *(chains, sweeps, ctypes.c_void_p(row.ctypes.data), ctypes.c_void_p(numbers.ctypes.data)),
        )

    run()
    return run


if __name__ == "__main__":
    main()
