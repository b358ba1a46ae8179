"""What commands spend on compiling: each in a new process, with empty caches of compiled code and with full ones.

    uv run python benchmarks/compilation.py [--only simulate grow] [--programs 10] [--in-turn]

With `--in-turn` commands find what those before them have compiled, as on a new machine: nothing is learnt before
something is simulated.

Workloads are small, so that compiling is most of what they do. XLA is timed by the events of `jax.monitoring` for
tracing, lowering and compiling (or reading from the cache), numba by the compiling of its custom calls (or reading, or
waiting for another process that compiles); what happens at the same time or within another is counted once. CPU
seconds are those of all processes and threads: they are steadier where the machine is shared. `--programs` prints the
longest programs of each command. How fast the machine is at that time is told first and last: a shared one may take
twice as long for the same an hour later.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

SMALL = "--size 16 --chains 8 --draws 8 --thermalize 20"
SAMPLERS = {
    "phi4": ("auto", "metropolis", "heat-bath", "hmc", "wolff"),
    "ising": ("auto", "metropolis", "heat-bath", "wolff"),
}
#: What other commands read, made first.
INPUTS = (
    "simulate --size 16 --chains 32 --draws 16 --thermalize 20 --out l16",
    "block l16 --out l8",
    "learn l16 --relax 2 --steps 20 --out inverse",
    "grow l16 --inverse inverse --steps 2 --relax 4 --configurations 16 --out grown",
    "rbm fit digits --n-hidden 32 --epochs 1 --out network",
)
COMMANDS = {
    **{
        f"simulate {action}, {sampler}": f"simulate --action {action} --sampler {sampler} {SMALL} --out"
        for action, samplers in SAMPLERS.items()
        for sampler in samplers
    },
    "block": "block l16 --out",
    "learn": "learn l16 --relax 2 --steps 20 --out",
    "grow": "grow l16 --inverse inverse --steps 2 --relax 4 --configurations 16 --out",
    "exponents": "exponents grown --samples 50",
    "match": "match --action ising --size 16 --steps 2 --chains 16 --draws 32 --samples 50 --out",
    "fit of data": "fit l8 --model phi4 --method score-matching --out",
    "fit of an action": "fit phi4 --mass2 -0.9515 --quartic 0.7 --size 4x4 --steps 20 --out",
    "rbm fit": "rbm fit digits --n-hidden 32 --epochs 2 --likelihood-every 1 --out",
    "rbm fit, 128 hidden": "rbm fit digits --n-hidden 128 --epochs 2 --likelihood-every 1 --out",
    "rbm sample": "rbm sample network --count 16 --steps 10",
    "rbm features": "rbm features network",
    "rbm score": "rbm score network",
    "reweight": "reweight l16 --along mass2 --from -0.956 --to -0.947 --points 3 --out",
    "report": "report grown",
    "reproduce table1": "reproduce table1 --quick --out",
    "reproduce network-digits": "reproduce network-digits --quick --out",
}


def main() -> None:
    """Measure every command, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", default=("",), help="commands whose names begin so")
    parser.add_argument("--programs", type=int, default=0, help="print so many of the longest programs")
    parser.add_argument("--in-turn", action="store_true", help="one pair of caches for all commands")
    parser.add_argument("--watched", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.watched is not None:
        watch(options.watched)
        return
    print_speed()
    print(f"{'':<26}{'compiling, s':>24}{'':>8}{'seconds':>18}{'CPU seconds':>18}{'compiling':>12}")
    print(
        f"{'':<26}{'XLA':>8}{'numba':>8}{'both':>8}{'programs':>10}{'cold':>8}{'warm':>8}"
        f"{'cold':>10}{'warm':>8}{'warm, s':>12}"
    )
    with tempfile.TemporaryDirectory() as folder:
        for line in INPUTS:
            run(line, Path(folder), "inputs")
        for number, (name, line) in enumerate(COMMANDS.items()):
            if not name.startswith(tuple(options.only)):
                continue
            # Nothing that is kept may be found again.
            lines = [f"{line} kept-{number}-{turn}" if line.endswith("--out") else line for turn in range(2)]
            caches = "in turn" if options.in_turn else str(number)
            print_line(name, *(run(each, Path(folder), caches) for each in lines), options.programs)
    print_speed()


def print_speed() -> None:
    """Print how long a loop of Python takes, as a measure of the machine."""
    begun, total = time.perf_counter(), 0
    for number in range(20_000_000):
        total += number
    print(f"Python adds 20 million numbers in {time.perf_counter() - begun:.2f} s", flush=True)


def run(line: str, folder: Path, caches: str) -> dict[str, Any]:
    """Run a command in a new process, and tell what it spent."""
    environment = os.environ | {
        "JAX_COMPILATION_CACHE_DIR": str(folder / caches / "xla"),
        "NUMBA_CACHE_DIR": str(folder / caches / "numba"),
        "PYTHONDONTWRITEBYTECODE": "",  # compiling imports anew in every process is no part of this
    }
    told = folder / "told.json"
    begun, before = time.perf_counter(), os.times()
    subprocess.run(
        [sys.executable, str(Path(__file__).absolute()), "--watched", str(told), *line.split()],
        env=environment,
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return json.loads(told.read_text()) | {"seconds": time.perf_counter() - begun, "cpu": spent}


def watch(arguments: list[str]) -> None:
    """Run a command here, and write down when something was compiled."""
    from kadanoff.cli import app
    from kadanoff.cli.task import at_work

    with at_work():
        pass  # sets the environment that JAX reads as it is imported
    import jax

    from kadanoff.compiled import foreign

    told, spans = arguments[0], {"xla": [], "numba": []}
    programs: list[tuple[float, str]] = []

    def on_event(event: str, seconds: float, **which: Any) -> None:
        if event.startswith("/jax/core/compile/"):
            end = time.perf_counter()
            spans["xla"].append((end - seconds, end))
            programs.append(
                (seconds, f"{event.split('/')[-1].removesuffix('_duration')} {which.get('fun_name')}")
            )

    def timed(compiling: Callable[..., Any]) -> Callable[..., Any]:
        def compile_it(function: Callable[..., Any], *rest: Any) -> Any:
            begun = time.perf_counter()
            try:
                return compiling(function, *rest)
            finally:
                end = time.perf_counter()
                spans["numba"].append((begun, end))
                programs.append((end - begun, f"numba {function.__name__}"))

        return compile_it

    foreign.compile_function = timed(foreign.compile_function)
    jax.monitoring.register_event_duration_secs_listener(on_event)
    try:
        app(arguments[1:], prog_name="kadanoff")
    finally:
        both = spans["xla"] + spans["numba"]
        record = {name: covered(some) for name, some in (spans | {"both": both}).items()}
        count = sum("backend_compile" in name for _, name in programs)
        Path(told).write_text(
            json.dumps(record | {"programs": sorted(programs, reverse=True), "count": count})
        )


def covered(spans: Iterable[tuple[float, float]]) -> float:
    """Seconds within at least one of the spans."""
    total, reached = 0.0, float("-inf")
    for begin, end in sorted(spans):
        total += max(end - max(begin, reached), 0.0)
        reached = max(reached, end)
    return total


def print_line(name: str, cold: dict[str, Any], warm: dict[str, Any], programs: int) -> None:
    """Print what a command spent, and its longest programs."""
    print(
        f"{name:<26}{cold['xla']:>8.1f}{cold['numba']:>8.1f}{cold['both']:>8.1f}{cold['count']:>10}"
        f"{cold['seconds']:>8.1f}{warm['seconds']:>8.1f}{cold['cpu']:>10.1f}{warm['cpu']:>8.1f}{warm['both']:>12.1f}",
        flush=True,
    )
    for title, spent in (("cold", cold), ("warm", warm)):
        for seconds, program in spent["programs"][:programs]:
            print(f"    {title} {seconds:6.2f} {program}")


if __name__ == "__main__":
    main()
