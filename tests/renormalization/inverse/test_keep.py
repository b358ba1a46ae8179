"""Learnt inverses on disk: the same bits back for every member, one clear line for anything else."""

import json
from collections.abc import Callable
from pathlib import Path

import equinox as eqx
import numpy as np
import pytest

from kadanoff.actions import Ising
from kadanoff.ensemble import Ensemble
from kadanoff.errors import InputError, StoreError
from kadanoff.renormalization import (
    BlockSum,
    CompatibleMonteCarlo,
    Decimation,
    LearntInverse,
    Majority,
    MajorityMean,
    SoftMajority,
    grow,
)
from kadanoff.renormalization.inverse.given import as_grower

pytestmark = [pytest.mark.exact, pytest.mark.filterwarnings("ignore::kadanoff.errors.DepthWarning")]


@pytest.mark.parametrize("kind", ["linear", "deterministic", "stochastic", "density"])
@pytest.mark.parametrize("consistent", [False, True])
def test_saved_inverses_come_back(made_up, tmp_path, kind, consistent):
    learnt = made_up(kind, consistent=consistent, depth=1, relaxed_pairs=3, seed=4)
    again = LearntInverse.load(learnt.save(tmp_path / "inverse"))
    assert eqx.tree_equal(again.map, learnt.map)
    assert again.digest == learnt.digest and again.record == learnt.record
    assert (again.rule, again.depth, again.input_depth, again.temperature) == (learnt.rule, 1, 1, 1.0)
    assert again.describe() == learnt.describe()
    assert made_up(kind, consistent=consistent, depth=1, relaxed_pairs=3, seed=5).digest != learnt.digest


@pytest.mark.parametrize(
    "rule",
    [BlockSum(factor=0.3), BlockSum(b=3, factor=0.2), Decimation(b=3), SoftMajority(weight=float("inf"))],
)
@pytest.mark.parametrize("dimension", [1, 3])
def test_rules_dimensions_and_temperatures_come_back(made_up, tmp_path, rule, dimension):
    for kind in ("linear", "stochastic"):
        learnt = made_up(kind, rule=rule, dimension=dimension).at_temperature(0.9)
        again = LearntInverse.load(learnt.save(tmp_path / kind))
        assert again.rule == rule and again.digest == learnt.digest
        assert (again.temperature, again.map.dimension, again.map.b) == (0.9, dimension, rule.b)


def header(change: Callable[[dict], object]) -> Callable[[Path], object]:
    def wound(folder: Path) -> None:
        content = json.loads((folder / "inverse.json").read_text())
        changed = change(content)
        (folder / "inverse.json").write_text(json.dumps(changed if isinstance(changed, list) else content))

    return wound


def cut(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:-40])


WOUNDS = {
    "no header": (lambda folder: (folder / "inverse.json").unlink(), "holds no inverse"),
    "no weights": (lambda folder: (folder / "weights.eqx").unlink(), "damaged"),
    "half a header": (cut("inverse.json"), "damaged"),
    "half the weights": (cut("weights.eqx"), "damaged"),
    "empty weights": (lambda folder: (folder / "weights.eqx").write_bytes(b""), "damaged"),
    "other weights": (lambda folder: (folder / "weights.eqx").write_bytes(b"weights" * 99), "damaged"),
    "binary header": (lambda folder: (folder / "inverse.json").write_bytes(b"\xff\xfe\x00"), "damaged"),
    "a list": (header(lambda h: [1, 2]), "damaged"),
    "newer": (header(lambda h: h.update(format=2)), "newer version"),
    "no number": (header(lambda h: h.update(format="two")), "damaged"),
    "no depth": (header(lambda h: h.pop("depth")), "damaged"),
    "no rule": (header(lambda h: h.pop("rule")), "damaged"),
    "another rule": (header(lambda h: h.update(rule="magic")), "damaged"),
    "another width": (header(lambda h: h["record"].update(width=9)), "damaged"),
    "another kind": (header(lambda h: h["record"].update(kind="linear")), "damaged"),
    "even kernels": (header(lambda h: h["record"].update(kernels=[2, 2])), "damaged"),
    "another dimension": (header(lambda h: h.update(dimension=3)), "damaged"),
    "no temperature": (header(lambda h: h.update(temperature=None)), "damaged"),
    "a folder": (lambda f: ((f / "inverse.json").unlink(), (f / "inverse.json").mkdir()), "damaged"),
}


@pytest.mark.parametrize("name", WOUNDS)
def test_damage_is_one_line(made_up, tmp_path, name):
    folder = made_up("stochastic").save(tmp_path / "inverse")
    wound, said = WOUNDS[name]
    wound(folder)
    with pytest.raises(StoreError, match=said) as caught:
        LearntInverse.load(folder)
    assert "\n" not in str(caught.value) and str(folder) in str(caught.value)


def test_files_and_absent_folders_are_refused(made_up, tmp_path):
    (tmp_path / "file").write_text("do not lose me")
    for path, said in (
        ("file", "is a file, but an inverse is a folder"),
        ("absent", "absent does not exist"),
    ):
        with pytest.raises(StoreError, match=said):
            LearntInverse.load(tmp_path / path)
    with pytest.raises(StoreError, match="is a file") as caught:
        made_up("linear").save(tmp_path / "file")
    assert "\n" not in str(caught.value)
    assert (tmp_path / "file").read_text() == "do not lose me"


def test_inverses_of_another_dimension_or_factor_are_refused(made_up, small):
    with pytest.raises(InputError, match="made for dimension 3, the ensemble has dimension 2"):
        grow(small, made_up("linear", dimension=3))
    learnt = made_up("linear", rule=MajorityMean(b=3))
    learnt.check(2, 3)
    with pytest.raises(InputError, match="made for b=3, not b=2"):
        learnt.check(2, 2)


class OwnMean(MajorityMean):
    """A rule that the library does not know."""


class OwnMajority(Majority):
    """A rule of spins that it does not know."""


def test_an_inverse_of_ones_own_rule_is_refused_before_anything_is_written(made_up, small, tmp_path):
    learnt = made_up("linear", rule=OwnMean(b=2))
    given = as_grower(CompatibleMonteCarlo(Ising(0.4), OwnMajority(b=2)))
    spins = Ensemble(np.ones((2, 3, 4, 4), np.int8), depth=1)
    for keep in (
        lambda: learnt.save(tmp_path / "inverse"),
        lambda: grow(small, learnt, out=tmp_path / "grown"),
        lambda: given.save(tmp_path / "inverse"),
        lambda: grow(spins, given, out=tmp_path / "grown"),
    ):
        with pytest.raises(InputError, match=r"Own.* cannot be kept in a folder") as caught:
            keep()
        assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())
