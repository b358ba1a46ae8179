"""Train a network on data by name or file."""

from pathlib import Path
from typing import Annotated, Any

import typer

from kadanoff.cli import parsing
from kadanoff.cli.parsing import Json, Out, Seed
from kadanoff.cli.stopping import WallTime

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("fit", short_help="Train a network on data by name or file")
    def fit(
        data: Annotated[
            str,
            typer.Argument(
                metavar="DATA",
                help="digits, patches, faces, olivetti, mnist; or .npy, .npz, an IDX file, a folder of images.",
            ),
        ],
        n_hidden: Annotated[int, typer.Option("--n-hidden", help="Hidden units.")] = 64,
        visible: Annotated[
            str, typer.Option("--visible", help="phi4, gaussian, bernoulli or ising.")
        ] = "phi4",
        hidden: Annotated[str, typer.Option("--hidden", help="The same four.")] = "bernoulli",
        training: Annotated[
            str, typer.Option("--training", help="persistent, contrastive-divergence or tempering.")
        ] = "persistent",
        steps: Annotated[int, typer.Option("--steps", help="Gibbs steps an update.")] = 1,
        batch_size: Annotated[int, typer.Option("--batch-size", help="Samples an update.")] = 100,
        epochs: Annotated[int, typer.Option("--epochs", help="Passes over the data.")] = 50,
        learning_rate: Annotated[float, typer.Option("--learning-rate", help="At the start.")] = 5e-3,
        optimiser: Annotated[str, typer.Option("--optimiser", help="adam or sgd.")] = "adam",
        schedule: Annotated[
            str, typer.Option("--schedule", help="Of the learning rate: cosine, linear, constant.")
        ] = "cosine",
        weight_decay: Annotated[float, typer.Option("--weight-decay", help="Of the links.")] = 0.0,
        smoothing: Annotated[
            float,
            typer.Option(
                "--smoothing", metavar="SAMPLES", help="Samples added to every unit alone; 1 for pixels."
            ),
        ] = 0.0,
        centred: Annotated[
            bool, typer.Option("--centred/--plain", help="Gradients about the running means.")
        ] = True,
        scaling: Annotated[str, typer.Option("--scaling", help="auto, standard, binary or none.")] = "auto",
        likelihood_every: Annotated[
            int,
            typer.Option("--likelihood-every", metavar="EPOCHS", help="Anneal for it so often (0: never)."),
        ] = 0,
        held_out: Annotated[
            float, typer.Option("--held-out", metavar="FRACTION", help="Of the data, scored and not learnt.")
        ] = 0.1,
        dequantise: Annotated[
            bool | None,
            typer.Option(
                "--dequantise/--as-is",
                help="Noise of one grey level; by default for real units on grey levels.",
            ),
        ] = None,
        data_folder: Annotated[
            Path | None,
            typer.Option(
                "--data-folder", metavar="DIR", help="Where the files of faces or mnist are, or come to."
            ),
        ] = None,
        array: Annotated[str | None, typer.Option("--array", help="Which array of a .npz file.")] = None,
        side: Annotated[int, typer.Option("--side", help="Of a patch.")] = 16,
        count: Annotated[int, typer.Option("--count", help="Of patches.")] = 5000,
        seed: Seed = 0,
        out: Out = None,
        wall_time: WallTime = None,
        as_json: Json = False,
    ) -> None:
        """Train a network, and print how it learnt and what it gives data that it has not seen.

        Log-likelihoods at the end are in nats a sample and in the units of the data; those of the monitors in the
        scaled units that the network sees. ln Z is annealed.

        \b
        The phi^4-Bernoulli machine on the bundled digits; the same command continues or repeats it:
          kadanoff rbm fit digits --n-hidden 128 --epochs 50 --likelihood-every 10 --out runs/digits
        """
        from kadanoff.cli.console import emit_json, print_table
        from kadanoff.cli.rbm.data import Source, located, named_scores, read_source
        from kadanoff.cli.rbm.view import MONITORS, TrainingView, cells
        from kadanoff.cli.task import at_work, print_end
        from kadanoff.compiled.compilation import compile_ahead
        from kadanoff.compiled.purposes import ANNEALED, DIGITS, of_network
        from kadanoff.errors import InputError

        parsing.require_positive(
            n_hidden=n_hidden, steps=steps, batch_size=batch_size, epochs=epochs, learning_rate=learning_rate
        )
        parsing.require_not_negative(likelihood_every=likelihood_every)
        if not 0 <= held_out < 1:
            raise InputError(f"--held-out {held_out:g} is no part of the data: give 0 or more, below 1")
        view, samples = TrainingView(), max(batch_size, ANNEALED)
        kernels = of_network((visible, DIGITS), (hidden, n_hidden), samples)
        with at_work(view.shown, wall_time, out, kernels=kernels) as task:
            from kadanoff.network.estimator import Phi4RBM
            from kadanoff.network.training_folder import fit_in_folder
            from kadanoff.network.units import unit_type
            from kadanoff.plots.rbm import draw_fit
            from kadanoff.report.rows import thinned_rows

            where = None if data_folder is None else str(data_folder.resolve())
            source = Source(located(data), where, side, count, dequantise, held_out, seed, array)
            parts = read_source(source, real_units=unit_type(visible).levels is None, fewest=2)
            compile_ahead(*of_network((visible, parts.training.shape[1]), (hidden, n_hidden), samples))
            model = Phi4RBM(
                n_hidden,
                visible=visible,
                hidden=hidden,
                training=training.replace("-", " "),
                steps=steps,
                batch_size=batch_size,
                epochs=epochs,
                learning_rate=learning_rate,
                optimiser=optimiser,
                schedule=schedule,
                weight_decay=weight_decay,
                smoothing=smoothing,
                centred=centred,
                scaling=scaling,
                likelihood_every=likelihood_every,
                random_state=seed,
            )
            report = task.progress

            def watch(state: Any, record: Any) -> None:
                view.history = model.history_
                report(state.epochs, epochs, "training")

            if out is None:
                model.set_params(callbacks=(watch,)).fit(parts.training)
            else:
                about = {"source": parts.source._asdict(), "shape": parts.dataset.shape}
                fit_in_folder(model, parts.training, out, callbacks=(watch,), record=about)
            report(epochs, epochs, "scoring")
            scores = named_scores(model, {"training": parts.training, "held out": parts.held_out})
            figures = [] if out is None else draw_fit(model, parts.dataset.shape, out / "figures")
        if as_json:
            emit_json(
                {
                    "network": str(model.network_),
                    "data": {
                        **parts.source._asdict(),
                        "samples": len(parts.training),
                        "shape": parts.dataset.shape,
                    },
                    "epochs": model.n_iter_,
                    "history": [record._asdict() for record in model.history_],
                    "log_likelihood": scores,
                    "log_partition": model.log_partition_,
                    "seed": seed,
                    "figures": figures,
                    "seconds": task.seconds,
                    "store": out,
                    "warnings": task.warnings,
                }
            )
            return
        print(f"{model.network_} on {parts.dataset.name}, {len(parts.training)} samples")
        shown = map(cells, thinned_rows(model.history_, 10))
        print_table("Training", ("epoch", *MONITORS.values()), shown)
        print_table(
            "Log-likelihood, nats a sample", ("data", "estimate"), [(n, str(s)) for n, s in scores.items()]
        )
        print_end(task, out, figures)
