"""The Numba type of :mod:`hmmem.kernels.simd`: an LLVM <8 x double>, and its operations as intrinsics.

What each operation does says :mod:`hmmem.kernels.simd.twin`, in NumPy.
"""

from __future__ import annotations

import operator

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

LANES = 8
_VECTOR = ir.VectorType(ir.DoubleType(), LANES)
_INTEGERS = ir.VectorType(ir.IntType(64), LANES)


class Vector(types.Type):
    """Numba's name for the LLVM type."""

    def __init__(self):
        super().__init__(name="Vector8Float64")


vector = Vector()


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager, fe_type):
        super().__init__(manager, fe_type, _VECTOR)


def _arithmetic(op, instruction):
    @lower_builtin(op, Vector, Vector)
    def lower(context, builder, sig, args):
        return getattr(builder, instruction)(*args)

    @infer_global(op)
    class Template(AbstractTemplate):
        key = op

        def generic(self, args, kws):
            if len(args) == 2 and all(isinstance(a, Vector) for a in args):
                return signature(vector, vector, vector)
            return None


for _op, _name in ((operator.add, "fadd"), (operator.sub, "fsub"), (operator.mul, "fmul"), (operator.truediv, "fdiv")):
    _arithmetic(_op, _name)


def _constant(value, kind=_VECTOR):
    return ir.Constant(kind, [value] * LANES)


def _pointer(context, builder, array_type, array, index):
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), _VECTOR.as_pointer())


def _call(builder, name, *args):
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * len(args))
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), args)


@intrinsic
def splat(typing_context, x):
    """Repeat a number."""

    def codegen(context, builder, sig, args):
        first = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), args[0], ir.Constant(ir.IntType(32), 0))
        mask = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        return builder.shuffle_vector(first, ir.Constant(_VECTOR, ir.Undefined), mask)

    return vector(types.float64), codegen


@intrinsic
def load(typing_context, array, index):
    """Take ``array[index:index + 8]``."""

    def codegen(context, builder, sig, args):
        value = builder.load(_pointer(context, builder, sig.args[0], args[0], args[1]))
        value.align = 8
        return value

    return vector(array, types.intp), codegen


@intrinsic
def pick(typing_context, array, index):
    """Repeat the number ``array[index]``, index >= 0: without the look for a negative index that ``splat`` implies."""

    def codegen(context, builder, sig, args):
        data = context.make_array(sig.args[0])(context, builder, args[0]).data
        value = builder.load(builder.gep(data, [args[1]]))
        first = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
        mask = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        return builder.shuffle_vector(first, ir.Constant(_VECTOR, ir.Undefined), mask)

    return vector(array, types.intp), codegen


@intrinsic
def collect(typing_context, array, index, step):
    """Take ``array[index[lane] + step]`` into each lane, for index (8,) int64."""

    def codegen(context, builder, sig, args):
        data = context.make_array(sig.args[0])(context, builder, args[0]).data
        places = context.make_array(sig.args[1])(context, builder, args[1]).data
        result = ir.Constant(_VECTOR, ir.Undefined)
        for lane in range(LANES):
            place = builder.load(builder.gep(places, [ir.Constant(ir.IntType(64), lane)]))
            value = builder.load(builder.gep(data, [builder.add(place, args[2])]))
            result = builder.insert_element(result, value, ir.Constant(ir.IntType(32), lane))
        return result

    return vector(array, index, types.intp), codegen


@intrinsic
def store(typing_context, array, index, value):
    """Put eight numbers at ``array[index:index + 8]``."""

    def codegen(context, builder, sig, args):
        builder.store(args[2], _pointer(context, builder, sig.args[0], args[0], args[1])).align = 8
        return context.get_dummy_value()

    return types.none(array, types.intp, value), codegen


@intrinsic
def fma(typing_context, a, b, c):
    """Return a * b + c with one rounding."""
    return vector(a, b, c), lambda context, builder, sig, args: _call(builder, "llvm.fma.v8f64", *args)


