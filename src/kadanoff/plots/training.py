"""The loss of a training by step, on data that it saw and on data that it did not, beside a yardstick."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.ticker import MaxNLocator

from kadanoff.plots.style import COLOURS, MARKERS, figure, legend, reference, save

__all__ = ["plot_training"]


def plot_training(
    history: Sequence[tuple[int, float, float]],
    path: str | Path,
    loss: str = "loss",
    yardstick: tuple[str, float] | None = None,
) -> Path:
    """Draw (step, training, held out) as two curves; `loss` is what it is called.

    `yardstick` is what a simpler answer reaches, with its name.

    >>> import tempfile
    >>> plot_training([(10, 0.9, 0.92), (20, 0.8, 0.85)], tempfile.mkdtemp() + "/training.png").name
    'training.png'
    """
    drawing, axes = figure()
    axis, steps = axes[0, 0], [step for step, _, _ in history]
    for column, label in enumerate(("training", "held out"), start=1):
        style = {"color": COLOURS[column - 1], "marker": MARKERS[column - 1], "markersize": 3.0}
        axis.plot(steps, [row[column] for row in history], label=label, linewidth=1.2, **style)
    if yardstick is not None:
        reference(axis, yardstick[1], yardstick[0])
    axis.set(xlabel="step", ylabel=loss, xlim=(0, 1.05 * steps[-1]))
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend(axis)
    return save(drawing, path)
