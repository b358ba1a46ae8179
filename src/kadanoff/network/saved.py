"""Fitted estimators on disk: a header that says what and where from, and the state of training, bit by bit."""

import io
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from numbers import Integral
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from sklearn.utils.validation import check_is_fitted

from kadanoff.errors import StoreError
from kadanoff.network.estimator import Phi4RBM
from kadanoff.network.monitor import Record
from kadanoff.network.options import started_options
from kadanoff.network.scaling import Scaling
from kadanoff.saved_models import data_fingerprint
from kadanoff.statistics import Estimate
from kadanoff.store.layout import jsonable, versions
from kadanoff.store.weights_folder import is_sealed, read_content, read_header, replace_content

__all__ = ["HEADER", "load_rbm", "options_of", "rbm_record", "save_rbm"]

FORMAT = 1  # of the header and the state; another number is refused
_KIND, _MAKE = "rbm", "`kadanoff rbm fit` or `Phi4RBM.save`"
_TRIES = 5  # to read a folder while it is written: its state is replaced once the header names the next

#: File of the header: a folder that has one holds a whole estimator.
HEADER = f"{_KIND}.json"


def save_rbm(
    model: Phi4RBM,
    folder: str | Path,
    *,
    data: Any = None,
    record: Mapping[str, Any] | None = None,
    ended: bool = True,
) -> Path:
    """Keep an estimator that was fitted, or is being fitted, in a folder; one that it holds already is replaced.

    The folder holds all that training needs to go on, the scaling and the options; and it tells the versions, time,
    seed, a fingerprint of the `data` (an array, or a fingerprint already), `record`, whatever else is worth knowing
    (JSON), and whether the training has `ended`. A kill at any moment leaves the old estimator or the new one.
    Callbacks are not kept.

    Raises `StoreError` for a folder that holds something else, scikit-learn's `NotFittedError` without a fit.

    >>> import tempfile
    >>> x = np.random.default_rng(0).normal(size=(64, 4))
    >>> model = Phi4RBM(n_hidden=3, epochs=1, random_state=0).fit(x)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     again = load_rbm(save_rbm(model, folder, data=x))
    >>> bool((again.transform(x) == model.transform(x)).all())
    True
    """
    check_is_fitted(model, "state_")
    path = Path(folder)
    require_own(path)
    buffer = io.BytesIO()
    eqx.tree_serialise_leaves(buffer, model.state_)
    content = buffer.getvalue()
    partition = model._log_partition if model.state_.epochs == getattr(model, "n_iter_", -1) else None
    names = getattr(model, "feature_names_in_", None)
    fingerprint = data if data is None or isinstance(data, str) else data_fingerprint(np.asarray(data))
    header = {
        "rbm_format": FORMAT,
        "options": options_of(model),
        "started": jsonable(model._started, "started"),
        "seed": model._seed,
        "samples": model._samples,
        "features": model.scaling_.shift.size,
        "feature_names": None if names is None else list(names),
        "scaling": jsonable(vars(model.scaling_), "scaling"),
        "epochs": model.state_.epochs,
        "ended": ended,
        "history": [_written(entry) for entry in model.history_],
        "log_partition": None if partition is None else [partition.value, partition.error],
        "data": fingerprint,
        "versions": versions(),
        "saved": datetime.now(UTC).isoformat(timespec="seconds"),
        "record": jsonable(dict(record or {}), "record"),
    }
    return replace_content(path, _KIND, content, header, "state", "eqx")


def load_rbm(folder: str | Path) -> Phi4RBM:
    """Read an estimator that `save_rbm` wrote: it transforms, samples, scores and goes on with the same bits.

    Raises `StoreError` for a folder without one, damaged, or written by another version.
    """
    path = Path(folder)
    for remaining in reversed(range(_TRIES)):
        header = rbm_record(path)
        try:
            return _read(header, read_content(path, header, header["file"]))
        except FileNotFoundError as error:
            if not remaining:
                raise _damaged(path, error) from None
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise _damaged(path, error) from None
    raise AssertionError("unreachable")


