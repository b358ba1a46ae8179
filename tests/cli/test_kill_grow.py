"""`kadanoff grow`, killed half-way: given again, it ends with the bits of an unbroken growth."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kadanoff.renormalization import Levels, MajorityMean, learn_inverse
from kadanoff.runs import open_ensemble
from kadanoff.store import Store

pytestmark = [pytest.mark.exact, pytest.mark.slow]

# Commits every two draws: on these small lattices the whole growth would else be one block.
SCRIPT = """
import sys
from kadanoff.renormalization.inverse import growth_folder
growth_folder._BLOCK_SITES = 16 * 16 * 16 * 2
from kadanoff.cli import main
sys.exit(main())
"""


def command(run: Path, weights: Path, folder: Path) -> list[str]:
    line = ("grow", str(run), "--inverse", str(weights), "--steps", "2", "--relax", "8", "--seed", "5")
    return [sys.executable, "-c", SCRIPT, *line, "--out", str(folder), "--json"]


def test_kill_9(simulated: Path, tmp_path: Path) -> None:
    run, weights, folder = simulated, tmp_path / "inverse", tmp_path / "grown"
    learn_inverse(open_ensemble(run), MajorityMean(b=2), kind="linear").save(weights)
    whole = subprocess.run(command(run, weights, tmp_path / "whole"), check=True, capture_output=True)
    assert whole.stdout.startswith(b"{")
    second = folder / "level-02" / "manifest"
    with subprocess.Popen(
        command(run, weights, folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 120
        while not list(second.glob("*.json")):
            assert process.poll() is None and time.monotonic() < deadline, process.communicate()
            time.sleep(0.001)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL
    done = Store.open(folder / "level-02").draws
    assert 0 < done < 24, "the signal came too late to test anything"
    again = subprocess.run(command(run, weights, folder), check=True, capture_output=True)
    assert again.stdout.startswith(b"{")
    same_bits(Levels.open(folder), Levels.open(tmp_path / "whole"))
    for level in range(3):
        mended, unbroken = (Store.open(f / f"level-0{level}") for f in (folder, tmp_path / "whole"))
        mended.verify()
        assert [r.digest for r in mended.records] == [r.digest for r in unbroken.records]


def same_bits(mended: Any, unbroken: Any) -> None:
    for one, other in zip(mended, unbroken, strict=True):
        assert np.array_equal(
            np.asarray(one.fields[:, :]).view(np.uint32), np.asarray(other.fields[:, :]).view(np.uint32)
        )
    for one, other in zip(mended.before, unbroken.before, strict=True):
        for name in one:
            assert np.array_equal(one[name], other[name])
