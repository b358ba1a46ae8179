"""The scikit-learn face of the phi^4 network: fit, transform, sample, score."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from kadanoff.errors import InputError
from kadanoff.network.completion import annealed_states, completed, known_mask
from kadanoff.network.exact import visible_energy
from kadanoff.network.likelihood import best_log_partition
from kadanoff.network.model import Phi4Network
from kadanoff.network.monitor import Monitor, Record
from kadanoff.network.options import Callback, callbacks_of, require_unchanged, started_options, training_of
from kadanoff.network.rows import by_rows
from kadanoff.network.scaling import Scaling, checked, filled, pool_of, require_single
from kadanoff.network.training import TrainingState
from kadanoff.network.units import unit_type
from kadanoff.random import key as make_key
from kadanoff.statistics import Estimate
from kadanoff.whole import whole

__all__ = ["Phi4RBM"]


class Phi4RBM(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """The phi^4 neural network as a scikit-learn estimator, and every machine that it generalises.

    **Parameters:**

    - `n_hidden`: hidden units.
    - `visible`, `hidden`: type of the units, "phi4", "gaussian", "bernoulli" (0/1) or "ising" (+-1).
    - `training`: "persistent", "contrastive divergence" or "tempering", with `steps` Gibbs steps an update.
    - `batch_size`, `epochs`, `learning_rate`, `optimiser` ("adam", "sgd"), `schedule` ("cosine", "linear",
        "constant"), `weight_decay` of the links, `centred` gradients: see `kadanoff.network.Training`.
    - `smoothing`: samples added to what every visible unit alone has seen, at the values that all features take
        together; 1 is good for pixels, which are alike, 0 (default) for columns of different things.
    - `scaling`: "auto", "standard", "binary" or "none", see `kadanoff.network.scaling.Scaling`.
    - `likelihood_every`: epochs between two estimates of the log-likelihood while training (0: none).
    - `callbacks`: functions of (state, record) called after every epoch; one that returns True ends the training.
        Where there are some, or `verbose`, every epoch is monitored.
    - `random_state`: seed of everything.

    **Attributes:** `network_`, `scaling_`, `state_` (all that training needs to go on), `history_` (a `Record` an
    epoch), `n_iter_`, `n_features_in_`, `log_partition_` (computed when first asked for).

    Raises `InputError`, a `ValueError`, in one line, for data that are no table of finite numbers, that hold only
    constant columns or do not fit the units, for a wrong number of features and for options out of range.

    >>> from sklearn.datasets import load_digits
    >>> images = load_digits().data[:200]
    >>> model = Phi4RBM(n_hidden=8, epochs=2, random_state=0).fit(images)
    >>> model.transform(images).shape
    (200, 8)

    Source: D. Bachtis, G. Aarts, B. Lucini, PRD 103 (2021) 074510.
    """

    def __init__(
        self,
        n_hidden: int = 64,
        *,
        visible: str = "phi4",
        hidden: str = "bernoulli",
        training: str = "persistent",
        steps: int = 1,
        batch_size: int = 100,
        epochs: int = 50,
        learning_rate: float = 5e-3,
        optimiser: str = "adam",
        schedule: str = "cosine",
        weight_decay: float = 0.0,
        smoothing: float = 0.0,
        centred: bool = True,
        scaling: str = "auto",
        likelihood_every: int = 0,
        callbacks: Sequence[Callback] = (),
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.n_hidden = n_hidden
        self.visible = visible
        self.hidden = hidden
        self.training = training
        self.steps = steps
        self.batch_size = batch_size
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.optimiser = optimiser
        self.schedule = schedule
        self.weight_decay = weight_decay
        self.smoothing = smoothing
        self.centred = centred
        self.scaling = scaling
        self.likelihood_every = likelihood_every
        self.callbacks = callbacks
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None) -> "Phi4RBM":  # noqa: N803
        """Learn from data (sample, feature); `y` is ignored."""
        return self._train(self._begin(X))

    def partial_fit(self, X: Any, y: Any = None) -> "Phi4RBM":  # noqa: N803
        """Pass once over data, at the full `learning_rate`; the first call chooses the scaling and starts.

        Batches may be of any size. An option that the start was built on cannot change any more.
        """
        first = not hasattr(self, "state_")
        if not first:
            require_unchanged(self)
        v = self._begin(X) if first else self._features(X)
        self.state_, _ = replace(training_of(self, self._seed), schedule="constant").epoch(self.state_, v)
        return self._finished()

    def transform(self, X: Any) -> np.ndarray:  # noqa: N803
        """The means of the hidden units given the data, (sample, n_hidden)."""
        v = self._features(X)
        return by_rows(self.network_.hidden_mean, v)

    def inverse_transform(self, H: Any) -> np.ndarray:  # noqa: N803
        """The means of the features given hidden units, (sample, feature)."""
        check_is_fitted(self)
        h = require_single(checked(H))
        if h.shape[1] != self.network_.hidden.size:
            raise InputError(
                f"the network has {self.network_.hidden.size} hidden units, got {h.shape[1]} columns"
            )
        return self.scaling_.undo(by_rows(self.network_.visible_mean, h))

    def gibbs(self, X: Any, steps: int = 1, seed: int | None = None) -> np.ndarray:  # noqa: N803
        """Update the data by Gibbs steps of both layers, (sample, feature).

        Every call since the fit draws new random numbers, so that calls in turn make a chain, the same one after the
        same fit; with a `seed` those of the seed.
        """
        v, steps = jnp.asarray(self._features(X), jnp.float32), whole("steps", steps, least=0)
        if seed is None:
            calls, self._gibbs_calls = self._gibbs_calls, self._gibbs_calls + 1
            key = make_key(self._seed, 51, *([calls] if calls else []))
        else:
            key = self._key(1, seed)
        return self._given_back(_gibbs(self.network_, key, v, steps))

    def sample(self, n_samples: int = 1, steps: int = 1000, seed: int | None = None) -> np.ndarray:
        """Draw new data, from noise, as the links are switched on over half of the steps and stay for the rest.

        The same ones again, unless another `seed` is given.
        """
        check_is_fitted(self)
        count, steps = whole("n_samples", n_samples, least=1), whole("steps", steps, least=1)
        return self._given_back(
            annealed_states(self._key(2, seed), self.network_, self.state_.base, count, steps)
        )

    def reconstruct(self, X: Any) -> np.ndarray:  # noqa: N803
        """The means of the features given the means of the hidden units given the data."""
        return self.inverse_transform(self.transform(X))

    def complete(self, X: Any, known: Any, steps: int = 500, seed: int | None = None) -> np.ndarray:  # noqa: N803
        """Fill in what is not `known` (a mask of the data's shape, or of one sample): means given the known.

        What `X` holds in place of the unknown, NaN for instance, does not matter. Known features come back as they
        are, or as the level that the scaling makes of them for two-level units, which is what the means of the others
        compare with. The same ones again, unless another `seed` is given.
        """
        table, steps = self._table(X, False, known), whole("steps", steps, least=1)
        v, mask = self._states(table), known_mask(known, table.shape)
        start = (self._key(3, seed), self.network_, self.state_.base)
        found = completed(*start, jnp.asarray(v, jnp.float32), jnp.asarray(mask), steps)
        return np.where(mask, table if self.scaling_.levels is None else v, self._given_back(found))

    def score_samples(self, X: Any) -> np.ndarray:  # noqa: N803
        """ln p of every sample, in nats and in the units of the data; the same ln Z, `log_partition_`, for all."""
        v = self._features(X)
        energies = by_rows(partial(visible_energy, self.network_), v)
        return -energies - self.log_partition_.value - self.scaling_.log_volume

    def score(self, X: Any, y: Any = None) -> float:  # noqa: N803
        """The mean of `score_samples`; larger is better."""
        return float(self.score_samples(X).mean())

    def save(self, folder: str | Path, data: Any = None) -> Path:
        """Keep the fitted estimator in a folder, see `kadanoff.network.saved.save_rbm`."""
        from kadanoff.network.saved import save_rbm

        check_is_fitted(self)
        return save_rbm(self, folder, data=data)

    @classmethod
    def load(cls, folder: str | Path) -> "Phi4RBM":
        """Read a fitted estimator, see `kadanoff.network.saved.load_rbm`."""
        from kadanoff.network.saved import load_rbm

        return load_rbm(folder)

    @property
    def log_partition_(self) -> Estimate:
        """ln Z with its error: exact where the network is small, else by annealing; kept until the next fit."""
        check_is_fitted(self)
        if self._log_partition is None:
            self._log_partition = best_log_partition(self.network_, self.state_.base, seed=self._seed)
        return self._log_partition

    @property
    def _n_features_out(self) -> int:
        return self.network_.hidden.size

    def _begin(self, data: Any) -> np.ndarray:
        """Choose seed, scaling and first network; give the data as the units see them."""
        whole("n_hidden", self.n_hidden, least=1)
        whole("likelihood_every", self.likelihood_every, least=0)
        callbacks_of(self.callbacks)
        kind = unit_type(self.visible)
        unit_type(self.hidden)
        table = self._table(data, True)
        if len(table) < 2:
            raise InputError("learning needs 2 samples or more, got one sample (n_samples = 1)")
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        scaling = Scaling.of(table, self.scaling, kind.levels)
        v = require_single(scaling.apply(table))
        kind.check_data(v)
        # Nothing is refused, and no scaling stands beside a network of another fit, from here on.
        self.state_, self.scaling_, self._seed = self._start(v, seed, scaling), scaling, seed
        self._samples, self._started, self._gibbs_calls = len(v), started_options(self), 0
        self.history_: list[Record] = []
        self._finished()
        return v

    def _start(self, v: Any, seed: int, scaling: Scaling) -> TrainingState:
        n_hidden = whole("n_hidden", self.n_hidden, least=1)
        network = Phi4Network.random(self.visible, v.shape[1], self.hidden, n_hidden, seed)
        return training_of(self, seed).init(network, v, pool=pool_of(v, scaling))

    def _train(self, v: np.ndarray, callbacks: Sequence[Callback] = ()) -> "Phi4RBM":
        """Train from wherever the state is, to the last epoch; `callbacks` come on top of the estimator's own."""
        watching = (*callbacks_of(self.callbacks), *callbacks)
        likelihood_every = whole("likelihood_every", self.likelihood_every, least=0)
        watched = bool(watching) or self.verbose or likelihood_every > 0
        monitor = Monitor.of(v, likelihood_every, self._seed) if watched else None

        def after(state: TrainingState, epoch: Any) -> bool:
            if monitor is None:
                return False
            record = monitor.record(state, epoch)
            self.history_.append(record)
            if self.verbose:
                print(record, flush=True)
            return any([callback(state, record) for callback in watching])

        self.state_ = training_of(self, self._seed).fit(self.state_, v, after)
        return self._finished()

    def _finished(self) -> "Phi4RBM":
        self.network_ = self.state_.network
        self.n_iter_ = self.state_.epochs
        self._log_partition = None
        return self

    def _features(self, data: Any) -> np.ndarray:
        return self._states(self._table(data, False))

    def _states(self, table: np.ndarray) -> np.ndarray:
        v = require_single(self.scaling_.apply(table))
        type(self.network_.visible).check_data(v)
        return v

    def _table(self, data: Any, reset: bool, known: Any = True) -> np.ndarray:
        if not reset:
            check_is_fitted(self)
        try:
            given = filled(data)
            table: Any = validate_data(self, given, reset=reset, dtype=np.float64, ensure_all_finite=False)
        except ValueError as error:  # scikit-learn's own words, as its checks want them
            first, *others = str(error).splitlines()  # of which some hold the data
            advice = [line for line in others if line.startswith("Reshape")]
            raise InputError(" ".join([first, *advice])) from None
        if known is not True:
            levels = type(self.network_.visible).levels
            other = levels[0] if levels else self.scaling_.shift
            table = np.where(known_mask(known, table.shape), table, other)
        return checked(table)

    def _given_back(self, v: Any) -> np.ndarray:
        return self.scaling_.undo(np.asarray(v, np.float64))

    def _key(self, purpose: int, seed: int | None = None) -> jax.Array:
        return make_key(self._seed if seed is None else whole("seed", seed), 50 + purpose)


_gibbs = eqx.filter_jit(Phi4Network.gibbs)
