"""Kernels compiled ahead, by other processes: who asks, what comes of it, and what if nothing does."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kadanoff.compiled import compilation
from kadanoff.compiled.compilation import KERNELS
from kadanoff.cores import cores

pytestmark = pytest.mark.exact

#: Tells where the code of a kernel came from, and whether it works.
AHEAD = """
import sys
from kadanoff.compiled import compilation
if "stop" in sys.argv:
    sys.executable = "false"  # begins, and ends without a word
compilation.compile_ahead("compensated_sums", "field_sums", "metropolis", "threefry_words")
(process,) = set(compilation._awaited.values())
from numba.core import ccallback
compiled, compile_it = [], ccallback.CFunc._compile_uncached
def noted(self):
    compiled.append(self._pyfunc.__name__)
    return compile_it(self)
ccallback.CFunc._compile_uncached = noted
import jax.numpy as jnp
import kadanoff as kd
from kadanoff.summation import compensated_sum
assert float(compensated_sum(jnp.arange(2.0**13))) == 2.0**12 * (2**13 - 1)
kd.sample(kd.Phi4(-0.9, 0.7), kd.Lattice((4, 4)), sampler=kd.Metropolis(), chains=4, draws=4, thermalize=4)
assert not compilation._awaited and process.poll() is not None
print("compiled here:", *sorted(compiled))
"""

#: Runs commands one after the other, and tells which kernels each of them asked for and called.
ASKED = """
import json, sys
from kadanoff.compiled import compilation
asked, called, found = set(), set(), []
compilation.compile_ahead = lambda *kernels: asked.update(kernels)
from kadanoff.cli import app
from kadanoff.cli.task import at_work
with at_work():
    pass  # programs are cached
import jax
from kadanoff.compiled import foreign
load = foreign._loaded
def noted(kernel):
    called.add(kernel.__name__)
    return load(kernel)
foreign._loaded = noted
for line in json.loads(sys.argv[1]):
    asked.clear(), called.clear(), jax.clear_caches()
    assert not app(line.split(), standalone_mode=False), line
    found.append([line, sorted(asked), sorted(called)])
print("found", json.dumps(found))
"""

COMMANDS = (
    "simulate --size 8 --chains 16 --draws 8 --thermalize 4 --out l8",
    "simulate --size 8 --chains 4 --draws 4 --thermalize 4 --sampler heat-bath",
    "simulate --size 8 --chains 4 --draws 4 --thermalize 4 --sampler hmc",
    "simulate --action ising --size 8 --chains 4 --draws 4 --thermalize 4",
    "simulate --action ising --size 8 --chains 4 --draws 4 --thermalize 4 --sampler wolff",
    "block l8",
    "learn l8 --relax 2 --steps 4 --out inverse",
    "grow l8 --inverse inverse --relax 2 --configurations 16",
    "match --action ising --size 8 --steps 1 --chains 8 --draws 16 --samples 10 --out matched",
    "fit phi4 --size 4x4 --steps 4 --out learnt",
    "rbm fit digits --n-hidden 32 --epochs 1 --out network",
    "rbm score network",
    "rbm fit digits --n-hidden 128 --epochs 1",
)


def run(script: str, *arguments: str, folder: Path, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_kernel_is_in_its_file():
    import importlib

    for name, file in KERNELS.items():
        assert callable(getattr(importlib.import_module(f"kadanoff.compiled.{file}"), name))


@pytest.mark.parametrize(
    ("chosen", "driver", "installed", "elsewhere"),
    [
        (None, "here", True, True),
        ("cuda,cpu", "here", True, True),
        ("cpu", "here", True, False),
        (None, "absent", True, False),
        (None, "here", False, False),
    ],
)
def test_nothing_is_compiled_ahead_where_a_gpu_computes(
    monkeypatch, tmp_path, chosen, driver, installed, elsewhere
):
    (tmp_path / "here").touch()
    monkeypatch.setattr(compilation, "_DRIVER", str(tmp_path / driver))
    monkeypatch.setattr(compilation, "find_spec", lambda name: name if installed else None)
    monkeypatch.setattr(compilation, "_is_missing", lambda name: True)
    monkeypatch.setattr(compilation, "cores", lambda: 2)
    monkeypatch.setattr(compilation, "_awaited", {})
    started = []
    monkeypatch.setattr(compilation.subprocess, "Popen", lambda *given, **options: started.append(given))
    if chosen is None:
        monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    else:
        monkeypatch.setenv("JAX_PLATFORMS", chosen)
    compilation.compile_ahead("metropolis")
    assert bool(started) is not elsewhere


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.skipif(cores() < 2, reason="one core compiles nothing ahead")
@pytest.mark.parametrize("turn", ["", "stop"])
def test_kernels_come_from_other_processes_or_without_them(tmp_path, turn):
    told = run(AHEAD, turn, folder=tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "numba"))
    here = told.split("compiled here:")[-1].split()
    every = ["compensated_sums", "field_sums", "handle", "metropolis", "threefry_words"]
    assert here == (every if turn == "stop" else [])


@pytest.mark.slow
@pytest.mark.ci
def test_commands_ask_for_what_they_call(tmp_path):
    told = run(ASKED, json.dumps(COMMANDS), folder=tmp_path)
    found = json.loads(told.split("found ")[-1])
    assert len(found) == len(COMMANDS)
    for line, asked, called in found:
        assert set(asked) >= set(called), line
    assert {name for _, asked, _ in found for name in asked} == {
        name for _, _, called in found for name in called
    }
