"""The couplings of simulations whose action is unknown to the fit: which terms are there, and which vanish.

Two sets of fields on 8 x 8: of phi^4 theory, and of a theory with next-nearest neighbours and a phi^6 term. The same
five couplings (mass2, quartic, kappa, next-nearest, sextic) are fitted to both by every method.
"""

import time
import warnings
from pathlib import Path
from typing import Any

from kadanoff.actions import LongerRangePhi4, couplings
from kadanoff.errors import KadanoffWarning
from kadanoff.experiments.recovery import CHAINS, FULL, QUICK, fits
from kadanoff.experiments.result import Result
from kadanoff.lattice import Lattice
from kadanoff.learning.data import DataFit
from kadanoff.sampling import sample
from kadanoff.sampling.run import Progress

__all__ = ["run"]

_SIDE = 8
_TRUTHS = {
    "phi^4": {"mass2": -0.5, "quartic": 0.7, "kappa": 1.0, "next_nearest": 0.0, "sextic": 0.0},
    "more terms": {"mass2": -0.5, "quartic": 0.7, "kappa": 0.9, "next_nearest": 0.1, "sextic": 0.05},
}


def run(out: Path, *, quick: bool, seed: int, progress: Progress | None = None) -> Result:
    """Simulate both theories, fit them, draw and save the couplings in `out`."""
    from kadanoff.plots.recovery import plot_couplings

    begun = time.perf_counter()
    effort = QUICK if quick else FULL
    report: Progress = progress or (lambda done, total, message: None)
    found: dict[str, dict[str, DataFit]] = {}
    for number, (title, truth) in enumerate(_TRUTHS.items()):
        data = sample(
            LongerRangePhi4(**truth),
            Lattice((_SIDE, _SIDE)),
            chains=CHAINS,
            draws=effort.draws,
            thin=8,
            seed=16 * seed + number,
            out=Path(out) / "simulations" / str(number),
            progress=report,
        )
        with warnings.catch_warnings():  # a phi^6 term that vanishes is fitted as negative half of the time
            warnings.simplefilter("ignore", KadanoffWarning)
            found[title] = fits(
                LongerRangePhi4(0.5, 1.0, 0.5),
                data,
                effort.steps,
                seed,
                Path(out) / "fits" / str(number),
                report,
            )
    rows = [
        _row(title, name, fit, _TRUTHS[title])
        for title, methods in found.items()
        for name, fit in methods.items()
    ]
    fitted = {title: {name: fit.couplings for name, fit in some.items()} for title, some in found.items()}
    picture = plot_couplings(fitted, _TRUTHS, Path(out) / "couplings.png")
    notes = [
        f"{CHAINS * effort.draws} configurations of {_SIDE} x {_SIDE} of each theory, a tenth of them held out; "
        "fits start from (mass2, quartic, kappa) = (0.5, 1, 0.5) without the other terms",
        "vanish: the couplings within two standard errors of zero, as the fit sees it",
        "quartic and sextic are strongly correlated: together they fix the shape of the site potential",
    ]
    return Result("couplings", rows, [picture], time.perf_counter() - begun, notes)


def _row(title: str, name: str, fit: DataFit, truth: dict[str, float]) -> dict[str, Any]:
    vanishing = [each for each, value in fit.couplings.items() if abs(value.value) < 2 * value.error]
    assert list(truth) == list(couplings(fit.model))
    return {
        "label": title,
        "variant": name,
        **fit.couplings,
        "vanish": ", ".join(vanishing) or "none",
        "pull": {each: fit.couplings[each].pull(value) for each, value in truth.items()},
        "held_out": fit.held_out,
        "seconds": fit.seconds,
        "reference": {**truth, "vanish": ", ".join(each for each, v in truth.items() if v == 0) or "none"},
    }
