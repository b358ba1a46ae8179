"""Reproduce a table or figure of the talk by its name."""

import importlib
import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from kadanoff.cli.parsing import Json, Out, Seed
from kadanoff.cli.stopping import WallTime

__all__ = ["register"]

#: Experiments multiply a seed by up to a thousand and add a number below that, one for every stream.
_LARGEST_SEED = 2**32 // 1024 - 1


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command("reproduce")
    def reproduce(
        name: Annotated[str | None, typer.Argument(metavar="NAME", help="See --list.")] = None,
        list_them: Annotated[bool, typer.Option("--list", help="Print the names and stop.")] = False,
        quick: Annotated[
            bool, typer.Option("--quick", help="Fewer samples: at most 90 seconds on two cores.")
        ] = False,
        image: Annotated[
            Path | None, typer.Option("--image", metavar="FILE", help="An image of your own (image).")
        ] = None,
        seed: Seed = 0,
        out: Out = None,
        wall_time: WallTime = None,
        as_json: Json = False,
    ) -> None:
        """Run an experiment from nothing, and print its numbers beside the talk's and the exact ones.

        Figures, runs and result.json are kept in --out, by default runs/NAME.

        \b
        The headline table, in 90 seconds and in full:
          kadanoff reproduce table1 --quick
          kadanoff reproduce table1 --out runs/table1

        \b
        Couplings whose equilibrium is an image of your own:
          kadanoff reproduce image --image portrait.png --out runs/portrait
        """
        import difflib
        import inspect

        from kadanoff.cli.console import emit_json
        from kadanoff.cli.reproduce_folder import digest, keep, keeping, require_own
        from kadanoff.cli.rows import print_rows
        from kadanoff.cli.task import at_work
        from kadanoff.errors import InputError
        from kadanoff.experiments import EXPERIMENTS
        from kadanoff.store.durable import held

        if list_them:
            lines = {known: _first_line(module) for known, module in EXPERIMENTS.items()}
            if as_json:
                emit_json({"experiments": lines})
            else:
                width = max(map(len, lines))
                print("\n".join(f"{known:<{width}}  {line}".rstrip() for known, line in lines.items()))
            return
        if name is None:
            raise InputError(f"which experiment? choose from {', '.join(EXPERIMENTS)}")
        if name not in EXPERIMENTS:
            near = difflib.get_close_matches(name, EXPERIMENTS, 1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise InputError(f"unknown experiment {name!r}; {hint}choose from {', '.join(EXPERIMENTS)}")
        if seed > _LARGEST_SEED:
            raise InputError(
                f"--seed {seed} is out of range: an experiment draws a thousand seeds from it, give one up to "
                f"{_LARGEST_SEED}"
            )
        folder = Path("runs") / (f"{name}-quick" if quick else name) if out is None else out
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder} is a file, but --out is a folder: give another path")
        request = {"name": name, "quick": quick, "seed": seed, "image": digest(image)}
        require_own(folder, request)
        with at_work(wall_time=wall_time, out=folder) as task, held(folder):
            require_own(folder, request)  # another process may have used it in between
            experiment = importlib.import_module(EXPERIMENTS[name])
            own = {"image": image} if image is not None else {}
            for option in own:
                if option not in inspect.signature(experiment.run).parameters:
                    raise InputError(
                        f"--{option} belongs to another experiment; {name} has none: leave it out"
                    )
            report = keeping(request, folder, task.progress)
            result = experiment.run(folder, quick=quick, seed=seed, progress=report, **own)
            keep(request, folder)
            saved = result.save(folder)
        if as_json:
            found = result.as_dict()
            emit_json({**found, "quick": quick, "seed": seed, "store": folder, "warnings": task.warnings})
            return
        print_rows(result.name, result.rows)
        for sentence in result.notes:
            print(sentence)
        for path in (*result.figures, saved):
            print(f"wrote {path}")
        print(f"{result.seconds:.1f} s")


def _first_line(module: str) -> str:
    """The first line of a module's docstring, read without importing it."""
    import ast

    spec = importlib.util.find_spec(module)
    source = None if spec is None or spec.origin is None else Path(spec.origin).read_text()
    return (ast.get_docstring(ast.parse(source or "")) or "").split("\n")[0]
