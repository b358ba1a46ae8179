"""The certificate of a growth: at every level, where it agrees with direct simulation and by how much it fails."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from kadanoff.arguments import require_ensembles
from kadanoff.ensemble import Ensemble
from kadanoff.errors import InputError, KadanoffError
from kadanoff.observables import evaluate, observable
from kadanoff.renormalization.inverse.levels import Levels, require_levels
from kadanoff.renormalization.weights import require_real_weights
from kadanoff.statistics import Estimate, bootstrap

__all__ = ["CERTIFIED", "Certificate", "certificate"]

#: What is compared at every level, where its sites have it: spins have no moments of their own.
CERTIFIED = (
    "abs_magnetization",
    "susceptibility",
    "binder",
    "xi_over_L",
    "phi2",
    "phi4",
    "neighbours",
)
#: Entries of a row that hold a mapping of their own.
_NESTED = ("direct", "deviation", "pull")


class Certificate(list[dict[str, Any]]):
    """Rows of a certificate, one a level; prints as a table with a column a level, deviations in a column beside."""

    def __str__(self) -> str:
        """A table: names on the left; where a level has a direct simulation, (ours - direct)/direct follows it."""
        names = [name for name in dict.fromkeys(name for row in self for name in row) if name not in _NESTED]
        columns = []
        for row in self:
            columns.append([f"level {row['level']}", *(_cell(row.get(name, "")) for name in names[1:])])
            if "deviation" in row:
                columns.append(["deviation", *(str(row["deviation"].get(name, "")) for name in names[1:])])
        left = ["", *names[1:]]
        widths = [max(map(len, column)) for column in columns]
        return "\n".join(
            "  ".join([f"{name:<{max(map(len, left))}}", *map(str.rjust, cells, widths)]).rstrip()
            for name, *cells in zip(left, *columns, strict=True)
        )

    __repr__ = __str__


def _cell(value: Any) -> str:
    """Estimates as they print; a number without an error with four digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def certificate(levels: Levels, direct: Mapping[int, Ensemble] | None = None) -> Certificate:
    """One row a level: observables, Schwinger-Dyson residual before relaxation, RMS of RG(inverse(x)) - x.

    `direct` maps sides to direct simulations; a level of that side gets them beside its own as 'direct', with the
    relative difference 'deviation' and the difference in standard errors 'pull'. The residual is <phi dS/dphi> - 1;
    `inconsistency` is relative to the root mean square of x. Quantities that do not exist are left out, such as those
    of real fields where levels are spins.

    Raises `InputError` for what are no levels, a direct simulation of a lattice that no level has, or of spins where
    the levels are real fields (or the reverse), and for complex log-weights.

    >>> import numpy as np, kadanoff as kd
    >>> fields = np.random.default_rng(0).normal(size=(16, 8, 4, 4)).astype(np.float32)
    >>> row = certificate(kd.Levels((kd.Ensemble(fields),)))[0]
    >>> row["side"], abs(row["phi2"].pull(1.0)) < 4
    (4, True)
    """
    require_levels(levels, "`certificate`")
    if direct is not None and not isinstance(direct, Mapping):
        raise InputError("direct simulations are given by their sides: direct={64: ensemble}")
    require_ensembles(*(direct or {}).values())
    for ensemble in (levels[0], *(direct or {}).values()):
        require_real_weights(ensemble, "`certificate`")
    sides = {level.lattice.longest for level in levels}
    for side in direct or {}:
        if side not in sides:
            raise InputError(
                f"there is a direct simulation of side {side!r}, and no level of that side: they are "
                + ", ".join(map(str, sorted(sides)))
            )
    absent = "real" if levels[0].spins else "spins"
    certified = [name for name in CERTIFIED if observable(name).sites != absent]
    rows = Certificate()
    for number, level in enumerate(levels):
        row: dict[str, Any] = {"level": number, "side": level.lattice.longest}
        row |= {name: _estimate(level, name) for name in certified}
        row |= _before(levels, number)
        other = (direct or {}).get(level.lattice.longest)
        if other is not None:
            if other.lattice.shape != level.lattice.shape:
                raise InputError(
                    f"the direct simulation has the lattice {other.lattice.shape}, the level {level.lattice.shape}"
                )
            if other.spins != level.spins:
                raise InputError(
                    "the levels are spins and the direct simulation is one of real fields, or the reverse: give one "
                    "of the same sites"
                )
            there = {name: _estimate(other, name) for name in certified}
            row["direct"] = there
            row["deviation"] = {name: _deviation(row[name], there[name]) for name in certified}
            row["pull"] = {name: row[name].pull(there[name]) for name in certified}
        rows.append(row)
    return rows


def _estimate(ensemble: Ensemble, name: str) -> Estimate:
    """The observable; without an error where one configuration has none."""
    if ensemble.chains * ensemble.draws > 1:
        return ensemble.observe(name)
    entry = observable(name)
    means = ensemble.primaries(entry).mean(axis=(1, 2))
    return Estimate(evaluate(entry, ensemble.lattice)(means), float("nan"))


def _before(levels: Levels, number: int) -> dict[str, Any]:
    """What was measured before relaxation; for the start, its own residual where it has an action."""
    found: dict[str, Any] = {}
    level = levels[number]
    if number == 0:
        if level.action is not None and not level.spins:
            value = _estimate(level, "schwinger_dyson")
            found["schwinger_dyson_residual"] = Estimate(value.value - 1, value.error)
        return found
    series = levels.before[number] if number < len(levels.before) else {}
    if "schwinger_dyson" in series:
        value = _mean(series["schwinger_dyson"], level)
        found["schwinger_dyson_residual"] = Estimate(value.value - 1, value.error)
    if "inconsistency" in series:
        below = levels[number - 1]
        size = 1.0 if below.spins else float(np.sqrt(_mean(below.series("phi2"), below).value))
        found["inconsistency"] = float(np.sqrt(max(0.0, _mean(series["inconsistency"], level).value))) / size
    return found


def _mean(series: np.ndarray, level: Ensemble) -> Estimate:
    if series.size == 1:
        return Estimate(float(series.ravel()[0]), float("nan"))
    try:
        return bootstrap(lambda means: means, series[None], 0, 200, level.log_weight).estimates()[0]
    except KadanoffError:
        return Estimate(float(series.mean()), float("nan"))


def _deviation(ours: Estimate, theirs: Estimate) -> Estimate:
    """Relative difference with the errors of both; NaN relative to zero."""
    if theirs.value == 0:
        return Estimate(float("nan"), float("nan"))
    value = ours.value / theirs.value
    return Estimate(value - 1, float(np.hypot(ours.error, value * theirs.error)) / abs(theirs.value))
