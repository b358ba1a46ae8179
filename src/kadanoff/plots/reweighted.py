"""One reweighting: how the weights are spread over the sample."""

from pathlib import Path

import numpy as np

from kadanoff.ensemble import Ensemble
from kadanoff.plots.style import COLOURS, figure, legend, reference, save
from kadanoff.statistics import normalised_weights

__all__ = ["plot_reweighted"]


def plot_reweighted(before: Ensemble, after: Ensemble, path: str | Path) -> Path:
    """Draw histograms of the log-weight that reweighting added, and the share of the weight in the heaviest part.

    Of complex weights the moduli are drawn.

    >>> import tempfile, kadanoff as kd
    >>> noise = np.random.default_rng(0).normal(size=(4, 50, 2, 2)).astype(np.float32)
    >>> plain = Ensemble(noise, kd.Phi4(1.0, 0.0, kappa=0.0))
    >>> plot_reweighted(plain, kd.reweight(plain, kd.Phi4(1.1, 0.0, kappa=0.0)), tempfile.mkdtemp() + "/w.png").name
    'w.png'
    """
    zero = np.zeros((before.chains, before.draws))
    old, new = (zero if e.log_weight is None else np.real(e.log_weight) for e in (before, after))
    shift, weights = (new - old).ravel(), normalised_weights(new).ravel()
    drawing, axes = figure(columns=2, width=4.8, height=3.6)
    left, right = axes[0]
    low, high = np.quantile(shift, [0.0005, 0.9995])
    edges = np.linspace(low, high, 51) if high > low else np.linspace(low - 0.5, high + 0.5, 51)
    left.hist(
        shift,
        edges,
        weights=normalised_weights(old).ravel(),
        density=True,
        color=COLOURS[0],
        alpha=0.5,
        label="sample",
    )
    left.hist(shift, edges, weights=weights, density=True, color=COLOURS[1], alpha=0.5, label="target")
    left.set(xlabel="logarithm of the weight", ylabel="density")
    legend(left)
    share = np.cumsum(np.sort(weights)[::-1])
    fraction = np.arange(1, len(share) + 1) / len(share)
    kept = np.unique(np.geomspace(1, len(share), 400).astype(int)) - 1
    right.plot(fraction[kept], share[kept], color=COLOURS[1], label="target")
    right.plot(fraction[kept], fraction[kept], color=COLOURS[0], label="equal weights")
    effective = after.effective_sample_size / len(share)
    reference(right, effective, f"effective fraction {effective:.3g}", vertical=True)
    right.set(
        xscale="log", xlabel="heaviest configurations, fraction", ylabel="share of the weight", ylim=(0, 1.02)
    )
    legend(right, loc="upper left")
    return save(drawing, path)
