"""`kadanoff reweight`: one target, a path, actions and fields of one's own, and what is refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kadanoff import Phi4, reweight
from kadanoff.cli.parsing import build_action
from kadanoff.errors import InputError
from kadanoff.runs import open_ensemble

pytestmark = pytest.mark.exact

OWN = """
import jax.numpy as jnp
import kadanoff as kd

def mine(field):
    links = field * (jnp.roll(field, 1, 0) + jnp.roll(field, 1, 1))
    return jnp.sum(1.53 * field**2 + 0.175 * field**4 - links)

def no_scalar(field):
    return field**2

class Layers(kd.Action):
    mass2: float
    between: float = 0.9

    def density(self, field):
        links = jnp.roll(field, 1, 0) + self.between * jnp.roll(field, 1, 1)
        return (self.mass2 / 2 + 2) * field**2 + field**4 / 4 - field * links

class Complex(kd.Action):
    c: float

    def density(self, field):
        return kd.Phi4(-0.9515, 0.7).density(field) + 1j * self.c * field**2
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.py"
    path.write_text(OWN)
    return path


def test_one_target_is_what_the_library_says(kadanoff, simulated: Path, tmp_path: Path) -> None:
    answer = kadanoff(
        "reweight", simulated, "--mass2", -0.94, "--observables", "phi2,binder", "--out", tmp_path, "--json"
    )
    found = json.loads(answer.out)
    expected = reweight(open_ensemble(simulated), Phi4(-0.94, 0.7))
    assert answer.status == 0 and list(found["observables"]) == ["phi2", "binder"]
    assert found["observables"]["phi2"]["value"] == pytest.approx(expected.observe("phi2").value, rel=1e-9)
    assert found["effective_sample_size"] == pytest.approx(expected.effective_sample_size)
    assert found["couplings"]["mass2"] == pytest.approx(-0.94)
    assert found["figures"] == [str(tmp_path / "figures" / "reweighting.png")]
    assert Path(found["figures"][0]).is_file()


def test_a_path_says_where_it_can_be_trusted(kadanoff, simulated: Path, own: Path, tmp_path: Path) -> None:
    path = ("--along", "c", "--from", 0, "--to", 0.6, "--points", 3, "--out", tmp_path, "--json")
    answer = kadanoff("reweight", simulated, "--action", f"{own}:Complex", *path)
    found = json.loads(answer.out)
    assert [row["label"] for row in found["rows"]] == ["c = 0", "c = 0.3", "c = 0.6"]
    assert found["rows"][0]["average_phase"] == pytest.approx(1)
    assert found["rows"][0]["abs_magnetization"]["value"][1] == 0
    assert found["rows"][2]["average_phase"] < 0.2 and not found["rows"][2]["trusted"]
    assert found["trusted"][0] == 0.0
    assert Path(found["figures"][0]).is_file()


def test_a_path_that_cannot_be_trusted_says_why(kadanoff, tmp_path: Path) -> None:
    np.save(tmp_path / "fields.npy", np.random.default_rng(0).normal(size=(8, 16, 4, 4)).astype(np.float32))
    line = ("reweight", tmp_path / "fields.npy", "--simulated", "phi4")
    for name, value in (("mass2", 1), ("quartic", 0), ("kappa", 0)):
        line = (*line, "--simulated-coupling", f"{name}={value}")
    answer = kadanoff(*line, "--along", "mass2", "--from", 0.9, "--to", 1.0, "--points", 2)
    said = "nowhere to be trusted: at most 128 effective configurations of 128 are left, and it takes 200"
    assert answer.status == 0 and said in answer.out


def test_fields_and_functions_of_ones_own(kadanoff, simulated: Path, own: Path, tmp_path: Path) -> None:
    fields = tmp_path / "fields.npy"
    np.save(fields, np.asarray(open_ensemble(simulated).fields))
    arguments = ("--action", f"{own}:mine", "--observables", "phi2", "--json")
    file = ("reweight", fields, "--simulated", "phi4", "--simulated-coupling", "mass2=-0.9515")
    of_file, of_run = (
        json.loads(kadanoff(*first, *arguments).out)
        for first in (file, ("reweight", simulated, "--out", tmp_path / "out"))
    )
    assert of_file["observables"]["phi2"] == of_run["observables"]["phi2"]
    assert of_file["figures"] == [] and "float32" in of_file["warnings"][0]


