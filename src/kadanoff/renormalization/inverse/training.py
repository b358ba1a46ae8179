"""Learning an inverse: initialise, descend on training pairs, watch held-out pairs, stop early, keep the best."""

import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from os import PathLike

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from kadanoff.actions.base import has_spins
from kadanoff.arguments import require_ensembles
from kadanoff.ensemble import Ensemble
from kadanoff.errors import InputError, KadanoffWarning
from kadanoff.names import several
from kadanoff.random import key as make_key
from kadanoff.renormalization.blocking import BlockingRule, Majority
from kadanoff.renormalization.blocking_rule import require_rule
from kadanoff.renormalization.inverse import mixture
from kadanoff.renormalization.inverse.base import Inverse, cut_blocks
from kadanoff.renormalization.inverse.block_spins import frequency_score
from kadanoff.renormalization.inverse.consistent import ConsistentInverse, require_function
from kadanoff.renormalization.inverse.density import ConditionalDensity
from kadanoff.renormalization.inverse.descent import compile_descent, descend, held_out_losses
from kadanoff.renormalization.inverse.learnt import LearntInverse, TrainingRecord, require_temperature
from kadanoff.renormalization.inverse.linear import fit_linear
from kadanoff.renormalization.inverse.network import default_kernels
from kadanoff.renormalization.inverse.objective import KINDS, SPIN_KINDS
from kadanoff.renormalization.inverse.pairs import Pairs, training_pairs
from kadanoff.renormalization.inverse.relaxation import Relaxation, require_relaxation
from kadanoff.renormalization.inverse.stochastic import StochasticInverse
from kadanoff.renormalization.inverse.untrained import untrained_inverse
from kadanoff.store.checkpoint import Checkpoint
from kadanoff.whole import whole

__all__ = ["learn_inverse", "linear_density"]

_CLEARLY = 3.0  # standard errors by which an inverse may do worse than the yardstick without a word
_LEAST_VARIANCE = 1e-4  # of the yardstick's residual, relative to the largest: what float32 resolves
_TINY = float(np.finfo(np.float32).tiny)
_LAYERS = {"deterministic": 3, "stochastic": 3, "density": 2, "spins": 2}


