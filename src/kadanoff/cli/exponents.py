"""Read the critical exponents off the levels of a growth."""

from pathlib import Path
from typing import Annotated

import typer

from kadanoff.cli import parsing
from kadanoff.cli.parsing import Json, Seed

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command("exponents")
    def exponents(
        grown: Annotated[
            list[Path],
            typer.Argument(metavar="GROWN...", help="Folders of `grow`; several differ by training seed."),
        ],
        estimator: Annotated[
            list[str] | None,
            typer.Option(
                "--estimator", help="ratio or derivative; may be repeated. By default all that apply."
            ),
        ] = None,
        samples: Annotated[int, typer.Option("--samples", help="Bootstrap samples.")] = 400,
        seed: Seed = 0,
        as_json: Json = False,
    ) -> None:
        """Print gamma/nu and beta/nu of every pair of levels, with errors; --json adds their covariance.

        Errors come from the bootstrap over simulated configurations, which the levels share; folders grown by
        inverses of several training seeds add the spread between them.

        \b
        From one growth, and from four that differ by the seed of `learn`:
          kadanoff exponents runs/grown
          kadanoff exponents runs/grown-0 runs/grown-1 runs/grown-2 runs/grown-3 --json
        """
        from kadanoff.cli.console import emit_json, print_table
        from kadanoff.cli.task import at_work
        from kadanoff.compiled.purposes import MEASUREMENTS
        from kadanoff.errors import InputError

        parsing.require_positive(samples=samples)
        for name in estimator or ():
            if name not in ("ratio", "derivative"):
                raise InputError(f"unknown estimator {name!r}; choose ratio or derivative")
        with at_work(kernels=MEASUREMENTS) as task:
            from kadanoff.renormalization import Levels, critical_exponents
            from kadanoff.renormalization.exponents import combine_seeds

            estimators = None if not estimator else tuple(dict.fromkeys(estimator))
            found = [
                critical_exponents(Levels.open(folder), estimators, samples=samples, seed=seed)
                for folder in grown
            ]
            table = found[0] if len(found) == 1 else combine_seeds(found)
        if as_json:
            rows = [
                {
                    "label": row.label,
                    "estimator": row.estimator,
                    "gamma_over_nu": row.gamma_over_nu,
                    "beta_over_nu": row.beta_over_nu,
                    "covariance": row.covariance,
                }
                for row in table.rows()
            ]
            emit_json({"rows": rows, "source": grown, "seconds": task.seconds, "warnings": task.warnings})
            return
        columns = ("levels", "estimator", "gamma/nu", "beta/nu")
        cells = [(row.label, row.estimator, row.gamma_over_nu, row.beta_over_nu) for row in table.rows()]
        print_table("Exponents", columns, cells)
