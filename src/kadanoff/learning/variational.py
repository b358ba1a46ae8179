"""Variational learning: the couplings of p = exp(-S)/Z that minimise KL(p||q) to q = exp(-A)/Z_A.

F_A <= calF = <A - S>_p + F bounds the free energy of the target (Bogoliubov), and d calF/dg = -Cov(A - S, dS/dg) is
estimated from persistent chains that follow the model as it changes.

Source: D. Bachtis, G. Aarts, B. Lucini, PRD 103 (2021) 074510.
"""

import time
from collections.abc import Sequence
from numbers import Real
from os import PathLike
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, PRNGKeyArray
from scipy.stats import f as f_distribution

from kadanoff import random
from kadanoff.action_records import action_program
from kadanoff.actions.base import difference, has_spins
from kadanoff.errors import InputError
from kadanoff.lattice import Lattice
from kadanoff.learning.fit import VariationalFit
from kadanoff.learning.optimisers import optimiser as chosen_optimiser
from kadanoff.learning.optimisers import optimiser_program
from kadanoff.learning.targets import checked_target
from kadanoff.learning.trained import Trained
from kadanoff.products import matmul
from kadanoff.sampling.run import Progress, default_sampler
from kadanoff.sampling.state import ChainState, Sampler, require_sampler, start
from kadanoff.sites import require_real, space_of
from kadanoff.store.checkpoint import Checkpoint
from kadanoff.whole import whole

__all__ = ["bound_gradient", "fit_variational"]

_ROUND = 20  # epochs between two judgements
_WARM_UP = 100  # sweeps of the starting model before the first epoch
_SIGNIFICANCE = 0.05  # of the test that the mean gradient of a round is noise
_NUMBERS = (
    "bound",
    "bound_error",
    "variance",
    "gradient",
    "noise",
)  # recorded of every epoch, beside the vector


class _Epoch(eqx.Module):
    """What the configurations of one epoch say; `operators` are dS/dg less their mean, `terms` average to the
    gradient.
    """

    gradient: Float[Array, " P"]
    operators: Float[Array, "chain P"]
    terms: Float[Array, "chain P"]
    mean: Float[Array, ""]
    variance: Float[Array, ""]


def bound_gradient(
    model: Any,
    target: Any,
    fields: Float[Array, "config ..."],
    weights: Float[Array, " config"] | None = None,
    train: Sequence[str] | None = None,
) -> Float[Array, " P"]:
    """-Cov(A - S, dS/dg) over fields of p = exp(-S)/Z: the gradient of KL(p||q), and of the Bogoliubov bound.

    `weights` sum to one (equal ones if left out); with the nodes and weights of a quadrature the gradient is exact.
    The couplings, all or those in `train`, follow one another in the order of the action.

    >>> import jax.numpy as jnp, kadanoff as kd
    >>> fields = jnp.asarray([[[1.0, 0.0]], [[0.0, 0.0]]])  # two fields of a 1 x 2 array
    >>> model, target = kd.Phi4(1.0, 0.0, 0.0), kd.Phi4(2.0, 0.0, 0.0)
    >>> float(bound_gradient(model, target, fields, train=("mass2",))[0])  # -Var(phi^2)/4
    -0.0625
    """
    count = len(fields)
    equal = jnp.full(count, 1 / count, fields.dtype) if weights is None else weights
    return _estimate(Trained(model, train), target, fields, equal).gradient


