"""What a run does, with every option checked before anything is computed or written."""

from dataclasses import dataclass
from numbers import Real

from kadanoff.errors import InputError
from kadanoff.random import checked_seed
from kadanoff.sampling.state import require_start
from kadanoff.whole import whole

__all__ = ["Plan", "plan_of"]


@dataclass(frozen=True)
class Plan:
    """What a run does, all resolved: the record that a resumed run must match."""

    chains: int
    draws: int | None
    thin: int
    thermalize: int
    target_error: float | None
    start: str
    seed: int
    block: int
    max_draws: int

    def next_block(self, done: int) -> int:
        """How many draws the block after `done` draws has."""
        return min(self.block, (self.max_draws if self.draws is None else self.draws) - done)


def plan_of(
    volume: int,
    chains: int | None,
    draws: int | None,
    thin: int,
    thermalize: int | None,
    target_error: float | None,
    start: str,
    seed: int,
    max_draws: int,
) -> Plan:
    """The plan of the options of `sample` on fields of so many sites; `InputError` names the one that cannot be used.

    >>> plan_of(64, None, 4, 2, None, None, "mixed", 0, 100).chains
    128
    """
    chains = max(8, min(128, (1 << 21) // volume)) if chains is None else whole("chains", chains, least=1)
    draws = None if draws is None else whole("draws", draws, least=1)
    thin, max_draws = whole("thin", thin, least=1), whole("max_draws", max_draws, least=1)
    thermalize = 300 if thermalize is None else whole("thermalize", thermalize, least=0)
    if draws is None and target_error is None:
        target_error = 0.003
    if target_error is not None and not (isinstance(target_error, Real) and 0 < float(target_error) < 1):
        raise InputError(f"target_error is a relative error between 0 and 1, got {target_error!r}")
    require_start(start)
    block = max(1, min(16, (1 << 23) // (chains * volume)))
    if draws is not None:
        block = min(block, draws)
    return Plan(chains, draws, thin, thermalize, target_error, start, checked_seed(seed), block, max_draws)
