"""Draw an ensemble from an action by Markov chains, and measure it."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kadanoff.cli import parsing
from kadanoff.cli.parsing import (
    ActionName,
    Beta,
    CouplingPairs,
    Json,
    Kappa,
    Mass2,
    Out,
    Quartic,
    Seed,
)
from kadanoff.cli.processes import Devices, joined
from kadanoff.cli.stopping import WallTime

if TYPE_CHECKING:
    from kadanoff.cli.console import ProgressCallback

__all__ = ["keeping_action", "register"]


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command("simulate")
    def simulate(
        action: ActionName = "phi4",
        mass2: Mass2 = None,
        quartic: Quartic = None,
        kappa: Kappa = None,
        beta: Beta = None,
        coupling: CouplingPairs = None,
        size: Annotated[str, typer.Option("--size", metavar="N[xNx..]", help="Sides of the lattice.")] = "32",
        dimension: Annotated[int | None, typer.Option("--dimension", help="Of `--size N`; 2.")] = None,
        sampler: Annotated[str, typer.Option("--sampler", help=", ".join(parsing.SAMPLERS) + ".")] = "auto",
        start: Annotated[str, typer.Option("--start", help="hot, cold or mixed.")] = "mixed",
        chains: Annotated[int | None, typer.Option("--chains", help="Markov chains at once.")] = None,
        draws: Annotated[int | None, typer.Option("--draws", help="Kept from each chain.")] = None,
        thin: Annotated[int, typer.Option("--thin", help="Steps between two draws.")] = 4,
        thermalize: Annotated[int | None, typer.Option("--thermalize", help="Steps before; 300.")] = None,
        target_error: Annotated[
            float | None, typer.Option("--target-error", help="Run until |m| is known this well; 0.003.")
        ] = None,
        max_draws: Annotated[int, typer.Option("--max-draws", help="The most for --target-error.")] = 20_000,
        observables: Annotated[
            str | None, typer.Option("--observables", metavar="A,B,..", help="Measure only these.")
        ] = None,
        seed: Seed = 0,
        out: Out = None,
        wall_time: WallTime = None,
        devices: Devices = None,
        as_json: Json = False,
    ) -> None:
        """Draw an ensemble from exp(-S)/Z and print its observables.

        Runs until <|m|> has a relative error of 0.3 %, unless --draws or --target-error say otherwise.

        \b
        Critical phi^4 on 32 x 32, kept in a folder; the same command again continues it:
          kadanoff simulate --mass2 -0.9515 --quartic 0.7 --size 32 --seed 1 --out runs/l32

        \b
        A free field in three dimensions, and an action of your own:
          kadanoff simulate --mass2 0.3 --quartic 0 --size 8 --dimension 3
          kadanoff simulate --action phi6.py:Phi6 --mass2 -1 --quartic 0.5 --coupling sextic=0.1 --size 16

        \b
        On the 16 devices of 4 nodes, to be continued in the next job:
          srun --nodes 4 --ntasks-per-node 1 kadanoff simulate --size 2048 --chains 64 --draws 1000 --devices 16
            --wall-time 3:50:00 --out runs/l2048
        """
        from kadanoff.cli.console import emit_json, print_table
        from kadanoff.cli.task import at_work, estimate_rows, print_end
        from kadanoff.compiled.purposes import MEASUREMENTS, of_updates
        from kadanoff.errors import InputError

        if draws is not None and target_error is not None:
            raise InputError("--draws fixes the length, --target-error finds it: give one of them")
        parsing.require_positive(chains=chains, draws=draws, thin=thin, max_draws=max_draws, devices=devices)
        shape = parsing.parse_size(size, dimension)
        names = parsing.split_names(observables)
        given = parsing.named_couplings(coupling, mass2=mass2, quartic=quartic, kappa=kappa, beta=beta)
        called = of_updates(action, sampler) + MEASUREMENTS
        with at_work(wall_time=wall_time, out=out, kernels=called) as task:
            speaks = joined(devices)
            from kadanoff import Lattice
            from kadanoff.actions import couplings
            from kadanoff.observables import observable
            from kadanoff.sampling import default_sampler, sample

            lattice = Lattice(shape)
            wanted = None if names is None else [observable(name) for name in names]
            model = parsing.build_action(action, given)
            update = parsing.parse_sampler(sampler)
            update = default_sampler(model) if update is None else update
            parsing.require_memory(lattice.volume, (chains or 8) * (1 if out or draws is None else draws))
            ensemble = sample(
                model,
                lattice,
                chains=chains,
                draws=draws,
                target_error=target_error,
                thin=thin,
                thermalize=thermalize,
                sampler=update,
                start=start,
                seed=seed,
                out=out,
                max_draws=max_draws,
                progress=keeping_action(task.progress, out if speaks else None, action, given),
                devices=devices,
            )
            table = ensemble.observables(wanted)
            figures = task.draw(ensemble, out if speaks else None)
        if as_json:
            emit_json(
                {
                    "observables": table,
                    "seconds": task.seconds,
                    "store": out,
                    "figures": figures,
                    "lattice": lattice.shape,
                    "action": action,
                    "couplings": couplings(ensemble.action),
                    "sampler": " ".join(repr(update).split()),
                    "chains": ensemble.chains,
                    "draws": ensemble.draws,
                    "seed": seed,
                    "thermalised": task.thermalised,
                    "warnings": task.warnings,
                }
            )
            return
        where = f"{'x'.join(map(str, shape))}: {ensemble.chains} chains of {ensemble.draws}"
        title = f"{ensemble.action!r} on {where}"
        print_table(title, ("observable", "value", "tau_int"), estimate_rows(table))
        print_end(task, out, figures)


def keeping_action(
    report: "ProgressCallback", out: Path | None, action: str, given: Mapping[str, float]
) -> "ProgressCallback":
    """Report progress, and keep the source of a user's action as soon as there is a run to keep it with."""
    file, colon, name = action.rpartition(":")
    if out is None or not colon:
        return report
    kept = False

    def keep_and_report(done: float, total: float | None, message: str) -> None:
        nonlocal kept
        if not kept and (out / "run.json").exists():
            from kadanoff.runs import keep_action

            keep_action(out, Path(file), name, given)
            kept = True
        report(done, total, message)

    return keep_and_report
