"""What verbs share in reading their arguments: sizes, couplings, actions, samplers, common options."""

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from kadanoff.errors import InputError

__all__ = [
    "ACTIONS",
    "ActionName",
    "Beta",
    "CouplingPairs",
    "Json",
    "Kappa",
    "Mass2",
    "Out",
    "Quartic",
    "Seed",
    "SAMPLERS",
    "build_action",
    "named_couplings",
    "parse_sampler",
    "parse_size",
    "require_memory",
    "require_not_negative",
    "require_positive",
    "simulated_action",
    "split_names",
]

#: Seeds beyond this would silently repeat smaller ones.
LARGEST_SEED = 2**32 - 1


def _checked_seed(seed: int) -> int:
    if not 0 <= seed <= LARGEST_SEED:
        raise InputError(f"--seed {seed} is out of range: give a whole number from 0 to {LARGEST_SEED}")
    return seed


Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else.")]
Seed = Annotated[int, typer.Option("--seed", callback=_checked_seed, help="Fixes every random number.")]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="Keep the run in this folder; the same command continues it."),
]
ActionName = Annotated[
    str,
    typer.Option(
        "--action",
        metavar="NAME",
        help="phi4, ising, longer-range, longer-range-ising, or FILE.py:NAME for one of your own.",
    ),
]
Mass2 = Annotated[float | None, typer.Option("--mass2", help="Mass squared (phi4: -0.9515).")]
Quartic = Annotated[float | None, typer.Option("--quartic", help="Coupling of phi^4 / 4 (phi4: 0.7).")]
Kappa = Annotated[float | None, typer.Option("--kappa", help="Coupling of neighbours (phi4: 1).")]
Beta = Annotated[float | None, typer.Option("--beta", help="Inverse temperature (ising: 0.440687).")]
CouplingPairs = Annotated[
    list[str] | None,
    typer.Option("--coupling", metavar="NAME=VALUE", help="A coupling of your own action; may be repeated."),
]
#: Named actions: their class, and default couplings, the critical points at which the talk simulates.
ACTIONS: dict[str, tuple[str, dict[str, float]]] = {
    "phi4": ("Phi4", {"mass2": -0.9515, "quartic": 0.7, "kappa": 1.0}),
    "ising": ("Ising", {"beta": 0.440687}),
    "longer-range": (
        "LongerRangePhi4",
        {"mass2": -0.9515, "quartic": 0.7, "kappa": 1.0, "next_nearest": 1.0, "sextic": 0.0},
    ),
    "longer-range-ising": ("LongerRangeIsing", {"nearest": 0.440687, "diagonal": 0.0, "cubic": 0.0}),
}


def parse_size(text: str, dimension: int | None) -> tuple[int, ...]:
    """Read `N` (a cube of `dimension`, by default 2) or `NxNx..` (whose dimension it gives itself).

    >>> parse_size("32", None), parse_size("8", 3), parse_size("16x32", None)
    ((32, 32), (8, 8, 8), (16, 32))
    """
    if not re.fullmatch(r"-?\d{1,9}(x-?\d{1,9})*", text):
        raise InputError(f"--size {text!r} is not a size: give N, or NxN, NxNxN.. with whole numbers")
    sides = tuple(int(side) for side in text.split("x"))
    if dimension is not None and not 1 <= dimension <= 4:
        raise InputError(f"--dimension {dimension} is out of range: give 1 to 4")
    if len(sides) == 1:
        return sides * (2 if dimension is None else dimension)
    if dimension not in (None, len(sides)):
        raise InputError(
            f"--size {text} has {len(sides)} sides, --dimension says {dimension}: leave one of them out"
        )
    return sides


def require_positive(**counts: int | float | None) -> None:
    """Raise unless every given count is above zero, naming the option as it is typed."""
    for name, count in counts.items():
        if count is not None and not count > 0:
            raise InputError(f"--{name.replace('_', '-')} must be positive, got {count}")


def require_not_negative(**counts: int) -> None:
    """Raise for counts below zero, naming the option."""
    for name, count in counts.items():
        if count < 0:
            raise InputError(f"--{name.replace('_', '-')} cannot be negative, got {count}")


def require_memory(sites: int, configurations: int) -> None:
    """Raise when so many single-precision fields, and as much again to work with, cannot fit this machine.

    >>> require_memory(32 * 32, 128)
    """
    import os

    try:
        machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return
    needed = 8 * sites * configurations
    if needed > machine:
        raise InputError(
            f"{configurations} fields of {sites} sites need {needed / 2**30:.0f} GiB of memory, more "
            f"than the {machine / 2**30:.0f} of this machine: take a smaller --size, fewer "
            "--chains or --draws, or --out to keep draws on disk"
        )


def split_names(text: str | None) -> list[str] | None:
    """Read `a,b,c`; None where nothing was asked for."""
    if text is None:
        return None
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise InputError("the list of names is empty: give one or more, with commas between")
    return names


