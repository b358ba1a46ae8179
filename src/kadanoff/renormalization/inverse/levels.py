"""The levels of a growth: ensembles of growing size whose configurations correspond one to one."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, overload

import numpy as np

from kadanoff.action_records import is_recorded, library_action
from kadanoff.ensemble import Ensemble
from kadanoff.errors import InputError, KadanoffError, StoreError
from kadanoff.renormalization.inverse.given import load_inverse
from kadanoff.renormalization.inverse.relaxation import Relaxation
from kadanoff.reweighting.response import RELAXED
from kadanoff.runs import open_ensemble
from kadanoff.store import Store
from kadanoff.whole import whole

__all__ = ["FORMAT", "Levels", "level_folder", "read_record", "recorded", "require_levels", "thinned"]

FORMAT = 1


@dataclass(frozen=True)
class UnknownRelaxation:
    """A relaxation whose action's source is not at hand: only its name and couplings are known."""

    name: str
    couplings: dict[str, Any]
    sweeps: int
    width: float
    action: None = None


@dataclass(frozen=True, eq=False)
class Levels(Sequence[Ensemble]):
    """Ensembles L, b L, b^2 L, ...: level 0 is the start; configuration (chain, draw) is the same at all levels.

    - `b`: rescaling factor of a step.
    - `inverse`, `relaxation`: what made them; None where it is not known. `amplitude`: factor on the start.
    - `before`: for each level, series (chain, draw) taken before relaxation: `schwinger_dyson` (with the target
        or simulated action) and `inconsistency`, the mean square of RG(inverse(x)) - x; empty for level 0.

    Raises `InputError` for what cannot be the levels of one growth: other sides, numbers of chains or draws, or
    log-weights than these, no ensemble at all, and b below 2.

    >>> import numpy as np, kadanoff as kd
    >>> small, large = (kd.Ensemble(np.ones((2, 3, side, side), dtype=np.float32)) for side in (4, 8))
    >>> [level.lattice.shape for level in Levels((small, large), b=2)]
    [(4, 4), (8, 8)]
    """

    ensembles: tuple[Ensemble, ...]
    b: int = 2
    inverse: Any = None
    relaxation: "Relaxation | UnknownRelaxation | None" = None
    amplitude: float = 1.0
    before: tuple[dict[str, np.ndarray], ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        """Refuse what is no growth."""
        object.__setattr__(self, "b", whole("b, the rescaling factor of a step,", self.b, least=2))
        object.__setattr__(self, "ensembles", tuple(self.ensembles))
        if not self.ensembles or not all(isinstance(level, Ensemble) for level in self.ensembles):
            raise InputError(
                "levels are ensembles, the smallest first: give one or more, kd.Levels((small, large), b=2)"
            )
        start = self.ensembles[0]
        for number, (below, level) in enumerate(pairwise(self.ensembles), start=1):
            expected = tuple(self.b * side for side in below.lattice.shape)
            if level.lattice.shape != expected:
                raise InputError(
                    f"level {number} has the lattice {level.lattice.shape}, and {self.b} times {below.lattice.shape} "
                    f"is {expected}: give the levels from small to large, and the b between them"
                )
            if (level.chains, level.draws) != (start.chains, start.draws):
                raise InputError(
                    f"level {number} has {level.chains} chains of {level.draws} draws, level 0 has {start.chains} of "
                    f"{start.draws}: configurations correspond one to one, so `select` as many of each"
                )
            if not _same_weights(level.log_weight, start.log_weight):
                raise InputError(
                    f"level {number} has other log-weights than level 0: give all levels the same, those of the start"
                )

    @property
    def relaxed(self) -> bool:
        """Whether a target action was relaxed after each step."""
        return self.relaxation is not None

    def __len__(self) -> int:
        """Number of levels, the start included."""
        return len(self.ensembles)

    @overload
    def __getitem__(self, index: int) -> Ensemble: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Ensemble, ...]: ...
    def __getitem__(self, index: int | slice) -> Ensemble | tuple[Ensemble, ...]:
        """One level, or several."""
        return self.ensembles[index]

    def __iter__(self) -> Iterator[Ensemble]:
        """Go through the levels, the start first."""
        return iter(self.ensembles)

    @classmethod
    def open(cls, path: str | Path) -> "Levels":
        """Open the folder of a finished growth; fields stay on disk.

        Raises `StoreError` for a folder that is missing, damaged, newer or no growth, and for one that was
        interrupted (the command that started it goes on with it).
        """
        folder = Path(path)
        record = read_record(folder)
        try:
            steps, draws = int(record["steps"]), int(record["draws"])
            b, amplitude = int(record["b"]), float(record["amplitude"])
            depths = [int(record["depths"][level]) for level in range(steps + 1)]
            count = record["configurations"]
            configurations = None if count is None else whole("configurations", count, least=1)
            source = _source(folder, record)
            stores = [Store.open(level_folder(folder, level)) for level in range(steps + 1)]
            relaxation = _relaxation(record["relaxation"], source, stores[0].lattice_shape)
        except (InputError, LookupError, TypeError, ValueError) as error:
            raise StoreError(f"{folder / 'levels.json'} is damaged ({error}): grow again") from error
        inverse = load_inverse(folder / "inverse")
        for store in stores:
            if store.draws != draws:
                raise StoreError(
                    f"{store.path} holds {store.draws} of {draws} draws: the growth was interrupted; give the command "
                    "that started it again"
                )
        start = stores[0]
        ensemble = Ensemble(start.fields, None, start.log_weight(), depths[0], None, ("start of a growth",))
        if source is not None:
            origin = thinned(source, configurations)
            if origin.parent is None and amplitude == 1.0:
                ensemble = replace(ensemble, action=origin.action)
            else:
                ensemble = replace(ensemble, parent=origin)
        ensembles, before = [ensemble], [dict[str, np.ndarray]()]
        for level, store in enumerate(stores[1:], start=1):
            action = relaxation.action if relaxation is not None else None
            told = f"grown, {store.path}" + ("" if relaxation is None else f", {RELAXED}")
            ensembles.append(ensembles[-1].derive(store.fields, told, depths[level], action))
            before.append(recorded(store))
        return cls(tuple(ensembles), b, inverse, relaxation, amplitude, tuple(before))


