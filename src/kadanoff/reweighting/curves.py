"""Observables against a coupling, by reweighting what was simulated: values, error bands, effective samples.

Source: A. M. Ferrenberg, R. H. Swendsen, PRL 61 (1988) 2635.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from kadanoff.actions.base import has_spins
from kadanoff.actions.coupling import coupling_of
from kadanoff.ensemble import Ensemble
from kadanoff.errors import InputError
from kadanoff.observables import Observable, evaluate, observable
from kadanoff.reweighting.response import conjugate_series, simulated_action, with_coupling
from kadanoff.reweighting.target import log_ratio
from kadanoff.statistics import bootstrap, effective_sample_size

__all__ = [
    "Curve",
    "bootstrapped_curve",
    "curve_observable",
    "log_weights_along",
    "reweighted_curve",
    "simulated_at",
]


@dataclass(frozen=True)
class Curve:
    """An observable against a coupling, by reweighting.

    - `couplings`: (point,) values of the coupling.
    - `values`, `errors`: (point,) the observable and its standard error.
    - `effective`: (point,) effective fraction of the configurations, of which there are `configurations`.
    - `samples`: (resample, point) bootstrap curves; one resample takes the same configurations at every
      point.
    """

    couplings: Float[np.ndarray, " point"]
    values: Float[np.ndarray, " point"]
    errors: Float[np.ndarray, " point"]
    effective: Float[np.ndarray, " point"]
    samples: Float[np.ndarray, "resample point"]
    configurations: int

    @property
    def least_effective(self) -> float:
        """Effective number of configurations where it is least."""
        return float(self.effective.min()) * self.configurations


def reweighted_curve(
    ensemble: Ensemble,
    name: str | Observable,
    grid: Float[np.ndarray, " point"],
    coupling: str | Observable = "mass2",
    *,
    samples: int = 400,
    seed: int = 0,
) -> Curve:
    """Evaluate an observable against a coupling, one of the simulated action or an observable's external one.

    Errors are a bootstrap over the simulated configurations. Every point is trusted to the caller: look at
    `effective`. Raises `InputError` for an unknown coupling and for observables that contain the action.

    >>> import kadanoff as kd
    >>> ensemble = kd.sample(kd.Ising(0.4), kd.Lattice((8, 8)), chains=32, draws=16, seed=0)
    >>> curve = reweighted_curve(ensemble, "energy", np.linspace(0.39, 0.41, 3), "beta", samples=50)
    >>> bool(np.all(np.diff(curve.values) < 0)), curve.least_effective > 100
    (True, True)
    """
    grid = np.asarray(grid, dtype=np.float64)
    if grid.ndim != 1 or not grid.size or not np.isfinite(grid).all():
        raise InputError(f"a curve needs finite values of the coupling, one or more, got {grid.tolist()}")
    weights = log_weights_along(ensemble, coupling, grid)
    effective = np.array([effective_sample_size(w) for w in weights]) / weights[0].size
    return bootstrapped_curve(ensemble, name, grid, weights, effective, samples, (seed,))


def bootstrapped_curve(
    ensemble: Ensemble,
    name: str | Observable,
    grid: np.ndarray,
    log_weights: np.ndarray,
    effective: np.ndarray,
    samples: int,
    seed: tuple[int, ...],
) -> Curve:
    """Bootstrap the whole curve at once, from the weighted sums that all its points are ratios of."""
    weights = np.exp(log_weights - log_weights.max(axis=(1, 2), keepdims=True))
    entry = curve_observable(name)
    primaries = ensemble.primaries(entry)
    width, function = len(primaries) + 1, evaluate(entry, ensemble.lattice)
    stacked = np.concatenate([weights[:, None], weights[:, None] * primaries], axis=1)

    def values(means: np.ndarray) -> np.ndarray:
        rows = means.reshape(len(grid), width)
        return np.array([function(row[1:] / row[0]) for row in rows])

    result = bootstrap(values, stacked.reshape(-1, *stacked.shape[2:]), np.array(seed), samples)
    count = ensemble.chains * ensemble.draws
    return Curve(grid, result.values, result.errors, effective, result.samples, count)


def curve_observable(name: str | Observable) -> Observable:
    """Look up an observable of which weights alone make a curve; `InputError` for one that contains the action."""
    entry = observable(name)
    if entry.needs_action:
        raise InputError(
            f"{entry.name} contains the action, hence the coupling that varies: it has no curve by weights alone"
        )
    return entry


def simulated_at(ensemble: Ensemble, coupling: str | Observable) -> float:
    """The value of the coupling that was simulated: 0 of an external one, NaN where the action has none."""
    if isinstance(coupling, Observable):
        return 0.0
    found = coupling_of(simulated_action(ensemble), coupling)
    return np.nan if found is None else float(found)


def log_weights_along(ensemble: Ensemble, coupling: str | Observable, grid: np.ndarray) -> np.ndarray:
    """Log-weights at every value of the coupling, (point, chain, draw), those of the ensemble included.

    `coupling` names one of the simulated action, or is an observable O with an external coupling to it, as in
    `conjugate_series`. Raises `InputError` for an unknown coupling and for complex weights.
    """
    if isinstance(coupling, Observable) or _is_linear(ensemble, coupling, grid):
        # One conjugate operator then serves every point: A - S = (g - g0) dS/dg.
        shift = grid - simulated_at(ensemble, coupling)
        weights = -shift[:, None, None] * conjugate_series(ensemble, (coupling,))[coupling]
    else:
        action = simulated_action(ensemble)
        weights = np.stack([log_ratio(ensemble, with_coupling(action, coupling, float(v))) for v in grid])
    if ensemble.log_weight is not None:
        weights = weights + ensemble.log_weight
    if np.iscomplexobj(weights):
        raise InputError("a curve needs real weights; start from ensembles without complex ones")
    return weights


def _is_linear(ensemble: Ensemble, coupling: str, grid: np.ndarray) -> bool:
    """Whether S is linear in the coupling: dS/dg of a few fields is the same throughout the range."""
    reach = [*grid, simulated_at(ensemble, coupling)]
    low, high = float(np.nanmin(reach)), float(np.nanmax(reach))
    targets = [
        with_coupling(simulated_action(ensemble), coupling, value) for value in (low, (low + high) / 2, high)
    ]
    shape = ensemble.simulated.lattice.shape  # couplings of sites and edges fit no other
    probes = np.random.default_rng(0).normal(size=(1, 2, *shape)).astype(np.float32)
    few = Ensemble(np.sign(probes) if has_spins(targets[0]) else probes)
    first, *others = (conjugate_series(few.with_action(each), (coupling,))[coupling] for each in targets)
    return all(np.allclose(first, each, rtol=1e-6, atol=0) for each in others)
