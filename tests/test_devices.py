"""Many devices and processes give the bits of one: virtual CPU devices, and two processes on loopback."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kadanoff as kd
from kadanoff.devices import join_processes, layout
from kadanoff.errors import InputError
from kadanoff.renormalization import Levels, MajorityMean, Relaxation, learn_inverse
from kadanoff.runs import open_ensemble
from kadanoff.store import Store

pytestmark = pytest.mark.exact

# Eight virtual devices: every computation is repeated on one, two and eight of them.
EIGHT = """
import json, sys, warnings
from functools import partial
import jax, numpy as np
import kadanoff as kd
from kadanoff.errors import InputError
from kadanoff.renormalization.inverse import growth_step
from kadanoff.sampling.sharded import shard
from kadanoff.devices import CHAIN, SLAB, layout, rolled, spread, use

warnings.simplefilter("ignore")
growth_step._BATCH_SITES = 1 << 8
slow = json.loads(sys.argv[1])
action, lattice = kd.Phi4(-0.9515, 0.7), kd.Lattice((16, 4))
short = dict(draws=2, thermalize=10, thin=1, seed=3)
start = kd.Ensemble(np.random.default_rng(0).normal(size=(4, 2, 8, 2)).astype(np.float32))
block = kd.MajorityMean(b=2)
pairs = kd.Ensemble(np.random.default_rng(1).normal(size=(16, 2, 4, 4)).astype(np.float32))
inverse = kd.learn_inverse(pairs, block, kind="linear")
relax = kd.Relaxation(action, sweeps=3)

def sampled(sampler, chains, model=action):
    return lambda n: [kd.sample(model, lattice, chains=chains, sampler=sampler, devices=n, **short).fields]

def grown(count):
    return lambda n: [level.fields for level in kd.grow(start, inverse, 1, relax, configurations=count, devices=n)]

cases = {
    "two chains in slabs": sampled(kd.Metropolis(), 2),
    "configurations dealt out": grown(None),
}
if slow:
    cases |= {
        "clusters, chains dealt out": sampled(None, 8),
        "one configuration in slabs": grown(1),
        "heat bath in slabs": sampled(kd.HeatBath(), 2),
        "trajectories, chains dealt out": sampled(kd.HybridMonteCarlo(), 8),
        "trajectories in slabs": sampled(kd.HybridMonteCarlo(), 2),
        "spins, Wolff": sampled(kd.Wolff(), 8, kd.Ising(0.44)),
        "tempering": sampled(kd.Tempering(kd.Metropolis(), (1.0, 1.1)), 8),
    }
same = {}
for name, make in cases.items():
    alone = make(1)
    for n in (2, 8) if slow else (8,):
        # One device relaxes a lattice by compiled updates, slabs are left to XLA: equal up to rounding.
        equal = partial(np.allclose, rtol=0, atol=1e-5) if name.startswith("one conf") else np.array_equal
        same[f"{name}, {n}"] = all(equal(a, b) for a, b in zip(alone, make(n), strict=True))

def refusal(make, n):
    try:
        make(n)
    except InputError as error:
        return str(error)

# What crosses devices in a sweep of slabs: rows of neighbours, and the acceptance.
mesh, sampler = layout(8, 1, (16, 8), slabs=True), kd.Metropolis(sweeps=1)
with use(mesh):
    state = shard(sampler.init(action, jax.numpy.ones((1, 16, 8))), mesh)
    step = jax.jit(lambda key, action, state: sampler.step(key, action, state))
    traced = step.trace(spread(mesh, jax.random.key(0)), action, state)
    program = traced.lower().compile().as_text()
    # Compilers find halos in rolls for CPUs only: what a GPU is given says itself what is sent.
    sent = traced.lower(lowering_platforms=("cuda",)).as_text().count("stablehlo.collective_permute")
crossing = {}
for line in program.splitlines():
    for word in ("collective-permute", "all-gather", "all-to-all", "all-reduce"):
        if f" {word}(" in line:
            crossing.setdefault(word, set()).add(line.split("= ")[1].split("{")[0].split(" ")[0])
