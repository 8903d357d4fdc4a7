"""Eight float64 numbers at once: a Numba type that is an LLVM <8 x double>, and the operations on it.

LLVM does not vectorise short recursions by itself; with eight sequences in eight lanes there is nothing left for it to
find. A vector is a value, like a float: it lives in registers and is written with ``+ - * /``. LLVM splits it where
the processor's registers are narrower (AVX2: two halves, NEON: four quarters).

How to read a kernel that uses it: arrays are flat, ``load(a, i)`` takes ``a[i:i + 8]`` as a vector and
``store(a, i, v)`` puts it back; ``splat(x)`` repeats a number; ``fma(a, b, c)`` is a * b + c with one rounding;
``where(a, b, x, y)`` takes x in the lanes where a < b and y in the others (and where a or b is nan). A loop over frames
looks as it would for one sequence, only that every number is eight.

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

any_less, fma, larger, load = operations.any_less, operations.fma, operations.larger, operations.load
nearest, power_of_two, smaller = operations.nearest, operations.power_of_two, operations.smaller
splat, store, where = operations.splat, operations.store, operations.where

__all__ = [
    "any_less",
    "exp",
    "fma",
    "larger",
    "load",
    "log_lanes",
    "nearest",
    "power_of_two",
    "smaller",
    "splat",
    "store",
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
def log_lanes(x, scratch):
    """The log of eight positive numbers, lane by lane: kernels ask for it rarely. scratch (8,)."""
    store(scratch, 0, x)
    for lane in range(8):
        scratch[lane] = np.log(scratch[lane])
    return load(scratch, 0)
