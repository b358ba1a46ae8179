"""Observables of an ensemble by name, as a table, and a word where its draws are too few for their errors."""

import warnings

from kadanoff.errors import KadanoffWarning
from kadanoff.statistics import Estimate
from kadanoff.statistics.gamma import MANY_CHAINS

__all__ = ["ObservableTable", "warn_of_few_draws"]

_FEWEST = 10  # independent draws, below which two errors hold the truth with less than 92 %


class ObservableTable(dict[str, Estimate]):
    """Observables by name; prints as a table."""

    def __str__(self) -> str:
        """One observable a line."""
        width = max((len(name) for name in self), default=0)
        return "\n".join(f"{name:<{width}}  {estimate}" for name, estimate in self.items())

    __repr__ = __str__


def warn_of_few_draws(table: ObservableTable, chains: int, draws: int) -> None:
    """Warn, with a `KadanoffWarning`, where few chains hold fewer than 10 independent draws of an observable.

    Their autocorrelation is then hardly known, and often too short. Many chains tell it by the spread of their means.
    """
    times = {name: estimate.tau_int for name, estimate in table.items() if abs(estimate.error) > 0}
    if chains >= MANY_CHAINS or not times:
        return
    slowest = max(times, key=lambda name: times[name] or 0.5)
    independent = chains * draws / (2 * (times[slowest] or 0.5))
    if independent < _FEWEST:
        warnings.warn(
            f"{slowest} has about {int(independent)} independent draws of {chains} x {draws}, too few for its error: "
            f"draw longer, or {MANY_CHAINS} chains or more",
            KadanoffWarning,
            stacklevel=3,
        )
