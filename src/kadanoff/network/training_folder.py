"""Training that survives a kill: state, configuration and history in a folder, from which the same call goes on."""

import time
from collections.abc import Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

from kadanoff.errors import InputError, StoreError
from kadanoff.network.estimator import Phi4RBM
from kadanoff.network.monitor import Record
from kadanoff.network.options import Callback
from kadanoff.network.saved import HEADER, load_rbm, options_of, rbm_record, require_own, save_rbm
from kadanoff.network.training import TrainingState
from kadanoff.saved_models import data_fingerprint, model_record, save_model
from kadanoff.store.durable import WriterLock
from kadanoff.store.weights_folder import remove_replaced

__all__ = ["NETWORK", "fit_in_folder"]

#: Within the folder: the network alone, which `kd.load_model` reads.
NETWORK = "network"


def fit_in_folder(
    model: Phi4RBM,
    X: Any,  # noqa: N803
    folder: str | Path,
    *,
    every: float = 1.0,
    callbacks: Sequence[Callback] = (),
    record: Mapping[str, Any] | None = None,
) -> Phi4RBM:
    """Fit an estimator into a folder, going on from what the folder holds; give it fitted.

    The state is written after the first epoch, the last one, and those in between that end `every` seconds or more
    after the last writing (0: after all). A call that was killed is repeated: it goes on, and ends with the same bits
    as one that was not. One that had ended, at the last epoch or by a callback, returns at once. At any time
    `load_rbm` reads the folder.

    `callbacks` come on top of the estimator's own; `record` (JSON) is kept with the rest.

    Raises `InputError` for a `random_state` that is no whole number, since a repeated call needs the same one;
    `StoreError` for a folder that another process writes, that is damaged, or holds another training or other things.

    >>> import tempfile
    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=(64, 4))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model = fit_in_folder(Phi4RBM(n_hidden=3, epochs=2, random_state=0), x, folder)
    ...     len(load_rbm(folder).history_)
    2
    """
    if not isinstance(model.random_state, Integral):
        raise InputError(
            f"training in a folder needs a whole number as random_state, to go on with it, got {model.random_state!r}"
        )
    path = Path(folder)
    require_own(path)
    v = model._begin(X)
    path.mkdir(parents=True, exist_ok=True)
    lock = WriterLock(path / ".lock", "")
    try:
        fingerprint = data_fingerprint(v)
        kept = {"data": fingerprint, "record": record}
        ended = False
        if (path / HEADER).exists():
            _require_same(path, model, fingerprint)
            before = load_rbm(path)
            model.state_, model.history_ = before.state_, before.history_
            ended = rbm_record(path).get("ended", False)  # older headers do not tell
        else:
            save_rbm(model, path, **kept, ended=False)
        moment = time.monotonic()

        def keep(state: TrainingState, _: Record) -> None:
            nonlocal moment
            model.state_ = state
            if state.epochs == 1 or time.monotonic() - moment >= every:
                save_rbm(model, path, **kept, ended=False)
                moment = time.monotonic()

        if ended:
            model._finished()
        else:
            model._train(v, (keep, *callbacks))
            save_rbm(model, path, **kept)
        remove_replaced(path, rbm_record(path)["file"])
        if _epochs_of_network(path / NETWORK) != model.n_iter_:
            save_model(model.network_, path / NETWORK, seed=model._seed, record={"epochs": model.n_iter_})
    finally:
        lock.release()
    return model


def _epochs_of_network(path: Path) -> int | None:
    """After how many epochs the network of a folder was written; None where a kill left none, or a part."""
    try:
        return model_record(path)["record"].get("epochs")
    except StoreError:
        return None


def _require_same(path: Path, model: Phi4RBM, fingerprint: str) -> None:
    """Raise `StoreError` where the folder holds a training with other options, or on other data."""
    there = rbm_record(path)
    for name, value in options_of(model).items():
        if there["options"].get(name) != value:
            raise StoreError(
                f"{path} holds another training: its {name} is {there['options'].get(name)!r}, {value!r} was asked "
                "for; give another folder"
            )
    if there["data"] != fingerprint:
        raise StoreError(f"{path} holds a training on other data; give the same data, or another folder")
