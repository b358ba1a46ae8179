"""Learn the couplings of an action: from data, or from another action."""

from pathlib import Path
from typing import Annotated, Any

import typer

from kadanoff.cli import data_files, parsing
from kadanoff.cli.fit_folder import identity, kept_fit, sources
from kadanoff.cli.parsing import Beta, CouplingPairs, Json, Kappa, Mass2, Out, Quartic, Seed
from kadanoff.cli.stopping import WallTime
from kadanoff.errors import InputError

__all__ = ["register"]

_GRID = "inhomogeneous"
_SHOWN = 12  # couplings of a table; all are in the JSON and in the folder


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command("fit")
    def fit(
        target: Annotated[
            str,
            typer.Argument(
                metavar="TARGET", help="Data (run, .npy, .npz, image) or action (name, FILE.py:NAME)."
            ),
        ],
        model: Annotated[
            str, typer.Option("--model", help="inhomogeneous, phi4, longer-range, FILE.py:NAME.")
        ] = _GRID,
        graph: Annotated[
            str | None, typer.Option("--graph", help="square (default), triangular or diagonals.")
        ] = None,
        method: Annotated[
            str | None,
            typer.Option(
                "--method",
                help="Data: likelihood, contrastive-divergence, pseudo-likelihood, score-matching. "
                "Action: natural, adam, descent.",
            ),
        ] = None,
        train: Annotated[
            str | None, typer.Option("--train", metavar="A,B,..", help="Learn only these couplings.")
        ] = None,
        steps: Annotated[int | None, typer.Option("--steps", help="Steps at most.")] = None,
        held_out: Annotated[
            float | None, typer.Option("--held-out", help="Share of the data to score; 0.1.")
        ] = None,
        chains: Annotated[bool, typer.Option("--chains", help="The array is (chain, draw, ...).")] = False,
        array: Annotated[str | None, typer.Option("--array", help="Which array of a .npz file.")] = None,
        size: Annotated[
            str | None, typer.Option("--size", metavar="N[xNx..]", help="Grid of an action, 4x4; pixels, 32.")
        ] = None,
        mass2: Mass2 = None,
        quartic: Quartic = None,
        kappa: Kappa = None,
        beta: Beta = None,
        coupling: CouplingPairs = None,
        seed: Seed = 0,
        out: Out = None,
        wall_time: WallTime = None,
        as_json: Json = False,
    ) -> None:
        """Learn the couplings of a model from data, KL(q||p), or from another action, KL(p||q).

        Couplings that are given belong to the target, if that is an action, else to the model that the fit starts
        from. --out keeps the learnt model; `kadanoff.load_model` reads it.

        \b
        The three couplings of a simulation, and 64 ones of a grid that learns another action:
          kadanoff fit runs/l32 --model phi4 --method score-matching
          kadanoff fit phi4 --mass2 -0.9515 --quartic 0.7 --size 4x4 --out runs/learnt

        \b
        Images (n, side, side) between 0 and 1 as a Markov random field; one image as an equilibrium:
          kadanoff fit digits.npy --graph diagonals --method pseudo-likelihood --out runs/digits
          kadanoff fit portrait.png --size 32 --out runs/portrait
        """
        from kadanoff.cli.console import emit_json
        from kadanoff.cli.task import at_work, print_end
        from kadanoff.compiled.purposes import GRAPH_UPDATES

        parsing.require_positive(steps=steps)
        names = parsing.split_names(train)
        given = parsing.named_couplings(coupling, mass2=mass2, quartic=quartic, kappa=kappa, beta=beta)
        alien = {"graph": graph, "train": train, "steps": steps, "held-out": held_out, "size": size}
        _refuse_unused(target, model, {**alien, "chains": chains or None, "array": array}, given)
        request = {
            "target": target,
            "model": model,
            "graph": graph or "square",
            "method": method,
            "train": names,
            "steps": steps,
            "held_out": 0.1 if held_out is None else held_out,
            "size": size,
            "couplings": given,
            "seed": seed,
            "chains": chains,
            "array": array,
        }
        called = GRAPH_UPDATES if target in parsing.ACTIONS and model == _GRID else ()
        with at_work(wall_time=wall_time, out=out, kernels=called) as task:
            from kadanoff.saved_models import save_model
            from kadanoff.store.checkpoint import Checkpoint
            from kadanoff.store.durable import held

            request["data"] = data_files.digest(target)
            request |= sources(target, model)
            found = None if out is None else kept_fit(out, request)
            with held(out if found is None else None):
                if out is not None and found is None:  # unless another process ended it in between
                    found = kept_fit(out, request)
                if found is None:
                    checkpoint = Checkpoint(out, identity(request))
                    ways = {"progress": task.progress, "checkpoint": checkpoint}
                    learnt, data, found = _learn(target, request, chains, array, ways)
                    if out is not None:
                        kept = {"request": request, "warnings": task.warnings, **found}
                        save_model(learnt, out, seed=seed, data=data, record=kept)
                        checkpoint.clear()
        if as_json:
            about = {"target": target, "seed": seed, "store": out, "warnings": task.warnings}
            emit_json({**found, **about, "seconds": task.seconds})
            return
        _show(found)
        print_end(task, out)


