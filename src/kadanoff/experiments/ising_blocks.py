"""Degrees of freedom of Ising spins: all 2 x 2 blocks that one majority spin stands for, with their probabilities.

Those of an isolated block follow from enumeration; those of a block within a critical lattice are counted.
"""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from kadanoff.actions import Ising
from kadanoff.ensemble import Ensemble
from kadanoff.experiments.result import Result
from kadanoff.lattice import Lattice
from kadanoff.renormalization import CompatibleMonteCarlo, Majority, block, grow
from kadanoff.renormalization.inverse.base import cut_blocks
from kadanoff.renormalization.inverse.block_spins import BlockSpins, log_probability, states
from kadanoff.sampling import SwendsenWang, sample
from kadanoff.sampling.run import Progress
from kadanoff.statistics import Estimate, bootstrap

__all__ = ["isolated", "preimages", "run_blocks"]

_CRITICAL, _SIDE, _CHAINS, _SWEEPS = float(np.log(1 + np.sqrt(2)) / 2), 64, 32, 16


def preimages() -> np.ndarray:
    """The 2 x 2 blocks whose majority is up, or is by one coin of two, (11, 2, 2), by their number of spins down."""
    spins = states(4)[0]
    order = np.argsort(-spins.sum(axis=1), kind="stable")
    return spins[order].reshape(-1, 2, 2)


def isolated(beta: float) -> np.ndarray:
    """Probability of each of the `preimages` for a block without neighbours, given that its spin is up.

    >>> isolated(0.0).round(4).tolist()[0], isolated(0.0).round(4).tolist()[-1]
    (0.125, 0.0625)
    """
    blocks = jnp.asarray(preimages().reshape(-1, 4))
    # Pairs of the sites a b, c d in row-major order: ab, ac, ad, bc, bd, cd; all but the diagonals are links.
    link = beta * jnp.array([1.0, 1.0, 0.0, 0.0, 1.0, 1.0])
    parts = BlockSpins(jnp.zeros_like(blocks), jnp.broadcast_to(link, (len(blocks), 6)))
    return np.exp(np.asarray(log_probability(parts, jnp.ones(len(blocks)), blocks), np.float64))


def run_blocks(out: Path, *, quick: bool, seed: int, progress: Progress | None = None) -> Result:
    """Enumerate, simulate, count and draw the blocks of a majority spin; rows, a figure and notes in `out`."""
    from kadanoff.plots.ising_blocks import plot_preimages

    direct = sample(
        Ising(_CRITICAL),
        Lattice((_SIDE, _SIDE)),
        chains=_CHAINS,
        draws=16 if quick else 64,
        thin=8,
        sampler=SwendsenWang(),
        seed=seed,
        out=Path(out) / "simulation-ising",
        progress=progress,
    )
    blocked = block(direct, Majority(b=2), seed=seed)
    drawn = grow(blocked, CompatibleMonteCarlo(direct.action, sweeps=_SWEEPS), seed=seed)[-1]
    measured, difference = _frequencies(blocked, direct, drawn, seed)
    alone = isolated(_CRITICAL)
    rows: list[dict[str, Any]] = []
    for number, pattern in enumerate(preimages()):
        true, again = measured[0][number], measured[1][number]
        rows.append(
            {
                "label": "Ising block " + _text(pattern),
                "isolated": alone[number],
                "probability": true,
                "drawn": again,
                "drawn_pull": difference[number],
                "reference": {"drawn": true},
            }
        )
    picture = plot_preimages(preimages(), alone, measured[0], Path(out) / "ising_blocks.png")
    notes = [
        "Ising blocks: the 11 blocks of 2 x 2 spins behind a block spin up (the others by a flip), at beta_c; a tie "
        "counts where the coin gave it this spin, half the time",
        "isolated is exact for a block without neighbours; probability is counted in simulated lattices of "
        f"{_SIDE} x {_SIDE}, drawn in what compatible Monte Carlo ({_SWEEPS} sweeps) makes of the same blocked "
        "fields; drawn_pull has the error of their difference, by a bootstrap over configurations",
    ]
    return Result("ising-blocks", rows, [picture], notes=notes)


def _frequencies(
    blocked: Ensemble, direct: Ensemble, drawn: Ensemble, seed: int
) -> tuple[list[list[Estimate]], np.ndarray]:
    """How often each preimage lies behind an up spin in either ensemble, and the pulls of their differences."""
    series = np.concatenate([_series(blocked, fine) for fine in (direct, drawn)])
    count = len(series) // 2

    def function(means: np.ndarray) -> np.ndarray:
        return np.concatenate([means, means[count:] - means[:count]])

    found = bootstrap(function, series, seed)
    estimates = [Estimate(v, e) for v, e in zip(found.values, found.errors, strict=True)]
    pulls = found.values[2 * count :] / found.errors[2 * count :]
    return [estimates[:count], estimates[count : 2 * count]], pulls


def _series(blocked: Ensemble, fine: Ensemble) -> np.ndarray:
    """Share of each preimage among the blocks of every configuration, (preimage, chain, draw)."""
    patterns = preimages().reshape(-1, 4)

    @jax.jit
    def shares(coarse: Any, field: Any) -> Any:
        # The law is even: a block behind a down spin is one behind an up spin, turned over.
        blocks = cut_blocks(field, 2) * coarse[..., None]
        same = jnp.stack([jnp.all(blocks == pattern, axis=-1) for pattern in patterns])
        return jnp.mean(same, axis=(2, 3), dtype=jnp.float32)

    parts = [
        np.asarray(shares(jnp.asarray(small), jnp.asarray(large)), np.float64)
        for small, large in zip(np.asarray(blocked.fields), np.asarray(fine.fields), strict=True)
    ]
    return np.stack(parts, axis=1)


def _text(pattern: np.ndarray) -> str:
    return "/".join("".join("+" if spin > 0 else "-" for spin in row) for row in pattern)
