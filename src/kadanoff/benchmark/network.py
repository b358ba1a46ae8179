"""Seconds that the neural network takes for a pass over the bundled digits; beside it scikit-learn's."""

import time
from collections.abc import Iterator

import numpy as np
from sklearn.neural_network import BernoulliRBM

from kadanoff.benchmark.clock import Line
from kadanoff.network.datasets import load_dataset
from kadanoff.network.estimator import Phi4RBM

__all__ = ["network_lines"]

_HIDDEN, _BATCH = 64, 100


def network_lines(seconds: float) -> Iterator[Line]:
    """One persistent Gibbs step an update; epochs after the first, which compiles."""
    x = np.asarray(load_dataset("digits").data, np.float32)
    moments: list[float] = []
    for hidden, epochs in (("bernoulli", 20 if seconds >= 1 else 5), ("phi4", 3)):
        moments.clear()
        network = Phi4RBM(
            _HIDDEN,
            hidden=hidden,
            batch_size=_BATCH,
            epochs=epochs,
            random_state=0,
            callbacks=[lambda *_: moments.append(time.perf_counter())],
        )
        network.fit(x)
        rest = (moments[-1] - moments[0]) / (len(moments) - 1)
        yield Line(
            f"network epoch, phi^4 and {hidden}", rest, "s", f"{len(x)} digits, {_HIDDEN} hidden units"
        )
    binary = (x > x.mean()).astype(np.float64)
    peer = BernoulliRBM(_HIDDEN, batch_size=_BATCH, n_iter=5, random_state=0)
    begun = time.perf_counter()
    peer.fit(binary)
    yield Line("peer: scikit-learn epoch", (time.perf_counter() - begun) / 5, "s", "Bernoulli units")
