"""What a program that XLA compiled for a GPU does: kernels, bytes they read and write, operations. Read from its text.

`gpu_programs.py` says what is counted, and what is not.
"""

import re
from collections.abc import Iterator
from math import prod
from typing import NamedTuple

ARITHMETIC = set(
    """
    abs add and clamp compare convert cosine divide erf exponential exponential-minus-one floor log log-plus-one
    logistic maximum minimum multiply negate not or power reduce remainder rsqrt select shift-left
    shift-right-arithmetic shift-right-logical sign sine sqrt subtract tanh xor
    """.split()
)
FREE = {"parameter", "constant", "tuple", "get-tuple-element", "bitcast", "after-all", "opt-barrier"}


class Instruction(NamedTuple):
    """One line of a compiled program."""

    name: str
    shape: str
    kind: str
    rest: str


class Cost(NamedTuple):
    """What a program does to memory, each time it is called."""

    kernels: int = 0
    moved: int = 0
    operations: int = 0
    unknown_loops: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        """Both."""
        return Cost(*(one + two for one, two in zip(self, other, strict=True)))

    def __mul__(self, times: int) -> "Cost":
        """So many times."""
        return Cost(*(times * one for one in self[:-1]), self.unknown_loops)


def cost_of(text: str) -> Cost:
    """Count what a compiled program does."""
    parts, entry = computations(text)
    return _cost(parts, entry)


def _cost(parts: dict[str, list[Instruction]], name: str) -> Cost:
    shapes, total = {one.name: one.shape for one in parts[name]}, Cost()
    for one in parts[name]:
        if one.kind in FREE:
            continue
        if one.kind in ("while", "call", "conditional"):
            turns = re.search(r'"known_trip_count":\{"n":"(\d+)"', one.rest)
            inner = re.findall(r"(?:body|condition|to_apply|\w+_computation)=%([\w.\-]+)", one.rest)
            inner += re.findall(
                r"%([\w.\-]+)", "".join(re.findall(r"branch_computations=\{([^}]*)\}", one.rest))
            )
            once = sum((_cost(parts, each) for each in inner), Cost())
            total += once * (int(turns.group(1)) if turns else 1)
            total += Cost(unknown_loops=int(one.kind == "while" and turns is None))
        else:
            given = [size(shapes.get(each, "")) for each in _operands(one)]
            fused = re.findall(r"calls=%([\w.\-]+)", one.rest)
            moved = _moved(parts[fused[0]], given, size(one.shape)) if fused else sum(given) + size(one.shape)
            total += Cost(1, moved, sum(_operations(parts, each) for each in fused))
    return total


def _operands(one: Instruction) -> list[str]:
    return re.findall(r"%([\w.\-]+)", one.rest.split(")")[0])


def _moved(fused: list[Instruction], given: list[int], result: int) -> int:
    """Bytes that a fused kernel reads and writes: of what it only cuts a slice from, or changes one in, that slice."""
    total, changed = 0, [one for one in fused if one.kind == "dynamic-update-slice"]
    shapes = {one.name: one.shape for one in fused}
    for one in fused:
        if one.kind != "parameter":
            continue
        users = [user for user in fused if one.name in _operands(user)]
        if users and all(user in changed and _operands(user)[0] == one.name for user in users):
            continue
        cut = bool(users) and all(user.kind in ("dynamic-slice", "slice") for user in users)
        total += sum(size(user.shape) for user in users) if cut else given[int(one.rest.split(")")[0])]
    return total + result + sum(size(shapes[_operands(one)[1]]) - size(one.shape) for one in changed)


def _operations(parts: dict[str, list[Instruction]], name: str) -> int:
    """Operations of a fused kernel on its numbers; a reduction takes one for each number that it is given."""
    total, shapes = 0, {one.name: one.shape for one in parts[name]}
    for one in parts[name]:
        if one.kind in ARITHMETIC:
            total += count(shapes[_operands(one)[0] if one.kind == "reduce" else one.name])
        total += sum(_operations(parts, each) for each in re.findall(r"calls=%([\w.\-]+)", one.rest))
    return total


def computations(text: str) -> tuple[dict[str, list[Instruction]], str]:
    """The computations of a program of XLA, by name, and which of them it begins with."""
    parts: dict[str, list[Instruction]] = {}
    entry = name = ""
    for line in text.splitlines():
        if begun := re.match(r"(ENTRY )?%?([\w.\-]+) \(.*\) -> .* \{$", line):
            name = begun.group(2)
            parts[name], entry = [], name if begun.group(1) else entry
        elif found := re.match(r"\s+(?:ROOT )?%([\w.\-]+) = (\(.*?\)|\S+) ([\w\-]+)\((.*)$", line):
            parts[name].append(Instruction(*found.groups()))
    return parts, entry


def size(shape: str) -> int:
    """Bytes of a shape, or of all in a tuple of them."""
    return sum(numbers * (bits // 8) for numbers, bits in _arrays(shape))


def count(shape: str) -> int:
    """Numbers in a shape."""
    return sum(numbers for numbers, _ in _arrays(shape))


def _arrays(shape: str) -> Iterator[tuple[int, int]]:
    """How many numbers of how many bits each."""
    for kind, sides in re.findall(r"\b(pred|[suf]\d+|bf16)\[([\d,]*)\]", shape):
        bits = re.search(r"\d+", kind)
        yield prod(int(side) for side in sides.split(",") if side), int(bits.group()) if bits else 8
