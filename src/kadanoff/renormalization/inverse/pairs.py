"""Training pairs: fields blocked n+1 times and fields blocked n times, from one ensemble."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, UInt32

from kadanoff.ensemble import Ensemble
from kadanoff.errors import InputError
from kadanoff.random import key as make_key
from kadanoff.renormalization.blocking import BlockingRule, block
from kadanoff.renormalization.inverse.relaxation import Relaxation
from kadanoff.renormalization.weights import require_equal_weights

__all__ = ["Pairs", "training_pairs"]

#: Held-out pairs that are judged: more would take longer at every look, and move no verdict.
_MOST_HELD_OUT = 512
#: Sites of fine fields kept for training: more pairs than these change no digit of the held-out score.
_SITES = 1 << 23


class Pairs(NamedTuple):
    """Coarse and fine fields, (n, *coarse) and (n, *fine), split by chains into training and held-out pairs."""

    coarse: Float[Array, "n ..."]
    fine: Float[Array, "n ..."]
    held_out_coarse: Float[Array, "k ..."]
    held_out_fine: Float[Array, "k ..."]


def training_pairs(
    ensemble: Ensemble,
    rule: BlockingRule,
    depth: int,
    relax: Relaxation | None,
    seed: int,
    meanwhile: Callable[[Pairs], object] | None = None,
) -> Pairs:
    """Pairs (RG^{depth+1}(phi), RG^depth(phi)); the last eighth of the chains is held out.

    With `relax` the coarse member is relaxed, so that the inverse learns to read the fields that growth with
    relaxation hands it; `meanwhile` sees the pairs before, which have the same shapes. Raises `InputError` when the
    ensemble is too small to hold anything out, or has log-weights that differ.
    """
    require_equal_weights(ensemble, "learning an inverse")
    configurations = ensemble.chains * ensemble.draws
    if configurations < 16:
        raise InputError(f"learning needs at least 16 configurations, the ensemble has {configurations}")
    draws = max(1, min(ensemble.draws, _SITES // (ensemble.chains * ensemble.lattice.volume)))
    kept = ensemble.select(draws=slice(None, None, max(1, ensemble.draws // draws)))
    fine = block(kept, rule, steps=depth, seed=seed) if depth else kept
    coarse = block(fine, rule, seed=seed + 1)
    small, large = _flat(coarse), _flat(fine)
    if fine.chains >= 16:
        held, order = (fine.chains // 8) * fine.draws, np.arange(len(large))
    else:  # few chains: hold the last draws of every chain out
        held = max(1, fine.draws // 8) * fine.chains
        order = np.arange(len(large)).reshape(fine.chains, fine.draws).T.ravel()
    large = large[order]
    if relax is not None:
        if meanwhile is not None:
            meanwhile(_split(small, large, held))
        number: UInt32[Array, " n"] = jax.device_put(np.arange(len(small), dtype=np.uint32))
        small = np.asarray(relax(make_key(seed, 7), jax.device_put(small), number))
    return _split(small[order], large, held)


def _split(small: np.ndarray, large: np.ndarray, held: int) -> Pairs:
    begin = len(small) - held
    judged = slice(begin, begin + _MOST_HELD_OUT)
    return Pairs(*map(jax.device_put, (small[:-held], large[:-held], small[judged], large[judged])))


def _flat(ensemble: Ensemble) -> np.ndarray:
    fields = np.asarray(ensemble.fields).reshape(-1, *ensemble.lattice.shape)
    return fields.astype(np.float32, copy=False)
