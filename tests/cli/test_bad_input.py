"""Bad input to every verb: one clear line, status 2, no traceback, and nothing on stdout or on disk."""

import shutil
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.exact

SIMULATE = [
    ("--quartic -1", "quartic=-1 < 0"),
    ("--quartic 0", "quartic=0 with mass2"),
    ("--quartic 0 --mass2 0", "quartic=0 with mass2"),
    ("--mass2 nan", "finite"),
    ("--kappa inf", "finite"),
    ("--mass2 heavy", "--mass2"),
    ("--beta 0.4", "phi4 has no coupling 'beta'"),
    ("--coupling mass2", "NAME=VALUE"),
    ("--coupling mass2=1 --mass2 1", "given twice"),
    ("--action phi5", "unknown action 'phi5'"),
    ("--action absent.py:Phi6", "absent.py is not a file"),
    ("--observables binder,energies", "unknown observable 'energies'"),
    ("--observables ,", "empty"),
    ("--sampler gibbs", "unknown sampler 'gibbs'"),
    ("--start warm", "unknown start 'warm'"),
    ("--size 0", "2 or more"),
    ("--size -8", "2 or more"),
    ("--size 8.5", "'8.5' is not a size"),
    ("--size 8xx8", "is not a size"),
    ("--size 8x8 --dimension 3", "leave one of them out"),
    ("--size 8 --dimension 5", "give 1 to 4"),
    ("--size 900000", "GiB"),
    ("--chains 0", "--chains must be positive"),
    ("--draws -3", "--draws must be positive"),
    ("--thin 0", "--thin must be positive"),
    ("--thermalize -1", "thermalize"),
    ("--max-draws 0", "--max-draws must be positive"),
    ("--target-error 0", "target_error"),
    ("--target-error nan", "target_error"),
    ("--draws 4 --target-error 0.1", "give one of them"),
    ("--seed -1", "--seed -1"),
    ("--seed 4294967296", "--seed 4294967296"),
    ("--seed 1.5", "--seed"),
]


@pytest.mark.parametrize(("options", "said"), SIMULATE)
def test_simulate(kadanoff: Any, options: str, said: str, tmp_path: Path, refused: Any) -> None:
    refused(kadanoff("simulate", "--size", "8", *options.split(), "--out", tmp_path / "run"), said)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("source", "name", "said"),
    [
        ("x = 1 +", "Phi6", "SyntaxError"),
        ("import sys\nsys.exit(3)", "Phi6", "SystemExit in line 2"),
        ("import nothing_of_this_name", "Phi6", "ModuleNotFoundError in line 1"),
        ("class Phi4: pass", "Phi6", "defines no 'Phi6'; it has: Phi4"),
        ("class Phi6: pass", "Phi6", "no `density(field)`"),
        ("Phi6 = 3", "Phi6", "is not an action"),
        ("class Phi6:\n    def __init__(self, sextic): pass", "Phi6", "needs a value of 'sextic'"),
    ],
)
def test_actions_of_ones_own(
    kadanoff: Any, tmp_path: Path, source: str, name: str, said: str, refused: Any
) -> None:
    (tmp_path / "mine.py").write_text(source)
    refused(kadanoff("simulate", "--size", "8", "--action", f"{tmp_path / 'mine.py'}:{name}"), said)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--b 3", "8 is not a multiple of 3"),
        ("--b 1", "2 or more"),
        ("--b -2", "2 or more"),
        ("--steps 0", "--steps must be positive"),
        ("--steps 3", "below 2"),
        ("--rule plurality", "unknown rule 'plurality'"),
        ("--factor 2", "belongs to --rule sum"),
        ("--rule sum --factor nan", "positive number"),
    ],
)
def test_block(kadanoff: Any, simulated: Path, tmp_path: Path, options: str, said: str, refused: Any) -> None:
    refused(kadanoff("block", simulated, *options.split(), "--out", tmp_path / "out"), said)
    assert not (tmp_path / "out").exists()


def test_odd_sides_have_no_blocks_of_two(kadanoff: Any, tmp_path: Path, refused: Any) -> None:
    small = ("--size", "9", "--chains", "4", "--draws", "2", "--thermalize", "2")
    assert kadanoff("simulate", *small, "--out", tmp_path / "l9").status == 0
    refused(kadanoff("block", tmp_path / "l9"), "9 is not a multiple of 2")


