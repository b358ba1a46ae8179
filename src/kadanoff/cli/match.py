"""Match two lattices: the critical coupling and nu, from a simulation, from runs, or from columns of numbers."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kadanoff.cli import parsing
from kadanoff.cli.parsing import Beta, CouplingPairs, Json, Kappa, Mass2, Out, Quartic, Seed
from kadanoff.cli.rules import Factor, Spread, Weight, parse_rule

if TYPE_CHECKING:
    from kadanoff.cli.task import Task
    from kadanoff.renormalization.matching import Matching

__all__ = ["register"]

_VARIED = {"phi4": "mass2", "ising": "beta"}  # the coupling that is matched, unless another is named
#: The name of a rule, if one was given, and its parameters.
Blocking = tuple[str | None, dict[str, float | None]]
_OBSERVABLES = "abs_magnetization,magnetization_squared,neighbours"


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command("match")
    def match(
        runs: Annotated[
            list[Path] | None,
            typer.Argument(metavar="[ORIGINAL DIRECT]", help="Folders of `simulate`, of sides b L and L."),
        ] = None,
        original: Annotated[
            Path | None, typer.Option("--original", help="Energies and magnetisations of the larger lattice.")
        ] = None,
        blocked: Annotated[
            Path | None,
            typer.Option("--blocked", help="The same configurations, in the same order, blocked once."),
        ] = None,
        direct: Annotated[
            Path | None, typer.Option("--direct", help="Those of a simulation of the blocked lattice.")
        ] = None,
        action: Annotated[
            str, typer.Option("--action", metavar="NAME", help="ising, phi4, or FILE.py:NAME for your own.")
        ] = "ising",
        mass2: Mass2 = None,
        quartic: Quartic = None,
        kappa: Kappa = None,
        beta: Beta = None,
        coupling: CouplingPairs = None,
        vary: Annotated[
            str | None,
            typer.Option("--vary", metavar="COUPLING", help="Which is matched; beta, or mass2 of phi4."),
        ] = None,
        size: Annotated[
            str | None,
            typer.Option("--size", metavar="N[xNx..]", help="Sides of the larger lattice, b L; 32."),
        ] = None,
        dimension: Annotated[int | None, typer.Option("--dimension", help="Of `--size N`; 2.")] = None,
        b: Annotated[
            int | None, typer.Option("--b", help="Side of a block; that of the two runs, else 2.")
        ] = None,
        rule: Annotated[
            str | None,
            typer.Option("--rule", help="A rule of `block`; majority for spins, else majority-mean."),
        ] = None,
        factor: Factor = None,
        weight: Weight = None,
        spread: Spread = None,
        steps: Annotated[
            int | None,
            typer.Option("--steps", help="Match after n = 0 .. steps - 1 further blockings of both; 3."),
        ] = None,
        observables: Annotated[
            str, typer.Option("--observables", metavar="A,B,..", help="What is matched.")
        ] = _OBSERVABLES,
        chains: Annotated[int | None, typer.Option("--chains", help="Markov chains at once; 64.")] = None,
        draws: Annotated[
            int | None,
            typer.Option("--draws", help="From each chain of the larger lattice; 100. Twice of the other."),
        ] = None,
        samples: Annotated[int, typer.Option("--samples", help="Bootstrap samples.")] = 400,
        seed: Seed = 0,
        out: Out = None,
        as_json: Json = False,
    ) -> None:
        """Find where observables of a blocked lattice equal those of a direct one of the same size.

        The lattice of side b L is blocked n + 1 times and that of side L n times; both are reweighted by the actions
        that they were simulated with. The coupling where they agree is the critical one, and the slope of the flow
        there is b^(1/nu). --size is always the larger lattice.

        \b
        Simulate 64 x 64 and 32 x 32, and keep runs and figures; or match two runs of `simulate`:
          kadanoff match --action ising --beta 0.440687 --size 64 --out runs/matching
          kadanoff match --action phi4 --mass2 -0.9515 --quartic 0.7 --size 32
          kadanoff match runs/l64 runs/l32 --rule majority

        \b
        Ising data of your own, text or .npy: total energy H = -sum s_i s_j and total magnetisation of a configuration
        a row. Row i of --blocked is row i of --original (side 64) blocked once; --direct are simulations of side 32.
          kadanoff match --original l64.txt --blocked l64to32.txt --direct l32.txt --beta 0.440687 --size 64 --json
        """
        from kadanoff.cli.console import emit_json
        from kadanoff.cli.folders import require_own_kind
        from kadanoff.cli.matchings import (
            draw_matchings,
            keep_matchings,
            print_matchings,
            require_crossing,
            told,
        )
        from kadanoff.cli.task import at_work
        from kadanoff.compiled.purposes import MEASUREMENTS, of_updates

        parsing.require_positive(chains=chains, draws=draws, steps=steps, samples=samples)
        names = parsing.split_names(observables) or []
        given = parsing.named_couplings(coupling, mass2=mass2, quartic=quartic, kappa=kappa, beta=beta)
        files = {"--original": original, "--blocked": blocked, "--direct": direct}
        simulation = {"--chains": chains, "--draws": draws, "--size": size, "--dimension": dimension, **given}
        shape = parsing.parse_size(size or "32", dimension)
        options, side = {"samples": samples, "seed": seed}, 2 if b is None else b
        parameters = {"factor": factor, "weight": weight, "spread": spread}
        blocking = (rule, parameters)
        simulated = () if runs or any(files.values()) else of_updates(action)
        require_own_kind(out, "a matching")
        with at_work(out=out, kernels=simulated + MEASUREMENTS) as task:
            if any(path is not None for path in files.values()):
                alien = {"RUNS": runs, "--steps": steps, "--rule": rule, "--chains": chains, "--draws": draws}
                alien |= parameters
                _refuse(
                    alien, "belongs to simulations and runs, and --original, --blocked, --direct are data"
                )
                found = [_from_files(files, action, given, size, shape, side, names, vary, options)]
            elif runs:
                _refuse({**simulation, "--out": out}, "belongs to a new simulation, and two runs are given")
                found = _from_runs(runs, b, blocking, steps or 3, names, vary, options)
            else:
                parsed = (action, given, shape, side, blocking, steps or 3, chains or 64, draws or 100)
                found = _simulated(parsed, names, vary, options, out, task)
            require_crossing(found)
            figures = draw_matchings(found, out)
            answer = told(found, seed, task.warnings)
            keep_matchings(answer, out)
        if as_json:
            emit_json({**answer, "seconds": task.seconds, "store": out, "figures": figures})
            return
        print_matchings(answer["rows"], task, out, figures)


def _from_files(
    files: dict[str, Path | None],
    action: str,
    given: dict[str, float],
    size: str | None,
    shape: tuple[int, ...],
    b: int,
    names: Sequence[str],
    vary: str | None,
    options: dict[str, Any],
) -> "list[Matching]":
    """Match a user's own columns of Ising data."""
    from kadanoff.errors import InputError
    from kadanoff.renormalization.matching import match
    from kadanoff.renormalization.totals import ising_from_files

    if action != "ising" or set(given) - {"beta"} or vary not in (None, "beta"):
        raise InputError(
            "columns of energy and magnetisation are Ising data: leave out every coupling but --beta"
        )
    missing = [name for name, path in files.items() if path is None]
    missing += [name for name, value in (("--beta", given.get("beta")), ("--size", size)) if value is None]
    if missing:
        raise InputError(f"data of your own also need {', '.join(missing)}: see `kadanoff match --help`")
    paths = [path for path in files.values() if path is not None]
    coarse, small = ising_from_files(*paths, beta=given["beta"], shape=shape, b=b)
    return [match(coarse, small, name, "beta", b=b, **options) for name in names]


