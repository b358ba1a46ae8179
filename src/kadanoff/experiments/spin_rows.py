"""What the rows of `inverse-ising` share: where spins are simulated, what is compared, slopes and pulls."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from kadanoff.ensemble import Ensemble
from kadanoff.errors import DepthWarning
from kadanoff.renormalization import ExponentRow, Levels, Relaxation, grow
from kadanoff.sampling.run import Progress
from kadanoff.statistics import Estimate

__all__ = ["COMPARED", "CRITICAL", "EXPONENTS", "grow_quietly", "slope_row", "with_pulls"]

#: Critical couplings by dimension: where spins are simulated, and what compatible Monte Carlo is told.
CRITICAL = {2: float(np.log(1 + np.sqrt(2)) / 2), 3: 0.22165463}

#: beta/nu and gamma/nu, compared with only: exact in 2D, of the conformal bootstrap in 3D.
EXPONENTS = {2: (0.125, 1.75), 3: (0.51815, 1.96370)}

#: Observables that stand beside those of direct simulations.
COMPARED = ("energy", "binder", "xi_over_L", "abs_magnetization")


def with_pulls(row: dict[str, Any], reference: Mapping[str, Estimate]) -> dict[str, Any]:
    """The row with its references, and every difference from them over the error of both."""
    pulls = {f"{name}_pull": float(row[name].pull(known)) for name, known in reference.items()}
    return {**row, **pulls, "reference": dict(reference)}


def slope_row(slope: ExponentRow, dimension: int, variant: str) -> dict[str, Any]:
    """Exponents from a line through levels, beside the known ones."""
    row = {"label": f"{dimension}D {slope.label}", "variant": variant, "estimator": "slope"}
    row |= {"beta_over_nu": slope.beta_over_nu, "gamma_over_nu": slope.gamma_over_nu}
    names = ("beta_over_nu", "gamma_over_nu")
    known = {n: Estimate(v, 0.0) for n, v in zip(names, EXPONENTS[dimension], strict=True)}
    return with_pulls(row, known)


def grow_quietly(
    start: Ensemble,
    inverse: Any,
    steps: int,
    seed: int,
    progress: Progress | None,
    relax: Relaxation | None = None,
) -> Levels:
    """Grow without the warning of another input depth: the notes say what the maps are fed with."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DepthWarning)
        return grow(start, inverse, steps, relax, seed=seed, progress=progress)
