"""A growth on disk: the bits of one in memory, continued after a failure anywhere, refused where it is another."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from kadanoff.actions import NearestNeighbourAction, Phi4
from kadanoff.errors import InputError, StoreError
from kadanoff.lattice import Lattice
from kadanoff.renormalization import Levels, Relaxation, critical_exponents, grow
from kadanoff.renormalization.inverse import growth_folder, growth_step
from kadanoff.renormalization.inverse.learnt import LearntInverse
from kadanoff.runs import action_from_file, keep_action, open_ensemble
from kadanoff.sampling import sample
from kadanoff.store import Store

pytestmark = [pytest.mark.exact, pytest.mark.filterwarnings("ignore::kadanoff.errors.DepthWarning")]

PHI4 = Phi4(-0.9515, 0.7)
RELAX = Relaxation(PHI4, sweeps=2)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A simulated run on disk."""
    folder = tmp_path_factory.mktemp("runs") / "l4"
    sample(PHI4, Lattice((4, 4)), chains=3, draws=10, thermalize=2, start="hot", seed=2, out=folder)
    return folder


@pytest.fixture
def blocks_of_three_draws(monkeypatch):
    """Commit more often than these small lattices would."""
    monkeypatch.setattr(growth_folder, "_BLOCK_SITES", 64 * 3 * 3)


def same_levels(ours, theirs):
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert np.array_equal(np.asarray(one.fields[:, :]), np.asarray(other.fields[:, :]))
        assert one.depth == other.depth
        assert (one.log_weight is None) == (other.log_weight is None)
        if one.log_weight is not None:
            np.testing.assert_array_equal(one.log_weight, other.log_weight)
    for one, other in zip(ours.before, theirs.before, strict=True):
        assert one.keys() == other.keys()
        for name, series in one.items():
            np.testing.assert_allclose(other[name], series, rtol=1e-12)


@pytest.mark.usefixtures("blocks_of_three_draws")
@pytest.mark.parametrize("relax", [None, RELAX])
@pytest.mark.parametrize("weights", [None, "real", "complex"])
def test_on_disk_as_in_memory(made_up, small, tmp_path, relax, weights):
    if weights is not None:
        small = replace(small, log_weight=np.arange(30.0).reshape(3, 10) * (1 if weights == "real" else 1j))
    inverse = made_up("stochastic", consistent=relax is None, relaxed_pairs=2 if relax else 0)
    memory = grow(small, inverse, 2, relax, seed=5)
    disk = grow(small, inverse, 2, relax, seed=5, out=tmp_path / "grown")
    same_levels(memory, disk)
    opened = Levels.open(tmp_path / "grown")
    same_levels(memory, opened)
    assert opened.relaxed == (relax is not None) and opened.inverse.digest == inverse.digest
    assert len(Store.open(tmp_path / "grown" / "level-02").records) > 3
    if relax is not None:
        assert (opened.relaxation.action, opened.relaxation.sweeps) == (PHI4, 2) and opened[2].action == PHI4
    same_levels(memory, grow(small, inverse, 2, relax, seed=5, out=tmp_path / "grown"))


def test_levels_of_a_run_know_their_ancestors(made_up, run, tmp_path):
    inverse = made_up("stochastic")
    grow(open_ensemble(run), inverse, 1, out=tmp_path / "grown", configurations=6)
    opened = Levels.open(tmp_path / "grown")
    assert opened[0].action == PHI4 and opened[1].simulated is opened[0] and opened[0].draws == 2
    found = open_ensemble(run)
    again = grow(found, inverse, 1, out=tmp_path / "louder", amplitude=2.0)
    opened = Levels.open(tmp_path / "louder")
    same_levels(again, opened)
    assert opened.amplitude == 2.0 and opened[0].action is None
    assert opened[0].simulated.action == PHI4
    np.testing.assert_array_equal(opened[0].simulated.fields[:, :], found.fields[:, :])
    table, other = (critical_exponents(levels, samples=10) for levels in (again, opened))
    np.testing.assert_array_equal(table.values["derivative"], other.values["derivative"])


