"""Data and options that no fit can take are refused in one line."""

from typing import Any

import numpy as np
import pytest

import kadanoff as kd
from kadanoff.errors import InputError
from kadanoff.learning.data.samples import Samples

FIELDS = np.random.default_rng(0).normal(size=(20, 4))


@pytest.mark.exact
@pytest.mark.parametrize(
    ("factor", "method", "options", "said"),
    [
        (1e40, "pseudo-likelihood", {}, "beyond single precision: divide them"),
        (1e15, "score matching", {}, "operators of the data are beyond single precision"),
        (1.0, None, {}, "None is no method; choose from likelihood"),
        (1.0, "pseudo-likelihood", {"held_out": "0.1"}, "held_out is a share of the data"),
        (1.0, "pseudo-likelihood", {"ridge": {"w": "1"}}, "the precision '1': name a trained"),
        (1.0, "pseudo-likelihood", {"ridge": {"w": float("inf")}}, "the precision inf: name a trained"),
    ],
)
@pytest.mark.usefixtures("unchecked")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_what_cannot_be_learnt_from_is_refused_in_one_line(
    factor: float, method: Any, options: dict[str, Any], said: str
) -> None:
    model = kd.InhomogeneousPhi4(kd.Graph.complete(4), 0.1, 1.0, 0.2)
    with pytest.raises(InputError, match=said) as caught:
        kd.fit_data(model, factor * FIELDS, method, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.exact
def test_missing_values_are_refused_and_a_mask_without_any_is_none():
    data = np.ma.masked_array(np.full((4, 2, 2), 2.0), mask=False)
    assert Samples.of(data, kd.Phi4(-0.9515, 0.7)).fields.shape == (4, 2, 2)
    data[3, 1, 1] = np.ma.masked
    with pytest.raises(InputError, match="masked array with values missing"):
        Samples.of(data, kd.Phi4(-0.9515, 0.7))
