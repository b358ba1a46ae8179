"""Learn the inverse of a blocking rule on the fields of a run."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from kadanoff.cli import parsing
from kadanoff.cli.folders import require_same
from kadanoff.cli.parsing import Json, Out, Seed
from kadanoff.cli.rules import Factor, RuleName, Scale, Spread, Weight, parse_rule, rule_record
from kadanoff.cli.stopping import WallTime
from kadanoff.errors import StoreError

__all__ = ["register"]

#: Beside the weights: the request that they answer, so that a repeated command finds them made.
REQUEST = "learn.json"


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command("learn")
    def learn(
        run: Annotated[Path, typer.Argument(metavar="RUN", help="A folder of `simulate` or `block`.")],
        rule: RuleName = "majority-mean",
        b: Scale = 2,
        factor: Factor = None,
        weight: Weight = None,
        spread: Spread = None,
        kind: Annotated[
            str, typer.Option("--kind", help="linear, deterministic, stochastic, density; minimal for spins.")
        ] = "density",
        depth: Annotated[int, typer.Option("--depth", help="Train on fields blocked so often.")] = 0,
        consistent: Annotated[
            bool | None,
            typer.Option("--consistent/--free", help="Rescale blocks so that blocking them gives the input."),
        ] = None,
        relax: Annotated[
            int | None,
            typer.Option(
                "--relax", metavar="SWEEPS", help="Relax coarse fields, as growth with --relax does."
            ),
        ] = None,
        steps: Annotated[int, typer.Option("--steps", help="Training steps at most.")] = 600,
        width: Annotated[int, typer.Option("--width", help="Channels of the hidden layers.")] = 16,
        noise: Annotated[int, typer.Option("--noise", help="Noise channels (--kind stochastic).")] = 4,
        components: Annotated[int, typer.Option("--components", help="Of the mixture (--kind density).")] = 4,
        temperature: Annotated[
            float, typer.Option("--temperature", help="Of what the map draws: below 1, less spread.")
        ] = 1.0,
        seed: Seed = 0,
        out: Out = None,
        wall_time: WallTime = None,
        as_json: Json = False,
    ) -> None:
        """Learn a map from blocked fields back to finer ones, on pairs made from a run.

        Trains on most of the pairs, watches the held-out ones, stops early and keeps the best weights.

        \b
        From 16 x 16 to 32 x 32, weights and record kept in a folder:
          kadanoff learn runs/l32 --rule majority-mean --kind density --seed 0 --out runs/inverse
        """
        from kadanoff.cli.console import emit_json, print_table
        from kadanoff.cli.task import at_work, print_end
        from kadanoff.compiled.purposes import RELAXATION

        parsing.require_positive(
            steps=steps, width=width, components=components, relax=relax, temperature=temperature
        )
        parsing.require_not_negative(depth=depth, noise=noise)
        parameters = {"factor": factor, "weight": weight, "spread": spread}
        with at_work(wall_time=wall_time, out=out, kernels=RELAXATION if relax else ()) as task:
            from kadanoff.renormalization import Relaxation, learn_inverse
            from kadanoff.renormalization.inverse.learnt import LearntInverse
            from kadanoff.runs import fingerprint, open_ensemble
            from kadanoff.store.checkpoint import Checkpoint
            from kadanoff.store.durable import atomic_write, held

            transformation = parse_rule(rule, b, **parameters)
            ensemble = open_ensemble(run)
            options: dict[str, Any] = {
                "kind": kind,
                "consistent": consistent,
                "seed": seed,
                "steps": steps,
                "width": width,
                "noise": noise,
                "components": components,
                "temperature": temperature,
            }
            request = {"source": fingerprint(run), **rule_record(rule, b, **parameters), "depth": depth}
            request |= {"relax": relax, **options}
            done = out is not None and _is_done(out, request)
            with held(None if done else out):
                if out is not None and (done or _is_done(out, request)):  # by another process in between
                    inverse = LearntInverse.load(out)
                else:
                    relaxation = None
                    if relax is not None:
                        relaxation = Relaxation(parsing.simulated_action(ensemble, run), sweeps=relax)
                    options |= {"progress": task.progress, "checkpoint": Checkpoint(out, request)}
                    inverse = learn_inverse(ensemble, transformation, depth, relax=relaxation, **options)
                    if out is not None:
                        # First the request, last the header of the weights: what a kill leaves is known for its own.
                        atomic_write(out / REQUEST, json.dumps(request, indent=1).encode() + b"\n")
                        inverse.save(out)
                        options["checkpoint"].clear()
        record = inverse.record
        numbers = {
            "held_out": record.held_out,
            "linear": record.linear,
            "advantage_sigma": record.advantage_sigma,
            "parameters": record.parameters,
            "receptive_field": record.receptive_field,
            "steps": record.steps,
            "training_seconds": record.seconds,
        }
        if as_json:
            about = {
                "kind": kind,
                **rule_record(rule, b, **parameters),
                "depth": depth,
                "input_depth": inverse.input_depth,
            }
            rest = {"history": record.history, "seconds": task.seconds, "warnings": task.warnings}
            emit_json({**about, **numbers, **rest, "seed": seed, "source": run, "store": out})
            return
        rows = [(step, f"{train:.4f}", f"{held:.4f}") for step, train, held in record.history]
        if rows:
            from kadanoff.report.rows import thinned_rows

            print_table("Loss", ("step", "training", "held out"), thinned_rows(rows, 8))
        print(inverse.describe())
        print_end(task, out)


def _is_done(out: Path, request: dict[str, Any]) -> bool:
    """Whether the folder holds the weights asked for; `StoreError` when it holds something else."""
    from kadanoff.store.durable import visible_names

    if out.exists() and not out.is_dir():
        raise StoreError(f"{out} is a file, but weights are kept in a folder: give another path")
    if not (out / REQUEST).exists():
        foreign = [name for name in visible_names(out) if name != "weights.eqx"]
        if foreign:
            raise StoreError(f"{out} is not empty (it holds {foreign[0]!r}): give a new or empty folder")
        return False
    try:
        found = dict(json.loads((out / REQUEST).read_text()))
    except (ValueError, TypeError) as error:
        raise StoreError(f"{out / REQUEST} is damaged: learn the inverse again in another folder") from error
    # A parameter that only one of both names is another one than that which the other has by default.
    require_same(out, "inverse", found, {**dict.fromkeys(found), **request})
    return (out / "inverse.json").exists()