@intrinsic
def nearest(typing_context, a):
    """Round to the nearest integer, ties to even."""
    return vector(a), lambda context, builder, sig, args: _call(builder, "llvm.rint.v8f64", *args)


@intrinsic
def where(typing_context, a, b, x, y):
    """Take x where a < b, else y."""

    def codegen(context, builder, sig, args):
        return builder.select(builder.fcmp_ordered("<", args[0], args[1]), args[2], args[3])

    return vector(a, b, x, y), codegen


@intrinsic
def larger(typing_context, a, b):
    """Return the larger of two numbers."""

    def codegen(context, builder, sig, args):
        return builder.select(builder.fcmp_ordered("<", args[0], args[1]), args[1], args[0])

    return vector(a, b), codegen


@intrinsic
def smaller(typing_context, a, b):
    """Return the smaller of two numbers."""

    def codegen(context, builder, sig, args):
        return builder.select(builder.fcmp_ordered("<", args[0], args[1]), args[0], args[1])

    return vector(a, b), codegen


@intrinsic
def any_less(typing_context, a, b):
    """Return whether a < b in any lane."""

    def codegen(context, builder, sig, args):
        bits = builder.bitcast(builder.fcmp_ordered("<", args[0], args[1]), ir.IntType(LANES))
        return builder.icmp_unsigned("!=", bits, ir.Constant(ir.IntType(LANES), 0))

    return types.boolean(a, b), codegen


@intrinsic
def power_of_two(typing_context, n):
    """Return 2**n for integer-valued n from -1022 to 1023."""

    def codegen(context, builder, sig, args):
        bits = builder.add(builder.fptosi(args[0], _INTEGERS), _constant(1023, _INTEGERS))
        return builder.bitcast(builder.shl(bits, _constant(52, _INTEGERS)), _VECTOR)

    return vector(n), codegen


@intrinsic
def exponent(typing_context, x):
    """Return the n of x = m 2**n with 1 <= m < 2, for positive normal x."""

    def codegen(context, builder, sig, args):
        bits = builder.lshr(builder.bitcast(args[0], _INTEGERS), _constant(52, _INTEGERS))
        return builder.sitofp(builder.sub(bits, _constant(1023, _INTEGERS)), _VECTOR)

    return vector(x), codegen


@intrinsic
def mantissa(typing_context, x):
    """Return the m of x = m 2**n with 1 <= m < 2, for positive normal x."""

    def codegen(context, builder, sig, args):
        bits = builder.and_(builder.bitcast(args[0], _INTEGERS), _constant(2**52 - 1, _INTEGERS))
        return builder.bitcast(builder.or_(bits, _constant(1023 << 52, _INTEGERS)), _VECTOR)

    return vector(x), codegen


@intrinsic
def transpose(typing_context, a, b, c, d, e, f, g, h):
    """Return eight vectors whose number i holds number i of each."""

    def shuffle(builder, x, y, places):
        mask = ir.Constant(ir.VectorType(ir.IntType(32), LANES), places)
        return builder.shuffle_vector(x, y, mask)

    def codegen(context, builder, sig, args):
        rows = list(args)
        # pairs, then fours, then halves: after each step twice as many neighbours come from one column
        for step, low, high in (
            (1, [0, 8, 2, 10, 4, 12, 6, 14], [1, 9, 3, 11, 5, 13, 7, 15]),
            (2, [0, 1, 8, 9, 4, 5, 12, 13], [2, 3, 10, 11, 6, 7, 14, 15]),
            (4, [0, 1, 2, 3, 8, 9, 10, 11], [4, 5, 6, 7, 12, 13, 14, 15]),
        ):
            after = list(rows)
            for i in range(LANES):
                if i & step == 0:
                    after[i] = shuffle(builder, rows[i], rows[i + step], low)
                    after[i + step] = shuffle(builder, rows[i], rows[i + step], high)
            rows = after
        return context.make_tuple(builder, sig.return_type, rows)

    return types.UniTuple(vector, LANES)(a, b, c, d, e, f, g, h), codegen
