"""The exact distribution of the magnetisation against enumeration, and what is refused."""

import numpy as np
import pytest

from kadanoff.actions import Ising
from kadanoff.errors import InputError
from kadanoff.exact import enumerate_spins, magnetization_distribution
from kadanoff.lattice import Lattice

pytestmark = pytest.mark.exact


@pytest.mark.parametrize(("beta", "shape"), [(0.3, (3, 4)), (0.3, (3, 3)), (-0.2, (4, 2)), (0.6, (2, 5))])
def test_it_is_that_of_all_states(beta: float, shape: tuple[int, int]) -> None:
    states = enumerate_spins(Ising(beta), Lattice(shape))
    mean = states.fields.mean(axis=(1, 2), dtype=float)
    m, probability = magnetization_distribution(beta, shape)
    expected = [states.probability[np.isclose(mean, level)].sum() for level in m]
    np.testing.assert_allclose(probability, expected, atol=1e-7)  # states are summed in single precision


def test_it_is_symmetric_and_sums_to_one() -> None:
    m, probability = magnetization_distribution(0.44, (6, 6))
    np.testing.assert_allclose(probability, probability[::-1], atol=1e-14)
    assert probability.sum() == pytest.approx(1, abs=1e-14)
    assert len(m) == 37


def test_what_is_refused() -> None:
    for arguments, message in (
        ((np.nan, 4), "finite"),
        ((0.3, (4, 4, 4)), "two dimensions"),
        ((0.3, (10, 12)), "9 or"),
    ):
        with pytest.raises(InputError, match=message):
            magnetization_distribution(*arguments)
