"""What the machine at hand does, part by part, and the lines that it is to be held against."""

from collections.abc import Callable, Iterator

from kadanoff.benchmark.clock import Line
from kadanoff.benchmark.growth import growth_lines
from kadanoff.benchmark.measuring import measuring_lines
from kadanoff.benchmark.network import network_lines
from kadanoff.benchmark.reference import reference_lines
from kadanoff.benchmark.training import training_lines
from kadanoff.benchmark.updates import update_lines

__all__ = ["MEASUREMENTS", "Line"]

#: By title, what is measured: generators of lines, given the seconds that each line may take once it is compiled.
MEASUREMENTS: dict[str, Callable[[float], Iterator[Line]]] = {
    "the machine": reference_lines,
    "updates": update_lines,
    "measuring": measuring_lines,
    "growth": growth_lines,
    "training of the default inverse": training_lines,
    "network": network_lines,
}
