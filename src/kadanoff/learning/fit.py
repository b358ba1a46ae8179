"""What a variational fit gives back: the model, how it came about, and whether it has converged."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from kadanoff.errors import InputError
from kadanoff.statistics import Estimate

__all__ = ["VariationalFit"]


@dataclass(frozen=True, eq=False)
class VariationalFit:
    """The outcome of `fit_variational`; everything by epoch is that of the couplings before the epoch's step.

    - `model`: the fitted action; where the last steps were noise, its couplings are means over a round of epochs.
    - `couplings`: by name, the trained couplings at every epoch, (epoch, *coupling).
    - `bound`, `bound_error`: <A - S>_p; with the free energy F of the model it is the Bogoliubov bound.
    - `variance`: of A - S under p; twice KL(p||q) where p and q are close.
    - `gradient`, `noise`: norm of the gradient of the bound, and the norm of its error.
    - `converged`, `reason`: whether the fit stopped by itself, and why.
    - `fields`: the chains as they ended, (chain, *shape).
    - `seconds`: of work, that of interrupted calls from which this one went on included.
    """

    model: Any
    target: Any
    optimiser: str
    couplings: dict[str, Float[np.ndarray, "epoch *coupling"]]
    bound: Float[np.ndarray, " epoch"]
    bound_error: Float[np.ndarray, " epoch"]
    variance: Float[np.ndarray, " epoch"]
    gradient: Float[np.ndarray, " epoch"]
    noise: Float[np.ndarray, " epoch"]
    converged: bool
    reason: str
    fields: Float[np.ndarray, "chain ..."]
    seconds: float

    @property
    def epochs(self) -> int:
        """How many steps were taken."""
        return len(self.bound)

    def at(self, epoch: int) -> Any:
        """The model at an epoch; negative ones count from the end.

        Raises `InputError` for an epoch that there is not.
        """
        import jax.numpy as jnp

        from kadanoff.actions.coupling import with_couplings

        if not -self.epochs <= epoch < self.epochs:
            raise InputError(f"the fit has the epochs 0 to {self.epochs - 1}, got {epoch}")
        values = {name: jnp.asarray(series[epoch]) for name, series in self.couplings.items()}
        return with_couplings(self.model, values)

    def at_bound(self, epoch: int) -> Estimate:
        """<A - S>_p at an epoch, with its error over the chains."""
        return Estimate(self.bound[epoch], self.bound_error[epoch])

    def __str__(self) -> str:
        """A few lines for people."""
        from kadanoff.actions.coupling import coupling_of

        count = sum(values[0].size for values in self.couplings.values())
        lines = [
            f"{type(self.model).__name__}: {count} couplings by {self.optimiser}, {self.epochs} epochs, "
            f"{self.seconds:.1f} s: {self.reason}",
            f"<A - S> = {self.at_bound(-1)}, variance {self.variance[-1]:.3g}, gradient {self.gradient[-1]:.3g} "
            f"with noise {self.noise[-1]:.3g}",
        ]
        for name in self.couplings:
            last = np.asarray(coupling_of(self.model, name), np.float64)
            lines.append(f"{name}: mean {last.mean():.5g}, from {last.min():.5g} to {last.max():.5g}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        """Say what it is, not every number."""
        return f"VariationalFit({self.model!r}, epochs={self.epochs}, converged={self.converged})"
