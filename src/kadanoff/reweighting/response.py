"""Response of means to couplings: conjugate operators dS/dg of every configuration, and covariances with
them.
"""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Inexact, Num

from kadanoff.actions.base import conjugate, couplings, with_array_leaves
from kadanoff.actions.coupling import coupling_of, with_couplings
from kadanoff.arguments import require_ensembles
from kadanoff.ensemble import Ensemble
from kadanoff.errors import InputError
from kadanoff.measuring import in_batches
from kadanoff.observables import Observable, evaluate, observable
from kadanoff.statistics import Estimate, derived, normalised_weights
from kadanoff.summation import compensated_pair

__all__ = [
    "RELAXED",
    "conjugate_series",
    "derivative",
    "require_response",
    "simulated_action",
    "with_coupling",
]

#: How a step of the history of an ensemble ends that relaxed its fields by an action.
RELAXED = "relaxed at a fixed coupling"

_BINS = 64  # runs of draws into which a chain is summed for array couplings, at most


def simulated_action(ensemble: Ensemble) -> Any:
    """Give the action that the simulated ancestor follows; `InputError` when it is not known."""
    action = ensemble.simulated.action
    if action is None:
        raise InputError(
            "the ensemble has no simulated ancestor with an action, so nothing says which weights its "
            "configurations have; attach it with `ensemble.with_action(action)`"
        )
    return action


def require_response(ensemble: Ensemble) -> None:
    """`InputError` for fields that were relaxed since they were simulated, or made from such.

    Relaxation draws them towards an action of fixed couplings: they forget those that were simulated, and weights of
    the simulated configurations no longer tell what they would be elsewhere.
    """
    if any(step.endswith(RELAXED) for step in ensemble.history):
        raise InputError(
            f"the fields were {RELAXED}, which erases their response to the simulated one: simulate and grow anew at "
            "the coupling that is wanted, or grow by the pure map (relax=None)"
        )


def conjugate_series(
    ensemble: Ensemble, names: Sequence[str | Observable] | None = None
) -> dict[Any, Inexact[np.ndarray, "chain draw *coupling"]]:
    """Give dS/dg, summed over the sites, for every configuration of the simulated ancestor of an ensemble.

    One series (chain, draw) in double precision for every scalar coupling g of the simulated action, or for
    those in `names`; for phi^4, dS/dmass2 = 1/2 sum phi^2. The terms come by forward differentiation of the
    density and are summed without loss. Computed once and kept with the ancestor. An observable O among `names`
    stands for an external coupling Y to it, S - V Y O at Y = 0: its series is -V O, and no action is needed.

    The name of an array of couplings gives (chain, draw, *coupling), one number a coupling, by reverse
    differentiation in the precision of the fields, and is not kept; `derivative` never holds it all.

    Raises `InputError` for an ensemble without an action, for names that are no couplings of it, for observables that
    are no mean of one series, and for fields relaxed at a fixed coupling, which respond no more.

    >>> import kadanoff as kd, numpy as np
    >>> ensemble = kd.Ensemble(np.ones((1, 2, 4, 4), dtype=np.float32), kd.Phi4(-0.9515, 0.7))
    >>> {name: float(series[0, 0]) for name, series in conjugate_series(ensemble).items()}
    {'mass2': 8.0, 'quartic': 4.0, 'kappa': 0.0}
    """
    require_ensembles(ensemble)
    require_response(ensemble)
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
    known = couplings(action)
    scalars = [name for name, value in known.items() if not isinstance(value, list)]
    asked = tuple(scalars if names is None else names)
    for name in asked:
        _require(name, list(known), action, "coupling")
    arrays = [name for name in asked if name not in scalars]
    of_arrays = {
        name: root.map_blocks(lambda fields, name=name: {name: _array_conjugates(fields, action, name)})[name]
        for name in arrays
    }
    wanted = tuple(name for name in asked if name in scalars)
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
    return of_arrays | {name: root._series["conjugate", name] for name in wanted}


