"""Operations on vectors of sixteen numbers that numba does not spell: what they hold has to stay in registers.

All take addresses; none checks bounds.
"""

from typing import no_type_check

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

__all__ = ["PATTERNS", "ROWS", "WIDTH", "accumulate", "sum_up", "turn"]

PATTERNS = 16  # of four states of two levels
WIDTH = 32  # columns that are summed at once: two vectors
ROWS = 4  # samples that are summed at once

_LANES = 16
_WORD = types.intp
_VECTOR = ir.VectorType(ir.FloatType(), _LANES)
_INDICES = ir.VectorType(ir.IntType(32), _LANES)


@no_type_check
def _place(builder, address, offset=0, kind=_VECTOR):
    """The pointer `offset` bytes behind an address."""
    return builder.inttoptr(builder.add(address, ir.Constant(address.type, offset)), ir.PointerType(kind))


@intrinsic
@no_type_check
def accumulate(context, table, pattern, groups, stride, step, total):
    """Add to `total` (ROWS, WIDTH) the rows of `table` (group, PATTERNS, WIDTH) that patterns name.

    There is one group or more.
    The pattern, one byte, of row r and group g lies at pattern + r stride + g step.
    """

    @no_type_check
    def code(context, builder, signature, arguments):
        table, pattern, groups, stride, step, total = arguments

        def number(value):
            return ir.Constant(table.type, value)

        places = [_place(builder, total, 4 * _LANES * k) for k in range(ROWS * WIDTH // _LANES)]
        first = [builder.load(place, align=4) for place in places]
        before, body, after = builder.block, *(builder.append_basic_block() for _ in range(2))
        builder.branch(body)
        builder.position_at_end(body)
        group = builder.phi(table.type)
        group.add_incoming(number(0), before)
        sums = [builder.phi(_VECTOR) for _ in first]
        begin = builder.add(table, builder.mul(group, number(4 * PATTERNS * WIDTH)))
        column = builder.add(pattern, builder.mul(group, step))
        added = []
        for row in range(ROWS):
            place = _place(builder, builder.add(column, builder.mul(stride, number(row))), kind=ir.IntType(8))
            entry = builder.mul(builder.zext(builder.load(place), table.type), number(4 * WIDTH))
            entry = builder.add(begin, entry)
            for half in range(WIDTH // _LANES):
                term = builder.load(_place(builder, entry, 4 * _LANES * half), align=4)
                added.append(builder.fadd(sums[row * WIDTH // _LANES + half], term))
        following = builder.add(group, number(1))
        group.add_incoming(following, body)
        for phi, start, end in zip(sums, first, added, strict=True):
            phi.add_incoming(start, before)
            phi.add_incoming(end, body)
        builder.cbranch(builder.icmp_signed("<", following, groups), body, after)
        builder.position_at_end(after)
        for value, place in zip(added, places, strict=True):
            builder.store(value, place, align=4)
        return context.get_dummy_value()

    return types.void(*[_WORD] * 6), code


@intrinsic
@no_type_check
def sum_up(context, rows, pitch, low, rise, table):
    """Fill one group of a table (PATTERNS, WIDTH): sums of four rows, each times low, or low + rise for a bit of 1.

    The rows lie `pitch` bytes apart.
    """

    @no_type_check
    def code(context, builder, signature, arguments):
        rows, pitch, low, rise, table = arguments

        def spread(value):
            one = builder.insert_element(
                ir.Constant(_VECTOR, ir.Undefined), value, ir.Constant(ir.IntType(32), 0)
            )
            return builder.shuffle_vector(one, one, ir.Constant(_INDICES, [0] * _LANES))

        low, rise = spread(low), spread(rise)
        starts = [builder.add(rows, builder.mul(pitch, ir.Constant(rows.type, k))) for k in range(4)]
        for half in range(0, 4 * WIDTH, 4 * _LANES):
            given = [builder.load(_place(builder, start, half), align=4) for start in starts]
            whole = builder.fadd(builder.fadd(given[0], given[1]), builder.fadd(given[2], given[3]))
            sums = [builder.fmul(low, whole)]
            for row in given:
                more = builder.fmul(rise, row)
                sums += [builder.fadd(one, more) for one in sums]
            for bits, one in enumerate(sums):
                builder.store(one, _place(builder, table, 4 * WIDTH * bits + half), align=4)
        return context.get_dummy_value()

    return types.void(_WORD, _WORD, types.float32, types.float32, _WORD), code


@intrinsic
@no_type_check
def turn(context, source, pitch, target, target_pitch):
    """Transpose sixteen rows of sixteen numbers, rows lying `pitch` and `target_pitch` bytes apart."""

    @no_type_check
    def code(context, builder, signature, arguments):
        source, pitch, target, target_pitch = arguments

        def row(start, pitch, k):
            return _place(builder, builder.add(start, builder.mul(pitch, ir.Constant(start.type, k))))

        rows = [builder.load(row(source, pitch, k), align=4) for k in range(_LANES)]
        # Blocks of side `size` off the diagonal change places: 1 x 1 within 2 x 2, and so on.
        for size in (1, 2, 4, 8):
            upper = [lane if not lane & size else _LANES + lane - size for lane in range(_LANES)]
            lower = [lane + size if not lane & size else _LANES + lane for lane in range(_LANES)]
            for k in range(_LANES):
                if not k & size:
                    pair = rows[k], rows[k + size]
                    rows[k] = builder.shuffle_vector(*pair, ir.Constant(_INDICES, upper))
                    rows[k + size] = builder.shuffle_vector(*pair, ir.Constant(_INDICES, lower))
        for k, value in enumerate(rows):
            builder.store(value, row(target, target_pitch, k), align=4)
        return context.get_dummy_value()

    return types.void(*[_WORD] * 4), code
