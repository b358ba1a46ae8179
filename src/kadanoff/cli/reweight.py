"""Reweight a sample to another action, or along a coupling: real or complex, without simulating anew."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kadanoff.cli import parsing
from kadanoff.cli.parsing import Beta, CouplingPairs, Json, Kappa, Mass2, Quartic
from kadanoff.errors import InputError

if TYPE_CHECKING:
    from kadanoff.cli.task import Task
    from kadanoff.ensemble import Ensemble

__all__ = ["register"]

_HDF5 = (".h5", ".hdf5")


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command("reweight")
    def reweight(
        source: Annotated[
            Path,
            typer.Argument(
                metavar="RUN",
                help="A folder of `simulate` or `block`, or fields in .npy or .h5: (chain, draw, *sides), or "
                "(draw, x, y) of one chain.",
            ),
        ],
        action: Annotated[
            str | None,
            typer.Option(
                "--action",
                metavar="NAME",
                help="The target: phi4, ising, or FILE.py:NAME; else that of the run.",
            ),
        ] = None,
        mass2: Mass2 = None,
        quartic: Quartic = None,
        kappa: Kappa = None,
        beta: Beta = None,
        coupling: CouplingPairs = None,
        along: Annotated[
            str | None, typer.Option("--along", metavar="COUPLING", help="Vary this coupling of the target.")
        ] = None,
        first: Annotated[float | None, typer.Option("--from", help="First value of --along.")] = None,
        last: Annotated[float | None, typer.Option("--to", help="Last value of --along.")] = None,
        count: Annotated[int, typer.Option("--points", help="How many values of --along.")] = 11,
        observables: Annotated[
            str | None,
            typer.Option("--observables", metavar="A,B,..", help="By default all; |m| along a coupling."),
        ] = None,
        simulated: Annotated[
            str | None,
            typer.Option("--simulated", metavar="NAME", help="The action that a file of fields follows."),
        ] = None,
        simulated_coupling: Annotated[
            list[str] | None,
            typer.Option(
                "--simulated-coupling", metavar="NAME=VALUE", help="One of its couplings; repeatable."
            ),
        ] = None,
        array: Annotated[
            str | None, typer.Option("--array", metavar="NAME", help="Which array of an .h5 file.")
        ] = None,
        out: Annotated[
            Path | None,
            typer.Option("--out", metavar="DIR", help="Where the figure goes, instead of the run's folder."),
        ] = None,
        as_json: Json = False,
    ) -> None:
        """Print what a sample says of another action, with the effective sample that is left.

        Couplings that are not given are those of the simulated action. A function S(field) in a file is a target
        too, and so is an action with a complex density. The figure is figures/reweighting.png in the run's folder, or
        in --out.

        \b
        From the mass that was simulated to another, and along the mass:
          kadanoff reweight runs/l32 --mass2 -0.95
          kadanoff reweight runs/l32 --along mass2 --from -0.97 --to -0.93 --points 21

        \b
        To an action of your own, and from fields of your own:
          kadanoff reweight runs/l32 --action phi6.py:Phi6 --coupling sextic=0.01
          kadanoff reweight fields.npy --simulated phi4 --simulated-coupling mass2=-0.9 --mass2 -0.92
        """
        from kadanoff.cli.console import emit_json
        from kadanoff.cli.task import at_work
        from kadanoff.compiled.purposes import MEASUREMENTS

        given = parsing.named_couplings(coupling, mass2=mass2, quartic=quartic, kappa=kappa, beta=beta)
        names = parsing.split_names(observables)
        first, last = _checked_path(along, first, last, count)
        if along is None and action is None and not given:
            raise InputError(
                "reweight to what? give a coupling such as --mass2, an --action, or --along a coupling"
            )
        with at_work(kernels=MEASUREMENTS) as task:
            import numpy as np

            ensemble = _opened(source, simulated, simulated_coupling, array)
            folder = out / "figures" if out is not None else source / "figures" if source.is_dir() else None
            if along is None:
                target = _base(ensemble, action, given)
                content = _to_one(ensemble, target, names, folder)
            else:
                target = _base(ensemble, action, {along: first, **given} if action is not None else given)
                content = _along(ensemble, target, names, (along, np.linspace(first, last, count)), folder)
        if as_json:
            rest = {"source": source, "seconds": task.seconds, "warnings": task.warnings}
            emit_json({**content, **rest})
            return
        _print(content, f"{ensemble!r} to {target!r}", task)


def _checked_path(
    along: str | None, first: float | None, last: float | None, count: int
) -> tuple[float, float]:
    """The range of --along; half a path is refused."""
    if along is None:
        if first is not None or last is not None:
            raise InputError("--from and --to belong to --along COUPLING: say which coupling varies")
        return 0.0, 0.0
    if first is None or last is None:
        raise InputError("--along needs the values where it begins and ends: add --from and --to")
    if not (math.isfinite(first) and math.isfinite(last) and first < last):
        raise InputError(f"--from {first} --to {last} is no range: give finite numbers that rise")
    if count < 2:
        raise InputError(f"--points {count} is no path: give 2 or more")
    return first, last


def _opened(source: Path, simulated: str | None, pairs: list[str] | None, array: str | None) -> "Ensemble":
    """The sample: a run with the action that made it, or a file of fields with the one that is named."""
    from kadanoff.ensemble import Ensemble
    from kadanoff.runs import open_ensemble

    ending = source.suffix.lower()
    if array is not None and ending not in _HDF5:
        raise InputError(f"--array names an array of an .h5 file, and {source} is none: leave it out")
    if ending not in (".npy", *_HDF5):
        if source.is_file():
            raise InputError(f"{source} is no sample: give the folder of a run, or fields in .npy or .h5")
        if simulated is not None or pairs:
            raise InputError("a run knows the action that it was simulated with: leave --simulated out")
        ensemble = open_ensemble(source)
        parsing.simulated_action(ensemble, source)
        return ensemble
    if simulated is None:
        raise InputError(
            f"which action do the fields in {source} follow? add --simulated NAME with its couplings"
        )
    from kadanoff.store.formats import import_hdf5, import_npy

    fields, weights, _ = import_npy(source) if ending == ".npy" else import_hdf5(source, array)
    model = parsing.build_action(simulated, parsing.named_couplings(pairs))
    return Ensemble(fields, model, weights, history=(f"read from {source}",))


def _base(ensemble: "Ensemble", action: str | None, given: dict[str, float]) -> Any:
    """The target action: couplings not given are those that were simulated."""
    from kadanoff.actions.base import as_action, with_array_leaves
    from kadanoff.reweighting.response import simulated_action, with_coupling

    model = simulated_action(ensemble)
    if action is not None:
        return with_array_leaves(as_action(parsing.build_action(action, given, like=model)))
    for name, value in given.items():
        model = with_coupling(model, name, value)
    return model


def _to_one(
    ensemble: "Ensemble", target: Any, names: list[str] | None, folder: Path | None
) -> dict[str, Any]:
    """Reweight to one target."""
    from kadanoff.actions.base import couplings
    from kadanoff.cli.task import drawn_figure
    from kadanoff.plots.reweighted import plot_reweighted
    from kadanoff.reweighting.target import reweight

    there = reweight(ensemble, target)
    return {
        "observables": there.observables(names),
        "simulated": ensemble.observables(names),
        "couplings": couplings(target),
        "effective_sample_size": there.effective_sample_size,
        "configurations": there.chains * there.draws,
        "average_phase": there.average_phase,
        "figures": []
        if folder is None
        else drawn_figure(lambda: plot_reweighted(ensemble, there, folder / "reweighting.png")),
    }


def _along(
    ensemble: "Ensemble", target: Any, names: list[str] | None, path: tuple[str, Any], folder: Path | None
) -> dict[str, Any]:
    """Reweight along a coupling of the target."""
    from kadanoff.cli.task import drawn_figure
    from kadanoff.plots.trajectory import plot_trajectories
    from kadanoff.reweighting.response import with_coupling
    from kadanoff.reweighting.trajectory import reweight_along

    coupling, values = path
    chosen = names or ["abs_magnetization"]
    found = reweight_along(
        ensemble, lambda value: with_coupling(target, coupling, value), values, chosen, coupling
    )
    figures = []
    if folder is not None:
        file = folder / "reweighting.png"
        figures = drawn_figure(lambda: plot_trajectories({"sample": found}, file, chosen))
    return {
        "rows": found.rows(),
        "coupling": coupling,
        "trusted": found.trusted(),
        "doubt": found.doubt(),
        "figures": figures,
    }


def _print(content: dict[str, Any], title: str, task: "Task") -> None:
    """Tables, what is left of the sample, and where the figure is."""
    from kadanoff.cli.rows import print_rows
    from kadanoff.cli.task import print_end

    if "rows" in content:
        print_rows(title, content["rows"])
        where = content["trusted"]
        doubt = f"nowhere to be trusted: {content['doubt']}"
        print(doubt if where is None else "trusted from {:g} to {:g}".format(*where))
    else:
        rows = [
            {"observable": name, "simulated": content["simulated"][name], "reweighted": estimate}
            for name, estimate in content["observables"].items()
        ]
        print_rows(title, rows)
        print(
            f"effective sample {content['effective_sample_size']:.0f} of {content['configurations']}, "
            f"average phase {content['average_phase']:.3f}"
        )
    print_end(task, None, content["figures"])