def learn_inverse(
    ensemble: Ensemble,
    rule: BlockingRule,
    depth: int = 0,
    *,
    kind: str = "density",
    consistent: bool | None = None,
    relax: Relaxation | None = None,
    temperature: float = 1.0,
    seed: int = 0,
    steps: int = 600,
    width: int = 16,
    kernels: tuple[int, ...] | None = None,
    noise: int = 4,
    components: int = 4,
    progress: Callable[[float, float | None, str], None] | None = None,
    checkpoint: Checkpoint | str | PathLike[str] | None = None,
) -> LearntInverse:
    """Learn a transformation that inverts a blocking rule, on pairs (RG^{depth+1}(phi), RG^depth(phi)).

    `kind` is 'linear' (closed form), 'deterministic' (the talk's: regression), 'stochastic' (noise channels, energy
    score on patches) or 'density' (Gaussian mixtures block by block, maximum likelihood). Of an ensemble of spins and
    the majority rule 'density' learns 'spins', a Boltzmann law for each block; 'minimal' is that law with three
    parameters for each colour of blocks; both keep every majority. `consistent` rescales each
    block so that RG(inverse(x)) = x; by default it is on for stochastic kinds when the rule is deterministic and the
    coarse fields are not relaxed. `relax` relaxes the coarse member of each pair, for growth with relaxation.
    `temperature` multiplies the noise of a stochastic map, and the spread of every component of a density, not
    that between components (of spins it divides their fields and couplings); maps without noise have none. What was
    learnt is drawn at 1. Training takes at most `steps` steps and stops early when held-out
    pairs stop improving; the best weights are kept. No critical exponent or coupling enters. With a `checkpoint`,
    or the path of a folder for one, the state of training is kept on the way, and the same call goes on from it after
    a kill; another call is refused (`StoreError`).

    Raises `InputError` for an unknown kind, one that does not fit the sites or the rule, kernels whose receptive
    field wraps around the coarse training lattice, fewer than 16 configurations, log-weights that differ, and
    sides that b does not divide. Warns (`KadanoffWarning`) of an inverse that does clearly worse on held-out pairs
    than the best linear map, or for spins than blocks that know their own majority only.

    >>> import kadanoff as kd
    >>> ensemble = kd.sample(kd.Phi4(-0.9515, 0.7), kd.Lattice((16, 16)), chains=16, draws=4, seed=0)
    >>> kd.learn_inverse(ensemble, kd.MajorityMean(b=2), kind="linear").record.parameters
    40

    Source: D. Bachtis et al., PRL 128 (2022) 081603.
    """
    require_ensembles(ensemble)
    require_rule(rule)
    if kind not in KINDS:
        raise InputError(f"unknown kind of inverse {kind!r}; choose one of {', '.join(KINDS)}")
    kind = _for_sites(kind, ensemble, rule)
    depth, steps = whole("depth", depth, least=0), whole("steps", steps, least=1)
    width, components = whole("width", width, least=1), whole("components", components, least=1)
    if whole("noise", noise, least=0) < (kind == "stochastic"):
        raise InputError(f"a stochastic inverse needs at least one noise channel, got {noise}")
    if require_relaxation(relax) and has_spins(relax.action) != ensemble.spins:
        sites = "spins" if ensemble.spins else "real numbers"
        raise InputError(f"{type(relax.action).__name__} is no action of {sites}: relax by one that is")
    if kind in SPIN_KINDS:
        if consistent is False:
            raise InputError(
                f"kind {kind!r} keeps every majority by construction: leave consistent=False out"
            )
        consistent = True
    elif consistent:
        require_function(rule)
    require_temperature(temperature)
    if temperature != 1 and kind in ("linear", "deterministic"):
        raise InputError(
            f"kind {kind!r} draws nothing, so temperature {temperature} would change nothing: leave it out"
        )
    clock = time.perf_counter()
    lattice = ensemble.lattice
    for _ in range(depth + 1):
        lattice = lattice.blocked(rule.b)
    side = min(lattice.shape)
    if kernels is None or kind == "minimal":
        kernels = default_kernels(side, _LAYERS.get(kind, 1))
    kernels = several("kernels", kernels)
    if consistent is None:
        consistent = (
            kind in ("stochastic", "density") and rule.deterministic and rule.homogeneous and relax is None
        )
    key = make_key(seed, 11)
    untrained = None
    if kind != "linear":
        untrained = untrained_inverse(
            key,
            kind,
            lattice.dimension,
            rule,
            consistent=consistent,
            width=width,
            kernels=kernels,
            noise=noise,
            components=components,
        )
        if untrained.receptive_field > side:
            raise InputError(
                f"kernels {kernels} see {untrained.receptive_field} coarse sites, which wraps around the training "
                f"lattice of side {side}: the map would learn that lattice's boundary; use smaller kernels or train "
                "on a larger lattice"
            )
    with ThreadPoolExecutor(1) as beside:  # it ends before training begins

        def compile_for(pairs: Pairs) -> None:
            if untrained is not None:  # what fails here fails again in training, which tells
                beside.submit(compile_descent, key, kind, untrained, pairs, steps)

        pairs = training_pairs(ensemble, rule, depth, relax, seed, meanwhile=compile_for)
    linear = None
    if kind not in SPIN_KINDS:
        linear = fit_linear(
            np.asarray(pairs.coarse), np.asarray(pairs.fine), rule.b, side=3 if side >= 3 else 1
        )
    history: list[tuple[int, float, float]] = []
    earlier = 0.0
    if untrained is not None:
        report = progress or (lambda done, total, message: None)
        call = {"pairs": pairs, "untrained": untrained, "kind": kind, "steps": steps, "seed": seed}
        kept = Checkpoint.of_call(checkpoint, call)
        inverse, history = descend(key, kind, untrained, pairs, steps, report, kept)
        earlier = kept.earlier
    else:
        assert linear is not None
        inverse = ConsistentInverse(inner=linear, rule=rule) if consistent else linear
    scored = held_out_losses(kind, inverse, key, pairs)
    yardstick = _linear_score(kind, linear, inverse, key, pairs)
    gain = yardstick - scored
    sigma = float(gain.mean() / (gain.std(ddof=1) / np.sqrt(len(gain)) + 1e-30)) if kind != "linear" else 0.0
    if sigma < -_CLEARLY:
        than = "blocks that know their own majority only" if inverse.spins else "the best linear map"
        warnings.warn(
            f"on held-out pairs the {kind} inverse does worse than {than}, by {-sigma:.0f} sigma: give more "
            "configurations or steps, or learn another kind",
            KadanoffWarning,
            stacklevel=2,
        )
    record = TrainingRecord(
        kind=kind,
        seed=seed,
        parameters=inverse.parameters,
        receptive_field=inverse.receptive_field,
        steps=history[-1][0] if history else 0,
        history=tuple(history),
        held_out=float(scored.mean()),
        linear=float(yardstick.mean()),
        advantage_sigma=sigma,
        relaxed_pairs=0 if relax is None else relax.sweeps,
        consistent=bool(consistent),
        width=width,
        kernels=kernels,
        noise=noise,
        components=components,
        seconds=earlier + time.perf_counter() - clock,
    )
    return LearntInverse(inverse, rule, depth, record).at_temperature(temperature)


