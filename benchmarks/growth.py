"""How long growth takes and how much memory: 256 configurations 32 -> 512, and one 32 -> 4096.

    uv run python benchmarks/growth.py [--sweeps 64] [--largest 4096]

Weights are learnt in a few steps: the time of growth does not depend on what they are. The peer of growing 512 x 512
is simulating it: the time that as many independent configurations take by Metropolis sweeps and cluster updates is
estimated, in the same run, from the time of a step and the integrated autocorrelation time of |m| on a smaller
lattice, which underestimates it.
"""

import argparse
import resource
import time

import kadanoff as kd


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