def with_coupling(action: Any, name: str, value: float) -> Any:
    """Give the action with one scalar coupling set to another value, checked as if it were made anew.

    >>> import kadanoff as kd
    >>> with_coupling(kd.Phi4(-0.9515, 0.7), "mass2", -0.95)
    Phi4(mass2=-0.95, quartic=0.7, kappa=1.0)
    """
    scalars = [key for key, old in couplings(action).items() if not isinstance(old, list)]
    _require(name, scalars, action, "scalar coupling")
    old = coupling_of(action, name)
    new = jnp.asarray(value, old.dtype) if eqx.is_array(old) else float(value)
    changed = with_couplings(action, {name: new})
    check = getattr(changed, "__check_init__", None)
    if check is not None:
        check()
    return changed


def derivative(ensemble: Ensemble, name: str | Observable, coupling: str | Observable = "mass2") -> Any:
    """Response of an observable to a coupling of the simulated action, d<O>/dg = -Cov(O, dS/dg), with its
    error.

    The covariance is over configurations, weighted by the ensemble's log-weights, between the observable on
    these fields and the conjugate operator on their simulated ancestors: for blocked or grown fields it is
    the response to the coupling that was simulated. An observable that is a function f of several means
    responds with sum_k df/dmean_k d mean_k/dg. An observable as `coupling` stands for an external one, as in
    `conjugate_series`: d<O>/dY at Y = 0.

    Gives an `Estimate`; for an array of couplings an array of them, of its shape, in one pass over the fields.

    Raises `InputError` for an unknown coupling, for observables that contain the action, hence the coupling, and for
    levels of a growth that were relaxed, which erases the response.

    >>> import kadanoff as kd
    >>> ensemble = kd.sample(kd.Phi4(0.5, 0.5), kd.Lattice((4, 4)), chains=32, draws=32, seed=0)
    >>> derivative(ensemble, "phi2").value < 0
    True
    """
    require_ensembles(ensemble)
    entry = observable(name)
    if entry.needs_action:
        raise InputError(
            f"{entry.name} contains the action, so its response is more than a covariance; choose another"
        )
    primaries = ensemble.primaries(entry)
    if not isinstance(coupling, str | Observable):
        raise InputError(
            f"a coupling is told by its name, or as an observable it couples to, got {coupling!r}"
        )
    if isinstance(coupling, str) and _is_array(ensemble.simulated.action, coupling):
        return _derivatives(ensemble, entry, primaries, coupling)
    operator = conjugate_series(ensemble, (coupling,))[coupling]
    operator = operator - np.sum(_weights(ensemble) * operator)
    stacked = np.concatenate([primaries, primaries * operator, operator[None]])
    return _response(ensemble, entry, stacked, ensemble.log_weight)


def _response(ensemble: Ensemble, entry: Observable, stacked: np.ndarray, log_weight: Any) -> Estimate:
    """The slope of an observable from its primaries O_k, all O_k D, and D = dS/dg, stacked (2 k + 1, chain, draw)."""
    function, count = evaluate(entry, ensemble.lattice), len(stacked) // 2
    weights = _normalised(log_weight, stacked.shape[1:])
    means, primaries = np.sum(weights * stacked, axis=(1, 2)), stacked[:count]
    response = means[:count] * means[-1] - means[count:-1]
    size = np.abs(means[:count]) + primaries.std(axis=(1, 2))
    largest = np.max(np.abs(response) / np.where(size > 0, size, 1))
    # A thousandth of the means: five points are then exact to ten digits, for curved f too.
    step = 1e-3 / largest if largest > 0 else 1.0

    def slope(means: np.ndarray) -> Any:
        value, product, operator = means[:count], means[count:-1], means[-1]
        direction = -step * (product - value * operator)
        near = function(value + direction) - function(value - direction)
        far = function(value + 2 * direction) - function(value - 2 * direction)
        return (8 * near - far) / (12 * step)

    return derived(slope, stacked, log_weight)


