"""`kadanoff simulate` and `kadanoff block`: what they print and keep."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kadanoff as kd
from kadanoff.cli import parsing
from kadanoff.cli.rules import parse_rule
from kadanoff.errors import InputError
from kadanoff.runs import open_ensemble
from kadanoff.store import Store

pytestmark = pytest.mark.exact

PHI6 = """
import kadanoff as kd


class Phi6(kd.NearestNeighbourAction):
    mass2: float
    quartic: float
    sextic: float
    kappa: float = 1.0

    def potential(self, phi, dimension):
        quadratic = (self.mass2 + 2 * dimension * self.kappa) / 2
        return quadratic * phi**2 + self.quartic / 4 * phi**4 + self.sextic / 6 * phi**6
"""


def test_json_is_one_object_with_everything_and_resuming_adds_nothing(
    kadanoff: Any, simulated: Path, small: tuple[str, ...]
) -> None:
    before = (simulated / "run.json").stat().st_mtime_ns
    done = kadanoff("simulate", *small, "--out", simulated, "--json")
    assert (done.status, done.err, done.out.count("\n")) == (0, "", 1)
    found = json.loads(done.out)
    assert {"seconds", "warnings", "sampler"} <= set(found)
    assert (found["store"], found["lattice"], found["action"]) == (str(simulated), [8, 8], "phi4")
    assert (found["chains"], found["draws"], found["thermalised"]) == (16, 24, True)
    assert found["couplings"] == pytest.approx({"mass2": -0.9515, "quartic": 0.7, "kappa": 1.0})
    direct = open_ensemble(simulated).observables()
    assert found["observables"] == {name: estimate.as_dict() for name, estimate in direct.items()}
    assert found["figures"] == [str(simulated / "figures" / name) for name in ("field.png", "history.png")]
    assert all(Path(path).read_bytes().startswith(b"\x89PNG") for path in found["figures"])
    assert Store.open(simulated).draws == 24
    assert (simulated / "run.json").stat().st_mtime_ns == before


def test_the_command_draws_what_the_library_draws(simulated: Path) -> None:
    same = kd.sample(kd.Phi4(-0.9515, 0.7), kd.Lattice((8, 8)), chains=16, draws=24, thermalize=20, seed=1)
    assert np.array_equal(np.asarray(open_ensemble(simulated).fields), np.asarray(same.fields))


def test_without_out_there_is_no_store(kadanoff: Any, small: tuple[str, ...], tmp_path: Path) -> None:
    done = kadanoff("simulate", *small, "--observables", "binder, phi2", "--json")
    found = json.loads(done.out)
    assert (found["store"], found["figures"]) == (None, [])
    assert list(found["observables"]) == ["binder", "phi2"]
    assert list(tmp_path.iterdir()) == []


def test_people_get_a_table(kadanoff: Any, small: tuple[str, ...], simulated: Path) -> None:
    done = kadanoff("simulate", *small, "--out", simulated)
    binder = open_ensemble(simulated).observe("binder")
    assert re.search(rf"binder\s.*{re.escape(str(binder))}", done.out)
    assert "kept in" in done.out and f"wrote {simulated / 'figures' / 'field.png'}\n" in done.out


def test_chains_that_remember_their_start_are_reported(kadanoff: Any) -> None:
    options = ("--size", "16", "--chains", "16", "--draws", "4", "--thin", "1", "--thermalize", "0")
    done = kadanoff("simulate", *options, "--sampler", "metropolis", "--json")
    found = json.loads(done.out)
    assert found["thermalised"] is False
    assert "not thermalised" in found["warnings"][0]
    assert done.err == f"kadanoff: warning: {found['warnings'][0]}\n"


def test_a_target_out_of_reach_is_reported(kadanoff: Any) -> None:
    options = ("--size", "8", "--chains", "8", "--thermalize", "20", "--target-error", "0.001")
    found = json.loads(kadanoff("simulate", *options, "--max-draws", "32", "--json").out)
    assert found["draws"] == 32
    assert any("raise max_draws" in line for line in found["warnings"])


@pytest.mark.parametrize("name", [name for name in parsing.SAMPLERS if name != "auto"])
def test_every_sampler_moves_the_moduli(name: str) -> None:
    import jax

    sampler, action = parsing.parse_sampler(name), kd.Phi4(-0.9515, 0.7)
    state = sampler.init(action, jax.numpy.ones((2, 4, 4)))
    moved, _ = sampler.step(jax.random.key(0), action, state)
    assert not np.allclose(np.abs(moved.fields), 1)


def test_interrupted_runs_go_on_with_the_same_bits(
    kadanoff: Any, small: tuple[str, ...], simulated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from contextlib import contextmanager

    import kadanoff.cli.task as task

    @contextmanager
    def impatient() -> Any:
        def report(done: float, total: float | None, message: str) -> None:
            if message.startswith("drawing") and done:
                raise KeyboardInterrupt

        yield report

    command = ("simulate", *small, "--out", tmp_path / "run", "--json")
    with monkeypatch.context() as patch:
        patch.setattr(task, "progress", impatient)
        stopped = kadanoff(*command)
    assert stopped.status == 130
    assert stopped.out == ""
    assert stopped.err.startswith("kadanoff: interrupted") and "the same command continues it" in stopped.err
    assert 0 < Store.open(tmp_path / "run").draws < 24
    assert kadanoff(*command).status == 0
    resumed, unbroken = Store.open(tmp_path / "run"), Store.open(simulated)
    assert np.array_equal(resumed.field(), unbroken.field())
    assert [block.digest for block in resumed.records] == [block.digest for block in unbroken.records]


def test_an_action_of_ones_own_lives_with_its_run(kadanoff: Any, tmp_path: Path) -> None:
    source, run = tmp_path / "phi6.py", tmp_path / "run"
    source.write_text(PHI6)
    given = ("--action", f"{source}:Phi6", "--mass2", "-1", "--quartic", "0.5", "--coupling", "sextic=0.1")
    command = ("simulate", *given, "--size", "6", "--chains", "8", "--draws", "4", "--thermalize", "5")
    assert kadanoff(*command, "--out", run, "--json").status == 0
    (run / "action.json").unlink()  # as a kill between the two files leaves it
    assert kadanoff(*command, "--out", run, "--json").status == 0
    written = source.read_text()
    source.unlink()
    ensemble = open_ensemble(run)
    assert type(ensemble.action).__name__ == "Phi6"
    assert (ensemble.action.mass2, ensemble.action.sextic, ensemble.action.kappa) == (-1.0, 0.1, 1.0)
    assert np.isfinite(ensemble.observe("schwinger_dyson").value)
    source.write_text(written.replace("/ 6", "/ 5"))
    refused = kadanoff(*command, "--out", run)
    assert refused.status == 2
    assert "another version of" in refused.err


def test_block_keeps_depth_ancestors_and_numbers(kadanoff: Any, simulated: Path, tmp_path: Path) -> None:
    out = tmp_path / "l4"
    done = kadanoff("block", simulated, "--out", out, "--json")
    found = json.loads(done.out)
    assert (found["lattice"], found["depth"], found["store"], done.err) == ([4, 4], 1, str(out), "")
    assert found["figures"] == [str(out / "figures" / name) for name in ("field.png", "history.png")]
    assert all(Path(path).is_file() for path in found["figures"])
    expected = kd.block(open_ensemble(simulated), kd.MajorityMean(b=2))
    again = open_ensemble(out)
    assert np.array_equal(np.asarray(again.fields), np.asarray(expected.fields))
    assert (again.depth, again.action) == (1, None)
    assert repr(again.simulated.action) == repr(kd.Phi4(-0.9515, 0.7))
    assert again.simulated.lattice.shape == (8, 8)
    assert kadanoff("block", simulated, "--out", out, "--json").status == 0
    twice = kadanoff("block", out, "--json")
    assert json.loads(twice.out)["depth"] == 2
    refused = kadanoff("block", simulated, "--rule", "mean", "--out", out)
    assert refused.status == 2 and "config.rule" in refused.err


def test_a_replaced_source_is_no_parent(
    kadanoff: Any, simulated: Path, small: tuple[str, ...], tmp_path: Path
) -> None:
    import shutil

    source, out = tmp_path / "source", tmp_path / "out"
    shutil.copytree(simulated, source)
    assert kadanoff("block", source, "--out", out).status == 0
    assert open_ensemble(out).parent is not None
    shutil.rmtree(source)
    assert open_ensemble(out).parent is None
    assert kadanoff("simulate", *small[:-1], "2", "--out", source).status == 0
    assert open_ensemble(out).parent is None


def test_sizes() -> None:
    assert parsing.parse_size("12", None) == (12, 12)
    assert parsing.parse_size("12", 1) == (12,)
    assert parsing.parse_size("4x6x8", 3) == (4, 6, 8)
    with pytest.raises(InputError, match="leave one of them out"):
        parsing.parse_size("4x6", 3)


def test_parameters_reach_their_rule() -> None:
    assert parse_rule("sum", 2, factor=0.5, weight=None).factor == 0.5
    assert parse_rule("soft-majority", 2, weight=0.41).weight == 0.41
    assert parse_rule("gaussian", 2, spread=0.3).spread == 0.3
    assert parse_rule("majority-mean", 3).b == 3
    with pytest.raises(InputError, match="--spread belongs to --rule gaussian; sum has none"):
        parse_rule("sum", 2, spread=0.1)
