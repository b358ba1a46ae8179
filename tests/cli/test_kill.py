"""Long commands, killed, stopped, starved of disk or doubled: given again, they end with the bits of unbroken ones."""

import itertools
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from kadanoff.cli.console import holds_work
from kadanoff.cli.stopping import limited, parse_duration
from kadanoff.errors import InputError
from kadanoff.store import Store
from kadanoff.store.durable import WriterLock

sys.path.insert(0, str(Path(__file__).parent))
from killing import Forks, contents, kill_again_and_again  # noqa: E402

pytestmark = pytest.mark.exact

COMMANDS: dict[str, tuple[object, ...]] = {
    # A sampler without host callbacks, whose compiled code is cached between processes.
    "simulate": (
        "simulate",
        "--sampler",
        "metropolis",
        "--size",
        8,
        "--chains",
        16,
        "--draws",
        320,
        "--seed",
        3,
    ),
    "learn": ("learn", "RUN", "--kind", "deterministic", "--steps", 400, "--width", 4, "--seed", 3),
    "grow": ("grow", "RUN", "--inverse", "INVERSE", "--steps", 2, "--relax", 8, "--seed", 5),
    "fit": ("fit", "RUN", "--model", "phi4", "--method", "likelihood", "--steps", 15),
    "rbm fit": (
        "rbm",
        "fit",
        "digits",
        "--n-hidden",
        4,
        "--visible",
        "gaussian",
        "--epochs",
        6,
        "--held-out",
        0,
    ),
}
#: By verb: after how many calls of fsync the disk is full, at which call of replace it is stopped, and how.
MOMENTS = {
    "simulate": (30, 15, "SIGINT"),
    "learn": (3, 2, "SIGTERM"),
    "grow": (40, 25, "SIGALRM"),
    "fit": (5, 4, "SIGINT"),
    "rbm fit": (7, 3, "SIGTERM"),
}
STATUS = {"SIGALRM": 124, "SIGINT": 130, "SIGTERM": 143}
VERBS = pytest.mark.parametrize("verb", COMMANDS)


