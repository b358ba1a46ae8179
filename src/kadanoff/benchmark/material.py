"""What the benchmarks of growth and training start from: a small run of critical phi^4."""

from functools import cache

from kadanoff.actions import Phi4
from kadanoff.ensemble import Ensemble
from kadanoff.lattice import Lattice
from kadanoff.sampling import Metropolis, sample

__all__ = ["ACTION", "small_run"]

ACTION = Phi4(-0.9515, 0.7)


@cache
def small_run() -> Ensemble:
    """512 configurations of 32 x 32, not quite thermalised, which no time depends on."""
    return sample(
        ACTION, Lattice((32, 32)), chains=64, draws=8, thermalize=50, sampler=Metropolis(), start="cold"
    )
