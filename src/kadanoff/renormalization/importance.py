"""Importance weights of a growth: what makes grown fields a sample of a target, and how far they are from one."""

import warnings
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from kadanoff.actions.base import as_action, require_density
from kadanoff.ensemble import Ensemble
from kadanoff.errors import InputError, OverlapWarning
from kadanoff.renormalization.blocking import BlockingRule, Majority
from kadanoff.renormalization.inverse.base import cut_blocks
from kadanoff.renormalization.inverse.density import ConditionalDensity
from kadanoff.renormalization.inverse.levels import Levels, require_levels
from kadanoff.renormalization.inverse.sublattice_density import SublatticeDensity
from kadanoff.reweighting.response import RELAXED
from kadanoff.reweighting.target import require_overlap
from kadanoff.sites import require_same_sites
from kadanoff.statistics import Estimate, effective_sample_size, gamma_method
from kadanoff.statistics.weights import relative_weights
from kadanoff.whole import whole

__all__ = ["ImportanceWeights", "importance_weights"]

_BATCH_SITES = 1 << 18  # fine sites whose densities are evaluated at once
_Laws = tuple[SublatticeDensity, BlockingRule | None]
_FEWEST = 10  # effective configurations, below which sums of weights rest on a few


@dataclass(frozen=True, eq=False)
class ImportanceWeights:
    """Grown fields on the way to a target action.

    - `log_weight`: (chain, draw), of every configuration, up to a constant.
    - `effective`: share of the configurations that is left of the sample under the target.
    - `free_energy_difference`: F of the target minus F of the action of the start, -ln <w>.
    - `divergence`: KL(grown || target) in nats, <-ln w> + ln <w>. With several levels or a rule that draws, that of
        the joint law of all levels, which bounds the divergence of the last one from above.
    """

    grown: Ensemble
    target: Any
    log_weight: Float[np.ndarray, "chain draw"]
    effective: float
    free_energy_difference: Estimate
    divergence: Estimate

    def ensemble(self) -> Ensemble:
        """The fields as a weighted sample of the target, which all that follows honours.

        Raises `OverlapError` when fewer than about 10 effective configurations are left; warns below 5 % of them.
        """
        require_overlap(self.log_weight, repr(self.target))
        told = (*self.grown.history, f"weighted to {self.target!r}")
        return Ensemble(self.grown.fields, self.target, self.log_weight, history=told)

    def row(self) -> dict[str, Any]:
        """The numbers by name, for tables."""
        sites = self.grown.lattice.volume
        return {
            "side": self.grown.lattice.longest,
            "effective": self.effective,
            "free_energy_difference": self.free_energy_difference,
            "divergence": self.divergence,
            "divergence_per_site": Estimate(self.divergence.value / sites, self.divergence.error / sites),
        }

    def __str__(self) -> str:
        """One line a number."""
        row = self.row()
        return (
            f"left of the sample   {self.effective:.1%}\n"
            f"F(target) - F(start) {self.free_energy_difference}\n"
            f"KL(grown||target)    {self.divergence}, {row['divergence_per_site']} a site"
        )

    def __repr__(self) -> str:
        """Say the numbers, not every weight."""
        return f"ImportanceWeights(effective={self.effective:.3g}, divergence={self.divergence})"


def importance_weights(levels: Levels, target: Any, level: int = -1) -> ImportanceWeights:
    """Weigh a level of a growth by a conditional density so that it is a sample of a target action.

    Fine fields y of a coarse x are drawn from p(x) q(y|x), where p is the action S of the start, and blocking gives x
    of y with probability K(x|y). The weight exp(-S_target(y)) K(x|y) / (exp(-S(x)) q(y|x)) makes any mean that of the
    target, exactly, whatever the density learnt; over several steps the factors K/q multiply. How well it learnt is
    what is left of the sample: the weights spread as the volume grows.

    The inverse is a density, applied without relaxation: of spins; of real fields by a rule that draws with a known
    law, such as `BlockGaussian`; or one that is consistent with its rule, which is then in the measure.

    Raises `InputError` for what are no levels, a level that there is not, relaxed levels and starts, other inverses, a
    start without an action or with log-weights, a target of other sites. Warns (`OverlapWarning`) where fewer than
    about 10 effective configurations are left: sums of weights then rest on a few, and the divergence is more than it
    says.

    >>> import kadanoff as kd
    >>> action = kd.Ising(0.3)
    >>> fine = kd.sample(action, (8, 8), chains=32, draws=32, seed=0)
    >>> inverse = kd.learn_inverse(fine, kd.Majority(b=2), kind="minimal", steps=100)
    >>> start = kd.sample(kd.Ising(0.15), (2, 2), chains=64, draws=64, seed=1)
    >>> found = importance_weights(kd.grow(start, inverse, seed=2), action)
    >>> exact = kd.exact.kaufman(0.15, (2, 2)).log_partition - kd.exact.kaufman(0.3, (4, 4)).log_partition
    >>> abs(found.free_energy_difference.pull(exact)) < 4
    True
    """
    require_levels(levels, "`importance_weights`")
    target = as_action(target)
    if not -len(levels) <= whole("level", level) < len(levels):
        raise InputError(f"there is no level {level}: give a number from 1 to {len(levels) - 1}")
    chosen = level % len(levels)
    start, grown = levels[0], levels[chosen]
    if chosen == 0:
        raise InputError(
            "level 0 was simulated and not grown: `kadanoff.reweight` gives it to another action"
        )
    if levels.relaxed:
        raise InputError("relaxation changes the density that fields are drawn with: grow with relax=None")
    if any(step.endswith(RELAXED) for step in start.history):
        raise InputError(
            f"the start was {RELAXED}, which draws it towards an action and no further: grow what was simulated"
        )
    if start.action is None:
        raise InputError(
            "the action of the start is not known: grow what was simulated, with amplitude 1; a growth that was kept "
            "in a folder finds its simulation where it was"
        )
    if start.log_weight is not None:
        raise InputError("the start has log-weights already: grow a plain sample")
    laws = _laws(levels)
    require_same_sites(start.action, target)
    require_density(target, grown.lattice.shape)
    log_weight = _minus_action(grown, target) - _minus_action(start, start.action)
    for number in range(1, chosen + 1):
        log_weight += _step(laws, levels[number - 1], levels[number])
    return _judged(grown, target, log_weight)


