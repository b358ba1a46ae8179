"""Learning from data, KL(q||p): one call for every method."""

import difflib
import time
import warnings
from collections.abc import Sequence
from dataclasses import fields as fields_of
from os import PathLike
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from kadanoff.action_records import action_program
from kadanoff.actions.base import has_spins
from kadanoff.ensemble import Ensemble
from kadanoff.errors import InputError, KadanoffWarning
from kadanoff.learning.data.conditionals import (
    NODES,
    across,
    has_conditionals,
    is_resolved,
    log_conditionals,
    require_normalisable,
    unresolved,
    window,
)
from kadanoff.learning.data.contrastive_divergence import ContrastiveDivergence
from kadanoff.learning.data.likelihood import Likelihood
from kadanoff.learning.data.parameters import Parameters
from kadanoff.learning.data.pseudo_likelihood import PseudoLikelihood
from kadanoff.learning.data.result import DataFit
from kadanoff.learning.data.samples import Samples
from kadanoff.learning.data.score_matching import ScoreMatching, score
from kadanoff.learning.data.solution import Method, Solution
from kadanoff.sampling.run import Progress
from kadanoff.statistics import Estimate
from kadanoff.store.checkpoint import Checkpoint
from kadanoff.whole import whole

__all__ = ["METHODS", "fit_data"]

#: Ways to learn from data, by name.
METHODS: dict[str, type[Method]] = {
    "likelihood": Likelihood,
    "contrastive divergence": ContrastiveDivergence,
    "pseudo-likelihood": PseudoLikelihood,
    "score matching": ScoreMatching,
}
_FAR = 0.1  # nats a field, beyond which a last step to first order misses
_SCORE_SITES = 1 << 14  # whose conditionals or Laplacians are made at once


def fit_data(
    model: Any,
    data: "Ensemble | ArrayLike",
    method: str | Method = "likelihood",
    *,
    train: Sequence[str] | None = None,
    held_out: float = 0.1,
    seed: int = 0,
    progress: Progress | None = None,
    checkpoint: Checkpoint | str | PathLike[str] | None = None,
    **options: Any,
) -> DataFit:
    """Learn the couplings of an action from fields: minimise KL(q||p), or a divergence that is easier to minimise.

    **Arguments:**

    - `model`: the action to start from, `InhomogeneousPhi4` on any graph, an action of a lattice, or a user's.
    - `data`: an `Ensemble`, whose chains, autocorrelation and weights are respected, or an array (n, *shape) of
        independent fields.
    - `method`: "likelihood", "contrastive divergence", "pseudo-likelihood" or "score matching", or one of these
        made with options; hyphens stand for spaces; `options` go to the method that is named, see
        `kadanoff.learning.data`.
    - `train`: names of the couplings to learn; all real ones if left out.
    - `held_out`: share of the data kept for the score, not learnt from.
    - `checkpoint`: where the state is kept on the way, or the path of a folder for it: the same call with the same one
        goes on after a kill, and another call is refused (`StoreError`).

    Raises `InputError` for data that cannot be used (see `Samples.of`), unknown methods, options and couplings, and
    for what a method refuses. Warns where a method has not converged, and where the fitted couplings are beyond what
    the action accepts, or let the known potential of a site fall without bound.

    >>> import kadanoff as kd
    >>> data = np.random.default_rng(0).normal(size=(2000, 4, 4))  # S = sum phi^2/2
    >>> fit = fit_data(kd.Phi4(2.0, 0.0), data, "score matching", train=("mass2", "kappa"))
    >>> bool(np.all(np.abs(fit.pulls(kd.Phi4(1.0, 0.0, 0.0))) < 4))
    True
    """
    begun = time.perf_counter()
    seed = whole("seed", seed, least=0)
    name, chosen = _chosen(method, options)
    parameters = Parameters(model, train)
    samples, rest = Samples.of(data, parameters.action).split(held_out)
    samples.require_fluctuations()
    report: Progress = progress or (lambda done, total, message: None)
    program = action_program(parameters.action, samples.fields.shape[1:])
    call = {"model": parameters, "program": program, "data": samples, "method": chosen, "seed": seed}
    state = Checkpoint.of_call(checkpoint, call)
    solution = chosen.solve(parameters, samples, seed, report, state)
    if not np.all(np.isfinite(solution.vector)):
        raise InputError(f"{name} found no finite couplings: start nearer to the data, or give more fields")
    _warn_unless_settled(name, solution, len(samples.fields))
    covariance = None
    if solution.influence is not None:
        covariance = samples.resampled(solution.influence).covariance
        covariance = covariance if solution.noise is None else covariance + solution.noise
    fitted = parameters.at(solution.vector)
    usable = _usable(fitted, samples.fields)
    kind = _score_name(fitted)
    return DataFit(
        model=fitted,
        method=name,
        parameters=parameters,
        values=solution.vector,
        covariance=covariance,
        history=tuple(solution.history),
        held_out=_held_out(fitted, samples, rest) if rest is not None and usable else None,
        score=kind,
        fields=len(samples.fields),
        seed=seed,
        seconds=state.earlier + time.perf_counter() - begun,
    )


