"""One network, many machines: each limit of the phi^4 network beside its textbook formula, and n -> infinity."""

import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

import kadanoff as kd
from kadanoff.experiments.result import Result
from kadanoff.network import Phi4Network, exact_log_likelihood
from kadanoff.network.units import BernoulliUnit, IsingUnit, Phi4Unit, Unit
from kadanoff.sampling.run import Progress

__all__ = ["run"]

_VISIBLE, _HIDDEN = 6, 4
_SAMPLES = 200
_DEPTHS = (1.0, 3.0, 10.0, 30.0, 100.0)  # beyond, the rounding of energies of order n shows

Likelihood = Callable[[Phi4Network, np.ndarray], np.ndarray]


def run(out: Path, *, quick: bool, seed: int, progress: Progress) -> Result:
    """Compare every machine with its formula, and follow hidden phi^4 units to spins."""
    begun = time.perf_counter()
    rng = np.random.default_rng(seed)
    machines: list[tuple[str, str, Unit, Unit, Likelihood]] = [
        ("Gaussian-Gaussian", "phi4, b = n = 0", _quartic(rng, _VISIBLE, 0), _quartic(rng, _HIDDEN, 0), _normal),
        ("Gaussian-Bernoulli", "phi4, b = 0", _quartic(rng, _VISIBLE, 0), _spins(rng, _HIDDEN), _mixture),
        ("phi4-Bernoulli", "b > 0", _quartic(rng, _VISIBLE, 0.3), _spins(rng, _HIDDEN), _quartic_mixture),
        ("Bernoulli-Bernoulli", "0 and 1", BernoulliUnit(_vector(rng, _VISIBLE)), BernoulliUnit(_vector(rng, _HIDDEN)),
         _textbook),
        ("Ising", "+1 and -1", IsingUnit(_vector(rng, _VISIBLE)), IsingUnit(_vector(rng, _HIDDEN)), _ising),
    ]  # fmt: skip
    rows = []
    for number, (label, limit, visible, hidden, formula) in enumerate(machines):
        progress(number, len(machines), "comparing machines")
        network = Phi4Network(
            jnp.asarray(rng.normal(scale=0.3, size=(_VISIBLE, _HIDDEN)), jnp.float32), visible, hidden
        )
        v = _samples(rng, network)
        ours = np.asarray(exact_log_likelihood(network, jnp.asarray(v, jnp.float32)), np.float64)
        rows.append(
            {
                "label": label,
                "limit": limit,
                "mean_log_likelihood": float(ours.mean()),
                "largest_difference": float(np.abs(ours - formula(network, v)).max()),
                "reference": {"mean_log_likelihood": float(formula(network, v).mean())},
            }
        )
    rows.append(_as_field_theory(rng))
    depths = _DEPTHS
    limits = [_towards_spins(np.random.default_rng(seed), hidden, depths) for hidden in (True, False)]
    for name, differences in zip(("hidden", "visible"), limits, strict=True):
        rows.append(
            {
                "label": f"n -> infinity, {name} units",
                "limit": f"n = {depths[-1]:g}",
                "largest_difference": differences[-1],
                "slope": float(np.polyfit(np.log(depths[-3:]), np.log(differences[-3:]), 1)[0]),
                "reference": {"slope": -1.0},
            }
        )
    from kadanoff.plots.generalises import plot_limit

    figure = plot_limit(
        depths, dict(zip(("hidden", "visible"), limits, strict=True)), Path(out) / "generalises.png"
    )
    notes = [
        "formulas of the textbooks are written out in double precision, the network works in single: differences of "
        "1e-5 are rounding",
        "n -> infinity with m = -2 n: the wells are at +-1 and narrow; the difference is that of ln p of the "
        "other layer from the machine with spins",
    ]
    result = Result("generalises", rows, [figure], time.perf_counter() - begun, notes)
    result.save(out)
    return result


def _vector(rng: np.random.Generator, size: int) -> Any:
    return jnp.asarray(rng.normal(scale=0.4, size=size), jnp.float32)


def _quartic(rng: np.random.Generator, size: int, b: float) -> Phi4Unit:
    return Phi4Unit(_vector(rng, size), jnp.asarray(rng.uniform(0.8, 1.5, size) - 4 * b, jnp.float32), b)


def _spins(rng: np.random.Generator, size: int) -> IsingUnit:
    return IsingUnit(_vector(rng, size))


def _samples(rng: np.random.Generator, network: Phi4Network) -> np.ndarray:
    levels = network.visible.levels
    if levels is None:
        return rng.normal(size=(_SAMPLES, _VISIBLE))
    return np.array(list(itertools.product(levels, repeat=_VISIBLE)))


def _log_sum(values: np.ndarray, axis: int | None = None) -> np.ndarray:
    return np.asarray(logsumexp(values, axis=axis))


def _double(*arrays: Any) -> list[np.ndarray]:
    return [np.asarray(array, np.float64) for array in arrays]


