"""Response of means to couplings: conjugate operators dS/dg of every configuration, and covariances with
them.
"""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Inexact

from kadanoff.actions.base import couplings, with_array_leaves
from kadanoff.ensemble import Ensemble
from kadanoff.errors import InputError
from kadanoff.observables import Observable, evaluate, in_batches, observable
from kadanoff.statistics import Estimate, derived, normalised_weights
from kadanoff.summation import compensated_pair

__all__ = ["conjugate_series", "derivative", "simulated_action", "with_coupling"]


def simulated_action(ensemble: Ensemble) -> Any:
    """Give the action that the simulated ancestor follows; `InputError` when it is not known."""
    action = ensemble.simulated.action
    if action is None:
        raise InputError(
            "the ensemble has no simulated ancestor with an action, so nothing says which weights its "
            "configurations have; attach it with `ensemble.with_action(action)`"
        )
    return action


def conjugate_series(
    ensemble: Ensemble, names: Sequence[str | Observable] | None = None
) -> dict[Any, Inexact[np.ndarray, "chain draw"]]:
    """Give dS/dg, summed over the sites, for every configuration of the simulated ancestor of an ensemble.

    One series (chain, draw) in double precision for every scalar coupling g of the simulated action, or for
    those in `names`; for phi^4, dS/dmass2 = 1/2 sum phi^2. The terms come by forward differentiation of the
    density and are summed without loss. Computed once and kept with the ancestor. An observable O among `names`
    stands for an external coupling Y to it, S - V Y O at Y = 0: its series is -V O, and no action is needed.

    Raises `InputError` for an ensemble without an action, for names that are no scalar couplings of it, and for
    observables that are no mean of one series.

    >>> import kadanoff as kd, numpy as np
    >>> ensemble = kd.Ensemble(np.ones((1, 2, 4, 4), dtype=np.float32), kd.Phi4(-0.9515, 0.7))
    >>> {name: float(series[0, 0]) for name, series in conjugate_series(ensemble).items()}
    {'mass2': 8.0, 'quartic': 4.0, 'kappa': 0.0}
    """
    root = ensemble.simulated
    external = [name for name in names or () if isinstance(name, Observable)]
    found: dict[Any, np.ndarray] = {entry: _external(root, entry) for entry in external}
    if names is None or len(external) < len(names):
        inside = None if names is None else [name for name in names if isinstance(name, str)]
        found |= _of_action(root, inside)
    return found


def _external(root: Ensemble, entry: Observable) -> np.ndarray:
    """-V O of every configuration, for an observable that is a multiple of one mean."""
    one, two = (
        np.asarray(entry.function(np.full(len(entry.primaries), x), root.lattice)) for x in (1.0, 2.0)
    )
    if len(entry.primaries) != 1 or not np.isclose(two, 2 * one):
        raise InputError(
            f"{entry.name} is no mean of one number a configuration, so nothing couples to it; choose another"
        )
    return -root.lattice.volume * one * root.primaries(entry)[0]


def _of_action(root: Ensemble, names: Sequence[str] | None) -> dict[str, np.ndarray]:
    action = with_array_leaves(simulated_action(root))
    scalars = [name for name, value in couplings(action).items() if not isinstance(value, list)]
    wanted = tuple(scalars if names is None else names)
    for name in wanted:
        _require(name, scalars, action)
    missing = tuple(name for name in wanted if ("conjugate", name) not in root._series)
    if missing:
        found = root.map_blocks(
            lambda fields: dict(
                zip(
                    missing,
                    in_batches(fields, lambda chunk: _conjugates(chunk, action, missing)),
                    strict=True,
                )
            )
        )
        root._series.update({("conjugate", name): values for name, values in found.items()})
    return {name: root._series["conjugate", name] for name in wanted}


