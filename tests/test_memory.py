"""Streaming: memory does not grow with the ensemble that is analysed; large lattices grow in a few of their own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.exact,
    pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc"),
]

# Of one program alone: what the module `resource` tells is not less than the size of the process that started it.
PEAK = """
def peak():
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024
"""

# Fields that are the same at all sites of a configuration: quick to write, and as large in memory as any others.
ANALYSIS = f"""{PEAK}
import json, sys
import numpy as np
import kadanoff as kd
from kadanoff.store import Store

SITES = 1 << 20  # that are held at a time
kd.Ensemble.blocks.__defaults__ = (SITES,)
MIB = 1 << 20

def stored(name, side, draws):
    rng = np.random.default_rng(side)
    with Store.create(f"{{sys.argv[1]}}/{{name}}", "simulate", {{}}, 16, (side, side), block=16) as store:
        for _ in range(draws // 16):
            scale = rng.normal(1, 0.1, size=(16, 16, 1, 1)).astype(np.float32)
            store.append(np.broadcast_to(scale, (16, 16, side, side)))
    return kd.Ensemble(Store.open(f"{{sys.argv[1]}}/{{name}}").fields, kd.Phi4(-0.9515, 0.7))

def analysed(draws):
    small, large = (stored(f"{{side}}-{{draws}}", side, draws) for side in (32, 64))
    found = large.observables()
    levels = kd.Levels((small, large))
    exponents = kd.critical_exponents(levels, ("ratio",))
    size = np.dtype(np.float32).itemsize * large.fields.shape[0] * draws * 64 * 64
    return size / MIB, peak(), found["phi2"].value, str(exponents)

before = analysed(320)
after = analysed(int(sys.argv[2]))
found = {{"MiB": after[0], "more": after[1] - before[1], "exponents": after[3], "phi2": after[2]}}
print(json.dumps(found))
"""

GROWTH = f"""{PEAK}
import json, sys
import numpy as np
import kadanoff as kd

pairs = kd.Ensemble(np.random.default_rng(0).normal(size=(16, 2, 32, 32)).astype(np.float32))
inverse = kd.learn_inverse(pairs, kd.MajorityMean(b=2), steps=50)
start = pairs.select(draws=slice(0, 1), chains=slice(0, 1))
relax = kd.Relaxation(kd.Phi4(-0.9515, 0.7), sweeps=1)
levels = kd.grow(start, inverse, 8, relax, out=sys.argv[1])
print(json.dumps({{"side": levels[-1].lattice.longest, "MiB": peak()}}))
"""


@pytest.mark.slow
@pytest.mark.ci
def test_an_ensemble_ten_times_the_memory_is_analysed(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ANALYSIS, str(tmp_path), "2880"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["MiB"] == 720 and "gamma" in found["exponents"] and abs(found["phi2"] - 1.01) < 0.01
    assert found["more"] < found["MiB"] / 10, found


@pytest.mark.slow
def test_one_configuration_grows_from_32_to_8192(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", GROWTH, str(tmp_path / "grown")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    # A field of 8192 x 8192 is 256 MiB; one is made, measured, relaxed and written with some twelve of them.
    assert found["side"] == 8192 and found["MiB"] < 16 * 256, found
