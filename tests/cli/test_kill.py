"""The real command, killed or interrupted half-way: given again, it ends with the bits of an unbroken run."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kadanoff.store import Store

pytestmark = pytest.mark.exact

DRAWS = 480
SIZES = ("--size", "8", "--chains", "16", "--draws", str(DRAWS), "--thermalize", "20")
COMMAND = ("simulate", "--mass2", "-0.9515", "--quartic", "0.7", *SIZES, "--seed", "3")


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that nothing interrupts."""
    folder = tmp_path_factory.mktemp("unbroken") / "run"
    subprocess.run(command(folder), check=True, capture_output=True)
    return folder


def command(folder: Path) -> list[str]:
    return [sys.executable, "-m", "kadanoff", *COMMAND, "--out", str(folder), "--json"]


def stop(folder: Path, number: int) -> tuple[int, str, str]:
    """Start the command, send it a signal once it has committed three blocks; status, stdout, stderr."""
    line = command(folder)
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while len(list((folder / "manifest").glob("*.json"))) < 3:
            assert process.poll() is None and time.monotonic() < deadline, process.communicate()
            time.sleep(0.002)
        os.kill(process.pid, number)
        out, errors = process.communicate(timeout=30)
    assert 0 < Store.open(folder).draws < DRAWS, "the signal came too late to test anything"
    return process.returncode, out, errors


def same_bits(folder: Path, unbroken: Path) -> None:
    mended, whole = Store.open(folder), Store.open(unbroken)
    mended.verify()
    assert np.array_equal(mended.field().view(np.uint32), whole.field().view(np.uint32))
    assert mended.records == whole.records


def test_kill_9(kadanoff: Any, unbroken: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert stop(folder, signal.SIGKILL)[0] == -signal.SIGKILL
    assert kadanoff(*command(folder)[3:]).status == 0
    same_bits(folder, unbroken)


def test_ctrl_c(kadanoff: Any, unbroken: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    status, out, errors = stop(folder, signal.SIGINT)
    assert (status, out) == (130, "")
    assert errors.startswith(
        f"kadanoff: interrupted; finished blocks are kept in {folder}, and the same command"
    )
    assert errors.count("\n") == 1 and errors.rstrip().endswith(f"--out {folder} --json")
    assert kadanoff(*command(folder)[3:]).status == 0
    same_bits(folder, unbroken)
