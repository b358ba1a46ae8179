"""Training: maximum likelihood by stochastic gradients, with the model's side from chains."""

from collections.abc import Callable
from functools import partial
from numbers import Real
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, ArrayLike, Float, Int

from kadanoff.errors import InputError
from kadanoff.network.centring import moved, network_about, network_of, recentred
from kadanoff.network.chains import Chains, Persistent
from kadanoff.network.model import Phi4Network
from kadanoff.network.products import state_outer, state_product
from kadanoff.network.units import Unit
from kadanoff.network.units.base import require_finite
from kadanoff.random import key as make_key
from kadanoff.random import keys_of, shuffled, split, split_words
from kadanoff.whole import whole

__all__ = ["Epoch", "Training", "TrainingState"]

SCHEDULES = ("constant", "linear", "cosine")
OPTIMISERS = ("adam", "sgd")
_POOL = 256  # states that smoothing adds


class TrainingState(eqx.Module):
    """All that training needs to go on: saved and loaded, it continues with the same bits.

    `values` are the unconstrained couplings, the linear ones about the offsets; `base` is the unlinked network of the
    data's single features, from which chains start; `pool` are the states that smoothing adds; `template` holds the
    types of the units.
    """

    values: dict[str, Any]
    offsets: tuple[Float[Array, " visible"], Float[Array, " hidden"]]
    optimiser: Any
    chains: Any
    base: Phi4Network
    pool: Float[Array, "state visible"]
    template: Phi4Network
    epochs: int = 0

    @property
    def network(self) -> Phi4Network:
        """The network as trained so far."""
        return network_of(self.template, self.values, self.offsets)


class Epoch(NamedTuple):
    """What one pass over the data says: norm of the gradient, and mixing of the chains."""

    gradient: float
    mixing: float


