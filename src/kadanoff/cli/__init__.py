"""The command line: one verb a file; each parses, calls the library and prints, and knows no physics.

A verb is a module of this package named in ``VERBS``. The first line of its docstring is its line in
``kadanoff --help``, and its ``register(app)`` adds its one command to a Typer app. Modules are imported when
they are asked for and import the library inside their command, so that ``--help`` answers at once.
"""

import errno
import importlib
import os
import pkgutil
import signal
import sys
import warnings
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from kadanoff.cli.console import kept_run, warn_in_one_line
from kadanoff.cli.processes import are_joined, end_together, why_failed
from kadanoff.cli.stopping import INTERRUPTED, Stopper
from kadanoff.errors import KadanoffError

__all__ = ["VERBS", "app", "main"]

VERBS = (
    "simulate",
    "block",
    "learn",
    "grow",
    "exponents",
    "match",
    "fit",
    "rbm",
    "reweight",
    "reproduce",
    "report",
    "bench",
)
"""The verbs in the order of a day's work, which is the order of ``kadanoff --help``."""

WRONG_INPUT = 2
UNREAD = 141  # as shells have it for SIGPIPE

#: What can be done about an error of the operating system; about any other one: give another path.
MENDS = {
    errno.EACCES: "give a place that you may use",
    errno.EDQUOT: "make room, and give the same command again",
    errno.EEXIST: "it is no folder, or a link that leads nowhere: give another path",
    errno.ENOSPC: "make room, and give the same command again",
    errno.EROFS: "give a folder that can be written",
}


class Verbs(TyperGroup):
    """The group of verbs: loads one when it is asked for, and ends every failure in one line and a status."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Name the verbs that have a module."""
        present = {module.name for module in pkgutil.iter_modules(__path__)}
        return [verb for verb in VERBS if verb in present]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import the module of a verb and build its command; None where there is no such verb."""
        if cmd_name not in self.list_commands(ctx):
            return None
        single = typer.Typer(rich_markup_mode=None, add_completion=False)
        importlib.import_module(f"{__name__}.{cmd_name}").register(single)
        return typer.main.get_command(single)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the first docstring line of every verb's module."""
        rows = []
        for verb in self.list_commands(ctx):
            text = importlib.import_module(f"{__name__}.{verb}").__doc__ or ""
            rows.append((verb, text.strip().split("\n")[0]))
        if rows:
            with formatter.section("Verbs"):
                formatter.write_dl(rows)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the verb, or say which there are."""
        if args and not args[0].startswith("-") and args[0] not in self.list_commands(ctx):
            known = ", ".join(self.list_commands(ctx)) or "none yet"
            ctx.fail(f"there is no verb {args[0]!r}; the verbs are: {known}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the verb, and see that its output arrives, while a failure can still be answered."""
        found = super().invoke(ctx)
        sys.stdout.flush()
        return found

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> Any:
        """Run, and exit: 0 done, 2 wrong usage or input (said in one line), 124, 130, 143 stopped (`stopping`).

        141, silently, where the output goes to a pipe that nobody reads to its end.
        """
        argv = list(sys.argv[1:] if args is None else args)
        standalone = extra.pop("standalone_mode", True)
        with warnings.catch_warnings(), kept_run() as run:
            warnings.showwarning = warn_in_one_line
            stopper = Stopper(run, argv)
            if standalone:
                stopper.install()
            try:
                status = super().main(argv, *rest, standalone_mode=False, **extra)
            except typer.TyperException as error:
                status = _fail(_usage(error), WRONG_INPUT)
            except KadanoffError as error:
                status = _fail(str(error), WRONG_INPUT)
            except typer.Abort:
                status = _fail("stopped: the input ended before an answer was given", WRONG_INPUT)
            except OSError as error:
                # A stream without a buffer has forgotten what it did not take.
                nameless = "standard output" if _output_fails() else "standard output or a file"
                file = error.filename or nameless
                folder, mend = run.kept(), MENDS.get(error.errno or 0, "give another path")
                kept = "" if folder is None else f"; what was kept in {folder} before is safe"
                status = _fail(f"cannot use {file}: {error.strerror or error}; {mend}{kept}", WRONG_INPUT)
            except Exception as error:
                if not are_joined():
                    raise
                message, status = why_failed(error)
                folder = run.kept()
                kept = (
                    ""
                    if folder is None
                    else f"; what was done is kept in {folder}, and the same command goes on"
                )
                _fail(message + kept, status)
            except SystemExit:  # Typer's answer, and no other one's, to a pipe that was closed
                status = UNREAD
            # Where a caller keeps its own handler, Typer turns an interrupt into the status 130.
            if status == INTERRUPTED:
                _fail(stopper.message(signal.SIGINT), INTERRUPTED)
        if are_joined():
            end_together(status)
        if standalone:
            sys.exit(status if isinstance(status, int) else 0)
        return status


def _fail(message: str, status: int) -> int:
    """Say in one line on stderr what was wrong, whatever line breaks the message carries."""
    print("kadanoff: " + " ".join(message.split()), file=sys.stderr)
    return status


def _output_fails() -> bool:
    """Whether standard output takes no more; what it did not take is then given up."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return True
    return False


def _usage(error: typer.TyperException) -> str:
    """Word a usage error in one line that names the help page to read."""
    context = getattr(error, "ctx", None)
    hint = f" (see: {context.command_path} --help)" if context is not None else ""
    return error.format_message().rstrip(".") + hint


def _print_version(wanted: bool) -> None:
    """Print the version and stop, before any verb is looked up."""
    if wanted:
        from importlib.metadata import version

        print(f"kadanoff {version('kadanoff')}")
        raise typer.Exit()


EPILOG = """kadanoff VERB --help shows a worked example.

Exit status: 0 done; 2 wrong usage or input, or a file that cannot be used; 124 the --wall-time was over, 130 Ctrl-C,
143 SIGTERM; 141 nobody read the output to its end. After 124, 130 and 143 the same command goes on with what --out
kept."""

# Plain help: markup would import Rich, which alone takes as long as everything else that --help needs.
app = typer.Typer(cls=Verbs, name="kadanoff", rich_markup_mode=None, add_completion=False)


@app.callback(invoke_without_command=True, epilog=EPILOG)
def _root(
    ctx: typer.Context,
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    """Grow critical lattices, learn actions, measure exponents."""
    if ctx.invoked_subcommand is None:
        print(ctx.get_help())


def main() -> None:
    """Entry point of the ``kadanoff`` command."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by who started us; a file opened later would take its place
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    app(prog_name="kadanoff")
