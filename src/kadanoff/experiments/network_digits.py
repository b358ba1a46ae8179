"""The phi^4 network on handwritten digits: features, samples, completions, likelihoods, a classifier."""

import time
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.neural_network import BernoulliRBM

from kadanoff.compiled.compilation import compile_ahead
from kadanoff.compiled.purposes import ANNEALED, DIGITS, of_network
from kadanoff.experiments.network_classifier import classifier_rows
from kadanoff.experiments.network_density import density_rows, trained
from kadanoff.experiments.result import Result
from kadanoff.network import Phi4Network, log_likelihood, log_partition
from kadanoff.network.datasets import dequantised, load_dataset
from kadanoff.network.likelihood import mean_score
from kadanoff.network.units import BernoulliUnit
from kadanoff.sampling.run import Progress

__all__ = ["run"]

_HIDDEN = 128
_RATES = (0.001, 0.002, 0.005, 0.01, 0.03, 0.1)
_BINARY_RATE = 0.01


def run(out: Path, *, quick: bool, seed: int, progress: Progress) -> Result:
    """Train, compare, draw."""
    begun = time.perf_counter()
    compile_ahead(*of_network(("phi4", DIGITS), ("bernoulli", _HIDDEN), ANNEALED))
    digits = load_dataset("digits")
    assert digits.levels is not None and digits.labels is not None and digits.shape is not None
    grey = dequantised(digits.data, digits.levels, seed)
    epochs, splits = (40, 2) if quick else (150, 10)
    rows_of = np.arange(len(grey))
    train, test = train_test_split(rows_of, test_size=0.25, random_state=seed, stratify=digits.labels)

    options: dict[str, Any] = {
        "n_hidden": _HIDDEN,
        "training": "persistent",
        "steps": 2,
        "epochs": epochs,
        "learning_rate": 0.01,
        "weight_decay": 0.01,
        "smoothing": 1.0,
    }
    models = {}
    for number, visible in enumerate(("phi4", "gaussian")):
        progress(number, 3, "training networks")
        models[visible] = trained(grey[train], visible, seed, Path(out), **options)
    rows = density_rows(models, grey[train], grey[test])

    progress(2, 3, "training networks")
    black = (digits.data > (digits.levels - 1) / 2).astype(np.float64)
    rows += _binary_rows(black[train], black[test], epochs, seed, Path(out))
    rows += classifier_rows(
        digits.data,
        digits.labels,
        hidden=_HIDDEN,
        splits=splits,
        rates=_RATES[1::2] if quick else _RATES,
        seed=seed,
        progress=progress,
    )

    progress(0, 1, "drawing")
    from kadanoff.plots.network import plot_network

    figures = plot_network(
        models["phi4"], grey[test], digits.labels[test], digits.shape, Path(out), "network_digits"
    )
    notes = [
        "log-likelihoods are nats a sample; grey levels are 0 to 16, with uniform noise of one level added to make "
        "them a density; networks see the same data, seeds and training",
        "every unit alone is taken to have seen one sample more, at the levels of all pixels together: pixels that "
        "were dark in all of training are not taken to be dark for ever",
        "Bernoulli units see the digits cut at half of the largest level: their probabilities are of black and white "
        "images and cannot be compared with densities",
        f"accuracies are means over {splits} splits; errors hold that the splits overlap (Nadeau and Bengio 2003) "
        f"and are themselves known to {100 / np.sqrt(2 * (splits - 1)):.0f} % only; learning rate and C are chosen "
        "by each machine from the same list, on a quarter of the training data",
    ]
    result = Result("network-digits", rows, figures, time.perf_counter() - begun, notes)
    result.save(out)
    return result


def _binary_rows(
    train: np.ndarray, test: np.ndarray, epochs: int, seed: int, out: Path
) -> list[dict[str, Any]]:
    """Bernoulli units on black and white digits: ours, and scikit-learn's weights in our network, both annealed."""
    ours = trained(
        train,
        "bernoulli",
        seed,
        out,
        n_hidden=_HIDDEN,
        training="persistent",
        steps=2,
        epochs=epochs,
        learning_rate=_BINARY_RATE,
        weight_decay=0.01,
        smoothing=1.0,
    )
    theirs = BernoulliRBM(
        _HIDDEN, learning_rate=_BINARY_RATE, n_iter=epochs, batch_size=100, random_state=seed
    )
    theirs.fit(train)
    network = Phi4Network(
        jnp.asarray(theirs.components_.T, jnp.float32),
        BernoulliUnit(jnp.asarray(-theirs.intercept_visible_, jnp.float32)),
        BernoulliUnit(jnp.asarray(-theirs.intercept_hidden_, jnp.float32)),
    )
    partition = log_partition(network, ours.state_.base, seed=seed)
    values = {
        "Bernoulli-Bernoulli, binarised": (ours.score_samples(test), ours.log_partition_),
        "BernoulliRBM, binarised": (log_likelihood(network, test, partition.value), partition),
    }
    return [
        {
            "label": label,
            "test_log_likelihood": mean_score(scores, z),
            "log_partition": z,
            "reference": {},
        }
        for label, (scores, z) in values.items()
    ]
