"""A linear classifier on hidden representations: ours against scikit-learn's BernoulliRBM, same splits and search."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.neural_network import BernoulliRBM
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from threadpoolctl import threadpool_limits

from kadanoff.network.estimator import Phi4RBM
from kadanoff.sampling.run import Progress
from kadanoff.statistics import Estimate

__all__ = ["classifier_rows"]

_STRENGTHS = (1.0, 10.0, 100.0)  # C of the classifier
_EPOCHS = 50
_TEST = 0.25


def classifier_rows(
    x: Float[np.ndarray, "sample feature"],
    y: Int[np.ndarray, " sample"],
    *,
    hidden: int,
    splits: int,
    rates: Sequence[float],
    seed: int,
    progress: Progress,
) -> list[dict[str, Any]]:
    """Accuracies on test data by split, and their difference.

    For every split the learning rate (the same list for both) and the classifier's C are chosen on a quarter of the
    training data, and the winner is fitted again on all of them. As splits overlap, the error of a mean over them is
    widened by the corrected resampled t-test.

    Source: C. Nadeau, Y. Bengio, Machine Learning 52 (2003) 239.
    """
    outer = StratifiedShuffleSplit(splits, test_size=_TEST, random_state=seed)
    scores: dict[str, list[float]] = {"phi4-Bernoulli": [], "BernoulliRBM": []}
    chosen: dict[str, list[float]] = {name: [] for name in scores}
    for split, (train, test) in enumerate(outer.split(x, y)):
        for number, name in enumerate(scores):
            progress(2 * split + number, 2 * splits, "classifying hidden representations")
            rate, strength = _chosen(name, x[train], y[train], hidden, rates, seed + split)
            model = _representation(name, hidden, rate, seed + split)
            scores[name].append(_accuracy(model, x[train], y[train], x[test], y[test], (strength,))[strength])
            chosen[name].append(rate)
    rows: list[dict[str, Any]] = [
        {
            "label": f"classifier on {name}",
            "accuracy": _over_splits(np.array(values)),
            "rates": sorted(set(chosen[name])),
            "reference": {},
        }
        for name, values in scores.items()
    ]
    ours, theirs = (np.array(values) for values in scores.values())
    gain = _over_splits(ours - theirs)
    rows.append({"label": "gain", "accuracy": gain, "sigma": gain.pull(0.0), "reference": {}})
    return rows


def _over_splits(values: np.ndarray) -> Estimate:
    if len(values) < 2:
        return Estimate(float(values.mean()), float("nan"))
    return Estimate(
        float(values.mean()), float(np.sqrt((1 / len(values) + _TEST / (1 - _TEST)) * values.var(ddof=1)))
    )


def _representation(name: str, hidden: int, rate: float, seed: int) -> Any:
    if name == "BernoulliRBM":
        machine = BernoulliRBM(hidden, learning_rate=rate, n_iter=_EPOCHS, batch_size=50, random_state=seed)
        return make_pipeline(MinMaxScaler(), machine)
    return Phi4RBM(
        hidden,
        training="contrastive divergence",
        learning_rate=rate,
        epochs=_EPOCHS,
        batch_size=50,
        random_state=seed,
    )


def _chosen(name: str, x: Any, y: Any, hidden: int, rates: Sequence[float], seed: int) -> tuple[float, float]:
    """The learning rate and C that do best on a quarter of the training data."""
    inner = StratifiedShuffleSplit(1, test_size=_TEST, random_state=seed)
    fit, held_out = next(inner.split(x, y))
    found = {}
    for rate in rates:
        model = _representation(name, hidden, rate, seed)
        scores = _accuracy(model, x[fit], y[fit], x[held_out], y[held_out], _STRENGTHS)
        found |= {(rate, strength): score for strength, score in scores.items()}
    return max(found, key=lambda pair: found[pair])


def _accuracy(
    model: Any, x: Any, y: Any, x_test: Any, y_test: Any, strengths: Sequence[float]
) -> dict[float, float]:
    features, test = model.fit_transform(x), model.transform(x_test)
    # One thread: products this small are ten times slower where threads of BLAS wait for a busy core.
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", ConvergenceWarning)
        return {
            strength: float(LogisticRegression(C=strength, max_iter=300).fit(features, y).score(test, y_test))
            for strength in strengths
        }
