"""Two ensembles told apart by a classifier: a small periodic convolutional network, judged on fields it never saw."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray
from scipy.stats import rankdata

from kadanoff.arguments import require_ensembles
from kadanoff.ensemble import Ensemble
from kadanoff.errors import InputError
from kadanoff.products import linear
from kadanoff.random import key as make_key
from kadanoff.random import split
from kadanoff.renormalization.classifier import OddFeatures, fit_classifier, log_odds
from kadanoff.renormalization.weights import require_equal_weights
from kadanoff.statistics import Estimate, jackknife
from kadanoff.whole import whole

__all__ = ["Discriminator", "area_under_curve", "discriminate"]


class Discriminator(eqx.Module):
    """Log-odds of a field from local features, squared, averaged over sites, mixed."""

    features: OddFeatures
    hidden: eqx.nn.Linear
    out: eqx.nn.Linear

    @classmethod
    def random(cls, key: PRNGKeyArray, dimension: int, width: int) -> "Discriminator":
        """Random weights; two layers of side 3, `width` features and their squares."""
        one, two, three = jax.random.split(key, 3)
        features = OddFeatures.random(one, dimension, width, (3, 3))
        return cls(
            features,
            eqx.nn.Linear(2 * width, width, dtype=jnp.float32, key=two),
            eqx.nn.Linear(width, 1, dtype=jnp.float32, key=three),
        )

    def __call__(self, fields: Float[Array, "n ..."]) -> Float[Array, " n"]:
        """Log-odds of each of (n, *lattice); even under a change of sign."""
        local = self.features(fields)
        axes = tuple(range(1, fields.ndim))
        pooled = jnp.concatenate([jnp.mean(local**2, axis=axes), jnp.mean(local, axis=axes) ** 2], axis=-1)
        mixed = jnp.tanh(linear(self.hidden, pooled))
        return linear(self.out, mixed)[:, 0]


def discriminate(
    first: Ensemble, second: Ensemble, *, steps: int = 300, width: int = 8, seed: int = 0
) -> Estimate:
    """Train a classifier to tell two ensembles apart; give the area under its curve on held-out fields.

    0.5 means that it cannot tell, 1 that it always can. The last half of the chains of each ensemble is held out and
    never trained on. The error is DeLong's with whole chains as units, or runs of draws where fewer than 16 chains are
    held out: these know autocorrelation less well, so prefer many chains.

    Raises `InputError` for steps or a width below one, different lattices, fewer than two chains or 32 configurations,
    and for log-weights that differ.

    >>> import kadanoff as kd
    >>> rng = np.random.default_rng(0)
    >>> small, large = (kd.Ensemble(s * rng.normal(size=(16, 8, 8, 8)).astype(np.float32)) for s in (1.0, 1.3))
    >>> discriminate(small, large, steps=60).value > 0.9
    True

    Source: D. Lopez-Paz, M. Oquab, ICLR 2017; for the error E. DeLong et al., Biometrics 44 (1988) 837,
    and for chains N. A. Obuchowski, Biometrics 53 (1997) 567.
    """
    steps, width = whole("steps", steps, least=1), whole("width", width, least=1)
    require_ensembles(first, second)
    if first.lattice.shape != second.lattice.shape:
        raise InputError(
            f"the lattices {first.lattice.shape} and {second.lattice.shape} differ: compare equal ones"
        )
    for ensemble in (first, second):
        require_equal_weights(ensemble, "telling ensembles apart")
        if ensemble.chains < 2 or ensemble.chains * ensemble.draws < 32:
            raise InputError(
                "telling ensembles apart needs two chains and 32 configurations of each: give more"
            )
    train, held = zip(*map(_halves, (first, second)), strict=True)
    draws = (first.draws, second.draws)
    start, draw = split(make_key(seed, 31))
    model = Discriminator.random(start, first.lattice.dimension, width)
    model = fit_classifier(draw, model, train, steps)
    return area_under_curve(
        *[log_odds(model, fields).reshape(-1, n) for fields, n in zip(held, draws, strict=True)]
    )


def _halves(ensemble: Ensemble) -> tuple[np.ndarray, np.ndarray]:
    fields = np.asarray(ensemble.fields)
    half = ensemble.chains // 2
    return tuple(part.reshape(-1, *ensemble.lattice.shape) for part in (fields[:half], fields[half:]))  # type: ignore[return-value]


def area_under_curve(low: Float[np.ndarray, "chain draw"], high: Float[np.ndarray, "other more"]) -> Estimate:
    """Area under the curve of the scores of two classes, with the error of a jackknife over chains.

    To first order the area is a mean over each class: of the fraction of the other class that each score beats, or
    is beaten by.

    >>> area_under_curve(np.zeros((16, 2)), np.ones((16, 2))).value
    1.0
    """
    ranks = rankdata(np.concatenate([low.ravel(), high.ravel()]))
    beaten = (ranks[low.size :] - rankdata(high)) / low.size
    beating = 1 - (ranks[: low.size] - rankdata(low)) / high.size
    errors = [
        jackknife(lambda means: means, series.reshape(1, *scores.shape)).errors[0]
        for series, scores in ((beaten, high), (beating, low))
    ]
    return Estimate(beaten.mean(), np.hypot(*errors))