READERS = [
    ("block",),
    ("learn",),
    ("grow", "--inverse", "absent"),
    ("exponents",),
    ("report",),
]


@pytest.mark.parametrize("verb", READERS, ids=lambda verb: verb[0])
def test_missing_empty_and_foreign_folders(
    kadanoff: Any, verb: tuple[str, ...], tmp_path: Path, refused: Any
) -> None:
    refused(kadanoff(*verb, tmp_path / "absent"), "absent")
    (tmp_path / "empty").mkdir()
    refused(kadanoff(*verb, tmp_path / "empty"), "empty")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "thesis.tex").write_text("do not lose me")
    refused(kadanoff(*verb, tmp_path / "foreign"), "foreign")
    assert [path.name for path in (tmp_path / "foreign").iterdir()] == ["thesis.tex"]
    refused(kadanoff(*verb, tmp_path / "foreign" / "thesis.tex"), "thesis.tex")


@pytest.mark.parametrize("verb", [("block",), ("learn",), ("grow", "--inverse", "absent"), ("report",)])
@pytest.mark.parametrize("wound", ["run.json", "manifest/00000000.json", "fields.zarr/zarr.json"])
def test_damaged_runs(
    kadanoff: Any, simulated: Path, tmp_path: Path, verb: tuple[str, ...], wound: str, refused: Any
) -> None:
    run = tmp_path / "run"
    shutil.copytree(simulated, run)
    content = (run / wound).read_bytes()
    (run / wound).write_bytes(content[: len(content) // 2])
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    refused(kadanoff(*verb, run), "damaged")
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_newer_runs(kadanoff: Any, simulated: Path, tmp_path: Path, refused: Any) -> None:
    run = tmp_path / "run"
    shutil.copytree(simulated, run)
    text = (run / "run.json").read_text()
    (run / "run.json").write_text(text.replace('"version": 1', '"version": 2', 1))
    refused(kadanoff("block", run), "newer kadanoff")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("learn RUN --kind magic", "unknown kind"),
        ("learn RUN --depth -1", "--depth cannot be negative"),
        ("learn RUN --steps 0", "--steps must be positive"),
        ("learn RUN --relax 0", "--relax must be positive"),
        ("learn RUN --b 3", "not a multiple of 3"),
        ("learn RUN --out RUN", "not empty"),
        ("grow RUN", "--inverse"),
        ("grow RUN --inverse RUN", "holds no inverse"),
        ("grow RUN --inverse RUN --steps 0", "--steps must be positive"),
        ("grow RUN --inverse RUN --relax -4", "--relax must be positive"),
        ("grow RUN --inverse RUN --configurations 0", "--configurations must be positive"),
        ("grow RUN --inverse RUN --amplitude nan", "--amplitude must be positive"),
        ("grow RUN --inverse RUN --mass2 1", "add --relax"),
        ("exponents RUN --samples 0", "--samples must be positive"),
        ("exponents RUN --estimator guess", "unknown estimator 'guess'"),
        ("exponents", "GROWN"),
        ("reproduce", "which experiment?"),
        ("reproduce tabel1", "did you mean table1?"),
        ("reproduce table1 --seed -2", "--seed -2"),
        ("reproduce table1 --seed 4194304", "--seed 4194304"),
        ("reproduce table1 --out RUN/run.json", "is a file"),
        ("report RUN --out RUN", "cannot be written"),
        ("report RUN --out RUN/no/page.html", "cannot be written"),
    ],
)
def test_the_other_verbs(kadanoff: Any, simulated: Path, command: str, said: str, refused: Any) -> None:
    before = sorted(simulated.rglob("*"))
    refused(kadanoff(*command.replace("RUN", str(simulated)).split()), said)
    assert sorted(simulated.rglob("*")) == before


@pytest.mark.parametrize(
    "command",
    [
        "simulate --size 8",
        "block RUN",
        "learn RUN --kind linear",
        "fit RUN --model phi4",
        "reproduce blocking",
    ],
)
def test_a_link_that_leads_nowhere(
    kadanoff: Any, simulated: Path, tmp_path: Path, command: str, refused: Any
) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "gone" / "away")
    words = command.replace("RUN", str(simulated)).split()
    refused(kadanoff(*words, "--out", link), f"{link} is a link that leads nowhere: mend it")
