"""The options of the estimator, checked: how it trains, what a start fixes, and who watches."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kadanoff.errors import InputError
from kadanoff.network.chains import chains_of
from kadanoff.network.monitor import Record
from kadanoff.network.training import Training, TrainingState

if TYPE_CHECKING:
    from kadanoff.network.estimator import Phi4RBM

__all__ = ["STARTED", "Callback", "callbacks_of", "require_unchanged", "started_options", "training_of"]

Callback = Callable[[TrainingState, Record], bool | None]

#: Options that a state of training is built on.
STARTED = ("n_hidden", "visible", "hidden", "training", "batch_size", "optimiser", "centred", "scaling")
_FREE = ("batch_size",)  # of these: chains stay as many as they were


def training_of(model: "Phi4RBM", seed: int) -> Training:
    """How an estimator trains; `InputError` for options out of range."""
    names = ("batch_size", "learning_rate", "optimiser", "schedule", "weight_decay", "smoothing", "centred")
    options = {name: getattr(model, name) for name in names}
    # A grid of options holds NumPy's numbers and switches, which would be traced.
    plain = {
        name: value.item() if isinstance(value, np.generic) else value for name, value in options.items()
    }
    if not isinstance(plain["centred"], bool):
        raise InputError(f"centred is True or False, got {model.centred!r}")
    chains = chains_of(model.training, model.steps)
    return Training(chains=chains, total_epochs=model.epochs, seed=seed, **plain)


def started_options(model: "Phi4RBM") -> dict[str, Any]:
    """The options that the state of a start is built on."""
    return {name: getattr(model, name) for name in STARTED}


def require_unchanged(model: "Phi4RBM") -> None:
    """Raise `InputError` where an option was changed that the state of training is built on."""
    for name, value in model._started.items():
        now = getattr(model, name)
        if name not in _FREE and now != value:
            raise InputError(
                f"training began with {name}={value!r} and cannot go on with {now!r}: set it back, or fit anew"
            )


def callbacks_of(value: Any) -> tuple[Callback, ...]:
    """The functions that are called after every epoch; `InputError` for what is no list of functions."""
    if isinstance(value, Sequence) and all(callable(entry) for entry in value):
        return tuple(value)
    raise InputError(f"callbacks are a list of functions of (state, record), () for none, got {value!r}")
