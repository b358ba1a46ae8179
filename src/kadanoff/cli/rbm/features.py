"""Look inside a trained network: what its hidden units look for, and how they answer data."""

from pathlib import Path
from typing import Annotated

import typer

from kadanoff.cli.parsing import Json
from kadanoff.cli.rbm.data import Folder, SavedData

__all__ = ["register"]

_SHOWN = 10


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(
        "features",
        short_help="Look inside a trained network: what its hidden units look for, and how they answer data",
    )
    def features(
        folder: Folder,
        data: SavedData = None,
        out: Annotated[
            Path | None,
            typer.Option(
                "--out", metavar="FILE.npy", help="Write the means of the hidden units, (sample, unit)."
            ),
        ] = None,
        as_json: Json = False,
    ) -> None:
        """Draw what every hidden unit is linked to, and print how the strongest ones answer data.

        \b
        The hidden representation of the data that the network learnt, for a classifier of your own:
          kadanoff rbm features runs/digits --out hidden.npy
        """
        import numpy as np

        from kadanoff.cli.console import emit_json, print_table
        from kadanoff.cli.rbm.data import array_out, image_shape, parts_for
        from kadanoff.cli.task import at_work, drawn_figure, print_end

        array_out(out)
        with at_work() as task:
            from kadanoff.plots.rbm import feature_images

            model, record, parts = parts_for(folder, data)
            means = model.transform(parts.training)
            if out is not None:
                np.save(out, means)
            w = np.asarray(model.network_.w)
            path = folder / "figures" / "features.png"
            figures = drawn_figure(lambda: feature_images(w, image_shape(record), path))
        strength = np.linalg.norm(w, axis=0)
        rows = [
            {
                "unit": unit,
                "strength": strength[unit],
                "mean": means[:, unit].mean(),
                "spread": means[:, unit].std(),
            }
            for unit in np.argsort(-strength).tolist()
        ]
        if as_json:
            emit_json(
                {
                    "network": str(model.network_),
                    "units": rows,
                    "samples": len(means),
                    "file": out,
                    "figures": figures,
                    "seconds": task.seconds,
                    "source": folder,
                    "warnings": task.warnings,
                }
            )
            return
        print_table(
            f"{model.network_}: hidden units with the strongest links, on {len(means)} samples",
            ("unit", "norm of links", "mean", "spread"),
            [
                (row["unit"], f"{row['strength']:.4g}", f"{row['mean']:.3f}", f"{row['spread']:.3f}")
                for row in rows[:_SHOWN]
            ],
        )
        print_end(task, out, figures)