def rbm_record(folder: str | Path) -> dict[str, Any]:
    """What a folder tells of its estimator: options, seed, data, history, versions, record.

    Raises `StoreError` as `load_rbm` does.
    """
    path = Path(folder)
    header = read_header(path, _KIND, _MAKE)
    if header.get("rbm_format") != FORMAT:
        by = header.get("versions", {}).get("kadanoff", "an unknown version")
        raise StoreError(
            f"{path} was saved by kadanoff {by} (format {header.get('rbm_format')}), and this version reads format "
            f"{FORMAT} only: load it with that version, or fit again in another folder"
        )
    if not is_sealed(header):
        raise StoreError(f"{path / HEADER} is damaged; restore it from a copy or fit again in another folder")
    return header


def require_own(path: Path) -> None:
    """Raise `StoreError` where a path is a file or a folder that holds something else than an estimator."""
    if path.exists() and not path.is_dir():
        raise StoreError(f"{path} is a file, but a fitted network is a folder: give another path")
    if path.is_dir() and not (path / HEADER).exists():
        # A state without a header is what a kill during the very first write leaves.
        foreign = sorted(f.name for f in path.iterdir() if not f.name.startswith((".", "state-")))
        if foreign:
            raise StoreError(
                f"{path} holds something else than a network ({foreign[0]!r}): give a new or empty folder"
            )


def options_of(model: Phi4RBM) -> dict[str, Any]:
    """The options that decide the numbers, ready for JSON; a seed that is no whole number is left out."""
    options = {n: v for n, v in model.get_params().items() if n not in ("callbacks", "verbose")}
    if not isinstance(options["random_state"], Integral):
        options["random_state"] = None
    return jsonable(options, "options")


def _read(header: dict[str, Any], content: bytes) -> Phi4RBM:
    model: Any = Phi4RBM(**{**header["options"], **header.get("started", {})})
    model._seed, model._samples, model._gibbs_calls = header["seed"], header["samples"], 0
    # The state has the shapes of its start, whatever was set later; older headers tell the options only.
    model._started = header.get("started", started_options(model))
    model.n_features_in_ = header["features"]
    if header["feature_names"] is not None:
        model.feature_names_in_ = np.asarray(header["feature_names"], dtype=object)
    scaling = header["scaling"]
    levels = None if scaling["levels"] is None else (scaling["levels"][0], scaling["levels"][1])
    model.scaling_ = Scaling(np.asarray(scaling["shift"]), np.asarray(scaling["scale"]), levels)
    rows = jax.ShapeDtypeStruct((model._samples, model.n_features_in_), jnp.float32)
    like = eqx.filter_eval_shape(partial(model._start, seed=model._seed, scaling=model.scaling_), rows)
    model.set_params(**header["options"])
    model.state_ = eqx.tree_deserialise_leaves(io.BytesIO(content), like)
    model.history_ = [_recalled(entry) for entry in header["history"]]
    model._finished()
    if header["log_partition"] is not None:
        model._log_partition = _estimate(header["log_partition"])
    return model


def _written(record: Record) -> dict[str, Any]:
    likelihood = record.log_likelihood
    pair = None if likelihood is None else [likelihood.value, likelihood.error]
    return jsonable({**record._asdict(), "log_likelihood": pair}, "history")


def _recalled(entry: dict[str, Any]) -> Record:
    """Numbers that are not finite are kept as words."""
    pair = entry["log_likelihood"]
    rest = {n: float(v) for n, v in entry.items() if n not in ("epoch", "log_likelihood")}
    return Record(epoch=entry["epoch"], log_likelihood=None if pair is None else _estimate(pair), **rest)


def _estimate(pair: list[Any]) -> Estimate:
    return Estimate(float(pair[0]), float(pair[1]))


def _damaged(path: Path, error: Exception) -> StoreError:
    return StoreError(
        f"{path} holds a damaged network ({type(error).__name__}: {' '.join(str(error).split())}); restore it from a "
        "copy or fit again in another folder"
    )
