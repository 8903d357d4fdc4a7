"""Eight float64 numbers at once: a Numba type that is an LLVM <8 x double>, and the operations on it.

LLVM does not vectorise short recursions by itself; with eight sequences in eight lanes there is nothing left for it to
find. A vector is a value, like a float: it lives in registers and is written with ``+ - * /``. LLVM splits it where
the processor's registers are narrower (AVX2: two halves, NEON: four quarters).

How to read a kernel that uses it: arrays are flat, ``load(a, i)`` takes ``a[i:i + 8]`` as a vector and
``store(a, i, v)`` puts it back; ``splat(x)`` repeats a number, ``pick(a, i)`` the number ``a[i]``; ``collect(a, p, i)``
takes ``a[p[lane] + i]`` into each lane; ``fma(a, b, c)`` is a * b + c with one rounding; ``larger`` and ``smaller``
choose between two; ``where(a, b, x, y)`` takes x in the lanes where a < b and y in the others (and where a or b is
nan). A loop over frames looks as it would for one sequence, only that every number is eight.

How to write one: keep what a loop carries in names, not in arrays, and give it four independent sums, for a sum waits
four cycles for the one before. ``pick`` rather than ``splat(a[i])``: Numba looks whether an index is negative. Divide
off the chain of dependencies. Branch on ``any_less`` only for what is rare. A lane must never see its neighbours:
whatever a rare branch does for one lane it does through ``where``.

With the JIT switched off (``NUMBA_DISABLE_JIT=1``) each operation is its NumPy twin on an array of 8 (``twin.py``), so
that every kernel also runs, and can be stepped through, as plain Python.
"""

from __future__ import annotations

import numpy as np
from numba import config

from hmmem.kernels.options import inline

if config.DISABLE_JIT:
    from hmmem.kernels.simd import twin as operations
else:
    from hmmem.kernels.simd import vector as operations  # type: ignore[no-redef]

any_less, exponent, fma, larger = operations.any_less, operations.exponent, operations.fma, operations.larger
collect, load, mantissa, nearest = operations.collect, operations.load, operations.mantissa, operations.nearest
pick, power_of_two, smaller = operations.pick, operations.power_of_two, operations.smaller
splat, store, transpose, where = operations.splat, operations.store, operations.transpose, operations.where

__all__ = [
    "any_less",
    "cleared",
    "collect",
    "exp",
    "exponent",
    "fma",
    "larger",
    "load",
    "log",
    "mantissa",
    "nearest",
    "pick",
    "power_of_two",
    "room",
    "smaller",
    "splat",
    "store",
    "transpose",
    "where",
]

#: (exp(r) - 1 - r) / r^2 on [-log(2) / 2, log(2) / 2], highest power first: interpolated at Chebyshev's points with 60
#: digits; 1 + r + r^2 times it is within 1.7e-17 of exp(r).
_EXP = (
    2.510038549551032e-08,
    2.7620088445409746e-07,
    2.7557268459997064e-06,
    2.4801521295954376e-05,
    1.9841269863053618e-04,
    1.3888888917213717e-03,
    8.333333333330062e-03,
    4.166666666662413e-02,
    1.6666666666666669e-01,
    0.5,
)
#: (2 atanh(s) - 2 s) / s^3 as a polynomial in s^2 for 1 / sqrt(2) <= (1 + s) / (1 - s) <= sqrt(2), highest power first,
#: found in the same way: within 5e-18.
_LOG = (
    0.14616585424888623,
    0.15331710618210773,
    0.18182889455674947,
    0.22222211130259878,
    0.2857142862600327,
    0.39999999999899444,
    0.666666666666667,
)


@inline
def exp(x):
    """The exp of eight numbers up to 709, within 2.3e-16 of its value; 0 below -708, and so for -inf."""
    low = splat(-708.0)
    y = larger(x, low)
    n = nearest(y * splat(1.4426950408889634))
    r = fma(n, splat(-6.93147180369123816490e-01), y)  # Cody and Waite: log(2) in two parts
    r = fma(n, splat(-1.90821492927058770002e-10), r)
    p = splat(_EXP[0])
    for c in _EXP[1:]:
        p = fma(p, r, splat(c))
    p = fma(p, r, splat(1.0))
    p = fma(p, r, splat(1.0))
    return where(x, low, splat(0.0), p * power_of_two(n))


@inline
def log(x):
    """The log of eight positive numbers, within 1.2 units in the last place; -inf below 2.3e-308, and so for 0."""
    n, m = exponent(x), mantissa(x)
    high = splat(1.4142135623730951)
    n, m = where(high, m, n + splat(1.0), n), where(high, m, m * splat(0.5), m)
    f = m - splat(1.0)
    s = f / (f + splat(2.0))  # log(1 + f) = 2 atanh(s) = f - f^2 / 2 + s (f^2 / 2 + z p(z)), z = s^2
    z, half = s * s, splat(0.5) * f * f
    p = splat(_LOG[0])
    for c in _LOG[1:]:
        p = fma(p, z, splat(c))
    low = fma(n, splat(1.90821492927058770002e-10), s * fma(p, z, half))
    result = fma(n, splat(6.93147180369123816490e-01), f - (half - low))
    return where(x, splat(2.3e-308), splat(-np.inf), result)


@inline
def room(n):
    """Make room for n numbers that begins at a line of the cache: vectors that straddle two take twice the time."""
    space = np.empty(n + 8)
    skipped = (-(space.ctypes.data // 8)) % 8
    return space[skipped : skipped + n]


@inline
def cleared(n):
    """The same, filled with zeros."""
    space = room(n)
    space[:] = 0.0
    return space
