"""Blocking rules on the command line: their names, and the options that set their parameters."""

import dataclasses
from typing import Annotated, Any

import typer

from kadanoff.errors import InputError

__all__ = ["Factor", "RuleName", "Scale", "Spread", "Weight", "parse_rule", "rule_record"]

RuleName = Annotated[
    str,
    typer.Option(
        "--rule",
        help="majority-mean, majority, soft-majority, sum, mean, gaussian, random-majority-site or decimation.",
    ),
]
Scale = Annotated[int, typer.Option("--b", help="Rescaling factor: the side of a block.")]
Factor = Annotated[float | None, typer.Option("--factor", help="Factor of the block sum (--rule sum).")]
Weight = Annotated[
    float | None, typer.Option("--weight", help="Weight of a block's majority (--rule soft-majority).")
]
Spread = Annotated[
    float | None, typer.Option("--spread", help="Spread around the block's mean (--rule gaussian).")
]


def parse_rule(name: str, b: int, **parameters: float | None) -> Any:
    """Make the blocking rule called `name`, with the parameters that are given (None is not given).

    Raises `InputError` for unknown names, parameters that belong to other rules, and values that no rule can have.

    >>> parse_rule("soft-majority", 3, weight=0.41, factor=None)
    SoftMajority(b=3, weight=0.41)
    """
    from kadanoff.renormalization.blocking import BLOCKING_RULES

    if name not in BLOCKING_RULES:
        raise InputError(f"unknown rule {name!r}; choose from {', '.join(BLOCKING_RULES)}")
    if b < 2:
        raise InputError(f"--b {b} is no rescaling: the side of a block must be 2 or more")
    given = {key: value for key, value in parameters.items() if value is not None}
    for key in given:
        if key not in _parameters(BLOCKING_RULES[name]):
            owners = [rule for rule, cls in BLOCKING_RULES.items() if key in _parameters(cls)]
            raise InputError(
                f"--{key} belongs to --rule {' or '.join(owners)}; {name} has none: leave it out"
            )
    return BLOCKING_RULES[name](b=b, **given)


def rule_record(name: str, b: int, **parameters: float | None) -> dict[str, Any]:
    """The rule as the record of a run holds it; runs of older versions know no parameter but the factor."""
    given = {key: value for key, value in parameters.items() if value is not None}
    return {"rule": name, "b": b, "factor": None, **given}


def _parameters(rule: type) -> set[str]:
    return {field.name for field in dataclasses.fields(rule)} - {"b"}
