"""Write one self-contained HTML page of a run."""

from pathlib import Path
from typing import Annotated

import typer

from kadanoff.cli.parsing import Json

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command("report")
    def report(
        run: Annotated[Path, typer.Argument(metavar="RUN", help="A folder that a verb made by --out.")],
        out: Annotated[
            Path | None, typer.Option("--out", metavar="FILE", help="By default RUN/report.html.")
        ] = None,
        as_json: Json = False,
    ) -> None:
        """Write figures, tables, certificate and provenance of a run into one HTML file that needs no other.

        \b
        A page for runs/grown, in runs/grown/report.html:
          kadanoff report runs/grown
        """
        from kadanoff.cli.console import emit_json
        from kadanoff.cli.task import at_work
        from kadanoff.compiled.purposes import MEASUREMENTS

        with at_work(kernels=MEASUREMENTS) as task:
            from kadanoff.report import write_report

            page = write_report(run, out)
        size = page.stat().st_size
        if as_json:
            emit_json({"report": page, "bytes": size, "seconds": task.seconds, "warnings": task.warnings})
            return
        print(f"wrote {page} ({size / 1024:.0f} KiB)")
