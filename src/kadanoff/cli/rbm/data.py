"""What the verbs of the network share: options, the data that a command names, and the folder of a network."""

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from kadanoff.compiled.purposes import ANNEALED, of_network
from kadanoff.errors import InputError, StoreError

if TYPE_CHECKING:
    import numpy as np

    from kadanoff.network.datasets import Dataset
    from kadanoff.network.estimator import Phi4RBM
    from kadanoff.statistics import Estimate

__all__ = [
    "Folder",
    "Parts",
    "SavedData",
    "Source",
    "array_out",
    "image_shape",
    "kernels_of",
    "load",
    "located",
    "named_scores",
    "parts_for",
    "read_source",
    "saved_source",
]

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder of `rbm fit`.")]
SavedData = Annotated[
    str | None,
    typer.Argument(metavar="[DATA]", help="Data by name or file; by default those that it was fitted to."),
]


class Source(NamedTuple):
    """Which data a command works on; kept with the network, so that later commands find them again.

    `dequantised` None stands for: where the units are real and the data have grey levels.
    """

    data: str
    folder: str | None
    side: int
    count: int
    dequantised: bool | None
    held_out: float
    seed: int
    array: str | None = None


class Parts(NamedTuple):
    """Data as the network sees them, before its scaling: those it learns and those it does not; and their source."""

    source: Source
    dataset: "Dataset"
    training: "np.ndarray"
    held_out: "np.ndarray"


def read_source(source: Source, real_units: bool = True, fewest: int = 1) -> Parts:
    """Load the data, add the noise of one grey level where it is asked for, split off the held-out part.

    Raises `InputError` where the data cannot be had, noise is asked for without grey levels, or fewer samples than the
    `fewest` are left.
    """
    import numpy as np

    from kadanoff.network.datasets import dequantised, load_dataset

    dataset = load_dataset(
        source.data,
        folder=source.folder,
        side=source.side,
        count=source.count,
        seed=source.seed,
        array=source.array,
    )
    if source.dequantised is None:
        source = source._replace(dequantised=real_units and dataset.levels is not None)
    rows = dataset.data
    if source.dequantised:
        if dataset.levels is None:
            raise InputError(f"{source.data} has no grey levels to blur: leave --dequantise out")
        rows = dequantised(rows, dataset.levels, source.seed)
    # A stream of its own: the order must not repeat the words of the noise.
    order = np.random.default_rng((source.seed, 1)).permutation(len(rows))
    count = round(source.held_out * len(rows))
    held, kept = np.sort(order[:count]), np.sort(order[count:])
    if len(kept) < fewest:
        raise InputError(
            f"{source.data} leaves {len(kept)} samples, and {fewest} or more are needed: give more data or a smaller "
            "--held-out"
        )
    return Parts(source, dataset, rows[kept], rows[held])


def located(data: str) -> str:
    """A name as it is, a path in full: the folder of a network is read from anywhere."""
    return str(Path(data).resolve()) if Path(data).exists() else data


def load(folder: Path) -> "tuple[Phi4RBM, dict[str, Any]]":
    """The network of a folder and the record that `rbm fit` kept with it."""
    from kadanoff.network.saved import load_rbm, rbm_record

    return load_rbm(folder), rbm_record(folder)["record"]


def kernels_of(folder: Path) -> tuple[str, ...]:
    """The kernels that the network of a folder calls; none where its header cannot be read: loading it tells why."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        header = json.loads((folder / "rbm.json").read_bytes())
        options = header["options"]
        visible, hidden = (options["visible"], header["features"]), (options["hidden"], options["n_hidden"])
        return of_network(visible, hidden, ANNEALED)
    return ()


def saved_source(folder: Path, record: dict[str, Any], data: str | None) -> Source:
    """The data named in a command, treated as the network's own were; by default these themselves.

    Raises `StoreError` for a folder that does not tell its data, as one written by `Phi4RBM.save`.
    """
    try:
        own = Source(**record["source"])
    except (KeyError, TypeError):
        if data is None:
            raise StoreError(
                f"{folder} does not tell which data its network learnt: name them after it"
            ) from None
        return Source(located(data), None, 16, 5000, False, 0.0, 0)
    if data is None:
        return own
    # Data without grey levels are taken as they are.
    return own._replace(
        data=located(data), held_out=0.0, array=None, dequantised=None if own.dequantised else False
    )


def parts_for(folder: Path, data: str | None) -> "tuple[Phi4RBM, dict[str, Any], Parts]":
    """The network of a folder, its record, and the data of a command on it.

    Raises `StoreError` where the data that it learnt are not what they were.
    """
    from kadanoff.network.saved import rbm_record
    from kadanoff.network.scaling import require_single
    from kadanoff.saved_models import data_fingerprint

    model, record = load(folder)
    parts = read_source(saved_source(folder, record, data))
    learnt = rbm_record(folder).get("data")
    if data is None and learnt is not None:
        same = parts.training.shape[1] == len(model.scaling_.shift)
        if not same or data_fingerprint(require_single(model.scaling_.apply(parts.training))) != learnt:
            raise StoreError(
                f"{parts.source.data} holds other data than those that {folder} learnt: restore them, or name data "
                f"after {folder}"
            )
    return model, record, parts


def array_out(path: Path | None) -> None:
    """Refuse, before any work, a name that numpy would change, and a place where no file can be written."""
    if path is None:
        return
    if path.suffix != ".npy":
        raise InputError(f"{path} does not end in .npy: name it {path.with_suffix('.npy')}")
    if path.is_dir():
        raise InputError(f"{path} is a folder: give the path of a file in it, {path / 'array.npy'}")
    if not path.parent.is_dir():
        raise InputError(
            f"{path} would lie in {path.parent}, which is no folder: make it first, or give another path"
        )


def image_shape(record: dict[str, Any]) -> tuple[int, ...] | None:
    """The shape of the images that a network learnt; None for tables."""
    shape = record.get("shape")
    return None if shape is None else tuple(shape)


def named_scores(model: "Phi4RBM", rows: "dict[str, np.ndarray]") -> "dict[str, Estimate]":
    """The mean of ln p by the name of the data, empty ones left out; the error holds the samples and ln Z."""
    from kadanoff.network.likelihood import mean_score

    scores = {name: model.score_samples(part) for name, part in rows.items() if len(part)}
    return {name: mean_score(values, model.log_partition_) for name, values in scores.items()}
