"""Commands that are killed, stopped or starved at a moment of choice, and what they leave behind, to compare.

One process imports everything and then forks a child for every command, so that a start costs milliseconds.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

# In the child: everything is committed as often as can be, figures are left out, and the moment of a fault is counted.
SERVER = """
import ctypes, errno, json, os, signal, sys, time
import jax, numba, optax, scipy.optimize, sklearn.datasets, zarr
import kadanoff.cli.stopping, kadanoff.cli.task, kadanoff.experiments.image, kadanoff.learning
import kadanoff.network.training_folder
import kadanoff.cli.rbm.fit, kadanoff.plots.rbm, kadanoff.renormalization, kadanoff.sampling
from kadanoff.cli import main
from kadanoff.renormalization.inverse import growth_folder
from kadanoff.store import checkpoint, durable

growth_folder._BLOCK_SITES = 1 << 13
checkpoint._EVERY = 0.0
kadanoff.network.training_folder.fit_in_folder.__kwdefaults__["every"] = 0.0
kadanoff.cli.task.Task.draw = lambda task, ensemble, folder: []
kadanoff.plots.rbm.draw_fit = lambda model, shape, folder: []

kadanoff.cli.stopping.PATIENCE = 2.0

def fault(operation, moment, act, waiting):
    count, original = 0, getattr(os, operation)
    def call(*arguments):
        nonlocal count
        count += 1
        if count >= moment and act == "full":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if count == moment and act in ("wait", "hang"):
            open(waiting, "w").close()
            while os.path.exists(waiting) or act == "hang":
                time.sleep(0.01)
        elif count == moment:
            os.kill(os.getpid(), getattr(signal, act))
        return original(*arguments)
    setattr(os, operation, call)

def without_privileges():
    # Root writes wherever it likes; without its capabilities it obeys the modes of its own files.
    if os.geteuid() == 0:
        none = ctypes.create_string_buffer(24)
        ctypes.CDLL(None).capset(ctypes.byref((ctypes.c_uint32 * 2)(0x20080522, 0)), none)

def child(job):
    for name, number in (("out", 1), ("err", 2)):
        os.dup2(os.open(job[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if job["fault"]:
        fault(*job["fault"], job["waiting"])
    if job["humble"]:
        without_privileges()
    sys.argv = ["kadanoff", *job["command"]]
    status = 1
    try:
        main()
    except SystemExit as end:
        status = end.code or 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)

print("ready", flush=True)
for line in sys.stdin:
    job = json.loads(line)
    pid = os.fork()
    if pid == 0:
        child(job)
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""

#: What two runs of the same command may differ in: when they were, and how long they took.
TIMES = re.compile(r'"(seconds|fit_seconds|created|saved|header_checksum)": [^,\n}]+')


@dataclass
class Ended:
    """How a command ended: its status (minus the number of the signal that killed it), output, seconds."""

    status: int
    out: str
    err: str
    seconds: float


class Forks:
    """The process that forks; one command runs at a time."""

    def __init__(self, scratch: Path) -> None:
        self._scratch, self.waiting = scratch, scratch / "waiting"
        pipe = subprocess.PIPE
        self._server = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", SERVER],
            env={**os.environ, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"},
            stdin=pipe,
            stdout=pipe,
            text=True,
        )
        assert self._said() == "ready"

    def _said(self) -> str:
        assert self._server.stdout is not None
        return self._server.stdout.readline().strip()

    @contextmanager
    def start(
        self, *command: object, fault: tuple[str, int, str] | None = None, humble: bool = False
    ) -> Iterator[tuple[int, Callable[[], Ended]]]:
        """Start a command; gives its process id, and a function that waits for its end.

        `fault` is (function of os, number of its call, what happens then): a signal by name, "full" for a full disk,
        "wait" until the file `waiting` is removed, "hang" for ever. `humble` gives up the privileges of root.
        """
        out, err = (self._scratch / name for name in ("out", "err"))
        job = {
            "command": list(map(str, command)),
            "fault": fault,
            "humble": humble,
            "waiting": str(self.waiting),
        }
        assert self._server.stdin is not None
        self._server.stdin.write(json.dumps({**job, "out": str(out), "err": str(err)}) + "\n")
        self._server.stdin.flush()
        begun, pid, ended = time.monotonic(), int(self._said()), list[Ended]()

        def wait() -> Ended:
            if not ended:
                status = int(self._said())
                ended.append(Ended(status, out.read_text(), err.read_text(), time.monotonic() - begun))
            return ended[0]

        try:
            yield pid, wait
        finally:
            wait()

    def run(self, *command: object, **how: Any) -> Ended:
        """Run a command to its end."""
        with self.start(*command, **how) as (_, wait):
            return wait()

    def killed(self, *command: object, after: float) -> Ended:
        """Run a command, and kill it after so many seconds, if it is not over by then."""
        with self.start(*command) as (pid, wait):
            time.sleep(after)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            return wait()

    def until_waiting(self) -> None:
        """Return when the command that runs has come to where it waits."""
        deadline = time.monotonic() + 120
        while not self.waiting.exists():
            assert time.monotonic() < deadline, "the command never came to the call that it was to wait at"
            time.sleep(0.01)

    def close(self) -> None:
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait(30)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file by its path, without locks, figures and leftovers, and without times."""
    found = {}
    for file in sorted(folder.rglob("*")):
        inside = file.relative_to(folder)
        if file.is_file() and file.name != "lock" and not any(part[0] == "." for part in inside.parts):
            content = file.read_bytes()
            found[str(inside)] = (
                TIMES.sub("", content.decode()).encode() if file.suffix == ".json" else content
            )
    return found


def kill_again_and_again(
    forks: Forks,
    command: Callable[[Path], list[object]],
    folders: Iterator[Path],
    whole: Path,
    seconds: float,
    kills: int,
) -> None:
    """Kill a command at random moments of the time that it takes, repeat it, and compare whatever was completed.

    The first folder may hold the beginning of a run; the others are used where a run was over before its kill.
    """
    generator, folder, done = np.random.default_rng(kills), next(folders), 0
    expected = contents(whole)
    while done < kills:
        ended = forks.killed(*command(folder), after=generator.uniform(0, seconds))
        if ended.status == -signal.SIGKILL:
            done += 1
            continue
        assert ended.status == 0, ended
        assert contents(folder) == expected
        folder, seconds = next(folders), min(seconds, ended.seconds)
    ended = forks.run(*command(folder))
    assert ended.status == 0, ended
    assert contents(folder) == expected
