"""One command at work: the clock, the bars, and the warnings that JSON repeats."""

import errno
import logging
import os
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kadanoff.cli.console import ProgressCallback, keep, progress
from kadanoff.cli.stopping import limited
from kadanoff.errors import KadanoffWarning, ThermalisationWarning

if TYPE_CHECKING:
    from kadanoff.ensemble import Ensemble

__all__ = ["Task", "at_work", "drawn_figure", "estimate_rows", "print_end"]


@dataclass
class Task:
    """What a command reports about itself: progress while it runs, seconds and warnings when it is done."""

    progress: ProgressCallback
    began: float = field(default_factory=time.monotonic)
    seconds: float = 0.0
    caught: list[warnings.WarningMessage] = field(default_factory=list)

    @property
    def warnings(self) -> list[str]:
        """Our own warnings, a line each."""
        return [
            " ".join(str(entry.message).split())
            for entry in self.caught
            if issubclass(entry.category, KadanoffWarning)
        ]

    @property
    def thermalised(self) -> bool:
        """Whether no chain was found to remember its start."""
        return not any(issubclass(entry.category, ThermalisationWarning) for entry in self.caught)

    def draw(self, ensemble: "Ensemble", folder: Path | None) -> list[Path]:
        """Draw the figures of a run into its folder; none for a run that is not kept."""
        if folder is None:
            return []
        from kadanoff.plots.run import draw_run

        return draw_run(ensemble, folder / "figures")


@contextmanager
def at_work(
    display: Callable[[], AbstractContextManager[ProgressCallback]] | None = None,
    wall_time: str | None = None,
    out: Path | None = None,
    kernels: Sequence[str] = (),
) -> Iterator[Task]:
    """Scope of the work of one command: bars on a terminal, and warnings said once the bars are gone.

    `display` shows the progress where bars are not enough. After the `wall_time` the process ends. The folder `out` is
    that from which a command that is stopped continues.

    Compiled code is cached between commands, unless the environment says where or whether. Of the `kernels` that are
    to be called, those that no cache has are compiled beside everything else.
    """
    flaw = _use_cache()
    logging.getLogger("jax._src.xla_bridge").addFilter(_one_line)
    if out is not None:
        keep(out)
    if kernels:
        from kadanoff.compiled.compilation import compile_ahead

        compile_ahead(*kernels)
    with limited(wall_time, out), (display or progress)() as report:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", KadanoffWarning)
            task = Task(report, caught=caught)
            if flaw is not None:
                warnings.warn(flaw, KadanoffWarning, stacklevel=3)
            try:
                yield task
            finally:
                task.seconds = time.monotonic() - task.began
    for entry in task.caught:
        warnings.showwarning(entry.message, entry.category, entry.filename, entry.lineno)


def _use_cache() -> str | None:
    """Let JAX keep what it compiles, unless the environment says where or whether; tells why it cannot."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kadanoff" / "jax"
    # Every program: commands start with a hundred small ones, which together take seconds.
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return None
    try:
        cache.mkdir(parents=True, exist_ok=True)
        if not os.access(cache, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        return (
            f"the cache {cache} cannot be used ({error.strerror}), so every command compiles anew: "
            "mend it, or set XDG_CACHE_HOME to another folder"
        )
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(cache)
    return None


def _one_line(record: logging.LogRecord) -> bool:
    """Leave one line of the traceback that JAX logs where the extra for GPUs is installed, and no driver of one is."""
    if record.exc_info and "plugin" in record.msg:
        reason = " ".join(str(record.exc_info[1]).split())
        record.msg, record.args, record.exc_info = "no GPU can be used, and CPUs compute: %s", (reason,), None
    return True


def drawn_figure(draw: Callable[[], Path]) -> list[Path]:
    """The figure beside an answer, drawn; none, and a warning, where it cannot be written: the answer stands."""
    try:
        return [draw()]
    except OSError as error:
        warnings.warn(
            f"no figure was written, since {error.filename or 'its folder'} cannot be used "
            f"({error.strerror or error}): copy the folder to where it can be written",
            KadanoffWarning,
            stacklevel=2,
        )
        return []


def print_end(task: Task, out: Path | None, figures: Sequence[Path] = ()) -> None:
    """Say to a person what was drawn, how long it took and where it is kept."""
    for path in figures:
        print(f"wrote {path}")
    print(f"{task.seconds:.1f} s" + (f"; kept in {out}" if out is not None else ""))


def estimate_rows(table: Any) -> list[tuple[str, str, str]]:
    """Observables as rows of a table: name, value with error, autocorrelation time."""
    rows = []
    for name, estimate in table.items():
        tau = getattr(estimate, "tau_int", None)
        rows.append((name, str(estimate), "" if tau is None else f"{tau:.2f}"))
    return rows
