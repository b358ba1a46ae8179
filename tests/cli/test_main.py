"""The shell around the verbs: exit statuses, one-line errors, Ctrl-C, and a quick ``--help``."""

import os
import re
import resource
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.exact

PROBE = '''"""Probe the shell.

More about it.
"""
import os, sys, time, warnings
from pathlib import Path
import typer
from kadanoff.cli.console import emit_json, keep
from kadanoff.errors import InputError, OverlapWarning


def register(app):
    @app.command("probe")
    def probe(kind: str, mass2: float = 0.0, out: Path | None = None):
        """Do what the test asks for.

        \\b
        kadanoff probe fine --mass2 -0.9515
        kadanoff probe warn
        """
        if kind == "bars":
            from kadanoff.cli.console import progress
            with progress() as report:
                report(1, 2, "drawing")
        if kind in ("fine", "bars"):
            emit_json({"mass2": mass2})
        if kind == "input":
            raise InputError("size (7, 7) is odd:\\n  b = 2 needs even sides; use --size 8")
        if kind == "much":
            print("x" * 200000)
        if kind == "bug":
            raise RuntimeError("a defect of ours")
        if kind == "file":
            open("/does/not/exist")
        if kind == "warn":
            warnings.warn("only 3 effective samples", OverlapWarning)
        if kind in ("wait", "wait-kept"):
            if kind == "wait-kept":
                keep(out)  # before there is anything in it
                (out / "fields").mkdir(parents=True)
            print("ready", flush=True)
            time.sleep(60)
'''

DRIVER = """
import sys
import kadanoff.cli as cli
cli.__path__.append({folder!r})
cli.VERBS = ("probe",)
sys.argv = ["kadanoff", *sys.argv[1:]]
cli.main()
"""

Command = Callable[..., list[str]]
PIPES: dict[str, Any] = {"capture_output": True, "text": True, "timeout": 60}


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Build the command line of a kadanoff whose only verb is the probe above."""
    (tmp_path / "probe.py").write_text(PROBE)
    driver = tmp_path / "driver_of_test.py"
    driver.write_text(DRIVER.format(folder=str(tmp_path)))
    return lambda *arguments: [sys.executable, str(driver), *arguments]


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_a_verb_runs_and_prints_json_only(command: Command) -> None:
    done = run(command("probe", "fine", "--mass2", "-0.9515"))
    assert (done.returncode, done.stdout, done.stderr) == (0, '{"mass2": -0.9515}\n', "")


def test_help_lists_the_verbs_with_the_first_line_of_their_modules(command: Command) -> None:
    done = run(command("--help"))
    assert done.returncode == 0
    assert "probe  Probe the shell." in done.stdout
    assert "More about it" not in done.stdout
    assert run(command()).stdout == done.stdout


def test_help_of_a_verb_keeps_the_lines_of_its_example(command: Command) -> None:
    done = run(command("probe", "--help"))
    assert re.search(
        r"^ +kadanoff probe fine --mass2 -0.9515\n +kadanoff probe warn$", done.stdout, re.MULTILINE
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["probe", "input"], "kadanoff: size (7, 7) is odd: b = 2 needs even sides; use --size 8\n"),
        (["nonsense"], "there is no verb 'nonsense'; the verbs are: probe (see: kadanoff --help)"),
        (["probe", "fine", "--masss2", "1"], "--masss2"),
        (["probe", "fine", "--mass2", "heavy"], "--mass2"),
        (["probe"], "(see: kadanoff probe --help)"),
        (["--nonsense"], "--nonsense"),
        (["probe", "file"], "cannot use /does/not/exist: No such file or directory; give another path"),
    ],
)
def test_wrong_input_is_one_line_and_status_2(command: Command, arguments: list[str], said: str) -> None:
    done = run(command(*arguments))
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("kadanoff: ") and said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_defect_of_ours_is_not_dressed_up_as_wrong_input(command: Command) -> None:
    done = run(command("probe", "bug"))
    assert done.returncode == 1
    assert "RuntimeError: a defect of ours" in done.stderr


def test_our_warnings_are_one_line(command: Command) -> None:
    done = run(command("probe", "warn"))
    assert (done.returncode, done.stderr) == (0, "kadanoff: warning: only 3 effective samples\n")


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("wait-kept", "what was done is kept in a run, and the same command continues it: kadanoff probe"),
        ("wait", "nothing had been written"),
    ],
)
def test_ctrl_c_says_how_to_resume(command: Command, kind: str, said: str, tmp_path: Path) -> None:
    line = command("probe", kind, "--out", "a run")
    with subprocess.Popen(
        line, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said in errors and errors.count("\n") == 1
    if kind == "wait-kept":
        assert errors.rstrip().endswith("--out 'a run'")


@pytest.mark.parametrize("arguments", [["--help"], ["probe", "fine"], ["probe", "much"]])
def test_output_that_is_not_taken(command: Command, arguments: list[str]) -> None:
    line = shlex.join(command(*arguments))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    full = subprocess.run(f"{line} > /dev/full", shell=True, env=environment, capture_output=True, text=True)
    said = r"kadanoff: cannot use standard output( or a file)?: No space left on device; make room[^\n]*\n"
    assert full.returncode == 2 and re.fullmatch(said, full.stderr), full
    unread = subprocess.run(
        ["bash", "-c", f"(sleep 0.1; {line}) | true; exit ${{PIPESTATUS[0]}}"],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert (unread.returncode, unread.stderr) == (141, "")


def test_closed_streams_are_silent(command: Command) -> None:
    line = shlex.join(command("probe", "warn"))
    done = subprocess.run(f"{line} 2>&-; {shlex.join(command('probe', 'bars'))} 2>&-", shell=True, **PIPES)
    assert (done.returncode, done.stdout) == (0, '{"mass2": 0.0}\n')
    done = subprocess.run(f"{line} >&-", shell=True, **PIPES)
    assert (done.returncode, done.stderr) == (0, "kadanoff: warning: only 3 effective samples\n")


def test_version() -> None:
    from importlib.metadata import version

    done = run([sys.executable, "-m", "kadanoff", "--version"])
    assert (done.returncode, done.stdout) == (0, f"kadanoff {version('kadanoff')}\n")


def test_help_is_light_and_quick() -> None:
    code = (
        "import atexit, sys; sys.argv = ['kadanoff', '--help']\n"
        "atexit.register(lambda: print('HEAVY', {'jax', 'numpy', 'rich', 'matplotlib'} & set(sys.modules)))\n"
        "from kadanoff.cli import main; main()"
    )
    taken = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = run([sys.executable, "-c", code])
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        assert done.stdout.endswith("HEAVY set()\n")
    # Processor time and the best of five, since the machine may be busy; the aim is 0.3 s.
    assert min(taken) < 0.3


def test_every_verb_shows_an_example_without_importing_jax() -> None:
    from typer.main import get_command

    from kadanoff.cli import VERBS, app

    group = get_command(app)
    present = group.list_commands(None)  # type: ignore[attr-defined]
    assert set(present) <= set(VERBS)
    environment = {**os.environ, "PYTHONPROFILEIMPORTTIME": "1"}
    for verb in present:
        done = subprocess.run(
            [sys.executable, "-m", "kadanoff", verb, "--help"],
            capture_output=True,
            text=True,
            env=environment,
        )
        assert done.returncode == 0, done.stderr
        assert re.search(rf"^\s+kadanoff {verb} \S", done.stdout, re.MULTILINE), (
            f"{verb}: no example in --help"
        )
        assert "| jax\n" not in done.stderr, f"kadanoff {verb} --help imports jax"
