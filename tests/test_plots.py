"""What every figure shares."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from kadanoff.plots.style import figure, save

pytestmark = pytest.mark.exact


@pytest.mark.parametrize("reach", [0.0141, 12345.0, 3.0])
def test_labels_of_ticks_do_not_touch(tmp_path: Path, reach: float) -> None:
    drawing, axes = figure(columns=2, width=4.6, sharey=True)
    for axis in axes[0]:
        axis.plot(np.array([-0.4, 1.0]) * reach, np.arange(2.0))
    save(drawing, tmp_path / "figure.png")
    FigureCanvasAgg(drawing).draw()
    for axis in axes[0]:
        boxes = [label.get_window_extent() for label in axis.get_xticklabels() if label.get_text()]
        assert len(boxes) >= 3
        assert all(left.x1 < right.x0 for left, right in pairwise(boxes))
