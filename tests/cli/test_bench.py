"""`kadanoff bench`: the table, the JSON, and that every measurement gives lines that can be compared."""

import json
from typing import Any

import numpy as np
import pytest

import kadanoff.benchmark as benchmark
from kadanoff.benchmark.clock import Line
from kadanoff.benchmark.measuring import _by_numpy
from kadanoff.benchmark.updates import _plain_loop
from kadanoff.field_sums import FIELD_SUMS
from kadanoff.measuring import measure

pytestmark = pytest.mark.exact


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Measurements that take no time; gives the seconds that each was allowed."""
    seconds: list[float] = []

    def lines(allowed: float) -> Any:
        seconds.append(allowed)
        yield Line("memory bandwidth", 12.34, "GB/s", "told")

    monkeypatch.setattr(benchmark, "MEASUREMENTS", {"the machine": lines, "updates": lines})
    return seconds


def test_json_tells_the_lines_and_the_machine(kadanoff: Any, told: list[float]) -> None:
    answer = kadanoff("bench", "--quick", "--json")
    assert answer.status == 0 and not answer.err and set(told) == {0.5}
    found = json.loads(answer.out)
    assert [line["group"] for line in found["lines"]] == ["the machine", "updates"]
    assert found["lines"][0]["value"] == 12.34 and found["lines"][0]["unit"] == "GB/s"
    assert {"device", "platform", "cores", "versions"} <= set(found["machine"])


def test_people_get_a_table(kadanoff: Any, told: list[float]) -> None:
    answer = kadanoff("bench")
    assert answer.status == 0 and set(told) == {2.0}
    assert answer.out.count("12.3") == 2 and "GB/s" in answer.out and " cores" in answer.out


def test_numpy_sums_what_we_do() -> None:
    fields = np.random.default_rng(0).normal(size=(3, 8, 8)).astype(np.float32)
    found = measure(fields, None, FIELD_SUMS)
    *sums, power = _by_numpy(fields)
    for name, values in zip(FIELD_SUMS, [*(each / 64 for each in sums), power], strict=True):
        np.testing.assert_allclose(found[name], values, rtol=2e-6, atol=1e-8, err_msg=name)


@pytest.mark.slow
@pytest.mark.ci
def test_the_peer_is_the_checkerboard_metropolis() -> None:
    spins = np.random.default_rng(0).choice(np.array([-1, 1], np.int8), size=(2, 4, 6))
    turned = spins.copy()
    _plain_loop(turned, 0.0, 1)  # no proposal is ever refused
    np.testing.assert_array_equal(turned, -spins)
    cold = np.ones((2, 4, 4), np.int8)
    _plain_loop(cold, 100.0, 3)  # none that costs energy is accepted
    assert (cold == 1).all()


@pytest.mark.slow
def test_every_line_is_measured(kadanoff: Any) -> None:
    answer = kadanoff("bench", "--quick", "--json")
    assert answer.status == 0, answer
    found = json.loads(answer.out)
    assert {line["group"] for line in found["lines"]} == set(benchmark.MEASUREMENTS)
    assert all(line["value"] > 0 for line in found["lines"])
    assert len({line["what"] + line["how"] for line in found["lines"]}) == len(found["lines"]) >= 15