def _derivatives(ensemble: Ensemble, entry: Observable, primaries: np.ndarray, coupling: str) -> np.ndarray:
    """Responses to every element of an array of couplings.

    Each chain is summed in runs of draws: the weighted means of a run, with its weight, are one draw of the rest.
    """
    root = ensemble.simulated
    action = with_array_leaves(simulated_action(root))
    weights = _weights(ensemble)
    shape = np.shape(coupling_of(action, coupling))
    bins = min(_BINS, ensemble.draws)
    place = np.arange(ensemble.draws) * bins // ensemble.draws
    # Every run holds 1, all O_k, all O_k D and D, where D is counted from the first configuration on.
    factors = np.concatenate([np.ones((1, *weights.shape)), primaries])
    plain = np.zeros((len(factors), ensemble.chains, bins), weights.dtype)
    mixed = np.zeros((*plain.shape, int(np.prod(shape))), weights.dtype)
    origin: Any = None
    for begin, stop, fields in root.blocks():
        operators = _array_conjugates(fields.reshape(-1, *root.lattice.shape), action, coupling)
        operators = operators.reshape(ensemble.chains, stop - begin, -1)
        origin = operators[0, 0] if origin is None else origin
        parts = weights[:, begin:stop] * factors[:, :, begin:stop]
        for run in np.unique(place[begin:stop]):
            here = place[begin:stop] == run
            plain[:, :, run] += parts[:, :, here].sum(axis=2)
            mixed[:, :, run] += np.einsum("kcd,cdp->kcp", parts[:, :, here], operators[:, here] - origin)
    with np.errstate(divide="ignore", invalid="ignore"):
        even = ensemble.log_weight is None and ensemble.draws % bins == 0
        log_weight = None if even else np.log(plain[0])
        means = np.where(plain[:1] == 0, 0, plain / plain[:1])
        products = np.where(plain[:1, ..., None] == 0, 0, mixed / plain[:1, ..., None])
    found = np.empty(mixed.shape[-1], dtype=object)
    for index in range(len(found)):
        stacked = np.concatenate([means[1:], products[1:, ..., index], products[:1, ..., index]])
        found[index] = _response(ensemble, entry, stacked, log_weight)
    return found.reshape(shape)


@eqx.filter_jit
def _conjugates(fields: Array, action: Any, names: tuple[str, ...]) -> list[tuple[Array, Array]]:
    def one(field: Array) -> list[tuple[Array, Array]]:
        return [compensated_pair(_terms(action, name, field)) for name in names]

    return jax.vmap(one)(fields)


def _terms(action: Any, name: str, field: Array) -> Array:
    """Per-site terms of dS/dg for one scalar coupling."""

    def density(value: Array) -> Array:
        return with_couplings(action, {name: value}).density(field)

    coupling = coupling_of(action, name)
    return jax.jvp(density, (coupling,), (jnp.ones_like(coupling),))[1]


@eqx.filter_jit
def _reverse(fields: Array, action: Any, name: str) -> list[tuple[Array, Array]]:
    found = jax.vmap(lambda field: coupling_of(conjugate(action, field), name))(fields)
    return [(found, jnp.zeros_like(found))]


def _array_conjugates(
    fields: Num[np.ndarray, "config ..."], action: Any, name: str
) -> Inexact[np.ndarray, "config *coupling"]:
    """dS/dg of every configuration for an array of couplings."""
    return in_batches(fields, lambda chunk: _reverse(chunk, action, name))[0]


def _is_array(action: Any, name: str) -> bool:
    return action is not None and isinstance(couplings(action).get(name), list)


def _require(name: str, known: Sequence[str], action: Any, kind: str) -> None:
    if name not in known:
        raise InputError(
            f"{type(action).__name__} has no {kind} {name!r}; choose from {', '.join(known) or 'none'}"
        )


def _weights(ensemble: Ensemble) -> np.ndarray:
    return _normalised(ensemble.log_weight, (ensemble.chains, ensemble.draws))


def _normalised(log_weight: Any, shape: tuple[int, ...]) -> np.ndarray:
    return np.full(shape, 1 / np.prod(shape)) if log_weight is None else normalised_weights(log_weight)