def _same_weights(one: np.ndarray | None, two: np.ndarray | None) -> bool:
    return one is two or (one is not None and two is not None and np.array_equal(one, two))


def require_levels(levels: Any, who: str) -> Levels:
    """The levels; `InputError` for what are none. `who` asks for them."""
    if not isinstance(levels, Levels):
        raise InputError(
            f"{who} takes the levels of a growth, got {type(levels).__name__}: give what `kd.grow` returns, or "
            "make levels of ensembles by kd.Levels((small, large), b=2)"
        )
    return levels


def level_folder(folder: Path, level: int) -> Path:
    """Where a level is kept."""
    return folder / f"level-{level:02d}"


def thinned(ensemble: Ensemble, configurations: int | None) -> Ensemble:
    """Take at least so many configurations, spread evenly over draws, then over chains; all of them for None."""
    if configurations is None or configurations >= ensemble.chains * ensemble.draws:
        return ensemble
    draws = -(-configurations // ensemble.chains)
    chains = -(-configurations // draws)
    stride = ensemble.draws // draws
    return ensemble.select(draws=slice(stride - 1, stride * draws, stride), chains=slice(0, chains))


def read_record(folder: Path) -> dict[str, Any]:
    """What levels.json says; `StoreError` when it is missing, damaged or newer."""
    path = folder / "levels.json"
    try:
        record = json.loads(path.read_text())
        written = int(record["format"])
    except (FileNotFoundError, NotADirectoryError):
        raise StoreError(
            f"{folder} holds no growth (no levels.json); make one with `kadanoff grow`"
        ) from None
    except (ValueError, KeyError, TypeError):
        raise StoreError(f"{path} is damaged; grow again in another folder") from None
    if written > FORMAT:
        raise StoreError(f"{folder} was written by a newer version of kadanoff (format {written}): update it")
    return record


def _source(folder: Path, record: dict[str, Any]) -> Ensemble | None:
    """The ensemble that was grown, if it is still where it was relative to the folder, and the same."""
    if record["source"] is None:
        return None
    path = (folder / record["source"]).resolve()
    try:
        records = Store.open(path).records
        if not records or records[0].digest != record["source_digest"]:
            return None
        found = open_ensemble(path)
    except KadanoffError:
        return None
    if found.draws < record["source_draws"]:
        return None
    return (
        found
        if found.draws == record["source_draws"]
        else found.select(draws=slice(0, record["source_draws"]))
    )


def _relaxation(
    told: dict[str, Any] | None, source: Ensemble | None, shape: tuple[int, ...]
) -> "Relaxation | UnknownRelaxation | None":
    """The recorded relaxation; a user's action is found with the simulation, else only the sweeps are known."""
    if told is None:
        return None
    action = library_action(told)
    if action is None and source is not None:
        simulated = source.simulated.action
        if simulated is not None and is_recorded(simulated, shape, told):
            action = simulated
    if action is None:
        return UnknownRelaxation(told["action"], told["couplings"], told["sweeps"], told["width"])
    return Relaxation(action, told["sweeps"], told["width"])


def recorded(store: Store) -> dict[str, np.ndarray]:
    """Series (chain, draw) that were measured before relaxation, from the records of a level."""
    names = store.records[0].info.get("before", {})
    return {
        name: np.concatenate([np.asarray(block.info["before"][name]) for block in store.records], axis=1)
        for name in names
    }