def test_a_source_that_has_gone_or_changed_is_no_ancestor(made_up, run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    grow(open_ensemble(tmp_path / "run"), made_up("linear"), out=tmp_path / "grown")
    assert Levels.open(tmp_path / "grown")[0].action == PHI4
    shutil.rmtree(tmp_path / "run")
    opened = Levels.open(tmp_path / "grown")
    assert opened[0].action is None and opened[1].simulated is opened[0]
    shorter = {"chains": 3, "draws": 6, "thermalize": 2, "start": "hot", "seed": 2}
    sample(PHI4, Lattice((4, 4)), **shorter, out=tmp_path / "run")
    opened = Levels.open(tmp_path / "grown")
    assert opened[0].draws == 10 and opened[0].simulated.draws == 10


class StruckError(Exception):
    """What stops a growth in these tests."""


@pytest.mark.usefixtures("blocks_of_three_draws")
@pytest.mark.parametrize("moment", [1, 2, 5, 9])
def test_an_interrupted_growth_is_continued_to_the_same_bits(made_up, small, tmp_path, monkeypatch, moment):
    inverse, out = made_up("stochastic"), tmp_path / "grown"
    whole = grow(small, inverse, 2, RELAX, seed=5)
    count, batch = 0, growth_step.Step._batch

    def struck(self, *arguments):
        nonlocal count
        count += 1
        if count == moment:
            raise StruckError
        return batch(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(growth_step.Step, "_batch", struck)
        with pytest.raises(StruckError):
            grow(small, inverse, 2, RELAX, seed=5, out=out)
    done = [Store.open(out / f"level-0{i}").draws for i in range(3) if (out / f"level-0{i}").exists()]
    assert done[0] == 10 and sum(done[1:]) < 20
    with pytest.raises(StoreError):
        Levels.open(out)
    same_levels(whole, grow(small, inverse, 2, RELAX, seed=5, out=out))
    same_levels(whole, Levels.open(out))


def test_unfinished_growths_say_so(made_up, small, tmp_path, monkeypatch):
    monkeypatch.setattr(growth_folder, "_BLOCK_SITES", 64 * 3 * 3)
    batch, out = growth_step.Step._batch, tmp_path / "grown"

    def struck(self, coarse, number, size):
        if number[0] >= 15:
            raise StruckError
        return batch(self, coarse, number, size)

    monkeypatch.setattr(growth_step.Step, "_batch", struck)
    with pytest.raises(StruckError):
        grow(small, made_up("linear"), out=out)
    with pytest.raises(StoreError, match="of 10 draws: the growth was interrupted") as caught:
        Levels.open(out)
    assert "\n" not in str(caught.value)


def test_another_request_in_the_same_folder_is_refused(made_up, small, tmp_path):
    inverse, out = made_up("linear"), tmp_path / "grown"
    asked = {"steps": 1, "relax": RELAX, "seed": 1, "configurations": 9, "amplitude": 1.5}
    grow(small, inverse, **asked, out=out)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    weights = np.zeros((3, 10))
    changes = [
        (small, inverse, {"steps": 2}, "its steps is 1, 2 was asked for"),
        (small, inverse, {"seed": 2}, "its seed is 1, 2 was"),
        (small, inverse, {"amplitude": 1.0}, "its amplitude is 1.5, 1.0 was"),
        (small, inverse, {"configurations": None}, "its configurations is 9, None was"),
        (small, inverse, {"relax": None}, "its depths is|its relaxation is"),
        (small, inverse, {"relax": Relaxation(PHI4, sweeps=3)}, "its relaxation is"),
        (small, inverse, {"relax": Relaxation(Phi4(-0.95, 0.7), sweeps=2)}, "its relaxation is"),
        (small, made_up("linear", seed=1), {}, "its inverse is"),
        (replace(small, fields=2 * small.fields), inverse, {}, "its start is"),
        (replace(small, log_weight=weights), inverse, {}, "its start is"),
        (replace(small, depth=1), made_up("linear", depth=1), {}, "its depths is"),
    ]
    for ensemble, other, change, said in changes:
        with pytest.raises(StoreError, match=said) as caught:
            grow(ensemble, other, **{**asked, **change}, out=out)
        assert "\n" not in str(caught.value)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_other_weights_are_another_growth(made_up, small, tmp_path):
    one, two = (replace(small, log_weight=np.full((3, 10), value)) for value in (0.0, 1.0))
    grow(one, made_up("linear"), out=tmp_path / "grown")
    with pytest.raises(StoreError, match="its start is"):
        grow(two, made_up("linear"), out=tmp_path / "grown")


def test_foreign_folders_and_files_are_refused_and_left_alone(made_up, small, tmp_path):
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "thesis.tex").write_text("do not lose me")
    with pytest.raises(StoreError, match="is not empty and holds no growth"):
        grow(small, made_up("linear"), out=tmp_path / "foreign")
    with pytest.raises(StoreError, match="is a file"):
        grow(small, made_up("linear"), out=tmp_path / "foreign" / "thesis.tex")
    assert [path.name for path in (tmp_path / "foreign").iterdir()] == ["thesis.tex"]
    with pytest.raises(InputError, match="dimension"):
        grow(small, made_up("linear", dimension=1), out=tmp_path / "new")
    assert not (tmp_path / "new").exists()


WOUNDS = {
    "missing": (lambda f: (f / "levels.json").unlink(), "holds no growth"),
    "half": (lambda f: (f / "levels.json").write_bytes((f / "levels.json").read_bytes()[:50]), "damaged"),
    "a list": (lambda f: (f / "levels.json").write_text("[1]"), "damaged"),
    "no inverse": (lambda f: (f / "inverse" / "inverse.json").unlink(), "holds no inverse"),
    "no level": (lambda f: shutil.rmtree(f / "level-01"), "level-01"),
    "half a store": (lambda f: (f / "level-01" / "run.json").write_text("{"), "damaged"),
}


@pytest.fixture(scope="module")
def finished(made_up, small, tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished") / "grown"
    grow(small, made_up("linear"), out=folder)
    return folder


@pytest.mark.parametrize("name", WOUNDS)
def test_damaged_growths_are_one_line(finished, tmp_path, name):
    shutil.copytree(finished, tmp_path / "grown")
    WOUNDS[name][0](tmp_path / "grown")
    with pytest.raises(StoreError, match=WOUNDS[name][1]) as caught:
        Levels.open(tmp_path / "grown")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["format", "steps", "draws", "b", "amplitude", "depths", "configurations"])
def test_records_that_lack_something_are_damaged_and_newer_ones_newer(finished, tmp_path, name):
    shutil.copytree(finished, tmp_path / "grown")
    path = tmp_path / "grown" / "levels.json"
    content = json.loads(path.read_text())
    del content[name]
    for wrong in (content, {**content, name: [1]}):
        path.write_text(json.dumps(wrong))
        with pytest.raises(StoreError, match="damaged"):
            Levels.open(tmp_path / "grown")
    path.write_text(json.dumps({**content, "format": 2}))
    with pytest.raises(StoreError, match="newer version"):
        Levels.open(tmp_path / "grown")


class Quartic(NearestNeighbourAction):
    """A user's action, whose source Levels.open does not have."""

    lam: float
    kappa: float = 1.0

    def potential(self, phi, dimension):
        return 0.5 * phi**2 + self.lam * phi**4


def _another(potential, name="Quartic"):
    """An action of a user's under the same name and couplings, with another potential."""
    return type(name, (Quartic,), {"potential": potential, "__doc__": "Edited.", "__annotations__": {}})


def test_a_users_action_is_known_by_what_it_computes(made_up, small, tmp_path):
    out, inverse = tmp_path / "grown", made_up("linear")
    made = grow(small, inverse, 1, Relaxation(Quartic(lam=0.3), sweeps=1), out=out)
    edited = _another(lambda self, phi, dimension: phi**2 + self.lam * phi**4)
    with pytest.raises(StoreError, match="another version of Quartic"):
        grow(small, inverse, 1, Relaxation(edited(lam=0.3), sweeps=1), out=out)
    with pytest.raises(StoreError, match="its relaxation is"):
        grow(small, inverse, 1, Relaxation(Quartic(lam=0.4), sweeps=1), out=out)
    same_levels(made, grow(small, inverse, 1, Relaxation(Quartic(lam=0.3), sweeps=1), out=out))


def test_an_action_of_a_library_name_is_not_taken_for_the_librarys(made_up, small, tmp_path):
    class Phi4(Quartic):
        """Not ours."""

    grow(small, made_up("linear"), 1, Relaxation(Phi4(lam=0.3), sweeps=1), out=tmp_path / "grown")
    opened = Levels.open(tmp_path / "grown")
    assert opened[1].action is None and opened.relaxation.name == "Phi4"


WELL = """import kadanoff as kd


class Well(kd.NearestNeighbourAction):
    stiffness: float
    kappa: float = 0.0

    def potential(self, phi, dimension):
        return 0.5 * self.stiffness * phi**2
"""


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.parametrize(("stiffness", "found"), [(2.0, True), (3.0, False)])
def test_a_users_action_is_found_with_the_simulation_if_it_is_that_one(made_up, tmp_path, stiffness, found):
    (tmp_path / "well.py").write_text(WELL)
    made = action_from_file(tmp_path / "well.py", "Well")
    folder = tmp_path / "run"
    sample(made(2.0), Lattice((4, 4)), chains=3, draws=4, thermalize=2, seed=2, out=folder)
    keep_action(folder, tmp_path / "well.py", "Well", {"stiffness": 2.0})
    grow(
        open_ensemble(folder),
        made_up("linear"),
        1,
        Relaxation(made(stiffness), sweeps=1),
        out=tmp_path / "grown",
    )
    opened = Levels.open(tmp_path / "grown")
    assert opened.relaxation.sweeps == 1
    assert (opened[1].action is not None) == found
    if found:
        assert type(opened[1].action).__name__ == "Well" and float(opened[1].action.stiffness) == 2.0


def test_a_users_action_is_remembered_by_name_and_couplings(made_up, small, tmp_path):
    made = grow(small, made_up("linear"), 1, Relaxation(Quartic(lam=0.3), sweeps=1), out=tmp_path / "grown")
    opened = Levels.open(tmp_path / "grown")
    same_levels(made, opened)
    assert opened.relaxed and opened[1].action is None and opened.relaxation.sweeps == 1
    assert opened.relaxation.name == "Quartic"
    assert opened.relaxation.couplings["lam"] == pytest.approx(0.3)
    assert LearntInverse.load(tmp_path / "grown" / "inverse").digest == made.inverse.digest
