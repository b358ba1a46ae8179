"""Figures of a trained network: what its hidden units look for, what it draws, and how it learnt."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from matplotlib.ticker import MaxNLocator

from kadanoff.plots.style import COLOURS, figure, legend, points, save

if TYPE_CHECKING:
    from kadanoff.network.estimator import Phi4RBM
    from kadanoff.network.monitor import Record

__all__ = ["draw_fit", "feature_images", "monitor_curves", "mosaic", "sample_images"]

_MOST = 100  # images in a figure
_DRAWN = 64  # samples in a figure


def draw_fit(model: "Phi4RBM", shape: tuple[int, ...] | None, folder: str | Path) -> list[Path]:
    """Draw features, samples and monitors of a fitted estimator into a folder; give the files."""
    folder = Path(folder)
    figures = [
        feature_images(np.asarray(model.network_.w), shape, folder / "features.png"),
        sample_images(model.sample(_DRAWN), shape, folder / "samples.png"),
    ]
    if model.history_:
        figures.append(monitor_curves(model.history_, folder / "monitors.png"))
    return figures


def feature_images(
    w: Float[np.ndarray, "visible hidden"], shape: tuple[int, ...] | None, path: str | Path
) -> Path:
    """Draw the links of every hidden unit as an image, strongest units first; each with a scale of its own.

    Without an image shape the links are drawn as one matrix.

    >>> import tempfile
    >>> feature_images(np.eye(16)[:, :3], (4, 4), tempfile.mkdtemp() + "/features.png").name
    'features.png'
    """
    order = np.argsort(-np.linalg.norm(w, axis=0))[:_MOST]
    rows = w.T[order]
    if shape is not None:
        rows = rows / np.maximum(np.abs(rows).max(axis=1, keepdims=True), 1e-12)
    scale = float(np.abs(rows).max()) or 1.0
    title = f"{len(order)} of {w.shape[1]} hidden units, strongest links first"
    label = "$w_{ij}$ / largest of the unit" if shape is not None else "$w_{ij}$"
    return _picture(rows, shape, path, title, label, cmap="RdBu_r", vmin=-scale, vmax=scale)


def sample_images(
    rows: Float[np.ndarray, "sample feature"],
    shape: tuple[int, ...] | None,
    path: str | Path,
    title: str = "drawn from the network",
) -> Path:
    """Draw samples as images on one grey scale, that of the middle 98 % of the values.

    >>> import tempfile
    >>> sample_images(np.ones((5, 16)), (4, 4), tempfile.mkdtemp() + "/samples.png").name
    'samples.png'
    """
    low, high = np.quantile(rows, (0.01, 0.99))
    return _picture(
        rows[:_MOST], shape, path, title, "value", cmap="gray_r", vmin=low, vmax=max(high, low + 1e-9)
    )


def monitor_curves(history: "Sequence[Record]", path: str | Path) -> Path:
    """Draw the monitors by epoch: reconstruction, (pseudo-)likelihood, norm of the gradient, mixing of the chains.

    >>> import tempfile
    >>> from kadanoff.network.monitor import Record
    >>> history = [Record(1, 0.5, -9.0, 0.1, 0.3, None), Record(2, 0.4, -8.0, 0.1, 0.3, None)]
    >>> monitor_curves(history, tempfile.mkdtemp() + "/monitors.png").name
    'monitors.png'
    """
    drawing, axes = figure(2, 2, width=4.2, height=2.7, sharex=True)
    epochs = [record.epoch for record in history]
    panels = zip(
        axes.ravel(),
        ("reconstruction", "pseudo_likelihood", "gradient", "mixing"),
        (
            "reconstruction, mean square",
            "nats a sample",
            "norm of the gradient",
            "mixing of the chains",
        ),
        strict=True,
    )
    for axis, name, label in panels:
        axis.plot(epochs, [getattr(r, name) for r in history], color=COLOURS[0], label=name.replace("_", "-"))
        axis.set_ylabel(label)
    measured = [(r.epoch, r.log_likelihood) for r in history if r.log_likelihood is not None]
    if measured:
        at, estimates = zip(*measured, strict=True)
        points(axes[0, 1], at, estimates, "log-likelihood", COLOURS[1])
    legend(axes[0, 1])
    gradients = [record.gradient for record in history]
    if max(gradients) > 10 * min(gradients) > 0:
        axes[1, 0].set_yscale("log")
    for axis in axes[1]:
        axis.set_xlabel("epoch")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    return save(drawing, path)


def mosaic(
    rows: Float[np.ndarray, "image pixel"], shape: tuple[int, ...]
) -> Float[np.ndarray, "height width"]:
    """Lay images out as one, nearly square, with a pixel of NaN between them; colours are averaged.

    >>> mosaic(np.ones((3, 4)), (2, 2)).shape
    (5, 5)
    """
    images = rows.reshape(len(rows), *shape[:2], -1).mean(axis=-1)
    height, width = shape[0] + 1, shape[1] + 1
    across = math.ceil(math.sqrt(len(images)))
    canvas = np.full((math.ceil(len(images) / across) * height, across * width), np.nan)
    for place, image in enumerate(images):
        top, left = place // across * height, place % across * width
        canvas[top : top + shape[0], left : left + shape[1]] = image
    return canvas[:-1, :-1]


def _picture(
    rows: np.ndarray, shape: tuple[int, ...] | None, path: str | Path, title: str, label: str, **scale: object
) -> Path:
    canvas = rows if shape is None or len(shape) < 2 else mosaic(rows, shape)
    drawing, axes = figure(width=5.6, height=5.2 if canvas is not rows else 3.6)
    axis = axes[0, 0]
    axis.grid(False)
    aspect = "auto" if canvas is rows else "equal"
    image = axis.imshow(canvas, origin="upper", interpolation="nearest", aspect=aspect, **scale)
    axis.set_title(title)
    if canvas is rows:
        axis.set_xlabel("feature")
    else:
        axis.set_axis_off()
    drawing.colorbar(image, ax=axis, label=label, shrink=0.8)
    return save(drawing, path)