def _normal(network: Phi4Network, v: np.ndarray) -> Float[np.ndarray, " sample"]:
    """The visible block of a joint normal distribution with precision (2a, -w; -w^T, 2m)."""
    visible, hidden = network.visible, network.hidden
    assert isinstance(visible, Phi4Unit) and isinstance(hidden, Phi4Unit)
    a, m, w, r, s = _double(visible.a, hidden.a, network.w, visible.r, hidden.r)
    covariance = np.linalg.inv(np.block([[2 * np.diag(a), -w], [-w.T, 2 * np.diag(m)]]))
    mean = -covariance @ np.concatenate([r, s])
    block: Any = covariance[: len(a), : len(a)]
    return multivariate_normal(mean[: len(a)], block).logpdf(v)


def _configurations(network: Phi4Network) -> np.ndarray:
    assert network.hidden.levels is not None
    return np.array(list(itertools.product(network.hidden.levels, repeat=network.hidden.size)))


def _mixture(network: Phi4Network, v: np.ndarray) -> Float[np.ndarray, " sample"]:
    """One normal distribution for every state of the hidden spins, weighted by the state's probability."""
    visible = network.visible
    assert isinstance(visible, Phi4Unit)
    a, w, r, s = _double(visible.a, network.w, visible.r, network.hidden.r)
    h = _configurations(network)
    field = h @ w.T - r
    weight = np.sum(field**2 / (4 * a), axis=1) - h @ s
    inside = np.log(a / np.pi) / 2 - a * (v - (field / (2 * a))[:, None]) ** 2
    return _log_sum(weight[:, None] - _log_sum(weight) + inside.sum(axis=2), axis=0)


def _quartic_mixture(network: Phi4Network, v: np.ndarray) -> Float[np.ndarray, " sample"]:
    """The same with quartic densities, each normalised by the trapezoidal rule on the whole line."""
    visible = network.visible
    assert isinstance(visible, Phi4Unit)
    a, b, w, r, s = _double(visible.a, visible.b, network.w, visible.r, network.hidden.r)
    h = _configurations(network)
    x = np.linspace(-8, 8, 4001)[:, None, None]
    field = h @ w.T - r
    site = _log_sum(field * x - a * x**2 - b * x**4, axis=0) + np.log(x[1, 0, 0] - x[0, 0, 0])
    weight = site.sum(axis=1) - h @ s
    inside = field[:, None] * v - a * v**2 - b * v**4 - site[:, None]
    return _log_sum(weight[:, None] - _log_sum(weight) + inside.sum(axis=2), axis=0)


def _textbook(network: Phi4Network, v: np.ndarray) -> Float[np.ndarray, " sample"]:
    """F(v) = -b v - sum_j ln(1 + exp(c_j + (v w)_j)), normalised over all v (G. E. Hinton, 2012)."""
    w, r, s = _double(network.w, network.visible.r, network.hidden.r)
    free = v @ r - np.log1p(np.exp(v @ w - s)).sum(axis=1)
    return -free - _log_sum(-free)


def _ising(network: Phi4Network, v: np.ndarray) -> Float[np.ndarray, " sample"]:
    """Boltzmann weights of all spins on the bipartite graph, summed over the hidden ones."""
    w, r, s = _double(network.w, network.visible.r, network.hidden.r)
    h = _configurations(network)
    weight = np.einsum("ni,ij,mj->nm", v, w, h) - (v @ r)[:, None] - h @ s
    return _log_sum(weight, axis=1) - _log_sum(weight)


def _as_field_theory(rng: np.random.Generator) -> dict[str, Any]:
    """S of the network beside S of the Markov random field on its bipartite graph."""
    network = Phi4Network(
        jnp.asarray(rng.normal(size=(_VISIBLE, _HIDDEN)), jnp.float32),
        _quartic(rng, _VISIBLE, 0.3),
        _quartic(rng, _HIDDEN, 0.2),
    )
    fields = jnp.asarray(rng.normal(size=(50, _VISIBLE + _HIDDEN)), jnp.float32)
    ours = network.energy(fields[:, :_VISIBLE], fields[:, _VISIBLE:])
    theory = network.field_theory()
    theirs = np.array([float(kd.total(theory, field)) for field in fields])
    return {
        "label": "phi4-phi4 as a Markov random field",
        "limit": "bipartite graph",
        "largest_difference": float(np.abs(np.asarray(ours) - theirs).max()),
        "reference": {},
    }


def _towards_spins(rng: np.random.Generator, hidden: bool, depths: tuple[float, ...]) -> list[float]:
    """Largest difference of ln p(v), v = +-1 or the hidden spins' own, from the machine with spins, by n."""
    r, s = _vector(rng, _VISIBLE), _vector(rng, _HIDDEN)
    w = jnp.asarray(rng.normal(scale=0.3, size=(_VISIBLE, _HIDDEN)), jnp.float32)
    spins = Phi4Network(w, IsingUnit(r), IsingUnit(s))
    side = spins.visible if hidden else spins.hidden
    states = jnp.asarray(list(itertools.product((-1.0, 1.0), repeat=side.size)), jnp.float32)

    def probability(network: Phi4Network) -> np.ndarray:
        energy = network.visible_energy if hidden else network.hidden_energy
        values = -np.asarray(energy(states), np.float64)
        return values - _log_sum(values)

    exact = probability(spins)
    found = []
    for n in depths:
        wells = Phi4Unit(s if hidden else r, -2 * n, n)
        deep = Phi4Network(w, *((spins.visible, wells) if hidden else (wells, spins.hidden)))
        found.append(float(np.abs(probability(deep) - exact).max()))
    return found