def with_coupling(action: Any, name: str, value: float) -> Any:
    """Give the action with one scalar coupling set to another value, checked as if it were made anew.

    >>> import kadanoff as kd
    >>> with_coupling(kd.Phi4(-0.9515, 0.7), "mass2", -0.95)
    Phi4(mass2=-0.95, quartic=0.7, kappa=1.0)
    """
    scalars = [key for key, old in couplings(action).items() if not isinstance(old, list)]
    _require(name, scalars, action)
    old = getattr(action, name)
    new = jnp.asarray(value, old.dtype) if eqx.is_array(old) else float(value)
    changed = eqx.tree_at(lambda a: getattr(a, name), action, new)
    check = getattr(changed, "__check_init__", None)
    if check is not None:
        check()
    return changed


def derivative(ensemble: Ensemble, name: str | Observable, coupling: str | Observable = "mass2") -> Estimate:
    """Response of an observable to a coupling of the simulated action, d<O>/dg = -Cov(O, dS/dg), with its
    error.

    The covariance is over configurations, weighted by the ensemble's log-weights, between the observable on
    these fields and the conjugate operator on their simulated ancestors: for blocked or grown fields it is
    the response to the coupling that was simulated. An observable that is a function f of several means
    responds with sum_k df/dmean_k d mean_k/dg. An observable as `coupling` stands for an external one, as in
    `conjugate_series`: d<O>/dY at Y = 0.

    Raises `InputError` for an unknown coupling, and for observables that contain the action, hence the
    coupling.

    >>> import kadanoff as kd
    >>> ensemble = kd.sample(kd.Phi4(0.5, 0.5), kd.Lattice((4, 4)), chains=32, draws=32, seed=0)
    >>> derivative(ensemble, "phi2").value < 0
    True
    """
    entry = observable(name)
    if entry.needs_action:
        raise InputError(
            f"{entry.name} contains the action, so its response is more than a covariance; choose another"
        )
    primaries = ensemble.primaries(entry)
    operator = conjugate_series(ensemble, (coupling,))[coupling]
    weights = _weights(ensemble)
    operator = operator - np.sum(weights * operator)
    response = -np.sum(weights * primaries * operator, axis=(1, 2))
    size = np.abs(np.sum(weights * primaries, axis=(1, 2))) + primaries.std(axis=(1, 2))
    largest = np.max(np.abs(response) / np.where(size > 0, size, 1))
    # A thousandth of the means: five points are then exact to ten digits, for curved f too.
    step = 1e-3 / largest if largest > 0 else 1.0
    function, count = evaluate(entry, ensemble.lattice), len(primaries)

    def slope(means: np.ndarray) -> Any:
        value, product, conjugate = means[:count], means[count:-1], means[-1]
        direction = -step * (product - value * conjugate)
        near = function(value + direction) - function(value - direction)
        far = function(value + 2 * direction) - function(value - 2 * direction)
        return (8 * near - far) / (12 * step)

    stacked = np.concatenate([primaries, primaries * operator, operator[None]])
    return derived(slope, stacked, ensemble.log_weight)


@eqx.filter_jit
def _conjugates(fields: Array, action: Any, names: tuple[str, ...]) -> list[tuple[Array, Array]]:
    def one(field: Array) -> list[tuple[Array, Array]]:
        return [compensated_pair(_terms(action, name, field)) for name in names]

    return jax.vmap(one)(fields)


def _terms(action: Any, name: str, field: Array) -> Array:
    """Per-site terms of dS/dg for one scalar coupling."""

    def density(value: Array) -> Array:
        return eqx.tree_at(lambda a: getattr(a, name), action, value).density(field)

    coupling = getattr(action, name)
    return jax.jvp(density, (coupling,), (jnp.ones_like(coupling),))[1]


def _require(name: str, scalars: Sequence[str], action: Any) -> None:
    if name not in scalars or not hasattr(action, name):
        raise InputError(
            f"{type(action).__name__} has no scalar coupling {name!r}; "
            f"choose from {', '.join(scalars) or 'none'}"
        )


def _weights(ensemble: Ensemble) -> np.ndarray:
    if ensemble.log_weight is None:
        return np.full((ensemble.chains, ensemble.draws), 1 / (ensemble.chains * ensemble.draws))
    return normalised_weights(ensemble.log_weight)