# Rolls of slabs, of chains that are dealt out, one by one and backwards.
mesh, fields = layout(8, 2, (16, 4), slabs=True), np.random.default_rng(2).normal(size=(2, 16, 4))
halves = []
with use(mesh):
    there = spread(mesh, fields, CHAIN, SLAB)
    for shift in (-4, -1, 0, 1, 3, 5, -17):
        for find in (partial(rolled, shift=shift, axis=1), jax.vmap(partial(rolled, shift=shift, axis=0))):
            moved = jax.jit(find)(there)
            back = jax.jit(jax.grad(lambda x: (find(x) * there).sum()))(there)
            halves.append(np.array_equal(moved, np.roll(there, shift, 1)))
            halves.append(np.array_equal(back, np.roll(there, -shift, 1)))
print(json.dumps({
    "rolled": halves,
    "sent": sent,
    "same": same,
    "crossing": {word: sorted(shapes) for word, shapes in crossing.items()},
    "refusals": [refusal(sampled(None, 2), 8), refusal(lambda n: layout(n, 1, (8, 8), slabs=True), 8),
                 refusal(lambda n: kd.grow(start, inverse, 1, configurations=1, devices=n), 8),
                 refusal(lambda n: kd.grow(start, inverse, 1, relax, configurations=3, devices=n), 7)],
}))
"""

# One of several processes: the commands one after the other, as of one launcher.
TOGETHER = """
import json, sys
from typer.main import get_command
from kadanoff.cli import app
for line in json.loads(sys.argv[1]):
    status = get_command(app).main(line, prog_name="kadanoff", standalone_mode=False)
    if status:
        sys.exit(status)
