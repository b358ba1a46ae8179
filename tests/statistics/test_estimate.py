"""Estimates: notation, serialisation, pulls and the way to pyerrors."""

import json
import math
import pickle

import numpy as np
import pytest

from kadanoff.errors import InputError
from kadanoff.statistics import Estimate, gamma_method

NAN = math.nan

pytestmark = pytest.mark.exact


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.54391, 0.0004, "0.5439(4)"),
        (0.54391, 0.0012, "0.5439(12)"),
        (0.54391, 0.00199, "0.5439(20)"),
        (0.54391, 0.0096, "0.544(10)"),
        (0.54391, 0.000999999999, "0.5439(10)"),
        (1096.2, 3.1, "1096(3)"),
        (1096.2, 1.24, "1096.2(1.2)"),
        (10961.7, 123.0, "10960(120)"),
        (10961.7, 300.0, "11000(300)"),
        (0.00012, 0.00003, "0.00012(3)"),
        (-0.083, 0.002, "-0.083(2)"),
        (1.234e-9, 3e-12, "1.234(3)e-09"),
        (1.5e12, 2e10, "1.50(2)e+12"),
        (0.0, 2e-300, "0(2)e-300"),
        (0.0, 0.02, "0.00(2)"),
        (2.5, 0.0, "2.5(0)"),
        (0.5439, NAN, "0.5439(nan)"),
        (NAN, 0.1, "nan(0.1)"),
        (0.5, math.inf, "0.5(inf)"),
        (2.6271 - 0.0832j, 0.003 + 0.002j, "2.627(3)-0.083(2)i"),
        (1.0 + 0.5j, 0.1 + 0.02j, "1.00(10)+0.50(2)i"),
    ],
)
def test_shorthand(value, error, text):
    assert str(Estimate(value, error)) == text
    assert f"{Estimate(value, error):>30}" == text.rjust(30)


def test_shorthand_never_lies():
    """Reading the digits back gives value and error to within the rounding of the last digit shown."""
    rng = np.random.default_rng(5)
    for _ in range(3000):
        error = 10 ** rng.uniform(-9, 9)
        value = rng.normal() * error * 10 ** rng.uniform(-1, 4)
        head, _, exponent = str(Estimate(value, error)).partition("e")
        mantissa, digits = head.rstrip(")").split("(")
        decimals = len(mantissa.partition(".")[2])
        unit = 1.0 if "." in digits else 10.0**-decimals
        scale = 10.0 ** int(exponent or 0)
        read = float(digits) * unit * scale
        assert abs(read - error) <= 0.26 * error
        assert abs(float(mantissa) * scale - value) <= 0.51 * read


def test_numbers_are_plain_and_json_safe():
    estimate = Estimate(np.float32(0.5), np.float64(0.25), np.float64(3.0))
    assert type(estimate.value) is float
    assert json.loads(json.dumps(estimate.as_dict(), allow_nan=False)) == {
        "value": 0.5,
        "error": 0.25,
        "tau_int": 3.0,
    }
    assert Estimate(1 + 2j, complex(0.1, NAN), NAN).as_dict() == {
        "value": [1.0, 2.0],
        "error": [0.1, None],
        "tau_int": None,
    }
    assert float(estimate) == 0.5
    assert complex(Estimate(1 + 2j, 0.0)) == 1 + 2j
    assert pickle.loads(pickle.dumps(estimate)) == estimate


def test_pull():
    assert Estimate(1.5, 0.3).pull(Estimate(1.0, 0.4)) == pytest.approx(1.0)
    assert Estimate(1.5, 0.0).pull(1.5) == 0.0
    assert Estimate(1.0, 0.0).pull(1.5) == -math.inf
    assert Estimate(1 + 2j, 0.5 + 0.25j).pull(0.5 + 1.5j) == pytest.approx(1 + 2j)


def test_negative_error_is_refused():
    with pytest.raises(InputError, match="negative"):
        Estimate(1.0, -0.1)


@pytest.mark.reference
def test_to_pyerrors_keeps_the_history():
    pyerrors = pytest.importorskip("pyerrors")
    rng = np.random.default_rng(0)
    series = rng.normal(size=(3, 400)).cumsum(axis=1) * 0.01 + rng.normal(size=(3, 400))
    first, second = gamma_method(series), gamma_method(series**2)
    difference = first.to_pyerrors() - first.to_pyerrors()
    difference.gamma_method()
    assert difference.dvalue == 0  # the same draws: fully correlated
    assert second.to_pyerrors().value == pytest.approx(np.mean(series**2), rel=1e-14)
    complex_one = gamma_method(series + 1j * series**2).to_pyerrors("run")
    assert isinstance(complex_one, pyerrors.CObs)
    assert complex_one.imag.value == pytest.approx(np.mean(series**2), rel=1e-14)
    assert complex_one.imag.names == ["run|r0", "run|r1", "run|r2"]
    constant = Estimate(1.0, 0.1).to_pyerrors()
    constant.gamma_method()
    assert constant.dvalue == pytest.approx(0.1)
    pair = Estimate(1.0 + 2j, 0.1 + 0.2j).to_pyerrors()
    pair.gamma_method()
    assert pair.imag.dvalue == pytest.approx(0.2)