def _refuse_unused(target: str, model: str, options: dict[str, Any], couplings: dict[str, float]) -> None:
    """`InputError` for an option that this kind of target, or of model, has no use for."""
    if not data_files.is_data(target):
        kind, unused = "an action", {"held-out", "chains", "array"}
    elif _is_image(target):
        kind, unused = "one image", {"graph", "train", "steps", "held-out", "chains", "array"}
        if couplings:
            raise InputError(f"one image is learnt from a start of its own: leave {', '.join(couplings)} out")
    else:
        kind, unused = "data", {"size"}
    for name, value in options.items():
        if value is not None and name in unused:
            raise InputError(f"--{name} means nothing where the target is {kind}: leave it out")
    if model != _GRID and options["graph"] is not None:
        raise InputError(f"--graph is that of the inhomogeneous model, and --model is {model}: leave one out")


def _is_image(target: str) -> bool:
    return Path(target).suffix.lower() in data_files.IMAGES and not Path(target).is_dir()


def _learn(
    target: str, request: dict[str, Any], chains: bool, array: str | None, ways: dict[str, Any]
) -> tuple[Any, Any, dict[str, Any]]:
    """The learnt model, the data it is from, and what to tell of the fit; `ways` are progress and checkpoint."""
    if not data_files.is_data(target):
        return _from_action(request, ways)
    if _is_image(target):
        return _from_image(request, ways)
    import numpy as np

    from kadanoff.ensemble import Ensemble
    from kadanoff.learning.data import fit_data

    fields = data_files.read_fields(Path(target), chains, array)
    sides = fields.lattice.shape if isinstance(fields, Ensemble) else np.shape(fields)[1:]
    start = _model(request, sides, request["couplings"])
    options = {} if request["steps"] is None else {"steps": request["steps"]}
    fit = fit_data(
        start,
        fields,
        request["method"] or "likelihood",
        train=request["train"],
        held_out=request["held_out"],
        seed=request["seed"],
        **ways,
        **options,
    )
    return fit.model, fields, fit.as_dict()


def _from_image(request: dict[str, Any], ways: dict[str, Any]) -> tuple[Any, Any, dict[str, Any]]:
    from kadanoff.experiments.image import learn
    from kadanoff.experiments.pictures import read_image

    if request["model"] != _GRID or request["method"] not in (None, "pseudo-likelihood"):
        raise InputError("one image is learnt by pseudo-likelihood on a grid: leave --model and --method out")
    sides = parsing.parse_size(request["size"] or "32", None)
    if len(set(sides)) > 1 or len(sides) != 2:
        raise InputError(f"--size {request['size']}: an image is scaled to a square, give one number")
    picture = read_image(Path(request["target"]), sides[0]).mean(axis=-1)
    fit = learn(picture, seed=request["seed"], **ways)
    return fit.model, picture, fit.as_dict()


def _from_action(request: dict[str, Any], ways: dict[str, Any]) -> tuple[Any, Any, dict[str, Any]]:
    from kadanoff.actions.base import couplings
    from kadanoff.lattice import Lattice
    from kadanoff.learning import fit_variational

    target = request["target"]
    if target not in parsing.ACTIONS and ".py:" not in target:
        raise InputError(
            f"unknown action {target!r}, and no run or file of that name: check the path of data, or give an action, "
            f"{', '.join(parsing.ACTIONS)} or FILE.py:NAME"
        )
    wanted = parsing.build_action(target, request["couplings"])
    sides = parsing.parse_size(request["size"] or "4x4", None)
    start = _model(request, sides, {})
    options = {} if request["steps"] is None else {"epochs": request["steps"]}
    fit = fit_variational(
        start,
        wanted,
        request["method"] or "natural",
        train=request["train"],
        lattice=None if hasattr(start, "graph") else Lattice(sides),
        seed=request["seed"],
        **ways,
        **options,
    )
    learnt = couplings(fit.model)
    found = {
        "model": type(fit.model).__name__,
        "method": fit.optimiser,
        "couplings": {name: learnt[name] for name in fit.couplings},
        "bound": fit.at_bound(-1).as_dict(),
        "variance": float(fit.variance[-1]),
        "converged": fit.converged,
        "reason": fit.reason,
        "epochs": fit.epochs,
    }
    return fit.model, None, found


def _model(request: dict[str, Any], sides: tuple[int, ...], couplings: dict[str, float]) -> Any:
    """The model that a fit starts from."""
    if request["model"] != _GRID:
        return parsing.build_action(request["model"], couplings)
    if couplings:
        raise InputError(f"an inhomogeneous model starts at random: leave {', '.join(couplings)} out")
    from kadanoff.actions import InhomogeneousPhi4
    from kadanoff.graph import Graph

    return InhomogeneousPhi4.random(Graph.grid(sides, request["graph"]), request["seed"])


def _show(found: dict[str, Any]) -> None:
    from kadanoff.cli.console import print_table
    from kadanoff.report.rows import as_text, coupling_rows

    rows = coupling_rows(found["couplings"])
    title = f"{found['model']} by {found['method']}"
    print_table(title, ("coupling", "value"), rows[:_SHOWN])
    if len(rows) > _SHOWN:
        print(f"and {len(rows) - _SHOWN} more couplings: --json prints them, --out keeps them")
    for name in ("fields", "held_out", "bound", "variance", "reason", "epochs"):
        if found.get(name) is not None:
            last = name in ("bound", "variance")  # the model may be the mean of the last epochs
            label = f"{found['score']}, held out" if name == "held_out" else name + ", last epoch" * last
            print(f"{label}: {as_text(found[name])}")