def fit_variational(
    model: Any,
    target: Any,
    optimiser: Any = "natural",
    *,
    train: Sequence[str] | None = None,
    epochs: int = 1000,
    chains: int = 4096,
    sweeps: int = 5,
    tolerance: float = 1e-8,
    lattice: Lattice | None = None,
    sampler: Sampler | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    checkpoint: Checkpoint | str | PathLike[str] | None = None,
) -> VariationalFit:
    """Fit the couplings of a model to a target action by minimising KL(p||q), with samples of the model only.

    Every epoch sweeps all chains `sweeps` times, estimates the gradient from them, and takes one step of the
    `optimiser`: "descent" (rate 0.05), "adam" (0.005), "natural" (see `natural_gradient`), or an optax transformation.
    The target is an action or a bare function S(field); `train` names the couplings that are trained, all by default.
    Couplings that must stay positive (b_i) take a projected step: they fall by half at most.

    Stops by itself, and says why, when over a round of 20 epochs the mean gradient is lost in its noise (Hotelling's
    test on the chains, at 5 %, twice running), or when half the variance of A - S, which is KL(p||q) near the target,
    is below `tolerance` a site. Else it ends after `epochs` as not converged.

    With a `checkpoint`, or the path of a folder for one, the state is kept after a round, and the same call goes on
    from it after a kill, also with more epochs; another call is refused (`StoreError`).

    Raises `InputError` for unknown optimisers and couplings, numbers out of range, targets that are complex, not
    scalar or not finite (also when that shows during training), spins as the target of real fields or the reverse,
    fields of another shape, and steps that blow up.

    >>> import kadanoff as kd
    >>> graph = kd.Graph.complete(3)
    >>> target = kd.InhomogeneousPhi4(graph, w=0.2, a=1.0, b=0.5)
    >>> fit = fit_variational(kd.InhomogeneousPhi4.random(graph), target, chains=256, epochs=60)
    >>> fit.converged, bool(abs(fit.model.w - 0.2).max() < 0.01)
    (True, True)

    Source: D. Bachtis, G. Aarts, B. Lucini, PRD 103 (2021) 074510.
    """
    begun = time.perf_counter()
    epochs, sweeps = whole("epochs", epochs, least=1), whole("sweeps", sweeps, least=1)
    chains = whole("chains", chains, least=2)
    if not (isinstance(tolerance, Real) and 0 <= float(tolerance) < np.inf):
        raise InputError(f"tolerance is in nats a site, 0 or more, got {tolerance!r}; 0 never stops a fit")
    space = space_of(model, lattice)
    require_real(model, space.shape)
    rule, trained = chosen_optimiser(optimiser), Trained(model, train)
    vector = trained.vector()
    program = optimiser_program(optimiser, vector)
    sampler = default_sampler(model) if sampler is None else sampler
    require_sampler(sampler)
    fields = start(random.key(seed, 0), space, chains, "hot", has_spins(model))
    state = sampler.init(model, fields)
    state = _sweep(sampler, random.key(seed, 1), trained.action, state, _WARM_UP)
    target = checked_target(target, model, state.fields)
    call = {
        "model": trained,
        "target": target,
        "programs": [action_program(action, space.shape) for action in (trained.action, target)],
        "shape": space.shape,
        "optimiser": program,
        "sampler": sampler,
    }
    call |= {"chains": chains, "sweeps": sweeps, "tolerance": float(tolerance), "seed": whole("seed", seed)}
    checkpoint, reason = Checkpoint.of_call(checkpoint, call), ""
    history = {"vector": np.zeros((0, vector.size)), **{name: np.zeros(0) for name in _NUMBERS}}
    first, vector, memory, state, history, quiet = checkpoint.load(
        (0, vector, rule.init(vector), state, history, 0)
    )
    for done in range(first, epochs, _ROUND):
        count = min(_ROUND, epochs - done)
        key = random.key(seed, 2, done)
        vector, memory, state, record, terms = _round(
            trained, target, rule, sampler, key, vector, memory, state, count, sweeps
        )
        latest = {name: np.asarray(values, np.float64) for name, values in record.items()}
        _require_finite(latest, done)
        history = {name: np.concatenate([history[name], latest[name]]) for name in history}
        if progress is not None:
            progress(done + count, epochs, f"learning, <A - S> = {latest['bound'][-1]:.4g}")
        quiet = quiet + 1 if _is_noise(np.asarray(terms, np.float64)) else 0
        if latest["variance"][-1] / 2 < tolerance * space.volume:
            reason = f"KL(p||q) is below {tolerance:g} a site"
        elif quiet == 2:
            reason = "the gradient is lost in its noise"
        if reason:
            break
        checkpoint.save((done + count, vector, memory, state, history, quiet))
    if quiet:  # the last steps are noise about one place
        vector = jnp.asarray(history["vector"][-_ROUND:].mean(axis=0), vector.dtype)
    return VariationalFit(
        model=trained.with_vector(vector),
        target=target,
        optimiser=optimiser if isinstance(optimiser, str) else "an optimiser of your own",
        couplings={
            name: history["vector"][:, where].reshape(-1, *shape)
            for name, (where, shape) in trained.slices().items()
        },
        bound=history["bound"],
        bound_error=history["bound_error"],
        variance=history["variance"],
        gradient=history["gradient"],
        noise=history["noise"],
        converged=bool(reason),
        reason=reason or f"not converged after {len(history['bound'])} epochs",
        fields=np.asarray(state.fields),
        seconds=checkpoint.earlier + time.perf_counter() - begun,
    )