def named_couplings(pairs: Iterable[str] | None, **given: float | None) -> dict[str, float]:
    """Collect the couplings that were typed, as options of their own or as `--coupling NAME=VALUE`.

    >>> named_couplings(["sextic=0.1"], mass2=-1.0, quartic=None)
    {'mass2': -1.0, 'sextic': 0.1}
    """
    couplings = {name: value for name, value in given.items() if value is not None}
    for pair in pairs or ():
        name, equals, value = pair.partition("=")
        try:
            number = float(value)
        except ValueError:
            number = None
        if not equals or not name.strip().isidentifier() or number is None:
            raise InputError(f"--coupling {pair!r} is not NAME=VALUE with a number, such as sextic=0.1")
        if name.strip() in couplings:
            raise InputError(f"the coupling {name.strip()} is given twice: give it once")
        couplings[name.strip()] = number
    return couplings


def build_action(name: str | None, couplings: Mapping[str, float], like: Any = None) -> Any:
    """Make the action called `name`; couplings that were not given are those of `like`, if it is such an action.

    None is the kind of action that `like` is, also where that is one of your own; without it, phi4.

    Raises `InputError` for unknown names, couplings that the action does not have, or lacks, or refuses.
    """
    from kadanoff import actions

    if name is None:
        kinds = (key for key, (known, _) in ACTIONS.items() if type(like) is getattr(actions, known))
        name = next(kinds, "phi4" if like is None else None)
    if name is None:
        return _changed(like, couplings)
    if name in ACTIONS:
        class_name, defaults = ACTIONS[name]
        made = getattr(actions, class_name)
        if isinstance(like, made):
            defaults = {coupling: float(getattr(like, coupling)) for coupling in defaults}
        return _call(made, {**defaults, **couplings}, name)
    if ".py:" not in name:
        raise InputError(
            f"unknown action {name!r}: give {', '.join(ACTIONS)}, or FILE.py:NAME for an action of your own"
        )
    from kadanoff.runs import action_from_file

    file, _, member = name.rpartition(":")
    found = action_from_file(Path(file), member)
    if inspect.isclass(found):
        action = _call(found, {**_simulated_with(found, like), **couplings}, name)
        if not hasattr(action, "density"):
            raise InputError(f"{name} is no action: the class has no `density(field)`; add one")
    else:
        action = found
        if couplings:
            raise InputError(
                f"{name} is made already and takes no {', '.join(couplings)}: name a class, or leave them out"
            )
    _require_finite(action, name)
    return action


def simulated_action(ensemble: Any, folder: Path) -> Any:
    """The action that the ancestor of an ensemble was simulated with."""
    action = ensemble.simulated.action
    if action is None:
        raise InputError(
            f"{folder} has lost the run that it was made from, and with it the action to relax: bring that "
            "folder back, or take a folder of `simulate`"
        )
    return action


def _changed(action: Any, couplings: Mapping[str, float]) -> Any:
    from kadanoff.reweighting.response import with_coupling

    for coupling, value in couplings.items():
        action = with_coupling(action, coupling, value)
    return action


def _simulated_with(made: type, like: Any) -> dict[str, Any]:
    """What an action of this class was made with; a run has imported a class of its own from its copy of the file."""
    if type(like).__name__ != made.__name__:
        return {}
    return {name: getattr(like, name) for name in inspect.signature(made).parameters if hasattr(like, name)}


def _call(make: Callable[..., Any], couplings: Mapping[str, float], name: str) -> Any:
    parameters = inspect.signature(make).parameters
    unknown = [coupling for coupling in couplings if coupling not in parameters]
    if unknown:
        raise InputError(f"{name} has no coupling {unknown[0]!r}; it has: {', '.join(parameters)}")
    missing = [p.name for p in parameters.values() if p.default is p.empty and p.name not in couplings]
    if missing:
        raise InputError(f"{name} needs a value of {missing[0]!r}: add --coupling {missing[0]}=VALUE")
    return make(**couplings)


def _require_finite(action: Any, name: str) -> None:
    import numpy as np

    from kadanoff.actions import couplings

    for coupling, value in couplings(action).items():
        if not np.all(np.isfinite(value)):
            raise InputError(f"{name}: the coupling {coupling} is {value}; give a finite number")


def _with_metropolis(cluster: str) -> Any:
    import kadanoff as kd

    # Cluster updates turn signs only: without a local update the moduli would never move.
    return kd.Mixture((kd.Metropolis(sweeps=2), getattr(kd, cluster)()))


def _alone(name: str) -> Any:
    import kadanoff as kd

    return getattr(kd, name)()


#: Samplers by the name that the command line uses; None leaves the choice to the action.
SAMPLERS: dict[str, Callable[[], Any]] = {
    "auto": lambda: None,
    "local-and-cluster": lambda: _with_metropolis("SwendsenWang"),
    "metropolis": lambda: _alone("Metropolis"),
    "heat-bath": lambda: _alone("HeatBath"),
    "hmc": lambda: _alone("HybridMonteCarlo"),
    "swendsen-wang": lambda: _with_metropolis("SwendsenWang"),
    "wolff": lambda: _with_metropolis("Wolff"),
}


def parse_sampler(name: str) -> Any:
    """Make the sampler called `name`; raises `InputError` for unknown names."""
    if name not in SAMPLERS:
        raise InputError(f"unknown sampler {name!r}; choose from {', '.join(SAMPLERS)}")
    return SAMPLERS[name]()