def _for_sites(kind: str, ensemble: Ensemble, rule: BlockingRule) -> str:
    """The kind that is meant for the sites of the ensemble; `InputError` where there is none."""
    if not ensemble.spins:
        if kind in SPIN_KINDS:
            raise InputError(
                f"kind {kind!r} learns spins, and the sites of the ensemble are real; use 'density'"
            )
        return kind
    if kind not in ("density", *SPIN_KINDS):
        raise InputError(
            f"kind {kind!r} makes real numbers; from spins learn 'spins' (which 'density' means) or 'minimal'"
        )
    if not isinstance(rule, Majority):
        raise InputError(f"an inverse of spins keeps majorities, and the rule is {rule!r}; use kd.Majority")
    return "spins" if kind == "density" else kind


def _linear_score(
    kind: str, linear: StochasticInverse | None, inverse: Inverse, key: PRNGKeyArray, pairs: Pairs
) -> np.ndarray:
    """The same score for the best linear map: as a point forecast, or as a Gaussian around its prediction.

    For spins, which no linear map makes, the score of blocks that know nothing but their own majority.
    """
    if linear is None:
        return frequency_score(*pairs, inverse.b)
    if kind == "deterministic":
        mean, blocks, count = _forecast(linear, pairs)
        errors = np.square(mean[:count] - blocks[:count], dtype=np.float64)
        return errors.reshape(count, -1).mean(axis=1)
    if kind != "density":
        return held_out_losses(kind, linear, key, pairs)
    return linear_density(linear, pairs, inverse.rule if isinstance(inverse, ConditionalDensity) else None)


def linear_density(linear: StochasticInverse, pairs: Pairs, rule: BlockingRule | None) -> np.ndarray:
    """Minus the log-likelihood a site of held-out blocks under the linear map with Gaussian residuals.

    Residuals spread by at least a hundredth of the largest spread in every direction, so that a part of the block
    that is known exactly counts as well known. With `rule`, of blocks rescaled to their coarse value, on the surface
    that a consistent density lives on.
    """
    mean, blocks, count = _forecast(linear, pairs)
    n, coarse = blocks.shape[-1], np.asarray(pairs.held_out_coarse)
    residual = (blocks[count:] - mean[count:]).astype(np.float64).reshape(-1, n)
    # The precision is A^T A, A lower triangular: the Cholesky factor in reversed order, reversed again.
    variances, directions = np.linalg.eigh(residual.T @ residual / len(residual))
    # A rule that keeps a site, or the mean, leaves no residual there, and an infinite likelihood.
    resolved = np.finfo(np.float32).eps ** 2 * np.mean(np.square(blocks, dtype=np.float64))
    variances = np.maximum(variances, max(_LEAST_VARIANCE * variances.max(), resolved, _TINY))
    precision = (directions / variances) @ directions.T
    reverse = np.linalg.cholesky(precision[::-1, ::-1])
    factor = reverse.T[::-1, ::-1]
    lower = [factor[i, j] for i in range(n) for j in range(i)]
    parts = (np.zeros(1), mean[:count, ..., None, :], np.diag(factor)[None], np.array(lower)[None])
    gaussian = mixture.Mixture(*[jax.device_put(part.astype(np.float32)) for part in parts])
    if rule is None:
        terms = jax.jit(mixture.log_density)(gaussian, blocks[:count])
    else:
        terms = jax.jit(mixture.log_shape_density)(gaussian, coarse[:count], blocks[:count])
    return -np.asarray(terms, dtype=np.float64).reshape(count, -1).mean(axis=1) / n


def _forecast(linear: StochasticInverse, pairs: Pairs) -> tuple[np.ndarray, np.ndarray, int]:
    """Blocks by the linear map and the true ones, first of the held-out pairs, and how many these are.

    The others are pairs that it was fitted to. One program serves both, for deterministic inverses and for densities.
    """
    coarse_fields, fine_fields, held_coarse, held_fine = map(np.asarray, pairs)
    coarse = np.concatenate([held_coarse, coarse_fields[:1024]])
    fine = np.concatenate([held_fine, fine_fields[:1024]])
    mean, blocks = map(np.asarray, _predicted(linear, jax.device_put(coarse), jax.device_put(fine)))
    return mean, blocks, len(held_fine)


@eqx.filter_jit
def _predicted(linear: StochasticInverse, coarse: Array, fine: Array) -> tuple[Array, Array]:
    number = jnp.arange(len(coarse), dtype=jnp.uint32)
    return linear.blocks(make_key(0), coarse, number), cut_blocks(fine, linear.b)
