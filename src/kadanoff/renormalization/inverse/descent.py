"""Descent on training pairs: looks at held-out pairs, stops early, keeps the best, and goes on after a kill."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, PRNGKeyArray

from kadanoff.errors import InputError
from kadanoff.random import fold_in, keys_of, split_words
from kadanoff.renormalization.inverse.base import Inverse
from kadanoff.renormalization.inverse.objective import loss
from kadanoff.renormalization.inverse.pairs import Pairs
from kadanoff.store.checkpoint import Checkpoint

__all__ = ["compile_descent", "descend", "held_out_losses"]

_ROUND = 50  # steps between two looks at the held-out pairs
_PATIENCE = 6  # rounds without improvement before stopping
_BATCH_SITES = 1 << 13  # coarse sites in a training batch
_LEARNING_RATE = {"deterministic": 3e-3, "stochastic": 3e-3, "density": 5e-3, "spins": 2e-2, "minimal": 1e-1}


def descend(
    key: PRNGKeyArray,
    kind: str,
    inverse: Inverse,
    pairs: Pairs,
    steps: int,
    progress: Callable[[float, float | None, str], None],
    checkpoint: Checkpoint,
) -> tuple[Inverse, list[tuple[int, float, float]]]:
    """Train an inverse for at most `steps` steps, or go on from what the checkpoint holds.

    Gives the best weights and the history (step, training loss, held-out loss). Raises `InputError` when it diverges.
    """
    batch, state = _batch(pairs), _start(kind, steps, inverse)
    arrays, rest = eqx.partition(inverse, eqx.is_inexact_array)
    first, arrays, state, best, best_score, stale, rows = checkpoint.load(
        (0, arrays, state, arrays, np.inf, 0, np.zeros((0, 3)))
    )
    inverse, best = eqx.combine(arrays, rest), eqx.combine(best, rest)
    history = [(int(step), float(trained), float(held)) for step, trained, held in rows]
    for begin in range(first, steps, _ROUND):
        done, keys = _round(key, begin, steps)
        inverse, state, trained = _advance(kind, steps, batch, inverse, state, keys, pairs.coarse, pairs.fine)
        held_out = float(held_out_losses(kind, inverse, key, pairs).mean())
        history.append((done, float(trained), held_out))
        progress(done, steps, f"learning, held-out loss {held_out:.4f}")
        if not np.isfinite(float(trained)):
            raise InputError(
                f"training diverged at step {done}: lower the width or check the ensemble for outliers"
            )
        if held_out < best_score:
            best, best_score, stale = inverse, held_out, 0
        else:
            stale += 1
        if stale >= _PATIENCE:
            break
        weights = (eqx.filter(each, eqx.is_inexact_array) for each in (inverse, best))
        checkpoint.save((done, next(weights), state, next(weights), best_score, stale, np.array(history)))
    return best, history


def compile_descent(key: PRNGKeyArray, kind: str, inverse: Inverse, pairs: Pairs, steps: int) -> None:
    """Compile what `descend` calls, for pairs of these shapes and any values: it takes seconds, beside other work."""
    state, (_, keys) = _start(kind, steps, inverse), _round(key, 0, steps)
    _advance.lower(kind, steps, _batch(pairs), inverse, state, keys, pairs.coarse, pairs.fine).compile()
    _score.lower(kind, inverse, *_looked_at(key, pairs)).compile()


def _batch(pairs: Pairs) -> int:
    return max(4, min(len(pairs.coarse), _BATCH_SITES // int(np.prod(pairs.coarse.shape[1:]))))


def _round(key: PRNGKeyArray, begin: int, steps: int) -> tuple[int, Array]:
    """Up to which step a round goes, and a key for every step."""
    done = min(begin + _ROUND, steps)
    words = split_words(fold_in(key, begin + _ROUND), done - begin)
    return done, keys_of(words, key)


@eqx.filter_jit
def _start(kind: str, steps: int, inverse: Inverse) -> optax.OptState:
    return _optimiser(kind, steps).init(eqx.filter(inverse, eqx.is_inexact_array))


def _optimiser(kind: str, steps: int) -> optax.GradientTransformation:
    schedule = optax.cosine_decay_schedule(_LEARNING_RATE[kind], steps, alpha=0.02)
    return optax.flatten(optax.chain(optax.clip_by_global_norm(1.0), optax.adam(schedule)))


@eqx.filter_jit
def _advance(
    kind: str,
    steps: int,
    batch: int,
    inverse: Inverse,
    state: optax.OptState,
    keys: Array,
    coarse: Array,
    fine: Array,
) -> tuple[Inverse, optax.OptState, Array]:
    """As many steps as there are keys; one program for all inverses of a kind, whatever their seed."""
    optimiser = _optimiser(kind, steps)
    arrays, rest = eqx.partition(inverse, eqx.is_inexact_array)

    def step(carry: tuple, key: Array) -> tuple:
        arrays, state = carry
        choose, draw = jax.random.split(key)
        index = jax.random.randint(choose, (batch,), 0, len(coarse), jnp.int32)
        small, large = (jnp.take(part, index, axis=0, mode="clip") for part in (coarse, fine))

        def objective(arrays: Inverse) -> Array:
            return jnp.mean(loss(kind, eqx.combine(arrays, rest), draw, small, large))

        value, slope = jax.value_and_grad(objective)(arrays)
        update, state = optimiser.update(slope, state)
        return (optax.apply_updates(arrays, update), state), value

    (arrays, state), values = jax.lax.scan(step, (arrays, state), keys)
    return eqx.combine(arrays, rest), state, jnp.mean(values)


@eqx.filter_jit
def _score(kind: str, inverse: Inverse, key: PRNGKeyArray, coarse: Array, fine: Array) -> Array:
    return loss(kind, inverse, key, coarse, fine)


def held_out_losses(kind: str, inverse: Inverse, key: PRNGKeyArray, pairs: Pairs) -> np.ndarray:
    """Loss of each held-out pair, with noise that is the same at every look."""
    return np.asarray(_score(kind, inverse, *_looked_at(key, pairs)), np.float64)


def _looked_at(key: PRNGKeyArray, pairs: Pairs) -> tuple[Array, Array, Array]:
    """The noise and the pairs of a look."""
    return fold_in(key, 0), pairs.held_out_coarse, pairs.held_out_fine
