"""An image as the equilibrium of a phi^4 theory: couplings learnt from it, and chains that find it from random starts.

The data are the image, phi = 0.75 + grey, plus Gaussian noise of width 0.03; without it the likelihood has no optimum.
Couplings w, a, b of a periodic grid are learnt by pseudo-likelihood, a channel at a time, with r = 0: the theory is
even and has the image and its negative as its two phases. Chains start from standard normal numbers and are cooled:
all couplings are multiplied by beta, which grows from 0.2 to 1.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from kadanoff import random
from kadanoff.actions import InhomogeneousPhi4
from kadanoff.errors import InputError
from kadanoff.experiments.pictures import BUNDLED, bundled_image, channels, read_image
from kadanoff.experiments.result import Result
from kadanoff.graph import Graph
from kadanoff.learning.data import DataFit, fit_data
from kadanoff.sampling import ColourBlock
from kadanoff.sampling.run import Progress
from kadanoff.statistics import Estimate
from kadanoff.store.checkpoint import Checkpoint

__all__ = ["Cooled", "cool", "learn", "run"]

_NOISE, _OFFSET, _COPIES, _CHAINS = 0.03, 0.75, 400, 100
_RIDGE = 0.002  # precision of the prior of every w, which nothing else keeps from growing for ever
_HOT, _FREE, _STAGE = (
    0.2,
    0.45,
    20,
)  # beta at the start, beta below which domains still move, sweeps at one beta


@dataclass(frozen=True)
class _Effort:
    """How much is done: the only difference between a quick run and a full one."""

    side: int
    copies: int
    sweeps: int
    images: tuple[str, ...]


_QUICK = _Effort(side=16, copies=_COPIES, sweeps=2000, images=BUNDLED[:1])
_FULL = _Effort(side=32, copies=_COPIES, sweeps=3000, images=BUNDLED)


@dataclass(frozen=True)
class Cooled:
    """Chains after cooling: fields (chain, *shape); by stage `betas`, the RMS distance of every chain (stage, chain)
    from the image up to a sign, and the field of the first chain.
    """

    fields: Float[np.ndarray, "chain ..."]
    betas: Float[np.ndarray, " stage"]
    distances: Float[np.ndarray, "stage chain"]
    first: Float[np.ndarray, "stage ..."]


def run(
    out: Path, *, quick: bool, seed: int, progress: Progress | None = None, image: Path | None = None
) -> Result:
    """Learn, cool, draw and save the result in `out`; of `image`, a file, instead of the bundled ones."""
    from kadanoff.plots.image import plot_couplings, plot_evolution

    begun = time.perf_counter()
    effort = _QUICK if quick else _FULL
    report: Progress = progress or (lambda done, total, message: None)
    if image is None:
        pictures = {name: bundled_image(name, effort.side) for name in effort.images}
    else:
        pictures = {image.stem: read_image(image, effort.side)}
    rows: list[dict[str, Any]] = []
    figures: list[Path] = []
    for name, picture in pictures.items():
        models: dict[str, InhomogeneousPhi4] = {}
        cooled: dict[str, Cooled] = {}
        for number, (channel, pixels) in enumerate(channels(picture).items()):
            own = 16 * seed + number
            state = Checkpoint(Path(out) / "fits" / f"{name}-{channel}")
            fit = learn(pixels, copies=effort.copies, seed=own, progress=report, checkpoint=state)
            target = _OFFSET + pixels
            chains = cool(fit.model, target, effort.sweeps, own, report)
            width = float(np.sqrt(np.mean(_noise(effort.copies, pixels.shape, own) ** 2)))
            rows.append(_row(name, channel, target, chains, width) | {"learning_seconds": fit.seconds})
            models[channel], cooled[channel] = fit.model, chains
        figures.append(
            plot_evolution(picture, cooled, Path(out) / f"{name}.png", offset=_OFFSET, noise=_NOISE)
        )
        figures.append(plot_couplings(models, Path(out) / f"{name}_couplings.png"))
    notes = [
        f"data: {effort.copies} copies of the image, phi = {_OFFSET} + grey, with noise of width {_NOISE}; w, a, b by "
        f"pseudo-likelihood with a Gaussian prior of precision {_RIDGE:g} on every w, r = 0; "
        "in groups of four the noises of neighbours have no correlation, as in infinitely many copies",
        f"{_CHAINS} chains from random starts: {effort.sweeps} heat-bath sweeps while all couplings grow from "
        f"{_HOT} times their values to these; found: within twice the noise, root mean "
        "square over pixels, up to a global sign",
        "width: of a pixel over the chains that found the image, root mean square over pixels; offset: the mean of "
        "those chains less the image, in its standard errors, root mean square over pixels; the reference of width "
        "is that of the copies",
    ]
    return Result("image", rows, figures, time.perf_counter() - begun, notes)


def learn(
    pixels: Float[np.ndarray, "..."],
    *,
    copies: int = _COPIES,
    seed: int = 0,
    progress: Progress | None = None,
    checkpoint: Checkpoint | None = None,
) -> DataFit:
    """Couplings whose equilibrium is an image with values between 0 and 1, phi = 0.75 + grey, from noisy copies of it.

    Raises `InputError` for values beyond these or not finite.
    """
    if not np.all((pixels >= 0) & (pixels <= 1)):
        raise InputError("an image has finite values between 0 and 1: scale it")
    data = (_OFFSET + pixels + _noise(copies, pixels.shape, seed)).astype(np.float32)
    # A double well for every pixel, by its mean and variance among the copies: where Newton's method starts.
    mean, variance = data.mean(axis=0), data.var(axis=0)
    b = 1 / (8 * variance * mean**2)
    return fit_data(
        InhomogeneousPhi4(Graph.grid(pixels.shape), w=1.0, a=-2 * b * mean**2, b=b),
        data,
        "pseudo-likelihood",
        train=("w", "a", "b"),
        held_out=0.0,
        ridge={"w": _RIDGE / copies},
        seed=seed,
        progress=progress,
        checkpoint=checkpoint,
    )


def _noise(copies: int, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Gaussian noise in groups of four: a draw, the draw with the signs of a checkerboard, and both turned over.

    Means and correlations of neighbours then vanish, as they would for infinitely many copies; of independent ones
    they would leave a noise of 1/(noise^2 sqrt(copies)) in w, more than w itself.
    """
    drawn = np.random.default_rng([seed, 23]).normal(scale=_NOISE, size=(-(-copies // 4), *shape))
    board = np.where(np.indices(shape).sum(axis=0) % 2, -1.0, 1.0)
    return np.concatenate([drawn, drawn * board, -drawn, -drawn * board])[:copies]


def cool(
    model: InhomogeneousPhi4, target: Float[np.ndarray, "..."], sweeps: int, seed: int, progress: Progress
) -> Cooled:
    """Chains from random starts, heat-bath sweeps while the couplings grow to those of the model.

    Seven tenths of the sweeps where domains of the two phases still move, three tenths to freeze, and as many as two
    stages at the end.
    """
    sampler = ColourBlock(sweeps=_STAGE)
    stages = sweeps // _STAGE
    early = round(0.7 * stages)
    betas = np.concatenate(
        [np.geomspace(_HOT, _FREE, early), np.geomspace(_FREE, 1, stages - early - 2), [1.0, 1.0]]
    )
    hot = jax.random.normal(random.key(seed, 31), (_CHAINS, *target.shape))
    state = sampler.init(model, hot)
    distances, first = [_distance(hot, target)], [np.asarray(hot[0])]
    for stage, beta in enumerate(betas):
        state, _ = sampler.step(random.key(seed, 32, stage), _heated(model, jnp.asarray(beta)), state)
        distances.append(_distance(state.fields, target))
        first.append(np.asarray(state.fields[0]))
        progress(stage + 1, len(betas), "cooling")
    betas = np.concatenate([[0.0], betas])
    return Cooled(np.asarray(state.fields), betas, np.stack(distances), np.stack(first))


def _heated(model: InhomogeneousPhi4, beta: Array) -> InhomogeneousPhi4:
    return jax.tree_util.tree_map(lambda g: (beta * g).astype(g.dtype), model)


def _signs(fields: Any, target: np.ndarray) -> np.ndarray:
    overlap = np.sum(np.asarray(fields, np.float64) * target, axis=tuple(range(1, target.ndim + 1)))
    return np.where(overlap < 0, -1.0, 1.0).reshape(-1, *[1] * target.ndim)


def _distance(fields: Any, target: np.ndarray) -> np.ndarray:
    """RMS over pixels of every chain's distance from the image, up to its sign."""
    away = _signs(fields, target) * np.asarray(fields, np.float64) - target
    return np.sqrt(np.mean(away**2, axis=tuple(range(1, target.ndim + 1))))


def _row(name: str, channel: str, target: np.ndarray, chains: Cooled, width: float) -> dict[str, Any]:
    """What the chains found beside the image, whose copies have this width."""
    final = chains.distances[-1]
    found = final <= 2 * _NOISE
    share = float(found.mean())
    row: dict[str, Any] = {
        "label": name,
        "variant": channel,
        "found": Estimate(share, float(np.sqrt(max(share * (1 - share), 1 / _CHAINS) / _CHAINS))),
        "median_distance": float(np.median(final)),
        "reference": {"median_distance": width, "width": width},
    }
    if found.sum() > 2:
        fields = (_signs(chains.fields, target) * chains.fields)[found].astype(np.float64)
        variance = fields.var(axis=0, ddof=1)
        by_pixel = np.sqrt(np.mean(variance))
        # The error of a variance over pixels as if they were independent, which they nearly are.
        error = by_pixel * np.sqrt(1 / (2 * (found.sum() - 1) * variance.size))
        pulls = (fields.mean(axis=0) - target) / np.sqrt(variance / found.sum())
        found_width = Estimate(by_pixel, error)
        row |= {"width": found_width, "offset": float(np.sqrt(np.mean(pulls**2)))}
        row["pull"] = {"width": found_width.pull(width)}
        row["reference"]["offset"] = 1.0
    return row