@pytest.mark.parametrize("path", [("--mass2", -0.94), "--along mass2 --from -0.96 --to -0.94".split()])
def test_the_answer_stands_where_the_figure_cannot_be_written(
    kadanoff, simulated: Path, tmp_path: Path, path: tuple
) -> None:
    run = tmp_path / "run"
    shutil.copytree(simulated, run)
    shutil.rmtree(run / "figures")
    (run / "figures").write_text("no folder")
    answer = kadanoff("reweight", run, *path, "--json")
    found = json.loads(answer.out)
    assert answer.status == 0 and found["figures"] == []
    assert found["warnings"][-1].startswith(f"no figure was written, since {run / 'figures'} cannot be used")
    assert found["warnings"][-1] in answer.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "reweight to what?"),
        (("--from", 0), "belong to --along"),
        (("--along", "mass2"), "add --from and --to"),
        (("--along", "mass2", "--from", 0, "--to", 0), "no range"),
        (("--along", "mass2", "--from", 0, "--to", 1, "--points", 1), "2 or more"),
        (("--along", "beta", "--from", 0, "--to", 1), "no scalar coupling 'beta'"),
        (("--mass2", 4), "do not overlap"),
        (("--mass2", -0.94, "--simulated", "phi4"), "leave --simulated out"),
        (("--action", "{own}:no_scalar"), "where S is a single number"),
    ],
)
def test_bad_usage_gets_one_line(
    kadanoff, refused: Callable, simulated: Path, own: Path, arguments: tuple, said: str
) -> None:
    typed = [str(word).replace("{own}", str(own)) for word in arguments]
    refused(kadanoff("reweight", simulated, *typed), said)


def test_an_array_of_a_file_of_several_is_named(
    kadanoff, refused: Callable, simulated: Path, tmp_path: Path
) -> None:
    h5py = pytest.importorskip("h5py")
    fields, target = np.asarray(open_ensemble(simulated).fields), tmp_path / "all.H5"
    with h5py.File(target, "w") as file:
        file["first"] = file["third"] = 0.5 * fields
        file["deep/second"] = fields
    line = ("reweight", target, "--simulated", "phi4", "--mass2", -0.94, "--observables", "phi2")
    refused(kadanoff(*line), "--array")
    found = json.loads(kadanoff(*line, "--array", "deep/second", "--json").out)
    expected = reweight(open_ensemble(simulated), Phi4(-0.94, 0.7)).observe("phi2")
    assert found["observables"]["phi2"]["value"] == pytest.approx(expected.value, rel=1e-6)
    refused(kadanoff("reweight", simulated, "--array", "first", "--mass2", -0.94), "array of an .h5 file")


def test_fields_in_a_file_need_their_action(kadanoff, refused: Callable, tmp_path: Path) -> None:
    refused(kadanoff("reweight", tmp_path / "fields.npy", "--mass2", -0.9), "add --simulated NAME")
    np.savez(tmp_path / "fields.npz", np.ones((2, 4, 4, 4)))
    refused(
        kadanoff("reweight", tmp_path / "fields.npz", "--simulated", "phi4", "--mass2", -0.9), "no sample"
    )
    np.save(tmp_path / "fields.npy", np.random.default_rng(0).normal(size=(2, 8, 4, 4)))
    refused(kadanoff("reweight", tmp_path / "fields.npy", "--simulated", "ising", "--beta", 0.4), "has spins")


def test_couplings_of_an_action_of_ones_own_that_are_not_given_are_the_simulated_ones(
    kadanoff, own: Path, tmp_path: Path
) -> None:
    run, of = tmp_path / "run", ("--action", f"{own}:Layers")
    given = ("--coupling", "mass2=-0.5", "--coupling", "between=0.3")
    options = ("--size", 4, "--chains", 16, "--draws", 8, "--thermalize", 10, "--json", "--out", run)
    assert kadanoff("simulate", *of, *given, *options).status == 0
    for target in ((), of):
        answer = kadanoff(
            "reweight", run, *target, "--mass2", -0.48, "--json", "--out", tmp_path, "--observables", "phi2"
        )
        assert answer.status == 0, answer.err
        assert json.loads(answer.out)["couplings"] == pytest.approx({"mass2": -0.48, "between": 0.3})
    layers = open_ensemble(run).action
    changed = build_action(None, {"mass2": -0.4}, layers)
    assert type(changed) is type(layers) and (changed.mass2, changed.between) == (-0.4, 0.3)
    with pytest.raises(InputError, match="Layers has no scalar coupling 'beta'"):
        build_action(None, {"beta": 0.4}, layers)