def _chosen(method: str | Method, options: dict[str, Any]) -> tuple[str, Method]:
    if not isinstance(method, str):
        if not isinstance(method, Method):
            raise InputError(f"{method!r} is no method; choose from {', '.join(METHODS)}")
        if options:
            raise InputError(
                f"{type(method).__name__} has its options already: leave {', '.join(options)} out"
            )
        names = [name for name, cls in METHODS.items() if isinstance(method, cls)]
        return (names or [type(method).__name__])[0], method
    by_name = {_plain(name): name for name in METHODS}
    method = by_name.get(_plain(method), method)
    if method not in METHODS:
        near = difflib.get_close_matches(method, METHODS, 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise InputError(f"unknown method {method!r}; {hint}choose from {', '.join(METHODS)}")
    known = [entry.name for entry in fields_of(METHODS[method])]  # pyright: ignore[reportArgumentType]
    unknown = [option for option in options if option not in known]
    if unknown:
        raise InputError(f"{method} has no option {unknown[0]!r}; it has: {', '.join(known) or 'none'}")
    return method, METHODS[method](**options)


def _plain(name: str) -> str:
    """The name of a method with hyphens for spaces, as command lines have it."""
    return name.replace(" ", "-")


def _usable(fitted: Any, fields: np.ndarray) -> bool:
    """Whether the action's own checks accept the fitted couplings, and sites have a density; warns where not."""
    check = getattr(fitted, "__check_init__", None)
    try:
        if check is not None:
            check()
        require_normalisable(fitted, fields.ndim - 1, window(fields))
        return True
    except InputError as error:
        warnings.warn(
            f"the fitted couplings are the solution, but no action to sample: {error}",
            KadanoffWarning,
            stacklevel=3,
        )
        return False


def _warn_unless_settled(name: str, solution: Solution, count: int) -> None:
    """Warn where the equations were so far from solved that one step to first order does not end at the solution."""
    nats = solution.history[-1][1] / count / 2 if solution.history else 0.0
    if nats > _FAR:
        warnings.warn(
            f"{name} has not converged: at the end the model was {nats:.2g} nats a field from the data, so that "
            "couplings and errors are rough; take more steps, or start nearer to the data",
            KadanoffWarning,
            stacklevel=3,
        )


def _score_name(action: Any) -> str:
    if has_conditionals(action):
        return "log pseudo-likelihood per site"
    return "log-probability unknown" if has_spins(action) else "-(Hyvarinen score) per site"


def _held_out(action: Any, samples: Samples, rest: Samples) -> Estimate | None:
    """Mean score of the fields held out, per site."""
    known = has_conditionals(action)
    if not known and has_spins(action):
        return None
    inside = window(samples.fields, rest.fields)
    count = next((n for n in NODES if not known or is_resolved(action, rest.fields, inside, n)), None)
    if count is None:
        warnings.warn(f"there is no score: {unresolved(action)}", KadanoffWarning, stacklevel=3)
        return None
    nodes = across(inside, count)
    volume = rest.fields[0].size
    rows = max(1, _SCORE_SITES // (volume if known else volume**2))
    parts = [
        np.asarray(_scores(action, jnp.asarray(rest.fields[i : i + rows]), nodes, known), np.float64)
        for i in range(0, len(rest.fields), rows)
    ]
    found = rest.resampled(np.concatenate(parts)[:, None] / volume)
    return Estimate(found.values[0], found.errors[0])


@eqx.filter_jit
def _scores(action: Any, fields: Any, nodes: Any, known: bool) -> Any:
    if known:
        return jax.vmap(lambda field: jnp.sum(log_conditionals(action, field, nodes)))(fields)
    return jax.vmap(lambda field: -score(action, field))(fields)
