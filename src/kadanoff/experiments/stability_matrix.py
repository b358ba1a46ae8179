"""The stability matrix: eigenvalues of the renormalization group by step and by size of the family of operators.

The Ising model is simulated at its critical coupling on 64 x 64 and blocked by the majority rule, phi^4 at its
critical mass on 128 x 128 and blocked by the default rule. Covariances of operators before and after each step give
the linearised transformation, whose leading eigenvalues are b^{y_T} (even operators) and b^{y_H} (odd ones). Families
of operators grow, so that their truncation shows, and steps are repeated, so that irrelevant couplings die out.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kadanoff.actions import Ising, Phi4
from kadanoff.experiments.result import Result
from kadanoff.lattice import Lattice
from kadanoff.renormalization.blocking import BlockingRule, Majority, MajorityMean
from kadanoff.renormalization.operators import SIGN_OPERATORS, SPIN_OPERATORS, Operator
from kadanoff.renormalization.stability import StabilityRow, StabilityTable, stability_matrix
from kadanoff.sampling import sample
from kadanoff.sampling.run import Progress

__all__ = ["run"]

#: y_T and y_H of the two-dimensional Ising class, compared with only.
_EXACT = {"even": 1.0, "odd": 1.875}


@dataclass(frozen=True)
class _System:
    """What is simulated and blocked; `draws` (quick, full) of each chain."""

    action: Any
    side: int
    rule: BlockingRule
    operators: tuple[Operator, ...]
    steps: int
    chains: int
    draws: tuple[int, int]
    thin: int


_SYSTEMS = {
    "ising": _System(
        Ising(float(np.log1p(np.sqrt(2)) / 2)), 64, Majority(b=2), SPIN_OPERATORS, 3, 128, (32, 400), 4
    ),
    "phi4": _System(Phi4(-0.9515, 0.7), 128, MajorityMean(b=2), SIGN_OPERATORS, 4, 64, (20, 96), 6),
}


def run(out: Path, *, quick: bool, seed: int, progress: Progress | None = None) -> Result:
    """Simulate, block, linearise, draw the figure and save the result in `out`."""
    from kadanoff.plots.stability import plot_exponents

    begun = time.perf_counter()
    tables: dict[str, StabilityTable] = {}
    for number, (name, system) in enumerate(_SYSTEMS.items()):

        def report(done: float, total: float | None, message: str, name: str = name) -> None:
            if progress is not None:
                progress(done, total, f"{message.split(',')[0]} {name}")

        ensemble = sample(
            system.action,
            Lattice((system.side, system.side)),
            chains=system.chains,
            draws=system.draws[0 if quick else 1],
            thin=system.thin,
            thermalize=100,
            seed=16 * seed + number,
            out=Path(out) / name,
            progress=report,
        )
        tables[name] = stability_matrix(
            ensemble, system.rule, system.steps, system.operators, samples=100 if quick else 200, seed=seed
        )
    rows = [_row(name, found) for name, table in tables.items() for found in table.rows]
    figure = plot_exponents(tables, _EXACT, Path(out) / "stability_matrix.png")
    result = Result("stability-matrix", rows, [figure], time.perf_counter() - begun, _notes(quick))
    result.save(out)
    return result


def _row(name: str, found: StabilityRow) -> dict[str, Any]:
    """A leading eigenvalue beside the exact exponent."""
    exact = _EXACT[found.sector]
    row = found.row()
    row["label"] = f"{name} {row['label']}"
    return {**row, "pull": {"y": found.exponent.pull(exact)}, "reference": {"y": exact}}


def _notes(quick: bool) -> list[str]:
    simulated = ", ".join(
        f"{name}: {each.chains * each.draws[0 if quick else 1]} configurations of {each.side} x {each.side}, "
        f"blocked by {type(each.rule).__name__}"
        for name, each in _SYSTEMS.items()
    )
    families = {
        sector: ", ".join(operator.name for operator in SPIN_OPERATORS if operator.odd == odd)
        for sector, odd in (("even", False), ("odd", True))
    }
    return [
        simulated,
        *(f"{sector} operators in their order: {names}" for sector, names in families.items()),
        "errors are a bootstrap over chains; condition is that of the correlations of the operators after the step",
        "the first steps see irrelevant couplings of the simulated action, the last ones the small lattice",
        "phi^4: operators are of the signs of the fields. The default rule is homogeneous, so the amplitude is a "
        "redundant direction; families with powers of the field see it, and their leading eigenvalue does not settle",
    ]
