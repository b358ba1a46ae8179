"""Operations on vectors of sixteen numbers that numba does not spell: what they hold has to stay in registers.

All take addresses; none checks bounds.
"""

from typing import no_type_check

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = ["LANES", "PATTERNS", "ROWS", "SUMS", "WIDTH", "accumulate", "multiply_add", "sum_up", "turn"]

PATTERNS = 16  # of four states of two levels
WIDTH = 32  # columns that are summed at once: two vectors
ROWS = 4  # samples that are summed at once
LANES = 16
SUMS = 8  # products that are summed at once

_WORD = types.intp
_VECTOR = ir.VectorType(ir.FloatType(), LANES)
_INDICES = ir.VectorType(ir.IntType(32), LANES)


@no_type_check
def _place(builder, address, offset=0, kind=_VECTOR):
    """The pointer `offset` bytes behind an address."""
    return builder.inttoptr(builder.add(address, ir.Constant(address.type, offset)), ir.PointerType(kind))


@no_type_check
def _spread(builder, value):
    """A vector of one number."""
    one = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(one, one, ir.Constant(_INDICES, [0] * LANES))


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

        places = [_place(builder, total, 4 * LANES * k) for k in range(ROWS * WIDTH // LANES)]
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
            for half in range(WIDTH // LANES):
                term = builder.load(_place(builder, entry, 4 * LANES * half), align=4)
                added.append(builder.fadd(sums[row * WIDTH // LANES + half], term))
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

        low, rise = _spread(builder, low), _spread(builder, rise)
        starts = [builder.add(rows, builder.mul(pitch, ir.Constant(rows.type, k))) for k in range(4)]
        for half in range(0, 4 * WIDTH, 4 * LANES):
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

        rows = [builder.load(row(source, pitch, k), align=4) for k in range(LANES)]
        # Blocks of side `size` off the diagonal change places: 1 x 1 within 2 x 2, and so on.
        for size in (1, 2, 4, 8):
            upper = [lane if not lane & size else LANES + lane - size for lane in range(LANES)]
            lower = [lane + size if not lane & size else LANES + lane for lane in range(LANES)]
            for k in range(LANES):
                if not k & size:
                    pair = rows[k], rows[k + size]
                    rows[k] = builder.shuffle_vector(*pair, ir.Constant(_INDICES, upper))
                    rows[k + size] = builder.shuffle_vector(*pair, ir.Constant(_INDICES, lower))
        for k, value in enumerate(rows):
            builder.store(value, row(target, target_pitch, k), align=4)
        return context.get_dummy_value()

    return types.void(*[_WORD] * 4), code


@intrinsic
@no_type_check
def multiply_add(
    context, taps, count, factors, factor_step, vectors, vector_step, start, start_step, total, total_step
):
    """Set each of SUMS vectors to one of `start` (0 if that is 0) plus, over `count` taps, a factor times a vector.

    The factor of sum s and tap t lies at factors + s factor_step + the t-th 32-bit word of `taps`, the vector at
    vectors + t vector_step.
    """

    @no_type_check
    def code(context, builder, signature, arguments):
        taps, count, factors, factor_step, vectors, vector_step, start, start_step, total, total_step = (
            arguments
        )

        def number(value):
            return ir.Constant(factors.type, value)

        def spaced(begin, step):
            return [builder.add(begin, builder.mul(step, number(s))) for s in range(SUMS)]

        kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
        fused = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{LANES}f32")
        empty, zero = builder.icmp_signed("==", start, number(0)), ir.Constant(_VECTOR, [0.0] * LANES)
        places = spaced(total, total_step)
        first = [
            builder.select(
                empty, zero, builder.load(_place(builder, builder.select(empty, other, place)), align=4)
            )
            for place, other in zip(spaced(start, start_step), places, strict=True)
        ]
        shifts = [builder.mul(factor_step, number(s)) for s in range(SUMS)]
        before, body, after = builder.block, *(builder.append_basic_block() for _ in range(2))
        builder.branch(body)
        builder.position_at_end(body)
        tap, vector = builder.phi(factors.type), builder.phi(factors.type)
        tap.add_incoming(number(0), before)
        vector.add_incoming(vectors, before)
        sums = [builder.phi(_VECTOR) for _ in first]
        word = _place(builder, builder.add(taps, builder.mul(tap, number(4))), kind=ir.IntType(32))
        begin = builder.add(factors, builder.sext(builder.load(word, align=4), factors.type))
        column = builder.load(_place(builder, vector), align=4)
        added = []
        for one, shift in zip(sums, shifts, strict=True):
            place = _place(builder, builder.add(begin, shift), kind=ir.FloatType())
            factor = _spread(builder, builder.load(place, align=4))
            added.append(builder.call(fused, [factor, column, one]))
        following = builder.add(tap, number(1))
        tap.add_incoming(following, body)
        vector.add_incoming(builder.add(vector, vector_step), body)
        for phi, begin, end in zip(sums, first, added, strict=True):
            phi.add_incoming(begin, before)
            phi.add_incoming(end, body)
        builder.cbranch(builder.icmp_signed("<", following, count), body, after)
        builder.position_at_end(after)
        for value, place in zip(added, places, strict=True):
            builder.store(value, _place(builder, place), align=4)
        return context.get_dummy_value()

    return types.void(*[_WORD] * 10), code
