"""What Table II rests on, at its couplings: growth by the recommended map, beside direct simulation."""

import numpy as np
import pytest

from kadanoff.experiments.table2 import PLAN
from kadanoff.lattice import Lattice
from kadanoff.renormalization import MajorityMean, Relaxation, grow, learn_inverse
from kadanoff.sampling import sample


@pytest.mark.slow
@pytest.mark.statistical
def test_one_step_of_the_recommended_growth_is_direct_simulation():
    # Three trainings on 8 x 8: within 3.5 errors; what is drawn with less spread than was learnt lies farther off.
    action, trainings = PLAN.action, 3
    start, direct = (
        sample(action, Lattice((side, side)), chains=256, draws=200, seed=side) for side in (8, 16)
    )
    grown = {temperature: [] for temperature in (0.8, 1.0)}
    for seed in range(trainings):
        pairs = sample(action, Lattice((8, 8)), chains=128, draws=256, seed=1000 + seed)
        inverse = learn_inverse(
            pairs, MajorityMean(b=2), relax=Relaxation(action, PLAN.pair_sweeps), seed=seed
        )
        own = start.select(draws=slice(60 * seed, 60 * seed + 60))
        for temperature, found in grown.items():
            relax = Relaxation(action, PLAN.sweeps)
            levels = grow(own, inverse.at_temperature(temperature), 1, relax, seed=seed)
            found.append(np.array([np.mean(level.series("m2")) for level in (own, levels[1])]))
    exact = direct.observe("magnetization_squared").value / start.observe("magnetization_squared").value
    slopes = {
        t: np.log2([fine / coarse for coarse, fine in found]) - np.log2(exact) for t, found in grown.items()
    }
    error = np.hypot(slopes[1.0].std(ddof=1) / np.sqrt(trainings), 0.004)
    assert abs(slopes[1.0].mean()) < 3.5 * error < 0.03
    assert slopes[0.8].mean() - slopes[1.0].mean() > 0.01
