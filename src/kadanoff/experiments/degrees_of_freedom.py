"""Degrees of freedom: the fine blocks that one block value stands for, drawn by an inverse beside the true ones.

A critical 64 x 64 ensemble is simulated and blocked once. Half of its chains teach a conditional density, p(fine |
coarse) on the surface RG(fine) = coarse; on the other half the blocks of value 0.40 +- 0.02 (either sign, turned to
the positive one) are compared with those that the density draws from the same blocked fields. Ising spins join in
`ising_blocks`.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from kadanoff.actions import Phi4
from kadanoff.ensemble import Ensemble
from kadanoff.experiments.ising_blocks import run_blocks
from kadanoff.experiments.result import Result
from kadanoff.experiments.stages import kept_inverse
from kadanoff.experiments.two_samples import TwoSamples, compare
from kadanoff.lattice import Lattice
from kadanoff.random import key as make_key
from kadanoff.renormalization import LearntInverse, MajorityMean, block, grow, learn_inverse
from kadanoff.renormalization.blocking import to_blocks
from kadanoff.sampling import sample
from kadanoff.sampling.run import Progress
from kadanoff.statistics import Estimate

__all__ = ["run"]

_CRITICAL, _QUARTIC, _SIDE = -0.9515, 0.7, 64
_VALUE, _TOLERANCE, _DRAWN = 0.40, 0.02, 12


@dataclass(frozen=True)
class _Effort:
    """How much is done: the only difference between a quick run and a full one."""

    draws: int
    width: int
    steps: int


_QUICK = _Effort(16, 8, 200)
_FULL = _Effort(40, 16, 400)
_CHAINS = 64


def run(out: Path, *, quick: bool, seed: int, progress: Progress | None = None) -> Result:
    """Simulate, learn, draw, compare, draw the figures and save the result in `out`."""
    from kadanoff.plots.degrees_of_freedom import plot_blocks
    from kadanoff.plots.run import configurations

    begun = time.perf_counter()
    effort = _QUICK if quick else _FULL
    rule = MajorityMean(b=2)
    ensemble = sample(
        Phi4(_CRITICAL, _QUARTIC),
        Lattice((_SIDE, _SIDE)),
        chains=_CHAINS,
        draws=effort.draws,
        thin=8,
        seed=seed,
        out=Path(out) / "simulation",
        progress=progress,
    )
    known, original = (
        ensemble.select(chains=slice(start, start + _CHAINS // 2)) for start in (0, _CHAINS // 2)
    )
    inverse = kept_inverse(
        Path(out) / "inverse",
        lambda: learn_inverse(
            known, rule, width=effort.width, steps=effort.steps, seed=seed, progress=progress
        ),
    )
    blocked = block(original, rule)
    reconstructed = grow(blocked, inverse, seed=seed, progress=progress)[-1]
    found = compare(_quantities(blocked, original), _quantities(blocked, reconstructed), seed)
    rows = [row for name, both in found.items() for row in _rows(name, both)]
    rows += [_field_row(name, original, reconstructed) for name in ("phi2", "phi4", "neighbours", "binder")]
    rows.append(_difference_row(blocked, original, reconstructed, inverse))
    value, blocks = _draw_blocks(blocked, inverse, seed)
    pictures = [np.asarray(each.fields)[0, -1] for each in (original, blocked, reconstructed)]
    names = (f"original ${_SIDE}^2$", f"blocked ${_SIDE // 2}^2$", f"reconstructed ${_SIDE}^2$", "difference")
    shown = dict(zip(names, [*pictures, pictures[2] - pictures[0]], strict=True))
    figures = [
        plot_blocks(value, blocks, found, Path(out) / "degrees_of_freedom.png", tolerance=_TOLERANCE),
        configurations(shown, Path(out) / "reconstruction.png"),
    ]
    ising = run_blocks(out, quick=quick, seed=seed, progress=progress)
    result = Result(
        "degrees-of-freedom",
        rows + ising.rows,
        figures + ising.figures,
        time.perf_counter() - begun,
        _notes(inverse, blocked) + ising.notes,
    )
    result.save(out)
    return result


def _quantities(blocked: Ensemble, fine: Ensemble) -> dict[str, list[np.ndarray]]:
    """By name, for every chain, what the blocks of the chosen value hold: (n,) values each."""
    names = ("site value", "block spread", "neighbours in block")
    found: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for coarse, chain in zip(np.asarray(blocked.fields), np.asarray(fine.fields), strict=True):
        blocks = np.stack([np.asarray(to_blocks(jnp.asarray(field), 2)) for field in chain])
        chosen = np.abs(np.abs(coarse) - _VALUE) < _TOLERANCE
        # The action is even: a block of value -x is one of value x turned over.
        sites = (blocks[chosen] * np.sign(coarse[chosen])[:, None]).astype(np.float64)
        a, b, c, d = sites.T  # rows of the block: a b, c d
        found["site value"].append(sites.ravel())
        found["block spread"].append(sites.std(axis=1))
        found["neighbours in block"].append((a * b + c * d + a * c + b * d) / 4)
    return found


def _draw_blocks(blocked: Ensemble, inverse: LearntInverse, seed: int) -> tuple[float, np.ndarray]:
    """The block value nearest to the chosen one, and fine blocks drawn for it, (drawn, 2, 2)."""
    field = np.asarray(blocked.fields)[0, -1]
    place = np.unravel_index(np.argmin(np.abs(field - _VALUE)), field.shape)
    many = jnp.asarray(np.repeat(field[None], _DRAWN, axis=0))
    drawn = inverse.map.blocks(make_key(seed, 31), many, jnp.arange(_DRAWN, dtype=jnp.uint32))
    return float(field[place]), np.asarray(drawn)[:, *place].reshape(_DRAWN, 2, 2)


def _rows(name: str, both: TwoSamples) -> list[dict[str, Any]]:
    """Moments and quantiles of drawn values beside the true ones, and how far the distributions are apart."""
    moments = [
        {"label": name, "variant": each, "drawn": drawn, "reference": {"drawn": both.true[each]}}
        for each, drawn in both.drawn.items()
    ]
    distance = {
        "label": name,
        "kolmogorov_distance": both.distance,
        "effective_number": both.effective,
        "p_value": both.p_value,
    }
    return [*moments, distance]


def _field_row(name: str, original: Ensemble, reconstructed: Ensemble) -> dict[str, Any]:
    there, here = original.observe(name), reconstructed.observe(name)
    return {"label": "whole field", "variant": name, "drawn": here, "reference": {"drawn": there}}


def _difference_row(
    blocked: Ensemble, original: Ensemble, reconstructed: Ensemble, inverse: LearntInverse
) -> dict[str, Any]:
    """Root mean squares over phi: of the difference from the original, and of that of the blocked fields."""
    fine, other = np.asarray(original.fields), np.asarray(reconstructed.fields)
    again = np.asarray(block(reconstructed, inverse.rule).fields)
    coarse = np.asarray(blocked.fields)

    def relative(difference: np.ndarray, to: np.ndarray) -> Estimate:
        chains = np.sqrt(np.mean(difference**2, axis=(1, 2, 3), dtype=np.float64) / np.mean(to**2))
        return Estimate(chains.mean(), chains.std(ddof=1) / np.sqrt(len(chains)))

    return {
        "label": "relative root mean square",
        "fine_difference": relative(other - fine, fine),
        "blocked_difference": relative(again - coarse, coarse),
    }


def _notes(inverse: LearntInverse, blocked: Ensemble) -> list[str]:
    return [
        inverse.describe(),
        f"rows 'site value', 'block spread', 'neighbours in block': blocks of value {_VALUE:.2f} +- {_TOLERANCE} of "
        f"{blocked.chains} chains that were not learnt from",
        "drawn beside what the simulation has, as reference; effective_number is how many independent values would "
        "leave the same scatter between the two distributions, from a bootstrap over chains; p_value is Kolmogorov's "
        "for that number",
        "where p_value is small the density is not the true one: its mixtures are smooth where blocks by a majority "
        "have an edge at phi = 0, and blocks rescaled to their value have heavier tails, as phi4 of the whole field "
        "shows",
        "the difference does not vanish: an inverse draws degrees of freedom, it cannot recover those that were lost; "
        "that of the blocked fields is rounding, since the inverse is consistent",
    ]