class Training(eqx.Module):
    """How a network is trained.

    The gradient of the log-likelihood is that of <S>_data - <S>_model, hidden units traced out, by automatic
    differentiation; the model's side comes from `chains`, one a sample of the batch. With `centred`, the links couple
    deviations from running means of both layers, which makes learning independent of where the data's zero is. With
    `smoothing`, the couplings of every visible unit alone see so many samples more, spread over the states of a pool:
    a feature that hardly varied in training is then not taken to be fixed for ever. b, n
    and Gaussian precisions stay positive by construction, and the norm of every step is clipped at `clip`, so that no
    learning rate leads to NaN.

    Raises `InputError` for options out of range.

    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=(64, 4))
    >>> training = Training(total_epochs=2)
    >>> state = training.init(Phi4Network.random("phi4", 4, "bernoulli", 3), x)
    >>> state, epoch = training.epoch(state, x)
    >>> state.network
    Phi4Network(4 phi4 visible, 3 bernoulli hidden)

    Sources: G. E. Hinton, Neural Comput. 14 (2002) 1771; J. Melchior, A. Fischer, L. Wiskott, JMLR 17 (2016) 99
    (centring).
    """

    chains: Chains = Persistent()
    batch_size: int = eqx.field(static=True, default=100, converter=partial(whole, "batch_size", least=1))
    total_epochs: int = eqx.field(static=True, default=50, converter=partial(whole, "epochs", least=1))
    learning_rate: float = eqx.field(static=True, default=2e-3)
    optimiser: str = eqx.field(static=True, default="adam")
    schedule: str = eqx.field(static=True, default="cosine")
    weight_decay: float = eqx.field(static=True, default=0.0)
    smoothing: float = eqx.field(static=True, default=0.0)
    centred: bool = eqx.field(static=True, default=True)
    clip: float = eqx.field(static=True, default=10.0)
    seed: int = eqx.field(static=True, default=0)

    def __check_init__(self) -> None:
        """Refuse options out of range."""
        for name in ("learning_rate", "clip", "weight_decay", "smoothing"):
            value = getattr(self, name)
            if not (isinstance(value, Real) and np.isfinite(float(value))):
                raise InputError(f"{name} must be a finite number, got {value!r}")
            if name in ("learning_rate", "clip") and value <= 0:
                raise InputError(f"{name} must be positive, got {value}")
            if value < 0:
                raise InputError(f"{name} must not be negative, got {value}")
        if self.optimiser not in OPTIMISERS:
            raise InputError(f"unknown optimiser {self.optimiser!r}; choose one of {', '.join(OPTIMISERS)}")
        if self.schedule not in SCHEDULES:
            raise InputError(f"unknown schedule {self.schedule!r}; choose one of {', '.join(SCHEDULES)}")

    def init(
        self, network: Phi4Network, x: Float[Any, "sample visible"], keep: bool = False, pool: Any = None
    ) -> TrainingState:
        """Make the state at the start: visible units fitted to the data one by one, or the network kept as it is.

        `pool` (state, visible) are the states of smoothing, by default the data's own.
        """
        kind = (self.optimiser, self.schedule, self.centred, keep)
        network = jax.tree_util.tree_map(_single, network)
        extra = None if pool is None else _single(pool)
        weight = _single(self.smoothing) if self.smoothing else None
        values, offsets, optimiser, base, pool, network = _begun(
            kind, self._numbers(len(x)), network, _single(x), extra, weight
        )
        # Within a program values were not looked at.
        require_finite(network.visible, r=network.visible.r)
        network = Phi4Network(network.w, network.visible, network.hidden)
        chains = self.chains.init(make_key(self.seed, 21), base, self._batch(len(x)))
        return TrainingState(values, offsets, optimiser, chains, base, pool, network)

    def epoch(self, state: TrainingState, x: Float[Any, "sample visible"]) -> tuple[TrainingState, Epoch]:
        """Pass once over the data in an order of its own, every sample once (the last batch is filled up)."""
        batch = self._batch(len(x))
        count = -(-len(x) // batch)
        order, chain = split(make_key(self.seed, 22, state.epochs))
        rows = np.resize(shuffled(order, len(x)), (count, batch)).astype(np.int32)
        given = (jax.device_put(rows), keys_of(split_words(chain, count), chain))
        kind = (self.chains, self.optimiser, self.schedule, self.centred)
        trained = (state.values, state.offsets, state.optimiser, state.chains)
        trained, (gradient, mixing) = _epoch(
            given,
            kind,
            self._numbers(len(x)),
            trained,
            state.base,
            state.pool if self.smoothing else None,
            state.template,
            _single(x),
        )
        values, offsets, optimiser, chains = trained
        frozen = (state.base, state.pool, state.template)
        after = TrainingState(values, offsets, optimiser, chains, *frozen, state.epochs + 1)
        return after, Epoch(float(gradient), float(mixing))

    def fit(
        self,
        state: TrainingState,
        x: np.ndarray,
        after: Callable[[TrainingState, Epoch], bool | None] | None = None,
    ) -> TrainingState:
        """Train to `total_epochs`, from wherever the state is; `after` sees every epoch, and True from it stops."""
        data = _single(x)
        while state.epochs < self.total_epochs:
            state, epoch = self.epoch(state, data)
            if after is not None and after(state, epoch):
                break
        return state

    def _batch(self, samples: int) -> int:
        return min(self.batch_size, samples)

    def _numbers(self, samples: int) -> Float[Array, "5"]:
        """What may change without compiling again: rate, weight decay, clip, steps in all, share of smoothing."""
        steps = self.total_epochs * -(-samples // self._batch(samples))
        share = self.smoothing / (samples + self.smoothing)
        return _single([self.learning_rate, self.weight_decay, self.clip, steps, share])


def _single(x: Any) -> Array:
    """Numbers in single precision; NumPy's are copied, without a program."""
    return jnp.asarray(x, jnp.float32) if isinstance(x, Array) else jax.device_put(np.array(x, np.float32))


def _optimiser(name: str, schedule: str, numbers: Float[Array, "5"]) -> optax.GradientTransformation:
    rate, decay, clip, steps = numbers[:4]
    shape: Callable[[Array], ArrayLike] = {
        "constant": lambda part: 1.0,
        "linear": lambda part: 1 - part,
        "cosine": lambda part: (1 + jnp.cos(jnp.pi * part)) / 2,
    }[schedule]
    return optax.chain(
        optax.clip_by_global_norm(clip),
        optax.scale_by_adam() if name == "adam" else optax.identity(),
        optax.add_decayed_weights(decay, mask={"w": True, "visible": False, "hidden": False}),
        optax.scale_by_schedule(lambda step: -rate * shape(jnp.minimum(step / steps, 1.0))),
    )


@eqx.filter_jit
def _begun(
    kind: tuple[str, str, bool, bool],
    numbers: Float[Array, "5"],
    network: Phi4Network,
    data: Float[Array, "sample visible"],
    pool: Float[Array, "state visible"] | None,
    smoothing: Float[Array, ""] | None,
) -> tuple[dict[str, Any], tuple[Array, Array], Any, Phi4Network, Array, Phi4Network]:
    """The start of training but for its chains, in one program: couplings, offsets, optimiser, base, pool, network."""
    name, schedule, centred, keep = kind
    pool = data[:_POOL] if pool is None else pool
    seen, weight = data, None
    if smoothing is not None:
        seen = jnp.concatenate([data, pool])
        weight = jnp.concatenate(
            [jnp.ones(len(data), data.dtype), jnp.full(len(pool), smoothing / len(pool))]
        )
    fitted = type(network.visible).fitted(seen, weight)
    base = Phi4Network(jnp.zeros_like(network.w), fitted, network.hidden)
    if not keep:
        network = Phi4Network(network.w, fitted, network.hidden)
    offsets = (data.mean(axis=0), network.hidden_mean(data).mean(axis=0))
    if not centred:
        offsets = (jnp.zeros_like(offsets[0]), jnp.zeros_like(offsets[1]))
    values = network.unconstrained()
    # As a start has no links to speak of, they are those about the offsets; a kept network stays what it is.
    values = moved(values, network.w, offsets, 1.0) if keep else values
    return values, offsets, _optimiser(name, schedule, numbers).init(values), base, pool, network


@eqx.filter_jit
def _epoch(
    given: tuple[Int[Array, "update batch"], Array],
    kind: tuple[Chains, str, str, bool],
    numbers: Float[Array, "5"],
    trained: tuple,
    base: Phi4Network,
    pool: Float[Array, "state visible"] | None,
    template: Phi4Network,
    x: Float[Array, "sample visible"],
) -> tuple[tuple, tuple[Array, Array]]:
    """One pass over the data, compiled for a kind of training and a shape of the data, not for a rate or a seed.

    Every update is given its rows and a key.
    """
    chains, name, schedule, centred = kind
    optimiser, share = _optimiser(name, schedule, numbers), numbers[4]

    def step(trained: tuple, given: tuple[Array, Array]) -> tuple[tuple, tuple[Array, Array]]:
        values, offsets, state, kept = trained
        rows, key = given
        data = x[rows]
        about = offsets if centred else None
        network = network_about(template, values, about)
        drawn = chains.draw(key, network, base, kept, data)
        slope = _slope(template, values, about, data, jax.lax.stop_gradient(drawn.v), pool, share)
        update, state = optimiser.update(slope, state, values)
        values: Any = optax.apply_updates(values, update)
        if centred:
            values, offsets = recentred(template, values, offsets, data)
        return (values, offsets, state, drawn.kept), (optax.tree.norm(slope), drawn.mixing)

    trained, (gradients, mixing) = jax.lax.scan(step, trained, given)
    return trained, (gradients.mean(), mixing.mean())


def _slope(
    template: Phi4Network,
    values: dict[str, Any],
    offsets: tuple[Array, Array] | None,
    data: Array,
    model: Array,
    pool: Array | None,
    share: Array,
) -> dict[str, Any]:
    """The gradient of <S>_data - <S>_model, hidden units traced out.

    That of the links comes from one product of matrices for both sides, and the fields of the data from the chains'
    where they start there: the products are what an update costs.
    """
    network, back = jax.vjp(lambda values: network_about(template, values, offsets), values)

    def difference(visible: Unit, hidden: Unit, fields: tuple[Array, Array]) -> Array:
        energies = (
            jnp.mean(visible.energy(v).sum(axis=-1) - hidden.log_partition(field).sum(axis=-1))
            for v, field in zip((data, model), fields, strict=True)
        )
        added = 0.0 if pool is None else share * jnp.mean(visible.energy(pool).sum(axis=-1))
        return (1 - share) * next(energies) + added - next(energies)

    fields = tuple(state_product(network.visible, v, network.w) for v in (data, model))
    visible, hidden, by_field = jax.grad(difference, (0, 1, 2))(network.visible, network.hidden, fields)
    w = state_outer(network.visible, data, model, jnp.concatenate(by_field))
    whole = eqx.tree_at(lambda n: (n.w, n.visible, n.hidden), network, (w, visible, hidden))
    return back(whole)[0]