def _laws(levels: Levels) -> _Laws:
    """The density of fine fields given coarse ones, and the rule whose law is the reverse; None if in the measure."""
    density, rule = getattr(levels.inverse, "map", None), getattr(levels.inverse, "rule", None)
    if isinstance(density, SublatticeDensity):
        if density.spins:  # that of the density itself: whoever grows by the bare map names none
            return density, Majority(b=density.b)
        if isinstance(density, ConditionalDensity) and density.rule is not None:
            return density, None
        if rule is not None and not rule.deterministic:
            return density, rule
    raise InputError(
        "weights need the density of fine fields, and the law by which these have their blocks: learn the inverse "
        "with kind='density', 'spins' or 'minimal', and the density of a rule that does not draw with consistent=True"
    )


def _minus_action(level: Ensemble, action: Any) -> np.ndarray:
    if np.iscomplexobj(terms := Ensemble(level.fields, action).series("action_density")):
        raise InputError("a complex action has no density: weight to its real part, and reweight from there")
    return -terms * level.lattice.volume


def _step(laws: _Laws, below: Ensemble, level: Ensemble) -> np.ndarray:
    """ln K(coarse|fine) - ln q(fine|coarse) of every configuration."""
    shape, parts = level.lattice.shape, []
    for begin, stop, fields in level.blocks(max(_BATCH_SITES, level.chains * level.lattice.volume)):
        fine = fields.reshape(-1, *shape)
        coarse = np.asarray(below.fields[:, begin:stop]).reshape(-1, *below.lattice.shape)
        batch = max(1, min(len(fine), _BATCH_SITES // level.lattice.volume))
        found = []
        for first in range(0, len(fine), batch):
            # One compiled shape serves the last batch, too.
            which = np.minimum(np.arange(first, first + batch), len(fine) - 1)
            given = (jnp.asarray(part[which], jnp.float32) for part in (fine, coarse))
            found.append(np.asarray(_log_ratio(*laws, *given), np.float64)[: len(fine) - first])
        parts.append(np.concatenate(found).reshape(level.chains, stop - begin))
    return np.concatenate(parts, axis=1)


@eqx.filter_jit
def _log_ratio(density: SublatticeDensity, rule: BlockingRule | None, fine: Array, coarse: Array) -> Array:
    drawn = density.log_prob(fine, coarse)
    if rule is None:
        return -drawn  # with respect to delta(RG(fine) - coarse): the rule is in the measure
    blocked = jax.vmap(rule.log_probability)(coarse, cut_blocks(fine, rule.b))
    return jnp.sum(blocked, axis=tuple(range(1, coarse.ndim))) - drawn


def _judged(grown: Ensemble, target: Any, log_weight: np.ndarray) -> ImportanceWeights:
    effective = effective_sample_size(log_weight)
    if effective < _FEWEST:
        warnings.warn(
            f"{effective:.1f} effective configurations of {log_weight.size} are left on the way to {target!r}: sums "
            "of weights rest on them, and the divergence is more than it says; grow more, or to a smaller lattice",
            OverlapWarning,
            stacklevel=3,
        )
    weights = relative_weights(log_weight)
    mean = weights.mean()
    log_mean = float(np.log(mean)) + float(log_weight.max())
    error = gamma_method(weights / mean).error
    moves = weights / mean - log_weight  # to first order, with the mean of the weights
    return ImportanceWeights(
        grown,
        target,
        log_weight,
        effective / log_weight.size,
        Estimate(-log_mean, error),
        Estimate(log_mean - float(log_weight.mean()), gamma_method(moves).error),
    )
