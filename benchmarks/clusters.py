"""Cluster updates: sites a second, and effective samples a second at criticality; peapods where it is installed.

    uv run --group bench python benchmarks/clusters.py [--seconds 3] [--sides 64 256]

The first table updates every chain once a call, on all cores; Wolff counts the sites of the lattice, as if it had
visited all of them, and the sites that it flipped. The second compares with peapods, which makes a Metropolis sweep
before every cluster update, so ours does too: tau is the integrated autocorrelation time of m^2 in such steps, each
program's own estimate, and a chain gives an effective sample in 2 tau steps.
"""

import argparse
import importlib.util
import resource
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import kadanoff as kd

BETA = 0.4406867935097715
ACTIONS = {"phi4": kd.Phi4(-0.9515, 0.7), "ising": kd.Ising(BETA)}
SAMPLERS = {"swendsen-wang": kd.SwendsenWang(), "wolff": kd.Wolff()}
LATTICES = {64: 256, 256: 64}


def main() -> None:
    """Measure, and print two tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each number is measured")
    parser.add_argument("--sides", type=int, nargs="+", default=list(LATTICES))
    options = parser.parse_args()
    lattices = {side: LATTICES.get(side, max(1, 2**22 // side**2)) for side in options.sides}
    print(f"{'':<22}{'L':>5}{'chains':>8}{'updates/s':>12}{'flips/s':>12}{'peak GiB':>10}")
    for side, chains in lattices.items():
        for model, action in ACTIONS.items():
            fields = critical(action, side, chains)
            for name, sampler in SAMPLERS.items():
                updates, flips = throughput(action, sampler, fields, options.seconds)
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
                print(
                    f"{model + ' ' + name:<22}{side:>5}{chains:>8}{updates:>12.3g}{flips:>12.3g}{peak:>10.2f}"
                )
    print()
    print(
        f"{'Metropolis and ...':<22}{'L':>5}{'chains':>8}{'':<10}{'updates/s':>12}{'tau':>8}{'samples/s':>12}"
    )
    for side, chains in lattices.items():
        for name, cluster in SAMPLERS.items():
            programs: dict[str, Callable[..., tuple[float, float]]] = {"kadanoff": ours}
            if importlib.util.find_spec("peapods") is not None:
                programs["peapods"] = peapods
            for program, measure in programs.items():
                steps, tau = measure(cluster, side, chains, options.seconds)
                rate = f"{steps * chains * side**2:>12.3g}{tau:>8.2f}{steps * chains / (2 * tau):>12.4g}"
                print(f"{name:<22}{side:>5}{chains:>8} {program:<9}{rate}", flush=True)


def critical(action: Any, side: int, chains: int) -> jax.Array:
    """Thermalised fields."""
    sampler = kd.LocalAndCluster() if not action.spins else kd.SwendsenWang()
    ensemble = kd.sample(
        action, kd.Lattice((side, side)), chains=chains, draws=1, thermalize=100, sampler=sampler
    )
    return jnp.asarray(ensemble.fields[:, 0], jnp.float32)


def throughput(action: Any, sampler: Any, fields: jax.Array, seconds: float) -> tuple[float, float]:
    """Sites a second, and flipped sites a second, in the best tenth of the calls."""
    state, key = sampler.init(action, fields), jax.random.key(1)
    state, _ = jax.block_until_ready(sampler.step(key, action, state))
    times, flips = [], []
    while sum(times) < seconds:
        before, begun = state.fields, time.perf_counter()
        number = jax.random.fold_in(key, len(times))
        state, _ = jax.block_until_ready(sampler.step(number, action, state))
        times.append(time.perf_counter() - begun)
        flips.append(float(jnp.sum(jnp.sign(before) != jnp.sign(state.fields))))
    shortest = float(np.quantile(times, 0.1))
    return fields.size / shortest, float(np.mean(flips)) / shortest


def ours(cluster: Any, side: int, chains: int, seconds: float) -> tuple[float, float]:
    """Steps a second, and tau in steps."""
    action = ACTIONS["ising"]
    sampler = kd.Mixture((kd.Metropolis(), cluster))
    state = sampler.init(action, critical(action, side, chains))
    steps, times, series = 20, [], []
    run = jax.jit(lambda key, state: jax.lax.scan(body, state, jax.random.split(key, steps)))

    def body(state: Any, key: jax.Array) -> tuple[Any, jax.Array]:
        state, _ = sampler.step(key, action, state)
        return state, jnp.mean(state.fields, axis=(1, 2)) ** 2

    jax.block_until_ready(run(jax.random.key(0), state))
    while sum(times) < seconds:
        begun = time.perf_counter()
        state, squares = jax.block_until_ready(run(jax.random.key(1 + len(times)), state))
        times.append(time.perf_counter() - begun)
        series.append(np.asarray(squares).T)
    tau = kd.statistics.integrated_autocorrelation_time(np.concatenate(series, axis=1)).value
    return steps / float(np.quantile(times, 0.1)), tau


def peapods(cluster: Any, side: int, chains: int, seconds: float) -> tuple[float, float]:
    """The same of peapods; its chains are temperatures, all of them critical."""
    from peapods import Ising

    mode = {"cluster_update_interval": 1, "cluster_mode": "wolff" if isinstance(cluster, kd.Wolff) else "sw"}
    model = Ising((side, side), temperatures=np.full(chains, 1 / BETA))
    model.sample(20, warmup_ratio=0, **mode)
    begun, times = time.perf_counter(), []
    while time.perf_counter() - begun < seconds:
        here = time.perf_counter()
        model.sample(20, warmup_ratio=0, **mode)
        times.append(time.perf_counter() - here)
    # A few chains are enough for tau.
    few = Ising((side, side), temperatures=np.full(4, 1 / BETA))
    few.sample(100, warmup_ratio=0, **mode)
    tau = few.sample(128_000 // side, warmup_ratio=0, autocorrelation_max_lag=100, **mode)["mags2_tau"]
    return 20 / float(np.quantile(times, 0.1)), float(np.mean(tau))


if __name__ == "__main__":
    main()
