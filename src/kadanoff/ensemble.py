"""An ensemble: configurations of many chains, the action they follow, their weights and their ancestry."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Inexact, Num

from kadanoff.actions.base import as_action
from kadanoff.errors import InputError
from kadanoff.graph import Graph
from kadanoff.lattice import Lattice
from kadanoff.measuring import measure, measurement_names
from kadanoff.names import several
from kadanoff.observable_table import ObservableTable, warn_of_few_draws
from kadanoff.observables import OBSERVABLES, PRIMARIES, Observable, evaluate, observable, series_of
from kadanoff.sites import require_spins, require_values_of
from kadanoff.statistics import Estimate, average_phase, derived, effective_sample_size, jackknife
from kadanoff.two_point import TwoPoint, correlations
from kadanoff.whole import whole

__all__ = ["Ensemble", "ObservableTable"]

_SITES = 1 << 24  # of a block, about


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Configurations (chain, draw, *lattice) with what is needed to interpret them.

    `fields` is an array, or anything that slices like one along draws (a store's fields stay on disk). Whole numbers
    are spins, +1 or -1; others are an `InputError`, and so are values that the sites of `action` do not take.
    `action` is the action the fields are distributed with, None where no closed form is known (blocked, grown
    by a pure map). `log_weight` (chain, draw), real or complex, multiplies every configuration in every mean.
    `depth` counts how often the fields were blocked since they were simulated; growth lowers it. `parent` is
    the ensemble that this one was made from, configuration by configuration, so that errors propagate from
    the simulated ancestor. `graph` is where the sites lie, by default that of the action; None on a lattice.

    >>> import numpy as np, kadanoff as kd
    >>> ensemble = Ensemble(np.ones((2, 5, 4, 4), dtype=np.float32), kd.Phi4(-0.9515, 0.7))
    >>> ensemble.lattice.shape, ensemble.chains, ensemble.draws
    ((4, 4), 2, 5)
    """

    fields: Any
    action: Any = None
    log_weight: Num[np.ndarray, "chain draw"] | None = None
    depth: int = 0
    parent: "Ensemble | None" = None
    history: tuple[str, ...] = ()
    graph: Graph | None = None
    _series: dict[Any, np.ndarray] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Refuse shapes that are no ensemble."""
        kind = np.dtype(self.fields.dtype).kind if hasattr(self.fields, "dtype") else "O"
        if kind not in "biufV":  # JAX's bfloat16 is a V
            raise InputError(
                f"fields are an array of real numbers or spins, got {getattr(self.fields, 'dtype', type(self.fields))}"
            )
        if len(self.fields.shape) < 3:
            raise InputError(f"fields must have the shape (chain, draw, *lattice), got {self.fields.shape}")
        if self.chains < 1 or self.draws < 1:
            raise InputError(f"the ensemble is empty: {self.chains} chains of {self.draws} draws")
        if self.action is not None:
            object.__setattr__(self, "action", as_action(self.action))
        if isinstance(self.fields, np.ndarray | jax.Array):  # stored ones are looked at block by block
            for _, _, fields in _along_draws(np.asarray(self.fields), _SITES):
                require_values_of(self.action, require_spins(fields))
        if self.graph is None:
            object.__setattr__(self, "graph", getattr(self.action, "graph", None))
        if self.graph is not None and self.graph.shape != tuple(self.fields.shape[2:]):
            raise InputError(f"fields on {self.graph!r} have its shape, got {tuple(self.fields.shape[2:])}")
        if self.log_weight is not None:
            object.__setattr__(self, "log_weight", np.asarray(self.log_weight))
        if self.log_weight is not None and self.log_weight.shape != (self.chains, self.draws):
            raise InputError(
                f"log_weight has the shape {self.log_weight.shape}, but there are {self.chains} chains "
                f"of {self.draws} draws"
            )

    @property
    def lattice(self) -> Lattice:
        """The lattice of one configuration."""
        return Lattice(tuple(self.fields.shape[2:]))

    @property
    def on_lattice(self) -> bool:
        """Whether the sites form a hypercubic lattice, not another graph: `lattice` then tells only the shape."""
        return self.graph is None or self.graph.is_lattice

    @property
    def chains(self) -> int:
        """Number of Markov chains."""
        return int(self.fields.shape[0])

    @property
    def draws(self) -> int:
        """Configurations kept from each chain."""
        return int(self.fields.shape[1])

    @property
    def spins(self) -> bool:
        """Whether the sites are spins: +1 or -1, kept as whole numbers."""
        return np.dtype(self.fields.dtype).kind in "iu"

    @property
    def simulated(self) -> "Ensemble":
        """The simulated ancestor, the root of `parent`."""
        return self if self.parent is None else self.parent.simulated

    def blocks(self, sites: int = _SITES) -> Iterator[tuple[int, int, Num[np.ndarray, "chain n ..."]]]:
        """Iterate over (start, stop, fields) along draws, holding about `sites` sites at a time."""
        for begin, stop, fields in _along_draws(self.fields, sites):
            yield begin, stop, fields if isinstance(self.fields, np.ndarray) else require_spins(fields)

    def map_blocks(self, function: Callable[[np.ndarray], Mapping[Any, np.ndarray]]) -> dict[Any, np.ndarray]:
        """Apply a function of flat configurations (n, *lattice) block by block; join its series as (chain,
        draw, ...).
        """
        parts: list[dict[Any, np.ndarray]] = []
        for begin, stop, fields in self.blocks():
            values = function(fields.reshape(-1, *self.lattice.shape))
            layout = (self.chains, stop - begin)
            parts.append({name: v.reshape(*layout, *v.shape[1:]) for name, v in values.items()})
        return {name: np.concatenate([part[name] for part in parts], axis=1) for name in parts[0]}

    def raw(self, names: Sequence[str | Callable]) -> dict[Any, Inexact[np.ndarray, "chain draw"]]:
        """Raw measurements of every configuration, computed once and kept."""
        missing = tuple(name for name in names if name not in self._series)
        if missing:
            self._series.update(self.map_blocks(lambda fields: measure(fields, self.action, missing)))
        return {name: self._series[name] for name in names}

    def series(self, primary: str | Callable) -> Inexact[np.ndarray, "chain draw"]:
        """A primary series in double precision: 'm', 'abs_m', 'm2', ... or a function of the field.

        A function maps one field to per-site terms, whose mean over the sites is the series, or to one number.
        """
        if callable(primary):
            return self.raw((primary,))[primary]
        if primary not in PRIMARIES:
            raise InputError(f"unknown series {primary!r}; choose from {', '.join(PRIMARIES)}")
        source = PRIMARIES[primary][0]
        if source not in self._series:  # one pass over the fields measures everything
            self.raw(measurement_names(self.action is not None, self.spins, self.on_lattice))
        return series_of(self._series, primary)

    def primaries(self, entry: Observable) -> Inexact[np.ndarray, "k chain draw"]:
        """The stacked primary series of an observable."""
        if entry.needs_action and self.action is None:
            raise InputError(
                f"{entry.name} needs the action that the fields follow, and this ensemble has none"
            )
        if entry.needs_lattice and not self.on_lattice:
            raise InputError(f"{entry.name} is defined on hypercubic lattices, and this is {self.graph!r}")
        if entry.sites == ("real" if self.spins else "spins"):
            have = "spins" if self.spins else "real numbers"
            raise InputError(
                f"{entry.name} is defined for {entry.sites} sites, and the sites here are {have}"
            )
        return np.stack([self.series(primary) for primary in entry.primaries])

    def observe(self, name: str | Observable) -> Estimate:
        """Estimate one observable, with the Gamma-method error and the weights honoured; NaN where it has no value.

        >>> import numpy as np, kadanoff as kd
        >>> rng = np.random.default_rng(0)
        >>> ensemble = Ensemble(rng.normal(size=(8, 50, 4, 4)).astype(np.float32))
        >>> abs(ensemble.observe("phi2").pull(1.0)) < 4
        True
        """
        entry = observable(name)
        return derived(evaluate(entry, self.lattice), self.primaries(entry), self.log_weight, strict=False)

    def observables(self, names: Sequence[str | Observable] | None = None) -> ObservableTable:
        """Estimate the named observables; by default all that are defined for the ensemble.

        A `KadanoffWarning` tells where fewer than 16 chains hold fewer than 10 independent draws of one of them.
        """
        given = OBSERVABLES.values() if names is None else several("names", names)
        chosen = [observable(each) for each in given]
        if names is None:
            chosen = [entry for entry in chosen if entry.sites != ("real" if self.spins else "spins")]
            chosen = [entry for entry in chosen if self.action is not None or not entry.needs_action]
            chosen = [entry for entry in chosen if self.on_lattice or not entry.needs_lattice]
        table = ObservableTable({entry.name: self.observe(entry) for entry in chosen})
        warn_of_few_draws(table, self.chains, self.draws)
        return table

    def two_point(self, connected: bool = False) -> TwoPoint:
        """The two-point function G(r) along the axes of the longest sides; less <m>^2, if `connected`.

        Errors and covariance are those of a jackknife, with the weights honoured. <m>^2 is that of the ensemble's mean
        m, so larger by its squared error: where the sign of m changes, few independent values of it make G(r) too low.

        Raises `InputError` on graphs that are no hypercubic lattice, and for a single draw.

        >>> import kadanoff as kd
        >>> ensemble = kd.sample(kd.Phi4(0.3, 0.0), kd.Lattice((8, 8)), chains=16, draws=8, seed=0)
        >>> ensemble.two_point().distance.tolist()
        [0, 1, 2, 3, 4]
        """
        if not self.on_lattice:
            raise InputError(
                f"the two-point function is along axes of hypercubic lattices, and this is {self.graph!r}"
            )
        if "two_point" not in self._series:
            self._series.update(self.map_blocks(lambda fields: {"two_point": correlations(fields)}))
        lags = np.moveaxis(self._series["two_point"], -1, 0)
        if connected:
            primaries = np.concatenate([lags, self.series("m")[None]])
            found = jackknife(lambda means: means[:-1] - means[-1] ** 2, primaries, self.log_weight)
        else:  # without the magnetisation, whose sign may be the slowest of all
            found = jackknife(lambda means: means, lags, self.log_weight)
        return TwoPoint(np.arange(len(lags)), found.values, found.errors, found.covariance)

    @property
    def effective_sample_size(self) -> float:
        """Kish's effective number of configurations under the weights."""
        return float(
            self.chains * self.draws if self.log_weight is None else effective_sample_size(self.log_weight)
        )

    @property
    def average_phase(self) -> float:
        """|<exp(i phase)>| under the moduli of the weights: 1 for real ones, near 0 with a sign problem."""
        return 1.0 if self.log_weight is None else float(np.abs(average_phase(self.log_weight)))

    def with_action(self, action: Any) -> "Ensemble":
        """The same configurations, measured with another action, or with none."""
        # tuples key the conjugate operators of the old action
        gone = ("action_density", "schwinger_dyson")
        kept = {k: v for k, v in self._series.items() if k not in gone and not isinstance(k, tuple)}
        graph = getattr(action, "graph", self.graph)
        return replace(self, action=action, graph=graph, _series=kept)

    def select(self, draws: slice | int | None = None, chains: slice | int | None = None) -> "Ensemble":
        """Some of the draws or chains, a number being that one alone; the ancestry is cut alike.

        Raises `InputError` for a number that is out of range and for what is neither number nor slice.
        """
        rows, columns = _as_slice("chains", chains, self.chains), _as_slice("draws", draws, self.draws)
        return replace(
            self,
            fields=np.asarray(self.fields[rows, columns]),  # stored fields: reads these draws only
            log_weight=None if self.log_weight is None else self.log_weight[rows, columns],
            parent=None if self.parent is None else self.parent.select(columns, rows),
            _series={name: values[rows, columns] for name, values in self._series.items()},
        )

    def derive(self, fields: Any, step: str, depth: int, action: Any = None) -> "Ensemble":
        """An ensemble made from this one, configuration by configuration."""
        same = np.shape(fields)[2:] == self.lattice.shape
        graph = self.graph if same and action is None else None
        return Ensemble(fields, action, self.log_weight, depth, self, (*self.history, step), graph)

    def __repr__(self) -> str:
        """Say what it holds."""
        weights = (
            "" if self.log_weight is None else f", effective sample size {self.effective_sample_size:.0f}"
        )
        return (
            f"Ensemble({'x'.join(map(str, self.lattice.shape))}, {self.chains} chains of {self.draws} draws, "
            f"action={self.action!r}, depth={self.depth}{weights})"
        )


def _as_slice(name: str, chosen: Any, count: int) -> slice:
    """A choice along an axis as a slice, so that the axis stays."""
    if chosen is None or isinstance(chosen, slice):
        return slice(None) if chosen is None else chosen
    number = whole(name, chosen)
    if not -count <= number < count:
        raise InputError(
            f"{name}={number} is out of range: there are {count}, counted from 0, or from -1 backwards"
        )
    return slice(number % count, number % count + 1)


def as_fields(ensemble: "Ensemble | np.ndarray") -> np.ndarray:
    """Flat configurations (n, *lattice) of an ensemble, or of an array that already is one."""
    if isinstance(ensemble, Ensemble):
        return np.asarray(ensemble.fields).reshape(-1, *ensemble.lattice.shape)
    return np.asarray(jnp.asarray(ensemble))


def _along_draws(fields: Any, sites: int) -> Iterator[tuple[int, int, Num[np.ndarray, "chain n ..."]]]:
    step = max(1, sites // (fields.shape[0] * math.prod(fields.shape[2:])))
    for begin in range(0, fields.shape[1], step):
        stop = min(begin + step, fields.shape[1])
        yield begin, stop, np.asarray(fields[:, begin:stop])