@eqx.filter_jit
def _estimate(trained: Trained, target: Any, fields: Array, weights: Array) -> _Epoch:
    model, vector = trained.action, trained.vector()

    def of_field(field: Array) -> tuple[Array, Array]:
        high, low = difference(target, model, field)
        operators = jax.grad(lambda g: jnp.sum(trained.with_vector(g).density(field)))(vector)
        return high + low, operators

    gap, operators = jax.vmap(of_field)(fields)
    mean = jnp.sum(weights * gap)
    gap, operators = gap - mean, operators - matmul(weights, operators)
    terms = -gap[:, None] * operators
    return _Epoch(matmul(weights, terms), operators, terms, mean, jnp.sum(weights * gap**2))


@eqx.filter_jit
def _sweep(sampler: Sampler, key: PRNGKeyArray, model: Any, state: ChainState, sweeps: int) -> ChainState:
    def body(state: ChainState, key: PRNGKeyArray) -> tuple[ChainState, None]:
        state, info = sampler.step(key, model, state)
        return sampler.tune(state, info), None  # the model moves, and so does the best step size

    return jax.lax.scan(body, state, jax.random.split(key, sweeps))[0]


@eqx.filter_jit
def _round(
    trained: Trained,
    target: Any,
    rule: optax.GradientTransformationExtraArgs,
    sampler: Sampler,
    key: PRNGKeyArray,
    vector: Array,
    memory: Any,
    state: ChainState,
    epochs: int,
    sweeps: int,
) -> tuple[Array, Any, ChainState, dict[str, Array], Array]:
    """Several epochs; gives what is recorded of each, and the terms of the gradient summed over them."""

    def epoch(carry: Any, key: PRNGKeyArray) -> tuple[Any, dict[str, Array]]:
        vector, memory, state, total = carry
        here = Trained(trained.with_vector(vector), trained.names)
        state = _sweep(sampler, key, here.action, state, sweeps)
        count = len(state.fields)
        found = _estimate(here, target, state.fields, jnp.full(count, 1 / count, state.fields.dtype))
        step, memory = rule.update(found.gradient, memory, vector, operators=found.operators)
        record = {
            "vector": vector,
            "bound": found.mean,
            "bound_error": jnp.sqrt(found.variance / count),
            "variance": found.variance,
            "gradient": jnp.linalg.norm(found.gradient),
            "noise": jnp.sqrt(jnp.sum(jnp.var(found.terms, axis=0)) / count),
        }
        moved = trained.bounded(vector + step, vector)  # pyright: ignore[reportOperatorIssue]
        return (moved, memory, state, total + found.terms), record

    begin = (vector, memory, state, jnp.zeros((len(state.fields), vector.size), vector.dtype))
    (vector, memory, state, total), records = jax.lax.scan(epoch, begin, jax.random.split(key, epochs))
    return vector, memory, state, records, total / epochs


def _is_noise(terms: Float[np.ndarray, "chain P"]) -> bool:
    """Whether the mean over chains is compatible with zero: Hotelling's test, where there are chains enough."""
    chains, count = terms.shape
    mean, centred = terms.mean(axis=0), terms - terms.mean(axis=0)
    if chains < 4 * count:  # no covariance matrix: component by component
        variance = centred.var(axis=0) / (chains - 1)
        return bool(np.mean(mean**2 / np.where(variance > 0, variance, np.inf)) < 1.5)
    covariance = centred.T @ centred / (chains - 1)
    scale = np.sqrt(np.diag(covariance))
    scale = np.where(scale > 0, scale, 1.0)
    solved = np.linalg.lstsq(covariance / np.outer(scale, scale), mean / scale, rcond=1e-10)[0]
    statistic = chains * (mean / scale) @ solved * (chains - count) / (count * (chains - 1))
    return bool(f_distribution.sf(statistic, count, chains - count) > _SIGNIFICANCE)


def _require_finite(record: dict[str, np.ndarray], done: int) -> None:
    for name, what in (("vector", "couplings"), ("bound", "the difference of target and model")):
        values = record[name].reshape(len(record[name]), -1)
        bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if bad.size:
            raise InputError(
                f"{what} became infinite or NaN at epoch {done + int(bad[0])}: take a smaller rate, or a target "
                "that is finite for every real field"
            )
