"""The random words of a run, as bytes on standard output, for batteries of tests of randomness.

    python benchmarks/random_stream.py | RNG_test stdin8 -multithreaded
    python benchmarks/random_stream.py --bits 32 --order site | RNG_test stdin32 -multithreaded

What comes is what a run of `--chains` chains on a `--side` x `--side` lattice uses: half-sweep by half-sweep, each by
a key of its own, rows of sites, chains innermost. In the order `word`, as updates read them, all first words of a row
come first; in the order `site` the four words of a site stand together. Of every word the upper `--bits` are given:
uniforms are made of 24.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from typing import no_type_check

import jax
import numba
import numpy as np

from kadanoff.compiled.sweeps import INCREMENT, MULTIPLIER, random_row
from kadanoff.random import key

_KEYS = 256  # of half-sweeps, drawn at once


def main() -> None:
    """Write until the reader closes the pipe, or --gigabytes are written."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--bits", type=int, choices=(8, 16, 24, 32), default=24, help="upper bits of each word"
    )
    parser.add_argument("--order", choices=("word", "site"), default="word")
    parser.add_argument("--chains", type=int, default=256)
    parser.add_argument("--side", type=int, default=32, help="side of the lattice, even")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--gigabytes", type=float, default=float("inf"), help="where to stop")
    options = parser.parse_args()
    left = options.gigabytes * 1e9
    for words in half_sweeps(options.seed, options.chains, options.side):
        ordered = words if options.order == "word" else np.ascontiguousarray(words.swapaxes(1, 2))
        data = ordered.reshape(-1, 1).view(np.uint8)[:, 4 - options.bits // 8 :].tobytes()
        try:
            sys.stdout.buffer.write(data)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing is left to flush
            return
        left -= len(data)
        if left <= 0:
            return


def half_sweeps(seed: int, chains: int, side: int) -> Iterator[np.ndarray]:
    """Words (row, 4, site and chain) of one half-sweep after the other, as the compiled loops draw them."""
    columns = np.repeat(np.arange(side // 2, dtype=np.uint32), chains)
    labels = np.tile(np.arange(chains, dtype=np.uint32), side // 2)
    words = np.empty((side, 4, len(columns)), np.uint32)
    number = 0
    while True:
        for data in np.asarray(jax.random.key_data(jax.random.split(key(seed, number), _KEYS))):
            _fill(words, columns * MULTIPLIER, labels * MULTIPLIER + INCREMENT, side // 2, data)
            yield words
        number += 1


@numba.njit(error_model="numpy")
@no_type_check
def _fill(words, columns, chains, width, key):  # pragma: no cover - compiled
    for row in range(len(words)):
        random_row(words[row], columns, chains, row * width, key)


if __name__ == "__main__":
    main()
