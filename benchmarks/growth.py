"""How long growth takes and how much memory: 256 configurations 32 -> 512, and one 32 -> 4096.

    uv run python benchmarks/growth.py [--sweeps 64] [--largest 4096]

Weights are learnt in a few steps: the time of growth does not depend on what they are. The peer of growing 512 x 512
is simulating it: the time that as many independent configurations take by Metropolis sweeps and cluster updates is
estimated, in the same run, from the time of a step and the integrated autocorrelation time of |m| on a smaller
lattice, which underestimates it.

First the parts of a step from 256 to 512, four configurations: the map alone beside its bare convolutions (of the same
kernels and tiles), the relaxation beside `sampler.step`, each the best of five calls in turn; and the training of the
default inverse.
"""

import argparse
import resource
import time
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

import kadanoff as kd
from kadanoff.renormalization.inverse.base import in_tiles
from kadanoff.renormalization.inverse.sublattice import corners


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sweeps", type=int, default=64, help="relaxation sweeps after each step")
    parser.add_argument("--largest", type=int, default=4096, help="side that one configuration is grown to")
    options = parser.parse_args()
    action, rule = kd.Phi4(-0.9515, 0.7), kd.MajorityMean(b=2)
    ensemble = kd.sample(action, kd.Lattice((32, 32)), chains=128, draws=8, seed=0)
    inverse = kd.learn_inverse(ensemble, rule, relax=kd.Relaxation(action, sweeps=2), steps=50)
    relax = kd.Relaxation(action, sweeps=options.sweeps)
    parts(inverse, relax)
    begun = time.perf_counter()
    kd.learn_inverse(ensemble, rule)
    print(f"{'training of the default inverse':<44}{time.perf_counter() - begun:>9.1f}")
    print(f"{'':<44}{'seconds':>9}{'sites/s':>12}{'updates/s':>12}{'peak GiB':>10}")
    for name in ("256 configurations 32 -> 512, with compilation", "256 configurations 32 -> 512"):
        seconds, sites = grown(ensemble, inverse, 4, relax, 256)
        report(name, seconds, sites, sites * options.sweeps)
    begun = time.perf_counter()
    chains = 16
    direct = kd.sample(
        action, kd.Lattice((128, 128)), chains=chains, draws=64, thermalize=100, thin=2, seed=1
    )
    tau = direct.observe("abs_magnetization").tau_int or 0.5
    # 228 steps were made on 1/16 of the sites of a 512 x 512 lattice; a configuration needs 2 tau draws of 2 steps.
    step = (time.perf_counter() - begun) / 228 / chains * 16
    cost = step * 256 * 4 * tau
    name = "256 independent 512 x 512 by simulation, >="
    print(f"{name:<44}{cost:>9.1f}  (tau {2 * tau:.1f} steps)")
    print(f"{'ratio to growth':<44}{cost / seconds:>9.1f}")
    steps = (options.largest // 32).bit_length() - 1
    seconds, sites = grown(ensemble, inverse, steps, relax, 1)
    report(f"1 configuration 32 -> {32 * 2**steps}, with compilation", seconds, sites, sites * options.sweeps)


def parts(inverse: kd.LearntInverse, relax: kd.Relaxation) -> None:
    """Measure the map and its convolutions, the relaxation and the sampler."""
    coarse = jax.random.normal(jax.random.key(0), (4, 256, 256))
    number, key = jnp.arange(4, dtype=jnp.uint32), jax.random.key(1)
    fine = inverse.map.fine(key, coarse, number)
    # What the networks of the two sublattices see: the coarse field; and the sites that are drawn, too.
    inputs = [coarse[..., None], jnp.stack([coarse] * 5, axis=-1)]
    sampler = kd.Metropolis(sweeps=relax.sweeps)
    state = sampler.init(relax.action, fine, number)
    bare = jax.jit(lambda inputs: [convolved(*pair) for pair in zip(networks(inverse), inputs, strict=True)])
    relaxed = eqx.filter_jit(relax)
    seconds = in_turn(
        lambda: inverse.map.fine(key, coarse, number),
        lambda: bare(inputs),
        lambda: relaxed(key, fine, number),
        lambda: sampler.step(key, relax.action, state)[0].fields,
    )
    print(f"{'256 -> 512':<44}{'seconds':>9}{'million/s':>12}")
    names = ("map alone, sites", "its bare convolutions, sites", "relaxation, updates", "sampler, updates")
    for name, spent, updates in zip(names, seconds, (1, 1, relax.sweeps, relax.sweeps), strict=True):
        print(f"{name:<44}{spent:>9.3f}{fine.size * updates / spent / 1e6:>12.1f}")
    print(f"{'share of the convolutions, per cent':<44}{100 * seconds[1] / seconds[0]:>9.0f}")
    print(f"{'relaxation, per cent of the sampler':<44}{100 * seconds[3] / seconds[2]:>9.0f}", flush=True)


def networks(inverse: kd.LearntInverse) -> list[Any]:
    """Give the networks of the two sublattices."""
    return [head.network for head in (inverse.map.first, inverse.map.second)]


def convolved(network: Any, inputs: jax.Array) -> jax.Array:
    """Convolve by the kernels of a network alone, the last one at the sites of one colour."""

    def convolution(values: jax.Array, kernel: jax.Array, stride: int = 1) -> jax.Array:
        numbers = ("NWHC", "WHIO", "NWHC")
        return jax.lax.conv_general_dilated(
            values, kernel, (stride, stride), "VALID", dimension_numbers=numbers
        )

    def all_layers(values: jax.Array) -> jax.Array:
        for kernel in network.kernels[:-1]:
            values = convolution(values, kernel)
        windows = [values[:, i : i - 1 or None, j : j - 1 or None] for i, j in corners(2, 0)]
        return jnp.stack([convolution(window, network.kernels[-1], 2) for window in windows], axis=3)

    return in_tiles(all_layers, network.reach, inputs)


def in_turn(*calls: Callable[[], Any]) -> list[float]:
    """Seconds of the best of five rounds of calls, after one that compiles."""
    best = [float("inf")] * len(calls)
    for turn in range(6):
        for index, call in enumerate(calls):
            begun = time.perf_counter()
            jax.block_until_ready(call())
            if turn > 0:
                best[index] = min(best[index], time.perf_counter() - begun)
    return best


def grown(
    ensemble: kd.Ensemble, inverse: kd.LearntInverse, steps: int, relax: kd.Relaxation, configurations: int
) -> tuple[float, float]:
    """Seconds of a growth, and the fine sites that it made."""
    begun = time.perf_counter()
    levels = kd.grow(ensemble, inverse, steps, relax, configurations=configurations)
    sites = sum(level.lattice.volume * level.chains * level.draws for level in levels[1:])
    return time.perf_counter() - begun, float(sites)


def report(name: str, seconds: float, sites: float, updates: float) -> None:
    """Print a line."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{name:<44}{seconds:>9.1f}{sites / seconds:>12.3g}{updates / seconds:>12.3g}{peak:>10.2f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
