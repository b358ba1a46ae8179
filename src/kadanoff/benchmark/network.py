"""Seconds that the neural network takes for a pass over the bundled digits; beside it scikit-learn's."""

import time
from collections.abc import Iterator

from sklearn.neural_network import BernoulliRBM

from kadanoff.benchmark.clock import Line, seconds_a_call
from kadanoff.network import Phi4Network, Training
from kadanoff.network.datasets import load_dataset
from kadanoff.network.scaling import Scaling

__all__ = ["network_lines"]

_HIDDEN, _BATCH = 64, 100


def network_lines(seconds: float) -> Iterator[Line]:
    """One persistent Gibbs step an update."""
    digits = load_dataset("digits").data
    data = Scaling.of(digits, "standard", None).apply(digits)
    training = Training(batch_size=_BATCH)
    for hidden in ("bernoulli", "phi4"):
        state = training.init(Phi4Network.random("phi4", data.shape[1], hidden, _HIDDEN), data)
        epoch = seconds_a_call(lambda state=state: training.epoch(state, data)[0].values, seconds)
        yield Line(
            f"network epoch, phi^4 and {hidden}", epoch, "s", f"{len(data)} digits, {_HIDDEN} hidden units"
        )
    binary = (digits > digits.mean()).astype(float)
    peer = BernoulliRBM(_HIDDEN, batch_size=_BATCH, n_iter=5, random_state=0)
    begun = time.perf_counter()
    peer.fit(binary)
    yield Line("peer: scikit-learn epoch", (time.perf_counter() - begun) / 5, "s", "Bernoulli units")
