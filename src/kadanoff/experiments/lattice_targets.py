"""What the experiments on learning actions share: the 4 x 4 targets of the talk, and the bound along a training."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Array

from kadanoff.actions import Action, InhomogeneousPhi4
from kadanoff.ensemble import Ensemble
from kadanoff.graph import Graph
from kadanoff.learning import VariationalFit
from kadanoff.learning.partition import free_energy
from kadanoff.sampling.run import Progress
from kadanoff.statistics import Estimate

__all__ = [
    "COUPLINGS",
    "SIDE",
    "TRAIN",
    "ImaginaryMass",
    "bound_along",
    "bound_row",
    "histogrammed",
    "homogeneous",
    "long_range",
    "random_start",
    "renamed",
    "spread",
    "terms_of",
]

SIDE = 4
#: Couplings of the talk's targets, in its form (w, a, b): critical phi^4 at (mu^2, lambda) = (-0.9515, 0.7).
COUPLINGS = {"w": 1.0, "a": 1.52425, "b": 0.175}
#: The 64 parameters of the talk; r = 0 stays.
TRAIN = ("w", "a", "b")


def homogeneous() -> InhomogeneousPhi4:
    """The talk's first target: one coupling for all edges, one each for all sites."""
    return InhomogeneousPhi4(Graph.grid((SIDE, SIDE)), **COUPLINGS)


def long_range(strength: Any = 1.0) -> InhomogeneousPhi4:
    """The talk's A_4: the homogeneous target with links of this strength along both diagonals."""
    graph = Graph.grid((SIDE, SIDE), "diagonals")
    near, far = 2 * SIDE**2, 2 * SIDE**2  # two steps of each kind from every site
    w = np.concatenate([np.full(near, COUPLINGS["w"]), np.full(far, strength)])
    return InhomogeneousPhi4(graph, w, COUPLINGS["a"], COUPLINGS["b"])


class ImaginaryMass(Action):
    """An action with the term i c sum phi^2 added: the talk's A_5 is A_4 with c = 0.15."""

    action: Any
    c: Any

    def density(self, field: Array) -> Array:
        """Terms of the action, and i c phi^2."""
        return self.action.density(field) + 1j * self.c * field**2


def random_start(seed: int) -> InhomogeneousPhi4:
    """Random couplings on the edges of nearest neighbours."""
    return InhomogeneousPhi4.random(Graph.grid((SIDE, SIDE)), seed)


def spread(last: int, count: int) -> list[int]:
    """About `count` epochs from 0 to `last`, evenly on a logarithmic axis."""
    return sorted({0, last, *(np.geomspace(1, max(last, 1), count - 1).astype(int).tolist())})


def bound_along(
    fit: VariationalFit, epochs: Sequence[int], chains: int, steps: int, seed: int
) -> list[tuple[int, Estimate]]:
    """The Bogoliubov bound <A - S>_p + F at some epochs, F of each model by an annealing of its own."""
    found = []
    for number, epoch in enumerate(epochs):
        mean = fit.at_bound(epoch)
        energy = free_energy(fit.at(epoch), chains=chains, steps=steps, seed=seed + number)
        found.append((epoch, Estimate(mean.value + energy.value, np.hypot(mean.error, energy.error))))
    return found


def bound_row(name: str, epoch: int, bound: Estimate, exact: Estimate) -> dict[str, Any]:
    """The bound at an epoch beside the free energy that it bounds."""
    gap = Estimate(bound.value - exact.value, np.hypot(bound.error, exact.error))
    return {
        "label": name,
        "epoch": epoch + 1,
        "bound": bound,
        "bound_gap": gap,
        "pull": {"bound_gap": gap.pull(0.0)},
        "reference": {"bound": exact},
    }


def terms_of(action: Any) -> Callable[[Array], Array]:
    """The density of an action as a plain function, by which series can be kept."""

    def terms(field: Array) -> Array:
        return action.density(field)

    return terms


def histogrammed(ensemble: Ensemble, terms: Callable[[Array], Array]) -> tuple[np.ndarray, np.ndarray]:
    """The action of these terms and phi of every configuration, chain by chain."""
    fields = np.asarray(ensemble.fields)
    return SIDE**2 * np.asarray(ensemble.series(terms)), fields.reshape(len(fields), -1)


def renamed(progress: Progress | None, suffix: str) -> Progress:
    """Report the stages of a part of an experiment under names of their own."""

    def report(done: float, total: float | None, message: str) -> None:
        if progress is not None:
            stage, _, rest = message.partition(",")
            progress(done, total, f"{stage} {suffix}" + (f",{rest}" if rest else ""))

    return report
