"""The operations of :mod:`hmmem.kernels.simd.vector` on arrays of 8, for when the JIT is switched off."""

from __future__ import annotations

import numpy as np


def splat(x):
    """Repeat a number."""
    return np.full(8, x, dtype=np.float64)


def load(array, index):
    """Take ``array[index:index + 8]``."""
    return array[index : index + 8].copy()


def pick(array, index):
    """Repeat the number ``array[index]`` of an array in the order of its memory."""
    return np.full(8, array.reshape(-1)[index])


def collect(array, index, step):
    """Take ``array[index[lane] + step]`` into each lane."""
    return array[index + step]


def store(array, index, value):
    """Put eight numbers at ``array[index:index + 8]``."""
    array[index : index + 8] = value


def fma(a, b, c):
    """Return a * b + c; two roundings, where the processor has one."""
    return a * b + c


def nearest(a):
    """Round to the nearest integer, ties to even."""
    return np.rint(a)


def where(a, b, x, y):
    """Take x where a < b, else y."""
    return np.where(a < b, x, y)


def larger(a, b):
    """Return the larger of two numbers."""
    return np.where(a < b, b, a)


def smaller(a, b):
    """Return the smaller of two numbers."""
    return np.where(a < b, a, b)


def any_less(a, b):
    """Return whether a < b in any lane."""
    return bool(np.any(a < b))


def power_of_two(n):
    """Return 2**n."""
    return np.ldexp(1.0, n.astype(np.int64))


def exponent(x):
    """Return the n of x = m 2**n with 1 <= m < 2."""
    return np.frexp(x)[1] - 1.0


def mantissa(x):
    """Return the m of x = m 2**n with 1 <= m < 2."""
    return 2.0 * np.frexp(x)[0]


def transpose(a, b, c, d, e, f, g, h):
    """Return eight vectors whose number i holds number i of each."""
    return tuple(np.array([a, b, c, d, e, f, g, h]).T.copy())
