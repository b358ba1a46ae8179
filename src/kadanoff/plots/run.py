"""Figures of one run: configurations, and the history of its magnetisation."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float, Num

from kadanoff.ensemble import Ensemble
from kadanoff.plots.style import COLOURS, figure, save

__all__ = ["RUN_FIGURES", "configurations", "draw_run", "history"]

#: Files that `draw_run` writes.
RUN_FIGURES = ("field.png", "history.png")


def draw_run(ensemble: Ensemble, folder: str | Path) -> list[Path]:
    """Draw the last configuration of the first chain and the history of the magnetisation; give the files.

    >>> import tempfile
    >>> ensemble = Ensemble(np.ones((2, 5, 4, 4), dtype=np.float32))
    >>> [path.name for path in draw_run(ensemble, tempfile.mkdtemp())]
    ['field.png', 'history.png']
    """
    field, run = (Path(folder) / name for name in RUN_FIGURES)
    size = " x ".join(map(str, ensemble.lattice.shape))
    last = np.asarray(ensemble.fields[:1, ensemble.draws - 1 :])[0, 0]
    return [configurations({size: last}, field), history(np.asarray(ensemble.series("m")), run)]


def configurations(fields: Mapping[str, Num[np.ndarray, "..."]], path: str | Path) -> Path:
    """Draw fields side by side with one colour scale, each under its name.

    A field of one dimension is drawn as a curve; of three or four, a plane through the origin.

    >>> import tempfile
    >>> configurations({"8 x 8": np.ones((8, 8))}, tempfile.mkdtemp() + "/fields.png").name
    'fields.png'
    """
    drawing, axes = figure(columns=len(fields), width=3.4, height=3.4)
    planes = [np.asarray(field)[(..., *[0] * max(0, np.ndim(field) - 2))] for field in fields.values()]
    scale = max(float(np.quantile(np.abs(plane), 0.99)) for plane in planes) or 1.0
    image = None
    for axis, name, plane in zip(axes[0], fields, planes, strict=True):
        axis.set_title(name)
        axis.set_xlabel("$x$")
        if plane.ndim == 1:
            axis.plot(plane, color=COLOURS[0])
            axis.set_ylabel(r"$\phi_x$")
            continue
        axis.grid(False)
        axis.set_ylabel("$y$")
        image = axis.imshow(
            plane.T, cmap="RdBu_r", vmin=-scale, vmax=scale, interpolation="nearest", origin="lower"
        )
    if image is not None:
        drawing.colorbar(image, ax=list(axes[0]), label=r"$\phi$", shrink=0.8)
    return save(drawing, path)


def history(magnetisation: Float[np.ndarray, "chain draw"], path: str | Path) -> Path:
    """Draw the mean of |m| over chains by draw with its error band, and the histogram of m.

    >>> import tempfile
    >>> series = np.random.default_rng(0).normal(size=(4, 10))
    >>> history(series, tempfile.mkdtemp() + "/history.png").name
    'history.png'
    """
    drawing, axes = figure(columns=2, width=4.4, height=3.2)
    left, right = axes[0]
    chains, draws = magnetisation.shape
    moduli = np.abs(magnetisation)
    mean, draw = moduli.mean(axis=0), np.arange(draws)
    left.plot(draw, mean, color=COLOURS[0])
    if chains > 1:
        error = moduli.std(axis=0, ddof=1) / np.sqrt(chains)
        left.fill_between(draw, mean - error, mean + error, color=COLOURS[0], alpha=0.22, linewidth=0)
    left.set_xlabel("draw")
    left.set_ylabel(r"$|m|$, mean over chains")
    right.hist(
        magnetisation.ravel(),
        bins=min(60, max(10, int(np.sqrt(magnetisation.size)))),
        density=True,
        color=COLOURS[0],
    )
    right.set_xlabel("$m$")
    right.set_ylabel("$p(m)$")
    return save(drawing, path)
