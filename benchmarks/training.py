"""Milliseconds of a step of training, by kind of inverse: 32^2 fields blocked to 16^2, batches of 8192 coarse sites.

    uv run python benchmarks/training.py [--rounds 3]

Compiled code is made first, by a round of steps that is not timed; a look at held-out pairs is part of every round.
"""

import argparse
import time
from itertools import pairwise

import kadanoff as kd

ROUND = 50  # steps between two reports of `learn_inverse`


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, help="rounds of 50 steps; the fastest is reported")
    rounds = parser.parse_args().rounds
    action, rule = kd.Phi4(-0.9515, 0.7), kd.MajorityMean(b=2)
    ensemble = kd.sample(action, kd.Lattice((32, 32)), chains=128, draws=32, seed=0)
    relax = kd.Relaxation(action, sweeps=2)
    cases = {
        "density, consistent": {"kind": "density"},
        "density, relaxed pairs": {"kind": "density", "relax": relax},
        "stochastic": {"kind": "stochastic"},
        "deterministic": {"kind": "deterministic"},
    }
    print(f"{'':<26}{'ms a step':>12}{'held-out loss':>16}")
    for name, options in cases.items():
        seconds, loss = fastest_round(ensemble, rule, rounds, options)
        print(f"{name:<26}{1e3 * seconds / ROUND:>12.1f}{loss:>16.6f}", flush=True)


def fastest_round(
    ensemble: kd.Ensemble, rule: kd.MajorityMean, rounds: int, options: dict
) -> tuple[float, float]:
    """Train, and give the seconds of the fastest round but the first, and what was reached."""
    times: list[float] = []

    def report(done: float, total: float | None, message: str) -> None:
        times.append(time.perf_counter())

    learnt = kd.learn_inverse(ensemble, rule, steps=ROUND * (rounds + 1), seed=0, progress=report, **options)
    return min(after - before for before, after in pairwise(times)), learnt.record.held_out


if __name__ == "__main__":
    main()