def _from_runs(
    runs: Sequence[Path],
    b: int | None,
    blocking: Blocking,
    steps: int,
    names: Sequence[str],
    vary: str | None,
    options: dict[str, Any],
) -> "list[list[Matching]]":
    """Match the runs in two folders."""
    from kadanoff.cli.folders import require_simulation
    from kadanoff.errors import InputError
    from kadanoff.renormalization.matching import match_steps, rescaling_factor
    from kadanoff.reweighting.response import simulated_action
    from kadanoff.runs import open_ensemble

    if len(runs) != 2:
        raise InputError(f"{len(runs)} folders are given: give two, the run of side b L and that of side L")
    if runs[0].resolve() == runs[1].resolve():
        raise InputError(f"{runs[0]} is given twice: the direct lattice is a simulation of its own")
    for folder in runs:
        require_simulation(folder)
    large, small = (open_ensemble(folder) for folder in runs)
    varied = _coupling_of(simulated_action(large), vary)
    b = rescaling_factor(large.lattice, small.lattice) or 2 if b is None else b
    chosen = _rule(blocking, large.spins, b)
    return match_steps(large, small, chosen, steps, names, varied, **options)


def _simulated(
    parsed: tuple[str, dict[str, float], tuple[int, ...], int, Blocking, int, int, int],
    names: Sequence[str],
    vary: str | None,
    options: dict[str, Any],
    out: Path | None,
    task: "Task",
) -> "list[list[Matching]]":
    """Simulate both lattices, and match them."""
    from kadanoff import Lattice
    from kadanoff.actions.base import has_spins
    from kadanoff.cli.simulate import keeping_action
    from kadanoff.observables import observable
    from kadanoff.renormalization.matching import match_steps
    from kadanoff.sampling import sample

    action, given, shape, b, blocking, steps, chains, draws = parsed
    model = parsing.build_action(action, given)
    chosen = _rule(blocking, has_spins(model), b)
    varied = _coupling_of(model, vary)
    for name in names:
        observable(name)
    smallest = lattice = Lattice(shape)
    for _ in range(steps):  # before hours are spent on a lattice that cannot be blocked that often
        smallest = smallest.blocked(b)
    parsing.require_memory(lattice.volume, chains * draws)
    both = []
    for number, (side, count) in enumerate(((lattice, draws), (lattice.blocked(b), 2 * draws))):
        label = "x".join(map(str, side.shape))
        folder = None if out is None else out / label

        def report(done: float, total: float | None, message: str, label: str = label) -> None:
            task.progress(done, total, f"{message.split(',')[0]} {label}")

        keep = keeping_action(report, folder, action, given)
        seed = (2 * options["seed"] + number) % 2**32
        both.append(sample(model, side, chains=chains, draws=count, seed=seed, out=folder, progress=keep))
    return match_steps(both[0], both[1], chosen, steps, names, varied, **options)


def _coupling_of(action: Any, vary: str | None) -> str:
    """The coupling that is matched: the one named, the usual one, or the only one there is."""
    from kadanoff.actions.base import couplings
    from kadanoff.errors import InputError
    from kadanoff.reweighting.response import with_coupling

    if vary is not None:
        with_coupling(action, vary, getattr(action, vary, 0.0))  # refuses what is no coupling
        return vary
    usual = _VARIED.get(type(action).__name__.lower())
    scalars = [name for name, value in couplings(action).items() if not isinstance(value, list)]
    if usual is None and len(scalars) != 1:
        raise InputError(f"which coupling is matched? add --vary with one of {', '.join(scalars) or 'none'}")
    return usual or scalars[0]


def _rule(blocking: Blocking, spins: bool, b: int) -> Any:
    name, parameters = blocking
    return parse_rule(name or ("majority" if spins else "majority-mean"), b, **parameters)


def _refuse(options: dict[str, Any], reason: str) -> None:
    from kadanoff.errors import InputError

    for name, value in options.items():
        if value:
            raise InputError(
                f"{name if name.isupper() or name[0] == '-' else '--' + name} {reason}: leave one out"
            )
