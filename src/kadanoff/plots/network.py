"""A network from the inside: features of its hidden units, samples, completions, the hidden representation."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from kadanoff.network.estimator import Phi4RBM
from kadanoff.plots.style import figure, save

__all__ = ["plot_completions", "plot_features", "plot_network", "plot_representation", "plot_samples"]

_SHOWN = 64  # features and samples in a figure


def plot_network(
    model: Phi4RBM,
    test: Float[np.ndarray, "sample feature"],
    labels: Any,
    shape: tuple[int, ...],
    out: Path,
    name: str,
) -> list[Path]:
    """Draw all four figures, named after `name`."""
    known = np.zeros(shape, bool)
    known[:, : shape[1] // 2] = True
    return [
        plot_features(model, shape, out / f"{name}_features.png"),
        plot_samples(model.sample(_SHOWN), shape, out / f"{name}_samples.png"),
        plot_completions(model, test[:12], known.ravel(), shape, out / f"{name}_completions.png"),
        plot_representation(model, test, labels, out / f"{name}_representation.png"),
    ]


def plot_features(model: Phi4RBM, shape: tuple[int, ...], path: str | Path) -> Path:
    """Draw the links of the hidden units with the widest ones as images, in units of the data."""
    links = np.asarray(model.network_.w).T
    order = np.argsort(-np.linalg.norm(links, axis=1))[:_SHOWN]
    return _mosaic(links[order], shape, path, "links of hidden units", symmetric=True)


def plot_samples(
    samples: Float[np.ndarray, "sample feature"], shape: tuple[int, ...], path: str | Path
) -> Path:
    """Draw states of the visible layer as images."""
    return _mosaic(samples[:_SHOWN], shape, path, "drawn from the network", symmetric=False)


def plot_completions(
    model: Phi4RBM,
    x: Float[np.ndarray, "sample feature"],
    known: Bool[np.ndarray, " feature"],
    shape: tuple[int, ...],
    path: str | Path,
) -> Path:
    """Draw held-out images, their reconstructions, what is left of them behind a mask, and their completions."""
    hidden = np.where(known, x, np.nan)
    rows = {
        "held out": x,
        "reconstruction": model.reconstruct(x),
        "known": hidden,
        "completion": model.complete(x, known),
    }
    drawing, axes = figure(len(rows), len(x), width=0.75, height=0.78)
    low, high = float(x.min()), float(x.max())
    for (label, images), line in zip(rows.items(), axes, strict=True):
        for image, axis in zip(images, line, strict=True):
            _image(axis, image.reshape(shape), low, high, "gray")
        line[0].set_ylabel(label, fontsize=8)
    return save(drawing, path)


def plot_representation(
    model: Phi4RBM, x: Float[np.ndarray, "sample feature"], labels: Any, path: str | Path
) -> Path:
    """Draw the hidden means of samples in the plane of their two largest principal components, coloured by class."""
    hidden = model.transform(x)
    centred = hidden - hidden.mean(axis=0)
    _, values, axes_of = np.linalg.svd(centred, full_matrices=False)
    plane = centred @ axes_of[:2].T
    share = values[:2] ** 2 / np.sum(values**2)
    drawing, axes = figure()
    axis = axes[0, 0]
    classes = np.unique(labels)
    few = len(classes) <= 10
    marks = axis.scatter(*plane.T, c=labels, cmap="tab10" if few else "viridis", s=9)
    if few:
        handles, names = marks.legend_elements()
        axis.legend(handles, names, title="class", fontsize=7, title_fontsize=8, frameon=False, loc="center left",
                    bbox_to_anchor=(1.0, 0.5))  # fmt: skip
    axis.set_xlabel(f"first principal component ({share[0]:.0%} of the variance)")
    axis.set_ylabel(f"second ({share[1]:.0%})")
    axis.set_title("hidden representation of held-out data")
    return save(drawing, path)


def _mosaic(
    images: Float[np.ndarray, "image feature"],
    shape: tuple[int, ...],
    path: str | Path,
    title: str,
    symmetric: bool,
) -> Path:
    side = int(np.ceil(np.sqrt(len(images))))
    drawing, axes = figure(-(-len(images) // side), side, width=0.62, height=0.62)
    low, high = (float(value) for value in np.quantile(images, [0.005, 0.995]))
    for number, axis in enumerate(axes.ravel()):
        if number >= len(images):
            axis.axis("off")
            continue
        image = images[number].reshape(shape)
        if symmetric:
            size = float(np.abs(image).max()) or 1.0
            _image(axis, image, -size, size, "RdBu_r")
        else:
            _image(axis, image, low, high, "gray")
    drawing.suptitle(title, fontsize=10)
    return save(drawing, path)


def _image(axis: Any, image: np.ndarray, low: float, high: float, colours: str) -> None:
    axis.imshow(image, vmin=low, vmax=high, cmap=colours, origin="upper", interpolation="nearest")
    axis.set_xticks([])
    axis.set_yticks([])
    axis.grid(False)
    axis.set_facecolor("0.85")
