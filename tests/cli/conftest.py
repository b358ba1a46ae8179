"""One small simulated run for the tests of every verb, and a way to call the command in this process."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jaxtyping
import pytest
from typer.main import get_command

SMALL = ("--size", "8", "--chains", "16", "--draws", "24", "--thermalize", "20", "--seed", "1")


@dataclass
class Answer:
    status: int
    out: str
    err: str


Kadanoff = Callable[..., Answer]


def call(*arguments: object) -> int:
    from kadanoff.cli import app

    # Typer hands its commands a context of a class that is not the one it tells them to expect.
    checked = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        status = get_command(app).main(list(map(str, arguments)), prog_name="kadanoff", standalone_mode=False)
    finally:
        jaxtyping.config.update("jaxtyping_disable", checked)
    return status if isinstance(status, int) else 0


@pytest.fixture(scope="session")
def command() -> Callable[..., int]:
    """Run the command in this process, for what tests share; gives its exit status."""
    return call


@pytest.fixture
def kadanoff(capsys: pytest.CaptureFixture[str]) -> Kadanoff:
    """Run the command in this process, where jax is imported already."""

    def run(*arguments: object) -> Answer:
        capsys.readouterr()
        status = call(*arguments)
        printed = capsys.readouterr()
        return Answer(status, printed.out, printed.err)

    return run


@pytest.fixture
def refused() -> Callable[[Answer, str], None]:
    """Assert that bad input ended as it has to: status 2, one clear line, nothing on stdout."""

    def check(answer: Answer, said: str) -> None:
        assert answer.status == 2, answer
        assert answer.out == ""
        assert answer.err.startswith("kadanoff: ") and said in answer.err, answer.err
        assert answer.err.count("\n") == 1 and "Traceback" not in answer.err

    return check


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of phi^4 on 8 x 8; tests read it only."""
    folder = tmp_path_factory.mktemp("runs") / "l8"
    assert call("simulate", *SMALL, "--out", folder, "--json") == 0
    return folder


@pytest.fixture
def small() -> tuple[str, ...]:
    """The options of the run above."""
    return SMALL
