"""An image as an equilibrium: how a chain finds it, how all chains come near it, and the couplings that hold it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from kadanoff.plots.style import COLOURS, figure, legend, reference, save

__all__ = ["plot_couplings", "plot_evolution"]

_SHOWN = (0.0, 0.1, 0.25, 0.45, 0.65, 1.0)  # shares of the sweeps after which the field of a chain is shown


def plot_evolution(
    picture: Float[np.ndarray, "side side channel"],
    cooled: Mapping[str, Any],
    path: str | Path,
    *,
    offset: float,
    noise: float,
) -> Path:
    """Draw the first chain from its random start to its end beside the image, and the distance of all chains.

    `cooled` are chains by channel with `betas`, `first` (stage, side, side) and `distances` (stage, chain); fields are
    shown as grey = phi - offset, each channel turned to the sign of the image.
    """
    some = next(iter(cooled.values()))
    last = len(some.betas) - 1
    stages = [round(share * last) for share in _SHOWN]
    drawing, axes = figure(rows=2, columns=len(stages) + 1, width=2.0, height=2.35, height_ratios=(1.0, 1.1))
    for axis, stage in zip(axes[0], stages, strict=False):
        shown = np.stack([_turned(each, stage) - offset for each in cooled.values()], axis=-1)
        title = "start" if stage == 0 else rf"$\beta = {some.betas[stage]:.2f}$"
        _show(axis, shown, title)
    _show(axes[0, len(stages)], picture, "image")
    for axis in axes[1]:
        axis.remove()
    lower = drawing.add_subplot(axes[1, 0].get_gridspec()[1, :])
    lower.grid(alpha=0.25)
    lower.spines[["top", "right"]].set_visible(False)
    for number, (channel, each) in enumerate(cooled.items()):
        x = np.arange(len(each.betas)) / (len(each.betas) - 1)
        colour = {"red": COLOURS[1], "green": COLOURS[2], "blue": COLOURS[0]}.get(channel, COLOURS[6])
        lower.plot(x, np.median(each.distances, axis=1), color=colour, label=f"{channel}: median")
        low, high = np.quantile(each.distances, (0.05, 0.95), axis=1)
        lower.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0, label=_band(number))
    reference(lower, 2 * noise, "twice the noise")
    lower.set(
        yscale="log", xlim=(0, 1), xlabel="share of the sweeps done", ylabel="RMS distance from the image"
    )
    legend(lower, ncols=2)
    return save(drawing, path)


def plot_couplings(models: Mapping[str, Any], path: str | Path) -> Path:
    """Draw the learnt couplings as images: a channel a row; w along both axes of the grid, a and b of the sites."""
    drawing, axes = figure(rows=len(models), columns=4, width=2.9, height=2.5)
    for number, (row, (channel, model)) in enumerate(zip(axes, models.items(), strict=True)):
        shape = model.graph.shape
        down, along = np.asarray(model.w).reshape(2, *shape)
        panels = {"$w$ to the right": along, "$w$ downwards": down, "$a$": model.a, "$b$": model.b}
        for axis, (title, values) in zip(row, panels.items(), strict=True):
            values = np.asarray(values, np.float64)
            limits = np.quantile(values, (0.01, 0.99))
            image = axis.imshow(
                values,
                cmap="viridis",
                vmin=limits[0],
                vmax=limits[1],
                origin="upper",
                interpolation="nearest",
            )
            drawing.colorbar(image, ax=axis, shrink=0.85)
            _bare(axis)
            if number == 0:
                axis.set_title(title)
        row[0].set_ylabel(channel)
    return save(drawing, path)


def _turned(each: Any, stage: int) -> np.ndarray:
    """The field of a stage with the sign that the end of the chain has: images are positive."""
    return each.first[stage] * np.where(each.first[-1].sum() < 0, -1.0, 1.0)


def _band(number: int) -> str:
    return "90 % of the chains" if number == 0 else ""


def _show(axis: Any, image: np.ndarray, title: str) -> None:
    shown = np.clip(image[..., 0] if image.shape[-1] == 1 else image, 0, 1)
    axis.imshow(shown, cmap="gray", vmin=0, vmax=1, origin="upper", interpolation="nearest")
    axis.set_title(title, fontsize=10)
    _bare(axis)


def _bare(axis: Any) -> None:
    axis.set_xticks([])
    axis.set_yticks([])
    axis.grid(False)
    axis.spines[:].set_visible(True)
