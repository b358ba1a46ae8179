"""Grow larger lattices by applying an inverse again and again: a learnt one, or compatible Monte Carlo."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kadanoff.cli import parsing
from kadanoff.cli.parsing import Beta, CouplingPairs, Json, Kappa, Mass2, Out, Quartic, Seed
from kadanoff.cli.processes import Devices, joined
from kadanoff.cli.rules import Weight, parse_rule
from kadanoff.cli.stopping import WallTime

if TYPE_CHECKING:
    from kadanoff.ensemble import Ensemble

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command("grow")
    def grow(
        run: Annotated[Path, typer.Argument(metavar="RUN", help="A folder of `simulate` or `block`.")],
        inverse: Annotated[
            Path | None, typer.Option("--inverse", metavar="DIR", help="A folder of `learn`.")
        ] = None,
        compatible: Annotated[
            int | None,
            typer.Option(
                "--compatible",
                metavar="SWEEPS",
                help="Of spins, in place of --inverse: sweeps of compatible Monte Carlo within given blocks.",
            ),
        ] = None,
        rule: Annotated[
            str | None,
            typer.Option(
                "--rule", help="That --compatible inverts: majority (so by default) or soft-majority."
            ),
        ] = None,
        weight: Weight = None,
        steps: Annotated[int, typer.Option("--steps", help="How often to apply it.")] = 1,
        b: Annotated[
            int | None,
            typer.Option(
                "--b", help="That of --compatible, by default 2; of --inverse, refused if it is not its."
            ),
        ] = None,
        relax: Annotated[
            int | None, typer.Option("--relax", metavar="SWEEPS", help="Sweeps of an action after each step.")
        ] = None,
        action: Annotated[
            str | None,
            typer.Option("--action", help="Of --relax and --compatible; by default the simulated one."),
        ] = None,
        mass2: Mass2 = None,
        quartic: Quartic = None,
        kappa: Kappa = None,
        beta: Beta = None,
        coupling: CouplingPairs = None,
        configurations: Annotated[
            int | None, typer.Option("--configurations", help="Grow so many; by default all.")
        ] = None,
        amplitude: Annotated[
            float, typer.Option("--amplitude", help="Multiply the start, to see whether it matters.")
        ] = 1.0,
        direct: Annotated[
            list[Path] | None,
            typer.Option("--direct", metavar="RUN", help="Compare with this simulation; may be repeated."),
        ] = None,
        seed: Seed = 0,
        out: Out = None,
        wall_time: WallTime = None,
        devices: Devices = None,
        as_json: Json = False,
    ) -> None:
        """Grow the fields of a run by an inverse, and print the certificate of every level.

        \b
        From 32 x 32 to 512 x 512 with 64 sweeps of the simulated action after each step:
          kadanoff grow runs/l32 --inverse runs/inverse --steps 4 --relax 64 --out runs/grown

        \b
        Ising spins from 16 x 16 to 128 x 128 by 16 sweeps of compatible Monte Carlo, with nothing learnt:
          kadanoff grow runs/spins16 --compatible 16 --rule majority --steps 3 --out runs/spins128

        \b
        One configuration to 8192 x 8192, relaxed in slabs on the 8 devices of two nodes:
          srun --nodes 2 --ntasks-per-node 1 kadanoff grow runs/l32 --inverse runs/inverse --steps 8 --relax 64
            --configurations 1 --devices 8 --out runs/l8192
        """
        from kadanoff.cli.console import emit_json
        from kadanoff.cli.rows import print_rows
        from kadanoff.cli.task import at_work, print_end
        from kadanoff.compiled.purposes import DRAWS, KEYS, MEASUREMENTS, RELAXATION
        from kadanoff.errors import InputError

        parsing.require_positive(
            steps=steps, relax=relax, configurations=configurations, amplitude=amplitude, devices=devices
        )
        parsing.require_positive(compatible=compatible)
        if (inverse is None) == (compatible is None):
            raise InputError(
                "give what is to grow, one of --inverse DIR (a folder of `learn`) and --compatible SWEEPS (spins)"
            )
        if compatible is None and (rule is not None or weight is not None):
            raise InputError("a rule is what --compatible inverts, an --inverse has its own: leave it out")
        given = parsing.named_couplings(coupling, mass2=mass2, quartic=quartic, kappa=kappa, beta=beta)
        if relax is None and compatible is None and (action is not None or given):
            raise InputError("an action is what --relax follows: add --relax SWEEPS, or leave it out")
        called = (KEYS if inverse is None else DRAWS) + (RELAXATION if relax else ()) + MEASUREMENTS
        with at_work(wall_time=wall_time, out=out, kernels=called) as task:
            joined(devices)
            from kadanoff.renormalization import CompatibleMonteCarlo, Relaxation, certificate
            from kadanoff.renormalization import grow as grow_levels
            from kadanoff.renormalization.inverse.given import as_grower, load_inverse
            from kadanoff.runs import open_ensemble

            ensemble = open_ensemble(run)
            target: Any = None
            if action is not None or given:
                target = parsing.build_action(action, given, ensemble.simulated.action)
            elif relax is not None or compatible is not None:
                target = parsing.simulated_action(ensemble, run)
            if compatible is not None:
                chosen = parse_rule(rule or "majority", 2 if b is None else b, weight=weight)
                grower = as_grower(
                    CompatibleMonteCarlo(target, chosen, compatible, ensemble.lattice.dimension)
                )
            else:
                assert inverse is not None  # one of both is given
                grower = load_inverse(inverse)
            grower.check(ensemble.lattice.dimension, b)
            simulations = _beside(ensemble, direct or [], grower.b, steps)
            relaxation = None if relax is None else Relaxation(target, sweeps=relax)
            levels = grow_levels(
                ensemble,
                grower,
                steps,
                relaxation,
                seed=seed,
                configurations=configurations,
                out=out,
                amplitude=amplitude,
                progress=task.progress,
                devices=devices,
            )
            rows = certificate(levels, simulations or None)
        if as_json:
            emit_json(
                {
                    "levels": rows,
                    "lattices": [level.lattice.shape for level in levels],
                    "chains": levels[0].chains,
                    "draws": levels[0].draws,
                    "inverse": grower.describe(),
                    "relax": relax,
                    "amplitude": amplitude,
                    "seed": seed,
                    "seconds": task.seconds,
                    "store": out,
                    "source": run,
                    "warnings": task.warnings,
                }
            )
            return
        print(grower.describe())
        sides = [level.lattice.longest for level in levels]
        print_rows(f"Certificate of {' -> '.join(map(str, sides))}", rows, across=True)
        print_end(task, out)


def _beside(start: "Ensemble", direct: list[Path], b: int, steps: int) -> "dict[int, Ensemble]":
    """Direct simulations by their side; `InputError` for one that no level is to be compared with, before growth."""
    from kadanoff.errors import InputError
    from kadanoff.runs import open_ensemble

    shapes = [tuple(side * b**step for side in start.lattice.shape) for step in range(steps + 1)]
    found: dict[int, Ensemble] = {}
    for path in direct:
        simulation = open_ensemble(path)
        shape, side = simulation.lattice.shape, simulation.lattice.longest
        if shape not in shapes:
            raise InputError(
                f"--direct {path} has the lattice {'x'.join(map(str, shape))}, and no level does: they are "
                f"{', '.join('x'.join(map(str, each)) for each in shapes)}; leave it out, or grow to it"
            )
        if side in found:
            raise InputError(f"--direct {path} is a second simulation of side {side}: give one a level")
        found[side] = simulation
    return found
