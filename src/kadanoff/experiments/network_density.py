"""Networks compared as densities: the same training for each type of visible units, ln p of the same held-out data."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from kadanoff.network.estimator import Phi4RBM
from kadanoff.network.likelihood import mean_score
from kadanoff.network.training_folder import fit_in_folder
from kadanoff.statistics import Estimate

__all__ = ["density_rows", "trained"]


def trained(
    x: Float[np.ndarray, "sample feature"], visible: str, seed: int, out: Path, **options: Any
) -> Phi4RBM:
    """Fit a network with Bernoulli hidden units, in a folder of `out` from which an interrupted training goes on."""
    model = Phi4RBM(visible=visible, hidden="bernoulli", random_state=seed, **options)
    return fit_in_folder(model, x, out / "networks" / visible)


def density_rows(
    models: Mapping[str, Phi4RBM],
    train: Float[np.ndarray, "sample feature"],
    test: Float[np.ndarray, "sample feature"],
) -> list[dict[str, Any]]:
    """One row a model, and one for the difference of the first from each other, sample by sample."""
    rows: list[dict[str, Any]] = [
        {
            "label": f"{name}-Bernoulli",
            "test_log_likelihood": mean_score(model.score_samples(test), model.log_partition_),
            "train_log_likelihood": mean_score(model.score_samples(train), model.log_partition_),
            "log_partition": model.log_partition_,
            "reference": {},
        }
        for name, model in models.items()
    ]
    (first, best), *others = models.items()
    for name, model in others:
        gain = best.score_samples(test) - model.score_samples(test)
        spread = gain.std(ddof=1) / np.sqrt(len(gain))
        error = np.sqrt(spread**2 + best.log_partition_.error**2 + model.log_partition_.error**2)
        difference = Estimate(float(gain.mean()), float(error))
        rows.append(
            {
                "label": f"{first} - {name}",
                "test_log_likelihood": difference,
                "sigma": difference.pull(0.0),
                "reference": {},
            }
        )
    return rows
