"""The stability matrix where decimation is exact, at small critical lattices, and where it must be refused."""

import re
import subprocess
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import kadanoff as kd
from kadanoff.errors import InputError
from kadanoff.renormalization.operators import SPIN_OPERATORS, images, pattern, power


def ring(beta, sides=12):
    """All states of a ring in random order, weighted: means are exact."""
    exact = kd.exact.enumerate_spins(kd.Ising(beta), kd.Lattice(sides))
    order = np.random.default_rng(0).permutation(len(exact.probability))
    shape = (64, len(order) // 64)
    fields, weights = exact.fields[order].reshape(*shape, sides), np.log(exact.probability[order])
    return kd.Ensemble(fields, kd.Ising(beta), weights.reshape(shape))


@pytest.mark.exact
def test_decimation_of_a_ring_is_exact():
    # K' = ln(cosh 2K)/2, so that dK'/dK = tanh 2K, whatever the size of the ring
    table = kd.stability_matrix(ring(0.3), kd.Decimation(b=2), 1, [pattern("nearest", (1,))], samples=50)
    (row,) = table.rows
    assert row.eigenvalue.value == pytest.approx(np.tanh(0.6), abs=1e-6)
    assert row.exponent.value == pytest.approx(np.log2(np.tanh(0.6)), abs=1e-5)
    assert row.condition == 1.0 and row.sector == "even"


@pytest.mark.exact
def test_operators_are_sums_over_images_of_a_pattern():
    count = {operator.name: len(images(operator.terms.offsets, 2)) for operator in SPIN_OPERATORS}
    assert count == {
        "nearest": 2,
        "diagonal": 2,
        "plaquette": 1,
        "third": 2,
        "knight": 4,
        "diamond": 1,
        "magnetization": 1,
        "corner": 4,
        "line": 2,
        "hook": 8,
        "cross": 1,
    }
    assert len(images(((0, 0), (1, 0)), 3)) == 3
    field = np.random.default_rng(0).choice([-1.0, 1.0], size=(5, 5)).astype(np.float32)
    up, right = np.roll(field, -1, 0), np.roll(field, -1, 1)
    both = np.roll(up, -1, 1)
    corner = sum(
        float(np.sum(field * up * right * both * left)) for left in (field, up, right, both)
    )  # a corner is a plaquette without one of its spins
    assert float(SPIN_OPERATORS[7](jnp.asarray(field)).sum()) == corner
    assert [operator.odd for operator in SPIN_OPERATORS] == [False] * 6 + [True] * 5
    with pytest.raises(InputError, match="twice"):
        pattern("bad", (0, 0))
    with pytest.raises(InputError, match="1 or more"):
        power(0)


@pytest.mark.slow
@pytest.mark.statistical
def test_exponents_of_a_small_critical_lattice():
    ensemble = kd.sample(kd.Ising(0.44068679), kd.Lattice((16, 16)), chains=64, draws=100, seed=1)
    table = kd.stability_matrix(ensemble, kd.Majority(b=2), 2, samples=100)
    # 16 x 16 is small, so 0.05 and 0.01 of bias are allowed for, and 4 standard errors: below 2e-4
    for sector, exact, bias in (("even", 1.0, 0.05), ("odd", 1.875, 0.01)):
        found = table.select(sector, step=1)[-1].exponent
        assert abs(found.value - exact) < bias + 4 * found.error and found.error < bias
    assert len(table.rows) == 2 * len(SPIN_OPERATORS)
    assert str(table).count("\n") == len(table.rows)


@pytest.mark.exact
def test_what_gives_no_matrix_is_refused():
    spins = np.random.default_rng(1).choice(np.array([-1, 1], np.int8), size=(16, 40, 8, 8))
    few, many = kd.Ensemble(spins[:, :4]), kd.Ensemble(spins)
    rule = kd.Majority(b=2)
    with pytest.raises(InputError, match="too few configurations for the operator family"):
        kd.stability_matrix(few, rule, 1)
    nearest = pattern("nearest", (1,))
    with pytest.raises(InputError, match="depend on each other"):
        kd.stability_matrix(many, rule, 1, [nearest, pattern("again", (-1,))])
    with pytest.raises(InputError, match="depend on each other"):
        kd.stability_matrix(many, rule, 1, [power(2)])  # a constant of spins
    for options, words in (
        ({"steps": 0}, "blocking steps must be 1 or more"),
        ({"operators": ()}, "no operators"),
        ({"steps": 3}, "below 2"),
    ):
        with pytest.raises(InputError, match=words):
            kd.stability_matrix(many, rule, **{"operators": [nearest], "steps": 1, **options})


@pytest.mark.slow
@pytest.mark.statistical
def test_the_benchmark_in_three_dimensions_runs_and_is_near():
    # One step from 16^3 by whole families: corrections to scaling of 0.2 and 0.05, and 4 standard errors.
    script = Path(__file__).resolve().parents[2] / "benchmarks" / "stability_3d.py"
    command = [
        sys.executable,
        str(script),
        *"--side 16 --chains 64 --draws 32 --steps 1 --samples 50".split(),
    ]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rows = re.findall(r"^16x16x16->8x8x8 +(even|odd) +(\d) +([\d.]+)\((\d+)\)", printed, re.MULTILINE)
    assert [(sector, int(size)) for sector, size, *_ in rows] == [
        *(("even", size) for size in range(1, 6)),
        *(("odd", size) for size in range(1, 4)),
    ]
    for row, exact, bias in ((rows[4], 1.587, 0.2), (rows[-1], 2.482, 0.05)):
        value, digits = float(row[2]), row[3]
        error = int(digits) / 10 ** len(row[2].partition(".")[2])
        assert abs(value - exact) < bias + 4 * error and error < 0.1


@pytest.mark.exact
def test_default_operators_fit_into_the_dimension_and_given_ones_must():
    table = kd.stability_matrix(ring(0.3, 16), kd.Decimation(b=2), 1, samples=20)
    assert table.select("even")[-1].operators == ("nearest", "third")
    with pytest.raises(InputError, match="'diagonal' has sites in more than 1 dimension:"):
        kd.stability_matrix(ring(0.3), kd.Decimation(b=2), 1, [pattern("diagonal", (1, 1))], samples=20)
