"""Score data under a trained network: log-likelihood and reconstruction."""

from pathlib import Path
from typing import Annotated

import typer

from kadanoff.cli.parsing import Json
from kadanoff.cli.rbm.data import Folder, SavedData

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("score", short_help="Score data under a trained network: log-likelihood and reconstruction")
    def score(
        folder: Folder,
        data: SavedData = None,
        out: Annotated[
            Path | None,
            typer.Option("--out", metavar="FILE.npy", help="Write ln p of every sample of the data named."),
        ] = None,
        as_json: Json = False,
    ) -> None:
        """Print the mean log-likelihood of data, in nats a sample and in the units of the data.

        ln Z is annealed; the error holds its error and the spread of the samples. Data that are named are treated
        as those of the training were: noise of one grey level where they have such levels, scaling.

        \b
        The data of the training, with those that were held out; then a file:
          kadanoff rbm score runs/digits
          kadanoff rbm score runs/digits mine.npy --out scores.npy
        """
        import numpy as np

        from kadanoff.cli.console import emit_json, print_table
        from kadanoff.cli.rbm.data import array_out, kernels_of, named_scores, parts_for
        from kadanoff.cli.task import at_work, print_end

        array_out(out)
        with at_work(kernels=kernels_of(folder)) as task:
            model, _, parts = parts_for(folder, data)
            name = "training" if data is None else data

            def seen(x: np.ndarray) -> np.ndarray:
                """Data as the units see them: a reconstruction by two-level units is one of levels."""
                return x if model.scaling_.levels is None else model.scaling_.apply(x)

            rows = {name: parts.training, "held out": parts.held_out}
            scores = named_scores(model, rows)
            errors = {
                part: float(((model.reconstruct(x) - seen(x)) ** 2).mean())
                for part, x in rows.items()
                if len(x)
            }
            if out is not None:
                np.save(out, model.score_samples(parts.training))
        if as_json:
            emit_json(
                {
                    "network": str(model.network_),
                    "log_likelihood": scores,
                    "reconstruction": errors,
                    "log_partition": model.log_partition_,
                    "samples": {part: len(x) for part, x in rows.items()},
                    "file": out,
                    "seconds": task.seconds,
                    "source": folder,
                    "warnings": task.warnings,
                }
            )
            return
        print_table(
            f"{model.network_}, ln Z = {model.log_partition_}",
            ("data", "samples", "log-likelihood", "reconstruction error"),
            [(part, len(rows[part]), scores[part], f"{errors[part]:.4g}") for part in scores],
        )
        print_end(task, out)
