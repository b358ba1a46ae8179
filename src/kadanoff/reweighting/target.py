"""Reweighting: one sample answers for another action, as far as the two distributions overlap.

Source: A. M. Ferrenberg, R. H. Swendsen, PRL 61 (1988) 2635.
"""

import warnings
from dataclasses import replace
from numbers import Real
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Inexact

from kadanoff.actions.base import as_action, difference, require_density
from kadanoff.arguments import require_ensembles
from kadanoff.ensemble import Ensemble
from kadanoff.errors import InputError, OverlapError, OverlapWarning
from kadanoff.measuring import in_batches
from kadanoff.observables import Observable, observable
from kadanoff.reweighting.response import conjugate_series, derivative, require_response, simulated_action
from kadanoff.sites import require_same_sites
from kadanoff.statistics import average_phase, effective_sample_size

__all__ = ["derivative", "log_ratio", "require_overlap", "reweight", "reweight_external"]

_FEWEST = 10  # effective configurations, below which no error bar can be believed
_SMALL = 0.05  # effective fraction of the configurations, below which the caller should know


def reweight(ensemble: Ensemble, target: Any) -> Ensemble:
    """Give the same configurations with the weights that make them a sample of another action.

    Every configuration gets the log-weight -(A - S) of its *simulated ancestor*, added to what it has: a
    blocked or grown ensemble becomes that of the target's blocked or grown fields. The difference is formed
    at every site and then summed without loss. The target may have a complex density (the estimates are
    complex then, and `average_phase` tells how much cancels), may be a bare function S(field), and may be
    another class of action. The result's ancestor has the target as its action, so that reweighting again
    starts there.

    Raises `InputError` for a target that is no action of such fields (spins where they are real, or the reverse), for
    levels of a growth that were relaxed at a fixed coupling, and `OverlapError` when fewer than about 10 effective
    configurations are left. Warns (`OverlapWarning`) below 5 % of the configurations, and when the average phase of
    complex weights is lost in its noise.

    >>> import kadanoff as kd
    >>> ensemble = kd.sample(kd.Phi4(-0.95, 0.7), kd.Lattice((8, 8)), chains=32, draws=16, seed=0)
    >>> nearby = reweight(ensemble, kd.Phi4(-0.93, 0.7))
    >>> 256 < nearby.effective_sample_size < 512
    True
    """
    require_ensembles(ensemble)
    target = as_action(target)
    require_density(target, ensemble.simulated.lattice.shape)
    shift = log_ratio(ensemble, target)
    result = _shifted(ensemble, shift, target, f"reweighted to {target!r}")
    require_overlap(result.log_weight, repr(target))
    return result


def reweight_external(ensemble: Ensemble, name: str | Observable, value: float) -> Ensemble:
    """Give the same configurations with the weights of S - V Y O: an external coupling Y to an observable O.

    Every configuration gets the log-weight V Y O of its simulated ancestor, added to what it has. No action is
    needed, so it works for fields of any origin; the result, which follows no action of a known density, has none.

    Raises `InputError` for a value that is no finite number and an observable that is no mean of one number a
    configuration, and `OverlapError` and `OverlapWarning` as `reweight`.

    >>> import kadanoff as kd
    >>> ensemble = kd.sample(kd.Ising(0.4), kd.Lattice((8, 8)), chains=32, draws=16, seed=0)
    >>> tilted = reweight_external(ensemble, "abs_magnetization", 0.01)
    >>> tilted.observe("abs_magnetization").value > ensemble.observe("abs_magnetization").value
    True

    Source: D. Bachtis, G. Aarts, B. Lucini, Phys. Rev. Research 3 (2021) 013134.
    """
    require_ensembles(ensemble)
    entry = observable(name)
    if not (isinstance(value, Real) and np.isfinite(float(value))):
        raise InputError(f"an external coupling is a finite number, got {value!r}")
    shift = -value * conjugate_series(ensemble, (entry,))[entry]
    result = _shifted(ensemble, shift, None, f"coupled to {entry.name} by {value:g}")
    require_overlap(result.log_weight, f"the external coupling {value:g}")
    return result


def log_ratio(ensemble: Ensemble, target: Any) -> Inexact[np.ndarray, "chain draw"]:
    """Give -(A - S) of every configuration's simulated ancestor, in double precision.

    Raises `InputError` for actions of other sites than were simulated, and for relaxed fields.
    """
    require_response(ensemble)
    simulated = simulated_action(ensemble)
    require_same_sites(simulated, target)
    series = ensemble.simulated.map_blocks(
        lambda fields: {
            "difference": in_batches(fields, lambda chunk: _difference(chunk, target, simulated))[0]
        }
    )
    return -series["difference"]


@eqx.filter_jit
def _difference(fields: Array, target: Any, simulated: Any) -> list[tuple[Array, Array]]:
    return [jax.vmap(lambda field: difference(target, simulated, field))(fields)]


def _shifted(ensemble: Ensemble, shift: np.ndarray, target: Any, step: str) -> Ensemble:
    """The ensemble with `shift` added to its log-weight and to those of all its ancestors."""
    weight = shift if ensemble.log_weight is None else ensemble.log_weight + shift
    if ensemble.parent is None:
        ensemble = ensemble.with_action(target)
        parent = None
    else:
        parent = _shifted(ensemble.parent, shift, target, step)
    return replace(ensemble, log_weight=weight, parent=parent, history=(*ensemble.history, step))


def require_overlap(log_weight: Any, target: str) -> None:
    """Refuse or warn where the weights leave too little of the sample."""
    count = log_weight.size
    effective = effective_sample_size(log_weight)
    mend = "move there in smaller steps, simulate closer to the target, or take more configurations"
    if effective < min(_FEWEST, count / 2):
        raise OverlapError(
            f"reweighting to {target} leaves {effective:.1f} effective configurations of {count}: the "
            f"distributions do not overlap in this sample; {mend}"
        )
    if effective < _SMALL * count:
        warnings.warn(
            f"reweighting leaves {effective:.0f} effective configurations of {count} "
            f"({effective / count:.1%}): rare ones decide the means, and errors may be too small; {mend}",
            OverlapWarning,
            stacklevel=3,
        )
    if not np.iscomplexobj(log_weight):
        return
    phase = average_phase(log_weight)
    if phase < 3 / np.sqrt(effective):
        warnings.warn(
            f"the average phase {phase:.2g} is lost in its noise ({1 / np.sqrt(effective):.2g}): the complex "
            "weights cancel; take a smaller lattice, a target closer to real, or more configurations",
            OverlapWarning,
            stacklevel=3,
        )
