"""Draw new data from a trained network."""

from pathlib import Path
from typing import Annotated

import typer

from kadanoff.cli import parsing
from kadanoff.cli.parsing import Json, Seed
from kadanoff.cli.rbm.data import Folder

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("sample", short_help="Draw new data from a trained network")
    def sample(
        folder: Folder,
        count: Annotated[int, typer.Option("--count", help="Samples to draw.")] = 64,
        steps: Annotated[int, typer.Option("--steps", help="Gibbs steps from noise.")] = 1000,
        out: Annotated[
            Path | None, typer.Option("--out", metavar="FILE.npy", help="Write them, (sample, feature).")
        ] = None,
        seed: Seed = 0,
        as_json: Json = False,
    ) -> None:
        """Draw new data, from noise, as the links are switched on; the figure goes into the folder.

        \b
          kadanoff rbm sample runs/digits --count 64 --seed 1 --out digits.npy
        """
        import numpy as np

        from kadanoff.cli.console import emit_json
        from kadanoff.cli.rbm.data import array_out, image_shape, load
        from kadanoff.cli.task import at_work, drawn_figure, print_end

        parsing.require_positive(count=count, steps=steps)
        array_out(out)
        with at_work() as task:
            from kadanoff.plots.rbm import sample_images

            model, record = load(folder)
            drawn = model.sample(count, steps, seed)
            if out is not None:
                np.save(out, drawn)
            path = folder / "figures" / "samples.png"
            figures = drawn_figure(lambda: sample_images(drawn, image_shape(record), path))
        if as_json:
            emit_json(
                {
                    "network": str(model.network_),
                    "samples": drawn.shape,
                    "mean": drawn.mean(),
                    "standard_deviation": drawn.std(),
                    "steps": steps,
                    "seed": seed,
                    "file": out,
                    "figures": figures,
                    "seconds": task.seconds,
                    "source": folder,
                    "warnings": task.warnings,
                }
            )
            return
        print(
            f"{count} samples of {model.network_}: mean {drawn.mean():.4g}, standard deviation {drawn.std():.4g}"
        )
        print_end(task, out, figures)