@pytest.fixture(scope="module")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    made = Forks(tmp_path_factory.mktemp("output"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def base(simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the commands start from, and unbroken runs of theirs: all beside one another."""
    from kadanoff.renormalization import MajorityMean, learn_inverse
    from kadanoff.runs import open_ensemble

    folder = tmp_path_factory.mktemp("base")
    learn_inverse(open_ensemble(simulated), MajorityMean(b=2), kind="linear").save(folder / "inverse")
    return folder


@pytest.fixture(scope="module")
def typed(simulated: Path, base: Path) -> Callable[[str, Path], list[object]]:
    names = {"RUN": simulated, "INVERSE": base / "inverse"}

    def line(verb: str, folder: Path) -> list[object]:
        return [*(names.get(str(word), word) for word in COMMANDS[verb]), "--out", folder, "--json"]

    return line


@pytest.fixture(scope="module")
def unbroken(forks: Forks, base: Path, typed: Any) -> Callable[[str], tuple[Path, float]]:
    """The folder of a run that nothing interrupts, and its seconds once everything is compiled."""
    known: dict[str, tuple[Path, float]] = {}

    def whole(verb: str) -> tuple[Path, float]:
        if verb not in known:
            folder = base / verb / "whole" / "run"
            ended = forks.run(*typed(verb, folder))
            assert ended.status == 0, ended
            known[verb] = (folder, ended.seconds)
        return known[verb]

    return whole


def said_in_one_line(ended: Any, status: int, words: str) -> None:
    assert ended.status == status, ended
    lines = [line for line in ended.err.splitlines() if "warning" not in line]
    assert ended.out == "" and len(lines) == 1 and lines[0].startswith("kadanoff: ") and words in lines[0], (
        ended
    )


def folders_of(parent: Path) -> Iterator[Path]:
    """As deep as the unbroken one, since a growth keeps the way from its folder to its start."""
    return (parent / f"run-{number}" for number in itertools.count())


# Every verb goes one way.
@pytest.mark.slow
@pytest.mark.ci
@VERBS
def test_what_may_happen_to_a_run(
    verb: str, forks: Forks, typed: Any, unbroken: Any, base: Path, kadanoff: Any
) -> None:
    whole, seconds = unbroken(verb)
    folder = next(folders_of(base / verb / "eventful"))
    command, (full, moment, stop) = typed(verb, folder), MOMENTS[verb]
    folder.mkdir(parents=True)
    folder.chmod(0o555)
    said_in_one_line(forks.run(*command, humble=True), 2, "Permission denied")
    assert not list(folder.iterdir())
    folder.chmod(0o755)
    said_in_one_line(forks.run(*command, fault=("fsync", full, "full")), 2, "No space left on device")
    assert holds_work(folder), "the disk was full before anything was kept"
    ended = forks.run(*command, fault=("replace", moment, stop))
    said_in_one_line(ended, STATUS[stop], f"what was done is kept in {folder}")
    with forks.start(*command, fault=("replace", moment, "wait")) as (pid, wait):
        forks.until_waiting()
        said_in_one_line(kadanoff(*command), 2, f"is being written by another process (pid {pid} on ")
        forks.waiting.unlink()
        time.sleep(0.02)
        os.kill(pid, signal.SIGKILL)
        assert wait().status == -signal.SIGKILL, "it was over too soon to be killed"
    kill_again_and_again(
        forks, partial(typed, verb), folders_of(base / verb / "eventful"), whole, seconds, kills=2
    )


@pytest.mark.slow
@VERBS
def test_fifty_kills_at_random_moments(
    verb: str, forks: Forks, typed: Any, unbroken: Any, base: Path
) -> None:
    whole, seconds = unbroken(verb)
    kill_again_and_again(
        forks, partial(typed, verb), folders_of(base / verb / "killed"), whole, seconds, kills=50
    )


@pytest.mark.slow
@VERBS
@pytest.mark.parametrize("operation", ["replace", "unlink"])
def test_kills_before_every_operation_on_files(
    operation: str, verb: str, forks: Forks, typed: Any, unbroken: Any, base: Path
) -> None:
    expected, folders = contents(unbroken(verb)[0]), folders_of(base / verb / operation)
    # Blocks of a run are written alike: of many there, some moments of each kind.
    for moment in itertools.count(1, 5 if verb in ("simulate", "grow") else 1):
        folder = next(folders)
        command = typed(verb, folder)
        ended = forks.run(*command, fault=(operation, moment, "SIGKILL"))
        if ended.status == 0:
            break
        assert ended.status == -signal.SIGKILL, ended
        ended = forks.run(*command)
        assert ended.status == 0, ended
        assert contents(folder) == expected, f"killed before call {moment}"
    assert operation == "unlink" or moment > 2, "it was never killed"


def test_a_stop_is_heard_where_the_main_thread_is_busy(forks: Forks, typed: Any, base: Path) -> None:
    command = typed("simulate", base / "busy")
    with forks.start(*command, fault=("replace", 20, "hang")) as (
        pid,
        wait,
    ):  # within a commit, which stops wait for
        forks.until_waiting()
        os.kill(pid, signal.SIGTERM)
        said_in_one_line(wait(), 143, "the same command continues it: kadanoff simulate")
    forks.waiting.unlink()
    assert 0 < Store.open(base / "busy").draws < 320


@pytest.mark.parametrize(
    ("command", "lock"),
    [
        (("block", "RUN"), "lock"),
        (("reproduce", "blocking", "--quick"), ".lock"),
        (("match", "--action", "ising", "--size", 8, "--steps", 1), "8x8/lock"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_the_other_writers_are_told_too(
    command: tuple[object, ...], lock: str, simulated: Path, tmp_path: Path, kadanoff: Any, refused: Any
) -> None:
    (tmp_path / lock).parent.mkdir(exist_ok=True)
    rival = WriterLock(tmp_path / lock)
    try:
        line = [simulated if word == "RUN" else word for word in command]
        refused(kadanoff(*line, "--out", tmp_path), "is being written by another process")
    finally:
        rival.release()
    assert [file.name for file in tmp_path.rglob("*") if file.is_file()] == [Path(lock).name]


def test_a_wall_time_is_set_for_the_work_and_no_longer(tmp_path: Path) -> None:
    previous = signal.signal(signal.SIGALRM, lambda number, frame: None)
    try:
        with limited("1h30m", tmp_path):
            assert 5300 < signal.getitimer(signal.ITIMER_REAL)[0] <= 5400
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
        with pytest.raises(InputError, match="add --out DIR"), limited("1h30m", None):
            pass
    finally:
        signal.signal(signal.SIGALRM, previous)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10", 10), ("1.5h", 5400), ("2d", 172800), ("90:00", 5400), ("2-12:00", 216000), ("0:00:07", 7)],
)
def test_times_are_read_as_schedulers_write_them(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "-3", "3 weeks", "h", "1h:30", "nan", "inf", "1.2.3h"])
def test_what_is_no_time_is_refused(text: str, kadanoff: Any, refused: Any, tmp_path: Path) -> None:
    refused(kadanoff("simulate", "--wall-time", text, "--out", tmp_path / "run"), "is no time: give 3h")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@pytest.mark.ci
def test_what_was_asked_of_an_experiment_is_nothing_to_go_on_with(tmp_path: Path) -> None:
    (tmp_path / "reproduce.json").write_text("{}")
    (tmp_path / ".lock").touch()
    assert not holds_work(tmp_path)
    (tmp_path / "simulations").mkdir()
    assert holds_work(tmp_path)
