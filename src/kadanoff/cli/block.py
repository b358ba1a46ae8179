"""Block the fields of a run: the standard renormalization group."""

from pathlib import Path
from typing import Annotated

import typer

from kadanoff.cli import parsing
from kadanoff.cli.parsing import Json, Out, Seed
from kadanoff.cli.rules import Factor, RuleName, Scale, Spread, Weight, parse_rule, rule_record

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command("block")
    def block(
        run: Annotated[Path, typer.Argument(metavar="RUN", help="A folder of `simulate` or `block`.")],
        rule: RuleName = "majority-mean",
        b: Scale = 2,
        factor: Factor = None,
        weight: Weight = None,
        spread: Spread = None,
        steps: Annotated[int, typer.Option("--steps", help="How many times.")] = 1,
        seed: Seed = 0,
        out: Out = None,
        as_json: Json = False,
    ) -> None:
        """Block every configuration of a run, and print the observables of the coarser fields.

        \b
        From 32 x 32 to 16 x 16, kept in a folder:
          kadanoff block runs/l32 --rule majority-mean --b 2 --out runs/l16
        """
        from kadanoff.cli.console import emit_json, print_table
        from kadanoff.cli.task import at_work, estimate_rows, print_end
        from kadanoff.compiled.purposes import MEASUREMENTS

        parsing.require_positive(steps=steps)
        parameters = {"factor": factor, "weight": weight, "spread": spread}
        with at_work(out=out, kernels=MEASUREMENTS) as task:
            from kadanoff.renormalization.blocking import block as block_ensemble
            from kadanoff.runs import open_ensemble, save_ensemble

            transformation = parse_rule(rule, b, **parameters)
            fine = open_ensemble(run)
            config = {**rule_record(rule, b, **parameters), "steps": steps, "seed": seed}
            coarse = block_ensemble(fine, transformation, steps=steps, seed=seed)
            if out is not None:
                save_ensemble(coarse, out, "block", config, run)
            table = coarse.observables()
            figures = task.draw(coarse, out)
        if as_json:
            emit_json(
                {
                    "observables": table,
                    "seconds": task.seconds,
                    "store": out,
                    "figures": figures,
                    "source": run,
                    "lattice": coarse.lattice.shape,
                    **rule_record(rule, b, **parameters),
                    "steps": steps,
                    "depth": coarse.depth,
                    "chains": coarse.chains,
                    "draws": coarse.draws,
                    "seed": seed,
                    "warnings": task.warnings,
                }
            )
            return
        shapes = ["x".join(map(str, each.lattice.shape)) for each in (fine, coarse)]
        title = f"{shapes[0]} blocked to {shapes[1]} by {rule}, b = {b}: depth {coarse.depth}"
        print_table(title, ("observable", "value", "tau_int"), estimate_rows(table))
        print_end(task, out, figures)