"""


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "JAX_PLATFORMS": "cpu", **more}


def joined_processes(command: list[str], **more: str) -> list[subprocess.Popen[str]]:
    """Two processes of one command, joined on loopback, with a device each; "{process}" is the number of each."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    own = {
        "JAX_COORDINATOR_ADDRESS": address,
        "JAX_NUM_PROCESSES": "2",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=1",
        **more,
    }
    return [
        subprocess.Popen(
            [word.replace("{process}", str(number)) for word in command],
            env=environment(JAX_PROCESS_ID=str(number), **own),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]


def eight(slow: bool) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", EIGHT, json.dumps(slow)],
        env=environment(XLA_FLAGS="--xla_force_host_platform_device_count=8"),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.ci
def test_virtual_devices_give_the_same_bits_and_exchange_halos_only() -> None:
    found = eight(slow=False)
    assert len(found["same"]) == 2 and all(found["same"].values()), found["same"]
    crossing = found["crossing"]
    assert not {"all-gather", "all-to-all"} & set(crossing)
    assert len(found["rolled"]) == 28 and all(found["rolled"]), found["rolled"]
    assert found["sent"] == 4, "two rows for each colour"
    # Half a row of one colour, of one chain: 1 x 4 x 1.
    assert crossing["collective-permute"] == ["f32[1,4,1]"], crossing
    assert set(crossing.get("all-reduce", [])) <= {"f32[]", "(f32[],", "s32[]"}, crossing
    uneven, side, bare, odd = found["refusals"]
    assert "8 devices cannot share 2 chains evenly, and this update cannot share a lattice" in uneven
    assert (
        "8 devices cannot share 1 chains of side 8 evenly: give a multiple of 8 chains, or a side that 16"
        in side
    )
    assert "8 devices cannot share 1 configurations that are not relaxed" in bare
    assert "7 devices cannot share 3 configurations of side 16, which 14 does not divide" in odd


@pytest.mark.slow
def test_every_sampler_gives_the_same_bits_on_virtual_devices() -> None:
    found = eight(slow=True)["same"]
    assert len(found) == 18 and all(found.values()), found


@pytest.mark.slow
@pytest.mark.ci
def test_two_processes_on_loopback_give_the_same_bits(tmp_path: Path) -> None:
    short = [
        "--sampler",
        "metropolis",
        "--size",
        "8",
        "--chains",
        "4",
        "--draws",
        "4",
        "--thermalize",
        "10",
        "--seed",
        "3",
    ]
    learn = kd.Ensemble(np.random.default_rng(1).normal(size=(16, 2, 8, 8)).astype(np.float32))
    learn_inverse(learn, MajorityMean(b=2), kind="linear").save(tmp_path / "inverse")

    def commands(run: Path, grown: Path) -> list[list[str]]:
        grow = ["grow", str(run), "--inverse", str(tmp_path / "inverse"), "--relax", "2", "--seed", "4"]
        return [
            ["simulate", *short, "--out", str(run), "--devices", "2", "--json"],
            [*grow, "--out", str(grown), "--devices", "2", "--json"],
        ]

    lines = json.dumps(commands(tmp_path / "run", tmp_path / "grown"))
    processes = joined_processes([sys.executable, "-W", "ignore", "-c", TOGETHER, lines])
    told = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], told
    first, second = (out.splitlines() for out, _ in told)
    assert len(first) == 2 and json.loads(first[0])["draws"] == 4 and not second, told
    options: dict[str, Any] = {"chains": 4, "draws": 4, "thermalize": 10, "seed": 3, "out": tmp_path / "one"}
    alone = kd.sample(
        kd.Phi4(-0.9515, 0.7), kd.Lattice((8, 8)), sampler=kd.Metropolis(), devices=1, **options
    )
    together = Store.open(tmp_path / "run")
    assert np.array_equal(together.field(), np.asarray(alone.fields))
    assert together.records == Store.open(tmp_path / "one").records
    from kadanoff.renormalization.inverse.learnt import LearntInverse

    inverse, relax = LearntInverse.load(tmp_path / "inverse"), Relaxation(kd.Phi4(-0.9515, 0.7), sweeps=2)
    with pytest.warns(kd.errors.DepthWarning):
        levels = kd.grow(open_ensemble(tmp_path / "run"), inverse, 1, relax, seed=4, devices=1)
    assert np.array_equal(levels[1].fields, np.asarray(Levels.open(tmp_path / "grown")[1].fields))


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.parametrize(
    ("number", "asked", "statuses", "said"),
    [
        (0, signal.SIGTERM, [143, 143], "terminated; what was done is kept"),
        (1, signal.SIGTERM, [143, 143], "kept in"),
        (1, signal.SIGKILL, [2, -9], "another process of this command ended"),
    ],
)
def test_joined_processes_end_together(
    tmp_path: Path, number: int, asked: signal.Signals, statuses: list[int], said: str
) -> None:
    run = tmp_path / "run"
    short = "--sampler metropolis --size 16 --chains 4 --thermalize 10 --thin 1 --draws 1000000 --devices 2"
    processes = joined_processes(
        [sys.executable, "-m", "kadanoff", "simulate", *short.split(), "--out", str(run)]
    )
    try:
        until = time.monotonic() + 200
        while not list(run.glob("manifest/*1.json")):
            assert time.monotonic() < until and processes[0].poll() is None, "nothing was drawn"
            time.sleep(0.1)
        processes[number].send_signal(asked)
        told = [process.communicate(timeout=60) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == statuses, told
    assert said in told[0][1] and not any("Traceback" in part for pair in told for part in pair), told
    assert Store.open(run, mode="a").draws > 0, "the folder can be gone on with"


@pytest.mark.slow
@pytest.mark.ci
def test_processes_with_different_commands_do_not_wait_for_each_other() -> None:
    short = "--sampler metropolis --size 8 --chains 4{process} --thermalize 10 --draws 4 --devices 2"
    processes = joined_processes([sys.executable, "-m", "kadanoff", "simulate", *short.split()])
    try:
        told = [process.communicate(timeout=200) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [2, 2], told
    assert "process 1 has another command than the first one" in told[1][1], told


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"JAX_NUM_PROCESSES": "2"}, "JAX_PROCESS_ID is ''"),
        ({"JAX_NUM_PROCESSES": "two", "JAX_PROCESS_ID": "0"}, "JAX_NUM_PROCESSES is 'two'"),
        ({"JAX_NUM_PROCESSES": "2", "JAX_PROCESS_ID": "2"}, "they count from 0 to 1"),
        (
            {"JAX_NUM_PROCESSES": "2", "JAX_PROCESS_ID": "0", "JAX_COORDINATOR_ADDRESS": "host"},
            "give host:port",
        ),
    ],
)
def test_wrong_places_among_processes_are_told(
    monkeypatch: pytest.MonkeyPatch, more: dict[str, str], said: str
) -> None:
    monkeypatch.delenv("JAX_PROCESS_ID", raising=False)
    for name, value in {"JAX_COORDINATOR_ADDRESS": "127.0.0.1:1", **more}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=said):
        join_processes()


def test_what_cannot_be_shared_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="99 devices were asked for, and there"):
        kd.sample(
            kd.Phi4(-0.9515, 0.7), kd.Lattice((8, 8)), chains=4, draws=1, devices=99, out=tmp_path / "run"
        )
    assert not (tmp_path / "run").exists()
    with pytest.raises(InputError, match="must be positive"):
        layout(0, 4, (8, 8), slabs=True)
