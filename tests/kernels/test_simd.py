from __future__ import annotations

import os
import subprocess
import sys

import mpmath
import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from hmmem.kernels import simd
from hmmem.kernels.options import kernel
from hmmem.kernels.simd import twin


@kernel
def exp_all(x, out):
    for i in range(0, x.size, 8):
        simd.store(out, i, simd.exp(simd.load(x, i)))


@kernel
def log_all(x, out):
    for i in range(0, x.size, 8):
        simd.store(out, i, simd.log(simd.load(x, i)))


@kernel
def every_operation(a, b, out):
    x, y = simd.load(a, 0), simd.load(b, 0)
    simd.store(out, 0, x + y)
    simd.store(out, 8, x - y)
    simd.store(out, 16, x * y)
    simd.store(out, 24, x / y)
    simd.store(out, 32, simd.fma(x, y, simd.splat(0.5)))
    simd.store(out, 40, simd.where(x, y, x, y))
    simd.store(out, 48, simd.nearest(x))
    simd.store(out, 56, simd.power_of_two(simd.nearest(y)))
    simd.store(out, 64, simd.larger(x, y))
    simd.store(out, 72, simd.smaller(x, y))
    simd.store(out, 80, simd.exponent(x * x))
    simd.store(out, 88, simd.mantissa(x * x))
    return simd.any_less(x, y)


def test_exp_is_within_its_stated_error_of_mpmath():
    rng = np.random.default_rng(0)
    x = np.concatenate(
        [-700 * rng.random(1600), 700 * rng.random(400), -rng.random(1600), [0.0, -0.5, 1.0, -708.0] * 2]
    )
    out = np.empty_like(x)
    exp_all(x, out)
    with mpmath.workdps(40):
        error = [abs(mpmath.mpf(float(y)) / mpmath.exp(mpmath.mpf(float(v))) - 1) for v, y in zip(x, out, strict=True)]
    assert max(error) < 2.3e-16


def test_exp_gives_exact_zeros_below_its_range():
    x = np.array([-np.inf, -1e308, -1e4, -745.2, -708.1, -np.inf, 0.0, -0.0])
    out = np.empty(8)
    exp_all(x, out)
    assert_array_equal(out, [0, 0, 0, 0, 0, 0, 1, 1])


def test_log_is_within_its_stated_error_of_mpmath():
    rng = np.random.default_rng(0)
    x = np.concatenate(
        [2.0 ** rng.uniform(-1020, 1020, 1600), rng.uniform(0.5, 2.0, 1600), 1 + rng.uniform(-1e-9, 1e-9, 800)]
    )
    out = np.empty_like(x)
    log_all(x, out)
    with mpmath.workdps(40):
        exact = [mpmath.log(mpmath.mpf(float(v))) for v in x]
        error = [abs(mpmath.mpf(float(y)) - e) / np.spacing(abs(float(e))) for y, e in zip(out, exact, strict=True)]
    assert max(error) < 1.2


def test_log_of_one_is_zero_and_of_zero_minus_infinity():
    x = np.array([1.0, 0.0, 1.0, 0.0, 2.0, 0.5, 1e-310, 4.0])
    out = np.empty(8)
    log_all(x, out)
    assert_array_equal(out, [0.0, -np.inf, 0.0, -np.inf, np.log(2), -np.log(2), -np.inf, np.log(4)])


def test_operations_match_their_numpy_twins():
    rng = np.random.default_rng(1)
    a, b, out = 10 * rng.normal(size=8), 10 * rng.normal(size=8), np.empty(96)
    a[3] = b[3]
    less = every_operation(a, b, out)
    with np.errstate(all="raise"):
        expected = [a + b, a - b, a * b, a / b, twin.fma(a, b, twin.splat(0.5)), twin.where(a, b, a, b)]
        expected += [twin.nearest(a), twin.power_of_two(twin.nearest(b)), twin.larger(a, b), twin.smaller(a, b)]
        expected += [twin.exponent(a * a), twin.mantissa(a * a)]
    assert_allclose(out.reshape(12, 8), expected, rtol=1e-15, atol=1e-14)
    assert less is twin.any_less(a, b) is True
    assert every_operation(a, a, out) is False


@kernel
def transpose_all(x):
    rows = simd.transpose(
        simd.load(x, 0), simd.load(x, 8), simd.load(x, 16), simd.load(x, 24),
        simd.load(x, 32), simd.load(x, 40), simd.load(x, 48), simd.load(x, 56),
    )  # fmt: skip
    for i in range(8):
        simd.store(x, i * 8, rows[i])


def test_transpose_turns_rows_into_columns():
    x = np.arange(64.0)
    transpose_all(x)
    assert_array_equal(x.reshape(8, 8), np.arange(64.0).reshape(8, 8).T)
    assert_array_equal(twin.transpose(*np.arange(64.0).reshape(8, 8)), np.arange(64.0).reshape(8, 8).T)


def test_where_takes_the_other_where_a_number_is_nan():
    out = np.empty(96)
    a, b = np.full(8, np.nan), np.arange(8.0) + 1
    every_operation(a, b, out)
    assert_array_equal(out[40:48], b)


def test_kernels_run_as_plain_python_without_the_jit():
    code = (
        "import numpy as np, hmmem; hmmem.selftest();"
        "X = np.random.default_rng(0).normal(size=(60, 2));"
        "parts = [X[:20], X[20:35], X[35:50], X[50:]];"
        "print(hmmem.GaussianHMM(2, random_state=0, n_iter=2, tol=None, n_jobs=1).fit(parts).score(X))"
    )
    plain, compiled = (
        float(
            subprocess.run(
                [sys.executable, "-c", code],
                env={**os.environ, "NUMBA_DISABLE_JIT": switch},
                check=True,
                capture_output=True,
                text=True,
            ).stdout
        )
        for switch in ("1", "0")
    )
    assert abs(plain - compiled) < 1e-9 * abs(compiled)
