"""The README as a new user types it: its Python in one namespace, its commands in one folder."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

README = (Path(__file__).resolve().parents[1] / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def commands() -> list[list[str]]:
    """The lines that start with `kadanoff`, as a shell would split them, without the word itself."""
    lines = [shlex.split(line) for block in blocks("sh") for line in block.splitlines()]
    return [words[1:] for words in lines if words and words[0] == "kadanoff"]


@pytest.mark.exact
def test_every_name_is_public_and_every_option_exists() -> None:
    from typer.main import get_command

    import kadanoff as kd
    from kadanoff.cli import app

    used = set(re.findall(r"\bkd\.([A-Za-z_]\w*)", "".join(blocks("python"))))
    assert {"sample", "learn_inverse", "grow", "reweight"} <= used <= set(kd.__all__)
    group: Any = get_command(app)
    assert {words[0] for words in commands()} == set(group.list_commands(None))
    for verb, *words in commands():
        command = group.get_command(None, verb)
        if hasattr(command, "commands"):  # a verb with verbs of its own
            command = command.commands[words[0]]
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, verb


@pytest.mark.slow
@pytest.mark.exact
def test_the_tour_runs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {}
    for number, block in enumerate(blocks("python"), 1):
        exec(compile(block, f"README.md, block {number}", "exec"), namespace)
    printed = capsys.readouterr().out
    assert "schwinger_dyson" in printed and "gamma/nu" in printed
    assert [level.lattice.longest for level in namespace["levels"]] == [32, 64, 128, 256]
    assert namespace["blocked"].lattice.shape == (16, 16)


@pytest.mark.slow
@pytest.mark.exact
def test_the_commands_run(tmp_path: Path) -> None:
    for words in commands():
        line = [sys.executable, "-m", "kadanoff", *words]
        done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, f"{shlex.join(words)}\n{done.stderr}"
    assert (tmp_path / "runs" / "grown" / "report.html").is_file()
